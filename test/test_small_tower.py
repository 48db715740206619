"""The small vision tower: its labels are of what images show, and it learns to see."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from spatial_vlm_ros.cli import main
from spatial_vlm_ros.config import EncoderConfig
from spatial_vlm_ros.data.files import write_rows
from spatial_vlm_ros.data.row import Row
from spatial_vlm_ros.data.scenes import AnnotatedObject, AnnotatedScene, write_scenes
from spatial_vlm_ros.scene.box import Box
from spatial_vlm_ros.small.alignment import Shown, aligned
from spatial_vlm_ros.small.checkpoint import PIXELS, TRAINED_TOWER, SmallSizes, read_tower
from spatial_vlm_ros.small.labelled_proxies import labelled_proxies
from spatial_vlm_ros.small.labelled_views import (
    CATEGORIES,
    OBJECTS,
    PAINTS,
    LabelledViews,
    labelled_views,
    of_room,
)
from spatial_vlm_ros.small.layout import CATEGORY, LEVEL, NUMBER, NUMBERS, PLACE, TEXT
from spatial_vlm_ros.small.tower_exam import examine
from spatial_vlm_ros.small.tower_losses import cell_shares, rarity
from spatial_vlm_ros.small.tower_training import (
    MERGE,
    SHRUNK_MERGE,
    TowerTrainer,
    TowerTraining,
    pixels,
    save_tower,
)
from spatial_vlm_ros.training.store import ProxyStore, StoredProxies
from spatial_vlm_ros.vision.qwen import QwenTower
from spatial_vlm_ros.vision.reference_features import ReferenceFeatures

ROWS = [Row("1", "vsi", "a/b", "counting", "How many chairs are in this room?", "3")]


@cache
def views() -> LabelledViews:
    return LabelledViews.concatenate(list(labelled_views([3, 4], 3, 168, 84)))


def test_labels_are_of_what_patches_show() -> None:
    found = views()
    assert found.images.shape == (6, 3, 84, 168)
    assert found.categories.shape == (6, 6, 12, len(CATEGORIES))
    assert found.paints.shape == (6, 6, 12, len(PAINTS))
    for shares in (found.categories, found.paints):
        assert (shares.int().sum(-1) - 255).abs().max() <= 3
    red = found.paints[..., PAINTS.index("red")] > 250
    patches = found.images.unfold(2, 14, 14).unfold(3, 14, 14).float().mean((4, 5))
    means = patches.permute(0, 2, 3, 1)[red]
    assert len(means) > 5
    assert (means[:, 0] > 1.5 * means[:, 1:].amax(1)).all()
    lowest = found.categories[:, -1].float().mean((0, 1))
    assert CATEGORIES[int(lowest.argmax())] == "floor"


def test_cells_have_the_shares_of_their_patches() -> None:
    patches = torch.zeros(1, 6, 6, 2, dtype=torch.uint8)
    patches[..., 1] = 255
    patches[0, 0, 0] = torch.tensor([255, 0])
    assert cell_shares(patches, MERGE)[0].tolist() == [0.25, 0.75]
    assert cell_shares(patches, MERGE)[1:, 0].count_nonzero() == 0
    torch.testing.assert_close(cell_shares(patches, SHRUNK_MERGE)[0], torch.tensor([1 / 9, 8 / 9]))


def test_rare_things_count_more_and_all_together_as_before() -> None:
    shares = torch.tensor([[64, 1, 0], [64, 0, 0], [63, 0, 1], [64, 0, 0]], dtype=torch.uint8)
    found = rarity(shares)
    assert found[1] / found[0] == pytest.approx((255 / 1) ** 0.5, rel=1e-4)
    assert found[1] == found[2]
    share = shares.float().mean(0) / 64.25
    assert float((share * found).sum()) == pytest.approx(1.0)


def test_a_mirror_changes_images_and_labels_alike() -> None:
    some = views().some(torch.tensor([2, 0]), flipped=True)
    assert torch.equal(some.images[0], views().images[2].flip(2))
    assert torch.equal(some.categories[1], views().categories[0].flip(1))
    assert torch.equal(some.paints[1], views().paints[0].flip(1))


def small_training(steps: int) -> TowerTraining:
    return TowerTraining(steps=steps, images=3, drawings=4, numbers=8, warmup=5, rate=3e-3)


def test_the_tower_learns() -> None:
    trainer = TowerTrainer(views(), small_training(40), bfloat16=False)
    losses = [trainer.step() for _ in range(40)]
    assert set(losses[0]) >= {"category", "paint", "symbol", "number", "fused number"}
    for name in ("category", "paint"):
        first, last = (np.mean([loss[name] for loss in part]) for part in (losses[:5], losses[-5:]))
        assert last < 0.75 * first, name
    found = examine(trainer, views())
    assert found["cells"] > 0.5
    assert set(found) >= {"objects", "colours", "objects of small images", "numbers", "symbols"}
    assert all(0 <= share <= 1 for share in found.values())


def test_training_is_the_same_each_time() -> None:
    one, same = (TowerTrainer(views(), small_training(4), bfloat16=False) for _ in range(2))
    assert [one.step() for _ in range(2)] == [same.step() for _ in range(2)]


def test_an_aligned_tower_speaks_by_channels() -> None:
    trainer = TowerTrainer(views(), small_training(60), bfloat16=False)
    for _ in range(60):
        trainer.step()
    trainer.align(steps=300)
    images = [pixels(views().image(index)) for index in range(len(views()))]
    with torch.inference_mode():
        features = torch.cat(trainer.features(images))
    level = torch.full_like(features[:, PLACE][:, ::2], LEVEL)
    torch.testing.assert_close(features[:, PLACE][:, ::2], level, atol=1e-4, rtol=0)
    assert features[:, PLACE][:, 1::2].abs().max() < 1e-4
    assert features[:, TEXT:].abs().max() < 1e-4
    shares = cell_shares(views().categories, MERGE)
    sure = shares.amax(1) > 0.9
    right = features[sure, CATEGORY].argmax(1) == shares[sure].argmax(1)
    assert right.float().mean() > 0.6


def hidden_scene() -> tuple[Shown, torch.Tensor, torch.Tensor]:
    """Parts of scenes, numbers and symbols whose meaning is small beside what tells nothing."""
    random = torch.Generator().manual_seed(1)
    signs, hidden = (torch.randn(n, 192, generator=random) for n in (len(CATEGORIES), 4))
    marks = torch.linalg.qr(torch.randn(192, NUMBERS, generator=random))[0].T * 192**0.5
    what = torch.arange(1200) % len(CATEGORIES)
    noise = 2 * torch.randn(1200, 4, generator=random) @ hidden
    features = 0.3 * (signs[what] + noise + 1)
    possible = torch.nn.functional.one_hot(what, len(CATEGORIES)).bool()
    around = what >= len(OBJECTS)
    possible[around] = torch.arange(len(CATEGORIES)) >= len(OBJECTS)
    shown = Shown(features, possible, torch.full((1200,), len(PAINTS) - 1))
    return shown, 0.3 * (marks + 1), 0.3 * (signs[: len(OBJECTS)] + 1)


def test_alignment_lays_open_what_features_hide() -> None:
    """Categories and numbers, added to each other as proxies are, each in channels of its own."""
    shown, numbers, symbols = hidden_scene()
    half = torch.arange(len(shown.features)) < 800
    weight, bias = aligned(shown.some(half), None, numbers, symbols, 300)
    features, marks = (part @ weight.T + bias for part in (shown.features[~half], numbers))
    which = torch.arange(400) % NUMBERS
    worn = features + features.norm(dim=1).mean() / marks.norm(dim=1).mean() * marks[which]
    possible = shown.possible[~half]
    read = worn[:, CATEGORY].argmax(1, keepdim=True)
    assert possible.gather(1, read).float().mean() > 0.95
    objects = shown.some(~half).objects
    assert (worn[objects, NUMBER].argmax(1) == which[objects]).float().mean() > 0.95
    assert (features[:, NUMBER].amax(1) < worn[:, NUMBER].amax(1)).float().mean() > 0.95
    signs = symbols @ weight.T + bias
    assert torch.equal(signs[:, CATEGORY].argmax(1), torch.arange(len(OBJECTS)))
    again = aligned(shown.some(half), None, numbers, symbols, 3)
    assert torch.equal(again[0], aligned(shown.some(half), None, numbers, symbols, 3)[0])


def test_alignment_needs_objects_and_surroundings() -> None:
    shown, numbers, symbols = hidden_scene()
    for part in (shown.some(shown.objects), shown.some(~shown.objects)):
        with pytest.raises(ValueError, match="objects and surroundings: one of them lacks"):
            aligned(part, None, numbers, symbols, 1)
        with pytest.raises(ValueError, match="one of them lacks"):
            aligned(shown, part, numbers, symbols, 1)


def room_store(folder: Path) -> dict[str, AnnotatedScene]:
    """A store with one room: a red chair of two proxies, something unknown, the floor."""
    box = Box(1.0, 2.0, 0.3, 0.5, 0.5, 0.9, 0.0)
    chair = AnnotatedObject(4, "chair", box, colour="red")
    other = AnnotatedObject(9, "spaceship", box)
    scene = AnnotatedScene("a/room", (chair, other), np.eye(4))
    proxies = StoredProxies(
        torch.arange(4.0)[:, None].expand(4, 192).contiguous(),
        torch.zeros(4, 3),
        torch.tensor([4, 9, -1, 4]),
        0.0,
    )
    store = ProxyStore.create(folder, "tower", {})
    store.put("a/room", proxies)
    return {"a/room": scene}


def test_proxies_are_labelled_by_what_they_are_of(tmp_path: Path) -> None:
    scenes = room_store(tmp_path)
    shown = labelled_proxies(ProxyStore.open(tmp_path), scenes)
    assert shown.features[:, 0].tolist() == [2.0, 0.0, 3.0]
    assert shown.objects.tolist() == [False, True, True]
    around, chair = shown.possible[0], shown.possible[1]
    assert [CATEGORIES[n] for n in around.nonzero()[:, 0]] == ["floor", "wall", "none"]
    assert [CATEGORIES[n] for n in chair.nonzero()[:, 0]] == ["chair"]
    assert [PAINTS[n] for n in shown.paints] == ["none", "red", "red"]
    with pytest.raises(ValueError, match="has no proxies of the scenes given"):
        labelled_proxies(ProxyStore.open(tmp_path), {})


def test_the_tower_that_ships_sees_rooms_it_has_never_seen() -> None:
    """The channel of what a cell shows is the highest, and so it is of symbols and numbers."""
    views = LabelledViews.concatenate([of_room(seed, 4, 336, 252) for seed in (9_001, 9_002)])
    trainer = TowerTrainer(views, TowerTraining(), bfloat16=False)
    trainer.tower.load_state_dict(read_tower(TRAINED_TOWER))
    with torch.inference_mode():
        images = [pixels(views.image(index)) for index in range(len(views))]
        cells = torch.cat([trainer.features([image])[0] for image in images])
        signs = torch.stack([trainer.features([each])[0].mean(0) for each in trainer.symbols])
        drawn = trainer.numbers[:NUMBERS]
        numbers = torch.stack([trainer.features([each])[0].mean(0) for each in drawn])
    shares = cell_shares(views.categories, 2)
    shown = shares[:, : len(signs)].amax(1) > 0.5
    right = (cells[shown, CATEGORY].argmax(1) == shares[shown].argmax(1)).float().mean()
    assert int(shown.sum()) > 50
    assert right > 0.6
    assert torch.equal(signs[:, CATEGORY].argmax(1), torch.arange(len(OBJECTS)))
    assert torch.equal(numbers[:, NUMBER].argmax(1), torch.arange(NUMBERS))


def test_a_checkpoint_with_the_tower_sees_what_the_tower_sees(tmp_path: Path) -> None:
    trainer = TowerTrainer(views(), small_training(4), bfloat16=False)
    save_tower(trainer.tower, tmp_path / "tower.safetensors")
    write_rows(tmp_path / "rows.jsonl", ROWS)
    for kind in PIXELS:
        made = [
            "small",
            "model",
            kind,
            str(tmp_path / kind),
            "--rows",
            str(tmp_path / "rows.jsonl"),
        ]
        assert main([*made, "--tower", str(tmp_path / "tower.safetensors")]) == 0
    image = views().image(0)
    with torch.inference_mode():
        expected = trainer.features([pixels(image)])[0]
    rgb = image.permute(1, 2, 0).numpy()
    towers = [
        QwenTower.open(EncoderConfig(str(tmp_path / kind), "cpu", "float32")) for kind in PIXELS
    ]
    torch.testing.assert_close(towers[0].encode(rgb).flatten(0, 1), expected, atol=2e-4, rtol=1e-3)
    assert towers[0].name.rpartition("-")[2] == towers[1].name.rpartition("-")[2]
    assert towers[1].dimension == SmallSizes.hidden
    drawn = ReferenceFeatures(towers[0], None)
    with torch.inference_mode():
        number = trainer.features([trainer.numbers[3]])[0].mean(0)
        sign = trainer.features([trainer.symbols[0]])[0].mean(0)
    torch.testing.assert_close(drawn.identifier(3), number, atol=2e-4, rtol=1e-3)
    torch.testing.assert_close(drawn.semantic(CATEGORIES[0]), sign, atol=2e-4, rtol=1e-3)


def test_the_command_trains_a_tower(tmp_path: Path, capsys) -> None:
    asked = ["small", "tower", str(tmp_path / "tower.safetensors"), "--first", "30", "--rooms", "2"]
    assert main([*asked, "--held-out", "1", "--views", "2", "--steps", "2"]) == 0
    told = capsys.readouterr().out
    assert "objects" in told
    assert "merger.mlp.2.weight" in load_file(tmp_path / "tower.safetensors")
    assert main([*asked, "--held-out", "31"]) == 2


def test_the_command_aligns_a_tower(tmp_path: Path, capsys) -> None:
    write_scenes(tmp_path / "scenes.jsonl", room_store(tmp_path).values())
    aligned_tower = tmp_path / "tower.safetensors"
    asked = ["small", "align", str(aligned_tower), "--first", "30", "--rooms", "1", "--steps", "1"]
    assert main([*asked, "--proxies", str(tmp_path)]) == 0
    bias = load_file(aligned_tower)["merger.mlp.2.bias"]
    assert bias[PLACE][::2].tolist() == pytest.approx([LEVEL] * 32)
    assert not bias[TEXT:].any()
    assert main([*asked, "--proxies", str(tmp_path / "none")]) == 2
    assert "precompute it first" in capsys.readouterr().err
