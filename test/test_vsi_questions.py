"""Real VSI-Bench questions answered from the ground-truth boxes of their ARKitScenes rooms."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spatial_vlm_ros.reasoning.geometric import GeometricReasoner
from spatial_vlm_ros.scene.box import Box
from spatial_vlm_ros.scene.graph import ObjectState, SceneGraph, SceneObject

DATA = Path(os.environ.get("SPATIAL_VLM_DATA", Path(__file__).parents[2] / "shared" / "data"))
BOXES = DATA / "gt" / "vsi_arkitscenes_meta_info_val.json"
QUESTIONS = DATA / "gt" / "vsi_arkitscenes_questions_sample.json"
pytestmark = pytest.mark.skipif(not QUESTIONS.exists(), reason="no VSI-Bench data")


def upright(record: dict[str, Any]) -> Box:
    """The rows of normalizedAxes are the directions of axesLengths, one of them vertical."""
    axes = np.array(record["normalizedAxes"]).reshape(3, 3)
    lengths = np.array(record["axesLengths"])
    vertical = int(np.abs(axes[:, 2]).argmax())
    first, second = (i for i in range(3) if i != vertical)
    yaw = float(np.arctan2(axes[first, 1], axes[first, 0]))
    size = (lengths[first], lengths[second], lengths[vertical])
    return Box.from_tuple((*record["centroid"], *size, yaw)).canonical()


def scene(room: dict[str, Any]) -> SceneGraph:
    records = [(label, record) for label, many in room["object_bbox"].items() for record in many]
    objects = tuple(
        SceneObject(i, label, 1.0, upright(record), ObjectState.CONFIRMED, "", 0.0, 0, 0, 1)
        for i, (label, record) in enumerate(records, 1)
    )
    return SceneGraph(objects, (), (), (), None, None, 0, 1)


@pytest.fixture(scope="module")
def answered() -> list[tuple[dict[str, Any], Any]]:
    rooms = json.loads(BOXES.read_text())
    rows = json.loads(QUESTIONS.read_text())["questions"]
    assert len(rows) == 78
    reasoner = GeometricReasoner()
    return [(row, reasoner.ask(row["question"], scene(rooms[row["scene"]]))) for row in rows]


def test_all_are_answered(answered: list[tuple[dict[str, Any], Any]]) -> None:
    refused = [row["question"] for row, answer in answered if not answer.answered]
    assert refused == []


@pytest.mark.parametrize("kind", ["object_counting", "object_rel_direction_hard"])
def test_counts_and_directions_are_all_right(
    answered: list[tuple[dict[str, Any], Any]], kind: str
) -> None:
    asked = [(row, answer) for row, answer in answered if row["type"] == kind]
    assert len(asked) >= 20
    assert [row for row, answer in asked if answer.value != row["ground_truth"]] == []


def test_distances_are_within_ten_centimetres_on_average(
    answered: list[tuple[dict[str, Any], Any]],
) -> None:
    errors = [
        abs(answer.value - row["ground_truth"])
        for row, answer in answered
        if row["type"] == "object_abs_distance"
    ]
    assert len(errors) == 35
    assert np.mean(errors) < 0.1
    assert max(errors) < 0.2
