"""What small models are compared with: themselves without a scene, shuffled, and geometry."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from bench import small_models, small_rooms
from bench.perceived import Perceived, matched
from bench.small_models import (
    BLIND,
    GEOMETRIC,
    MODEL,
    SHUFFLED,
)
from bench.small_rooms import questions
from spatial_vlm_ros.data import generators
from spatial_vlm_ros.data.generators.graph import scene_graph
from spatial_vlm_ros.data.row import Row
from spatial_vlm_ros.reasoners.numbering import Numbering
from spatial_vlm_ros.reasoning.geometric import GeometricReasoner
from spatial_vlm_ros.scene.box import Box
from spatial_vlm_ros.small.checkpoint import PIXELS, SmallSizes, new_model, save
from spatial_vlm_ros.small.texts import texts
from spatial_vlm_ros.small.tokenizer import train_tokenizer
from spatial_vlm_ros.training.filling import FramePlan, ProxyPlan, plan_of
from spatial_vlm_ros.training.lessons import lesson
from spatial_vlm_ros.training.precompute import Scene
from spatial_vlm_ros.training.scoring import score
from spatial_vlm_ros.training.sources import Simulated

SIZES = SmallSizes(hidden=64, intermediate=64, layers=1, heads=2, kv_heads=1, identifiers=32)


@cache
def scene() -> Scene:
    return Simulated(3, views=24, width=168, height=126).open()


@pytest.fixture(scope="module", params=["proxy3d", "ssr"])
def checkpoint(request, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(request.param) / "small"
    rows = [Row("1", "vsi", "a/b", "counting", "How many chairs are there?", "3")]
    cut = train_tokenizer(texts(rows), 500)
    spatial = {"source": "points"} if request.param == "ssr" else None
    save(folder, new_model(request.param, cut, None, SIZES, spatial), cut, PIXELS[request.param])
    return folder


@pytest.fixture
def rooms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of four small images each."""

    def few(seed: int) -> Simulated:
        return Simulated(seed, views=4, width=112, height=84)

    monkeypatch.setattr(small_rooms, "Simulated", few)


def test_all_ways_answer_the_same_questions(
    checkpoint: Path, rooms: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setattr(small_models, "FOLDER", tmp_path / "command")
    monkeypatch.setattr(small_models, "OUTPUT", tmp_path / "small_models.json")
    asked = ["small_models", str(checkpoint), "--rooms", "1", "--questions", "1"]
    monkeypatch.setattr("sys.argv", [*asked, "--blind", str(checkpoint)])
    assert small_models.main() == 0
    told = capsys.readouterr().out
    table = json.loads((tmp_path / "small_models.json").read_text())["tasks"]
    tasks = set(table) - {"mean"}
    assert {"counting", "distance", "relation", "nearest", "direction"} <= tasks
    for task in tasks:
        assert task in told
        assert table[task]["questions"] == 1
        assert table[task]["trained blind"] == table[task][BLIND]  # here both are one model
        assert all(0 <= table[task][who] <= 1 for who in (MODEL, BLIND, SHUFFLED, GEOMETRIC))
    for who in (MODEL, GEOMETRIC):
        assert table["mean"][who] == pytest.approx(np.mean([table[task][who] for task in tasks]))


def test_the_plan_is_of_what_the_reasoner_gets(checkpoint: Path) -> None:
    plan = plan_of(str(checkpoint))
    if checkpoint.parent.name.startswith("ssr"):
        assert isinstance(plan, FramePlan)
        assert plan.settings.pixels == PIXELS["ssr"]
        assert plan.settings.count == SIZES.frames
        assert plan.spatial is not None
        assert plan.spatial.source == "points"
    else:
        assert isinstance(plan, ProxyPlan)
        assert plan.memory.proxies.budget == 700


def test_questions_are_of_all_kinds_of_a_task_and_the_same_each_time() -> None:
    scenes = [scene().annotation]
    rows = questions(scenes, 6)
    assert [row.id for row in rows] == [row.id for row in questions(scenes, 6)]
    relations = [row.subtask for row in rows if row.task == "relation"]
    assert len(relations) == len(set(relations)) == 6
    assert len({row.id for row in rows}) == len(rows)


def test_geometry_answers_about_what_was_perceived() -> None:
    perceived = Perceived(scene())
    annotation = scene().annotation
    assert len(perceived.ids) > 0.7 * len(annotation.objects)
    for number, own in perceived.ids.items():
        assert perceived.graph[own].label == annotation[number].category
    known = sorted(perceived.ids)
    numbering = Numbering.of([item.id for item in annotation.objects], 1000)
    chairs = [item.id for item in annotation.objects if item.category == "chair"]
    apart = f"What is the distance between the chair (#{chairs[0]}) and the chair (#{chairs[1]})?"
    named = apart
    for number in chairs[:2]:
        named = named.replace(f"chair (#{number})", f"{annotation[number].colour} chair")
    true = GeometricReasoner().ask(named, scene_graph(annotation)).value
    for task, question, expected in (
        ("counting", "How many chairs are there?", len(chairs)),
        ("distance", apart, true),
    ):
        row = Row("1", "a", "a/b", task, question, "1")
        told = perceived.answer(row, lesson(row, "proxy3d", numbering), numbering)
        assert float(told) == pytest.approx(expected, abs=0.3), question
    gone = Row(
        "2", "a", "a/b", "distance", f"How far is #{chairs[0]} from #{max(known) + 50}?", "1"
    )
    everything = Numbering.of(range(1000), 1000)
    assert perceived.answer(gone, lesson(gone, "proxy3d", everything), numbering) == ""


def test_geometry_is_asked_and_answers_by_the_true_numbers() -> None:
    """Of a scene that is perceived as it is, but for the numbers of its objects."""
    annotation, perceived = scene().annotation, Perceived(scene())
    true = scene_graph(annotation)
    perceived.graph = replace(
        true,
        objects=tuple(replace(item, id=item.id + 100) for item in true.objects),
        relations=tuple(
            replace(said, subject=said.subject + 100, object=said.object + 100)
            for said in true.relations
        ),
    )
    numbering = Numbering.of([item.id for item in annotation.objects], 1000)
    wrong, refused, count = [], [], 0
    for name in ("identifiers", "coordinates", "relations", "grounding"):
        for row in generators.generator(name)(annotation, 0, 4):
            if row.subtask == "carried":  # named in any of many ways
                continue
            taught = lesson(row, "proxy3d", numbering)
            text = perceived.answer(row, taught, numbering)
            count += 1
            if not text:
                refused.append(row)
            elif score(row, taught, numbering, text) < 1:
                wrong.append((row, text))
    assert wrong == []
    assert count > 120
    assert len(refused) < 0.1 * count


def test_objects_are_matched_once_by_name_and_place() -> None:
    annotation = scene().annotation
    moved = [
        replace(item, box=replace(item.box, x=item.box.x + 0.1)) for item in annotation.objects
    ]
    graph = scene_graph(replace(annotation, objects=tuple(moved)))
    found = matched(annotation, graph)
    assert found == {item.id: item.id for item in graph.objects}
    far = [replace(item, box=replace(item.box, x=item.box.x + 9)) for item in annotation.objects]
    assert not matched(annotation, scene_graph(replace(annotation, objects=tuple(far))))
    assert isinstance(far[0].box, Box)
