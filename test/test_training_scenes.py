"""What models are shown while they learn: symbols, proxies, frames, and images of rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from opened_models import encoder_of, model_of, opened, saved
from small_lessons import SCENES, proxies, rows, scene, school, write_rows

from spatial_vlm_ros.config import EncoderConfig
from spatial_vlm_ros.data.generators.graph import scene_graph
from spatial_vlm_ros.data.row import Mark, Row
from spatial_vlm_ros.data.scenes import AnnotatedObject
from spatial_vlm_ros.models.proxy3d import Proxy3DForConditionalGeneration
from spatial_vlm_ros.proxies.scene_proxies import Reading
from spatial_vlm_ros.proxies.sequence import ProxySequence
from spatial_vlm_ros.proxies.serialisation import group_order
from spatial_vlm_ros.reasoners.numbering import Numbering
from spatial_vlm_ros.reasoning.answer import Seen
from spatial_vlm_ros.scene.box import Box
from spatial_vlm_ros.training.config import DataSettings
from spatial_vlm_ros.training.config_file import load
from spatial_vlm_ros.training.dataset import Sequences, Teacher
from spatial_vlm_ros.training.exam import answers
from spatial_vlm_ros.training.lessons import Unteachable
from spatial_vlm_ros.training.mixture import Entry
from spatial_vlm_ros.training.opening import open_pupil
from spatial_vlm_ros.training.row_images import COLOURS, marked
from spatial_vlm_ros.training.run import train
from spatial_vlm_ros.training.simplified import SymbolScenes
from spatial_vlm_ros.vision.identifiers import parse_identifiers
from spatial_vlm_ros.vision.qwen import QwenTower
from spatial_vlm_ros.vision.reference_features import ReferenceFeatures

ROOM = SCENES[0]
PLACEHOLDER = 77


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("school")
    school(found)
    return found


@pytest.fixture(scope="module")
def features(folder: Path) -> ReferenceFeatures:
    return ReferenceFeatures(QwenTower.open(EncoderConfig(str(folder / "plain"), "cpu")), None)


def teacher(folder: Path, *changes: str, kind: str = "proxy3d", shown: str = "proxies") -> Teacher:
    return open_pupil(load(school(folder, kind, shown), changes)).teacher


def test_a_model_of_another_kind_is_not_trained(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(ValueError, match="has model_type gpt2, not proxy3d or qwen2_5_vl"):
        teacher(folder, f"model.checkpoint={tmp_path}")


def test_an_object_is_one_token_of_its_category_and_number(features: ReferenceFeatures) -> None:
    room = scene(ROOM)
    scenes = SymbolScenes({ROOM: room}, features, 10, PLACEHOLDER, placed=True)
    numbering = Numbering.of(scenes.objects(ROOM), 10)
    shown = scenes.shown(ROOM, numbering)
    assert shown.placeholders == [PLACEHOLDER] * 4
    centres = np.array([item.box.center for item in room.objects])
    order = [room.objects[n] for n in group_order(centres, "bfs", 4)]
    numbers = {item.id: n for n, item in enumerate(room.objects)}  # their ids ascend
    named = features.semantics([item.category for item in order])
    numbered = features.identifiers([numbers[item.id] for item in order])
    as_long = named.norm(dim=1).mean() / numbered.norm(dim=1).mean()  # as inference adds them
    want = named + as_long * numbered
    torch.testing.assert_close(shown.inputs["proxy_features"], want)
    above = torch.tensor(np.array([item.box.center for item in order])).float()
    torch.testing.assert_close(shown.inputs["proxy_positions"], above)  # the floor is at 0
    flat = SymbolScenes({ROOM: room}, features, 10, PLACEHOLDER, placed=False)
    assert not flat.shown(ROOM, numbering).inputs["proxy_positions"].any()


def test_questions_stand_behind_symbols_where_they_will_stand_behind_proxies(
    features: ReferenceFeatures,
) -> None:
    """A model of little training knows only the distances that it has seen."""
    scenes = SymbolScenes({ROOM: scene(ROOM)}, features, 10, PLACEHOLDER, placed=True)
    shown = scenes.shown(ROOM, Numbering(()))
    ids = torch.tensor([1, 2, *shown.placeholders, 3, 4])
    positions = scenes.positions(ids, shown)
    assert positions.shape == (3, 8)
    assert positions[0].tolist() == [0, 1, 176, 351, 526, 701, 702, 703]
    assert torch.equal(positions[1], positions[2])
    empty = scenes.positions(torch.tensor([1, 3, 4]), shown)
    assert empty[0].tolist() == [0, 1, 2]


def test_heights_are_over_the_floor(features: ReferenceFeatures) -> None:
    def heights(floor: float | None) -> list[float]:
        room = replace(scene(ROOM), floor_z=floor)
        scenes = SymbolScenes({ROOM: room}, features, 10, PLACEHOLDER, placed=True)
        places = scenes.shown(ROOM, Numbering(())).inputs["proxy_positions"]
        return places[:, 2].tolist()

    assert heights(-1.0) == pytest.approx([1.4] * 4)
    assert heights(None) == pytest.approx([0.4] * 4)  # the lowest box stands on it


def test_objects_without_number_or_name_are_shown_too(features: ReferenceFeatures) -> None:
    unnamed = AnnotatedObject(50, "???", Box(9, 9, 0.5, 1, 1, 1, 0))
    room = replace(scene(ROOM), objects=(*scene(ROOM).objects, unnamed))
    scenes = SymbolScenes({ROOM: room}, features, 2, PLACEHOLDER, placed=False)
    shown = scenes.shown(ROOM, Numbering.of(scenes.objects(ROOM), 2)).inputs["proxy_features"]
    bare = [features.semantic(item.category) for item in room.objects[2:-1]]
    bare.append(features.semantic("object"))
    for feature in bare:
        assert min((shown - feature).norm(dim=1)) < 1e-4
    empty = replace(room, objects=())
    none = SymbolScenes({ROOM: empty}, features, 2, PLACEHOLDER, placed=True)
    assert none.shown(ROOM, Numbering(())).inputs["proxy_features"].shape == (0, 48)


def test_in_stage_one_a_new_position_embedding_adds_nothing(folder: Path) -> None:
    pupil = open_pupil(load(school(folder, "proxy3d", "symbols")))
    packed = Sequences([Entry((0,), (0,))], rows(), pupil.teacher)[0]
    model = pupil.loaded.model
    embedded = model.embed_scene(packed.ids[None], **packed.inputs)
    places = model.placeholders(packed.ids[None])
    assert torch.equal(embedded[places], packed.inputs["proxy_features"])


def test_proxies_are_shown_as_the_reasoner_shows_them(folder: Path, tmp_path: Path) -> None:
    model = Proxy3DForConditionalGeneration.from_pretrained(folder / "plain")
    with torch.no_grad():
        model.position.gate.fill_(0.3)
        model.position.mlp[-1].bias += 0.1
    checkpoint = saved(model, folder / "plain", tmp_path / "placed")
    learnt = teacher(folder, f"model.checkpoint={checkpoint}")
    (row,) = [row for row in rows() if row.scene == ROOM and row.task == "counting"]
    packed = Sequences([Entry((0,), (0,))], [row], learnt)[0]
    reasoner = opened("proxy3d", checkpoint, max_tokens=1)
    stored = proxies(scene(ROOM))
    counts = torch.ones(len(stored.groups), dtype=torch.int64)
    sequence = ProxySequence(stored.features, stored.points_scene, stored.groups, counts)
    seen = Seen(Reading(sequence, 1, 0, encoder_of(reasoner)))
    answer = reasoner.ask(row.question, scene_graph(scene(ROOM)), seen)
    assert answer.reasoner == "proxy3d", answer.warnings
    prefix = model_of(reasoner)._prefix
    length = prefix.ids.shape[1]
    assert torch.equal(packed.ids[:length], prefix.ids[0])
    assert torch.equal(packed.positions[:, :length], prefix.positions[:, 0])
    ours = open_pupil(load(folder / "train.yaml", [f"model.checkpoint={checkpoint}"]))
    embedded = ours.loaded.model.embed_scene(packed.ids[None], **packed.inputs)
    torch.testing.assert_close(embedded[:, :length], prefix.embeddings)


def test_without_annotations_objects_are_those_with_proxies(folder: Path) -> None:
    assert teacher(folder, "data.scenes=[]").numbering(ROOM).ids == (3, 5, 7, 9)


@pytest.mark.parametrize("shown", ["proxies", "symbols"])
def test_a_scene_that_went_away_is_named(folder: Path, shown: str) -> None:
    gone = [replace(rows()[0], scene="simulated/gone")]
    learnt = Sequences([Entry((0,), (0,))], gone, teacher(folder, shown=shown))
    with pytest.raises(ValueError, match="scene simulated/gone of row .* is not there any more"):
        learnt[0]


def test_shuffled_numbers_change_question_and_proxies_together(folder: Path) -> None:
    learnt = teacher(folder)
    (row,) = [row for row in rows() if row.scene == ROOM and row.task == "identify"]
    stored = proxies(scene(ROOM)).features.float()
    identifiers = learnt.scenes._identifiers  # type: ignore[attr-defined]
    spoken, shuffled = set(), DataSettings(shuffle_numbers=True)
    plain = Sequences([Entry((0,), (0,))], [row], learnt)[0]
    for seed in range(12):
        packed = Sequences([Entry((0,), (seed,))], [row], learnt, shuffled)[0]
        again = Sequences([Entry((0,), (seed,))], [row], learnt, shuffled)[0]
        assert torch.equal(packed.ids, again.ids) and packed.ids.shape == plain.ids.shape
        *_, number = parse_identifiers(learnt.tokenizer.decode(packed.ids))
        spoken.add(number)
        added = packed.inputs["proxy_features"][0] - stored[0]  # of the object asked about
        alike = torch.cosine_similarity(added, identifiers[number], dim=0)
        assert alike == pytest.approx(1, abs=1e-4)
    assert len(spoken) > 6


def test_few_proxies_of_each_object_stand_where_they_stand_among_all(folder: Path) -> None:
    learnt, (row,) = teacher(folder), [r for r in rows() if r.scene == ROOM][:1]
    groups = learnt.scenes.shown(ROOM, learnt.numbering(ROOM)).groups
    assert groups is not None
    most = int(torch.bincount(groups - groups.min()).max()) - 1
    assert most >= 1
    whole = Sequences([Entry((0,), (0,))], [row], learnt)[0]
    of_scene, seen = whole.ids == learnt.config.proxy_token_id, set()
    where = {tuple(place): i for i, place in enumerate(whole.inputs["proxy_positions"].tolist())}
    for seed in range(12):
        few = Sequences([Entry((0,), (seed,))], [row], learnt, DataSettings(proxies_of_each=most))
        packed, again = (few[0] for _ in range(2))
        assert torch.equal(packed.inputs["proxy_features"], again.inputs["proxy_features"])
        kept = [where[tuple(place)] for place in packed.inputs["proxy_positions"].tolist()]
        assert torch.equal(packed.inputs["proxy_features"], whole.inputs["proxy_features"][kept])
        counts = torch.bincount(groups[kept] - groups.min())
        assert torch.equal(counts, torch.bincount(groups - groups.min()).clamp(max=most))
        still = packed.ids == learnt.config.proxy_token_id
        assert torch.equal(packed.positions[:, still], whole.positions[:, of_scene][:, kept])
        assert torch.equal(packed.positions[:, ~still], whole.positions[:, ~of_scene])
        assert torch.equal(packed.ids[~still], whole.ids[~of_scene])
        seen.add(tuple(kept))
    assert len(seen) > 1


def test_symbols_are_not_thinned(folder: Path) -> None:
    learnt, (row,) = teacher(folder, shown="symbols"), [r for r in rows() if r.scene == ROOM][:1]
    whole, packed = (
        Sequences([Entry((0,), (0,))], [row], learnt, DataSettings(proxies_of_each=most))[0]
        for most in (0, 1)
    )
    assert torch.equal(whole.ids, packed.ids) and torch.equal(whole.positions, packed.positions)


MARKS = (
    Mark(0, "red", 0.25, 0.5),
    Mark(1, "blue", 0.1, 0.1, (0.9, 0.9)),
)


def image_row(**more: object) -> Row:
    given = {"images": ("a.png", "b.png"), "marks": MARKS, **more}
    return Row("1", "spar7m", "", "depth", "How deep is the red point?", "1.5", **given)


def images(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for name, grey in (("a.png", 90), ("b.png", 120)):
        cv2.imwrite(str(folder / name), np.full((60, 120, 3), grey, np.uint8))
    return folder


def test_marks_are_drawn_where_questions_name_them(tmp_path: Path) -> None:
    own = images(tmp_path / "images")
    first, second = marked(image_row(images=(str(own / "a.png"), str(own / "b.png"))))
    red = (first == COLOURS["red"]).all(-1)
    rows_, columns = np.nonzero(red)
    assert (rows_.mean(), columns.mean()) == pytest.approx((29.5, 29.75), abs=0.6)
    assert (first[~red] == 90).all()
    blue = (second == COLOURS["blue"]).all(-1)
    assert blue[6, 12:107].all() and blue[6:53, 12].all() and not blue[20:40, 30:90].any()
    assert (second[~blue] == 120).all()


def test_rows_about_images_of_their_own_are_learnt(tmp_path: Path) -> None:
    own = images(tmp_path / "images")
    school(tmp_path)
    write_rows(tmp_path / "spar.jsonl", [image_row(), image_row(images=("a.png", "gone.png"))])
    source = {"rows": str(tmp_path / "spar.jsonl"), "images": str(own), "weight": 4.0}
    path = school(
        tmp_path,
        "ssr",
        "frames",
        model={"spatial": "points", "spatial_width": 16},
        data={"train": [source, str(tmp_path / "ssr.jsonl")], "held_out": [source]},
        training={"batch": 2},
    )
    report = train(load(path), say=lambda text: None)
    assert report["left_out"] == {"its images are not there": 1} and report["rows"] == 19
    assert "eval_accuracy_depth" in report
    learnt = open_pupil(load(path))
    row = image_row(images=(str(own / "a.png"), str(own / "b.png")))
    packed = Sequences([Entry((0,), (0,))], [row], learnt.teacher)[0]
    assert packed.geometry is False
    assert packed.inputs["video_grid_thw"].tolist() == [[2, 4, 8]]
    assert len(list(answers([row], learnt.loaded, learnt.teacher, 4))) == 1
    with pytest.raises(Unteachable, match="colour"):
        learnt.teacher.size(replace(row, marks=(Mark(0, "mauve", 0.5, 0.5),)))
    with pytest.raises(Unteachable, match="is about single images"):
        teacher(tmp_path).size(row)
