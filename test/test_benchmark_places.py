"""Errors of cognitive maps and of 7-DoF boxes, by hand and on generated questions."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from generated_scenes import building

from spatial_vlm_ros.benchmarks.captions import JavaFree
from spatial_vlm_ros.benchmarks.cognitive_maps import GLOBAL, LOCAL
from spatial_vlm_ros.benchmarks.cognitive_maps import score as score_maps
from spatial_vlm_ros.benchmarks.global_grounding import score as score_boxes
from spatial_vlm_ros.benchmarks.item import Item, Prediction
from spatial_vlm_ros.benchmarks.registry import benchmark
from spatial_vlm_ros.data.generators.local_maps import rows as local_maps
from spatial_vlm_ros.data.scenes import write_scenes

WORDS = JavaFree()


def said(*texts: str) -> dict[str, Prediction]:
    return {str(n): Prediction(str(n), text) for n, text in enumerate(texts)}


def test_errors_of_maps_by_hand() -> None:
    whole = '<map>{"chair": [[0, 0], [9, 9]], "lamp": [[5, 5]]}</map>'
    items = [
        Item("0", LOCAL, "", ("[7, 3]",), more={"metres": 0.5}),
        Item("1", LOCAL, "", ("[2, 2]",), more={"metres": 0.2}),
        Item("2", LOCAL, "", ("[2, 2]",), more={"metres": 0.2}),
        Item("3", GLOBAL, "", (whole,), more={"metres": 0.4}),
    ]
    answers = said("[4, 7]", "It is at [2, 3].", "[11, 2]", '<map>{"chair": [[3, 4]]}</map>')
    found = score_maps(items, answers, "cells", WORDS)
    # local: 3-4-5 and 1 cell, one answer that is no cell; global: one of three, at 3-4-5
    assert found.metrics == pytest.approx(
        {
            "local: within a cell": 100 / 3, "local: placed": 200 / 3,
            "local: mean error, cells": 3, "local: median error, cells": 3,
            "local: mean error, m": (2.5 + 0.2) / 2, "local: median error, m": (2.5 + 0.2) / 2,
            "global: within a cell": 0, "global: placed": 100 / 3,
            "global: mean error, cells": 5, "global: median error, cells": 5,
            "global: mean error, m": 2, "global: median error, m": 2,
        }
    )  # fmt: skip
    assert (found.unread, found.unanswered) == (1, 0)


def test_cells_of_a_local_map_are_as_large_as_its_anchors_are_apart(tmp_path: Path) -> None:
    scene = building(3)
    write_scenes(tmp_path / "scenes.jsonl", [scene])
    rows = {row.id: row for row in local_maps(scene, 0, 10)}
    local = [i for i in benchmark("cognitive-maps").load(tmp_path) if i.task == LOCAL]
    assert {item.id for item in local} == set(rows)
    for item in local:
        first, second, _ = (scene[ref.object].box for ref in rows[item.id].refs)
        away = np.hypot(first.x - second.x, first.y - second.y)
        (y,) = re.findall(r"is at \[5, ([1-4])\]", item.question)
        assert item.more["metres"] == pytest.approx(away / (5 - int(y)), abs=1e-3)


def test_errors_of_boxes_by_hand() -> None:
    box = (1.0, 2.0, 0.5, 2.0, 1.0, 1.0, 0.0)
    items = [
        Item(str(n), "unique", "", ("",), frame="scene", more={"object": 7, "boxes": {7: box}})
        for n in range(4)
    ]
    half = (1.0 + 2 / 3, *box[1:])  # overlaps by 0.5
    answers = {
        "0": Prediction("0", boxes=(half, box)),
        "1": Prediction("1", objects=(9, 7)),
        "2": Prediction("2", boxes=((4.0, 6.0, 0.5, 2.0, 1.0, 1.0, 0.0),)),
        "3": Prediction("3", boxes=()),
    }
    found = score_boxes(items, answers, "centre", WORDS).metrics
    assert found["Acc@0.25"] == 50
    assert found["answered"] == 75
    assert found["mean IoU"] == pytest.approx((50 + 100) / 4)
    errors = [2 / 3, 0, 5]
    assert found["mean error, m"] == pytest.approx(np.mean(errors))
    assert found["median error, m"] == pytest.approx(2 / 3)
    shares = {name: value for name, value in found.items() if name.startswith("error ")}
    assert sum(shares.values()) == 75 and shares["error over 2.0 m"] == 25
    assert shares["error to 0.1 m"] == shares["error to 0.7 m"] == 25


def right_answer(item: Item) -> Prediction:
    more = item.more
    numbers = more.get("objects", [more["object"]] if "object" in more else [])
    boxes = tuple(more["boxes"][number] for number in numbers) if "boxes" in more else None
    return Prediction(item.id, item.right[0], boxes=boxes)


@pytest.mark.parametrize("name", ["cognitive-maps", "global-grounding", "room-bench"])
def test_generated_ones_from_file_to_score(name: str, tmp_path: Path) -> None:
    scenes = [building(3), replace(building(4), name="simulated/other")]
    write_scenes(tmp_path / "scenes.jsonl", scenes)
    chosen = benchmark(name)
    items = chosen.load(tmp_path)
    assert {item.scene for item in items} == {scene.name for scene in scenes}
    assert chosen.load(tmp_path) == items, "others each time"
    right = {item.id: right_answer(item) for item in items}
    best = chosen.score(items, right, chosen.protocols[0], WORDS)
    none = chosen.score(items, {}, chosen.protocols[0], WORDS)
    assert none.unanswered == len(items) and not any(none.metrics.values())
    for metric, value in best.metrics.items():
        first = metric == "error to 0.1 m"
        wrong = "error" in metric or "quartile" in metric or "below" in metric
        assert value == pytest.approx(0 if wrong and not first else 100), metric
    with pytest.raises(ValueError, match=r"has no scenes.jsonl"):
        chosen.load(tmp_path / "elsewhere")
