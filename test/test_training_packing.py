"""Questions packed behind one scene learn exactly what they learn each by itself. Takes 10 s."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_lessons import SCENES, rows, school
from torch.nn.functional import cross_entropy

from spatial_vlm_ros.reasoners.prompt import ChatPrompt
from spatial_vlm_ros.serving.generation import Generator
from spatial_vlm_ros.training.arguments import training_arguments
from spatial_vlm_ros.training.config import REDUCTIONS, DataSettings, TrainConfig
from spatial_vlm_ros.training.config_file import load
from spatial_vlm_ros.training.dataset import Sequences
from spatial_vlm_ros.training.exam import scene_prefix
from spatial_vlm_ros.training.lessons import lesson
from spatial_vlm_ros.training.mixture import Entry
from spatial_vlm_ros.training.opening import Pupil, open_pupil
from spatial_vlm_ros.training.packing import IGNORED, answer_weights, attention_mask, collate, pack
from spatial_vlm_ros.training.simplified import SymbolScenes
from spatial_vlm_ros.training.trainer import SceneTrainer

POINTS = {"spatial": "points", "spatial_width": 16}
MODELS = {
    "Proxy3D": ("proxy3d", "proxies", {}),
    "Proxy3D, symbols": ("proxy3d", "placed_symbols", {}),
    "Proxy3D, nothing": ("proxy3d", "nothing", {}),
    "SSR-2D": ("ssr", "frames", {}),
    "SSR-3D": ("ssr", "frames", POINTS),
    "SSR-3D, sequential": ("ssr", "frames", {**POINTS, "insertion": "sequential"}),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("school")


def pupil(folder: Path, name: str) -> tuple[Pupil, TrainConfig]:
    """Whose new parts are as if they were trained, and all of which learns."""
    kind, shown, model = MODELS[name]
    config = load(school(folder, kind, shown, model=model))
    opened = open_pupil(config)
    random = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for part, weight in opened.loaded.model.named_parameters():
            weight.requires_grad_(True)
            if part.startswith(("position.", "spatial.")):
                weight += 0.1 * torch.randn(weight.shape, generator=random)
    return opened, config


@pytest.mark.parametrize("name", MODELS)
def test_a_scene_stands_in_exams_where_it_stands_in_lessons(folder: Path, name: str) -> None:
    opened, _ = pupil(folder, name)
    about = rows(kind=opened.teacher.kind)
    (number, row) = next((n, row) for n, row in enumerate(about) if row.scene == SCENES[0])
    lessons = Sequences([Entry((number,), (1,))], about, opened.teacher)[0]
    asked = scene_prefix(row, Generator(opened.loaded, 8, 60.0), opened.teacher)
    length = asked.ids.shape[1]
    assert torch.equal(asked.positions[:, 0], lessons.positions[:, :length])
    assert int(lessons.positions[:, length].max()) == int(asked.positions.max()) + 1


def gradients(model: Any) -> dict[str, torch.Tensor]:
    found = {n: w.grad.clone() for n, w in model.named_parameters() if w.grad is not None}
    model.zero_grad()
    return found


@pytest.mark.parametrize("name", MODELS)
def test_loss_and_gradients_are_those_of_separate_questions(folder: Path, name: str) -> None:
    opened, config = pupil(folder, name)
    model, teacher = opened.loaded.model, opened.teacher
    about = [row for row in rows(kind=teacher.kind) if row.scene in SCENES[:2]]
    entries = [
        Entry((0, 1, 2, 3), (1,)),
        Entry(tuple(n for n, row in enumerate(about) if row.scene == SCENES[1])[:2], (2,)),
    ]
    batch = collate([Sequences(entries, about, teacher)[n] for n in range(2)])
    assert len({len(ids) for ids in batch["input_ids"]}) == 1 and (batch["segments"] == -1).any()
    trainer = SceneTrainer(opened, training_arguments(config), Sequences(entries, about, teacher),
                           config.rates, 1.0, config.exam)  # fmt: skip
    packed = trainer._total_loss(model, batch)
    packed.backward()
    together = gradients(model)

    apart = torch.zeros(())
    tokenizer = opened.loaded.tokenizer
    for entry in entries:
        for row in (about[n] for n in entry.rows):
            numbering = teacher.numbering(row.scene)
            taught = lesson(row, teacher.kind, numbering)
            shown = teacher.scenes.shown(row.scene, numbering)
            prompt = ChatPrompt(tokenizer, teacher.system)
            start, end = tokenizer.convert_ids_to_tokens(
                [model.config.vision_start_token_id, model.config.vision_end_token_id]
            )
            filled = "".join(tokenizer.convert_ids_to_tokens(list(shown.placeholders)))
            text = prompt.before_question(f"{start}{filled}{end}") + prompt.question(
                taught.question
            )
            asked = tokenizer(text, add_special_tokens=False)["input_ids"]
            told = tokenizer(f"{taught.answer}<|im_end|>", add_special_tokens=False)["input_ids"]
            ids = torch.tensor([asked + told])
            given = dict(shown.inputs)
            if isinstance(teacher.scenes, SymbolScenes):  # their positions are not the model's own
                given["position_ids"] = teacher.scenes.positions(ids[0], shown)[:, None]
            scores = model(input_ids=ids, **given, use_cache=False).logits
            apart = apart + cross_entropy(
                scores[0, len(asked) - 1 : -1], torch.tensor(told), reduction="sum"
            )
    apart.backward()
    alone = gradients(model)
    torch.testing.assert_close(packed, apart, rtol=1e-5, atol=1e-5)
    assert together.keys() >= alone.keys()
    moved = {name for name, gradient in alone.items() if gradient.any()}
    assert any(part.startswith("model.language_model") for part in moved)
    if name.startswith("Proxy3D") and "nothing" not in name:
        assert {"position.gate", "position.directions.weight"} <= moved
    if "3D," in name or name == "SSR-3D":
        assert name.startswith("Proxy3D") or "spatial.transform.0.weight" in moved
    for part, gradient in alone.items():
        size = gradient.abs().max().item()
        torch.testing.assert_close(together[part], gradient, rtol=1e-5, atol=1e-5 * max(size, 1))


def test_each_question_sees_the_scene_and_itself() -> None:
    packed = pack(torch.arange(3), torch.arange(3).expand(3, -1), [([7, 8], [9, 1]), ([5], [6, 1])],
                  {})  # fmt: skip
    assert packed.ids.tolist() == [0, 1, 2, 7, 8, 9, 5, 6]
    assert packed.positions.tolist() == [[0, 1, 2, 3, 4, 5, 3, 4]] * 3
    assert packed.targets.tolist() == [IGNORED] * 4 + [9, 1, 6, 1]
    seen = attention_mask(packed.segments[None])[0, 0].int().tolist()
    assert seen == [
        [1, 0, 0, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0, 0, 0],
        [1, 1, 1, 1, 0, 0, 0, 0],
        [1, 1, 1, 1, 1, 0, 0, 0],
        [1, 1, 1, 1, 1, 1, 0, 0],
        [1, 1, 1, 0, 0, 0, 1, 0],
        [1, 1, 1, 0, 0, 0, 1, 1],
    ]


@pytest.mark.parametrize(
    ("reduction", "counts"),
    {"token": (1, 1), "square": (0.5, 2**-0.5), "sample": (0.25, 0.5)}.items(),
)
def test_long_answers_count_no_more_than_is_asked_for(
    reduction: str, counts: tuple[float, float]
) -> None:
    four, two = counts  # what a token of an answer of four, or two, counts
    packed = pack(torch.arange(2), torch.arange(2).expand(3, -1),
                  [([7], [9, 8, 9, 1]), ([5, 6], [6, 1])], {})  # fmt: skip
    other = pack(torch.arange(2), torch.arange(2).expand(3, -1), [([7, 7], [9, 1])], {})
    batch = collate([packed, other])
    weights = answer_weights(batch["segments"], batch["targets"], REDUCTIONS[reduction])
    none = [0.0] * 2
    expected = [none + [four] * 4 + [0.0, two, two], none + [0.0, two, two] + [0.0] * 4]
    torch.testing.assert_close(weights, torch.tensor(expected))


def test_questions_go_on_behind_the_highest_position() -> None:
    positions = torch.tensor([[0, 1, 1, 1], [0, 1, 2, 3], [0, 1, 1, 1]])
    packed = pack(torch.arange(4), positions, [([7], [8, 1])], {})
    assert packed.positions[:, 4:].tolist() == [[4, 5]] * 3


def test_one_question_each_needs_no_mask_of_its_own() -> None:
    one = pack(torch.arange(3), torch.arange(3).expand(3, -1), [([7, 8], [9, 1])], {})
    longer = pack(torch.arange(5), torch.arange(5).expand(3, -1), [([7, 8], [9, 1])], {})
    batch = collate([one, longer])
    mask = attention_mask(batch["segments"])
    assert mask.int().tolist() == [[1] * 6 + [0] * 2, [1] * 8]


def test_geometry_that_is_left_out_counts_as_none(folder: Path) -> None:
    opened, config = pupil(folder, "SSR-3D")
    teacher, model = opened.teacher, opened.loaded.model
    about = [row for row in rows(kind="ssr") if row.scene == SCENES[0]]
    entries = [Entry((n,), (n,)) for n in range(2)]
    trainer = SceneTrainer(opened, training_arguments(config), Sequences(entries, about, teacher),
                           config.rates, 1.0, config.exam)  # fmt: skip

    def loss(*known: bool, values: bool = True) -> float:
        batch = collate([Sequences(entries, about, teacher)[n] for n in range(len(known))])
        batch["geometry"] = torch.tensor(known)
        if not values:
            del batch["spatial_values"]
        return trainer._total_loss(model, batch).item()

    both, first, neither = loss(True, True), loss(True, False), loss(False, False)
    assert len({round(each, 3) for each in (both, first, neither)}) == 3
    assert neither == pytest.approx(loss(True, True, values=False), rel=1e-6)
    assert first == pytest.approx(loss(True) + neither - loss(False), rel=1e-5)
    forget = DataSettings(drop_geometry=0.3)
    kept = [Sequences(entries * 50, about, teacher, forget)[n].geometry for n in range(100)]
    assert kept[:2] * 50 == kept  # drawn by the entry's own seed, whatever the others do
    seeds = [Entry(entries[0].rows, (3, n)) for n in range(200)]
    share = np.mean([Sequences(seeds, about, teacher, forget)[n].geometry for n in range(200)])
    assert 0.6 < share < 0.8
