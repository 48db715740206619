"""Real VSI-Bench questions answered from the ground-truth boxes of their ARKitScenes rooms."""

from __future__ import annotations

import json
from typing import Any

import arkitscenes
import numpy as np
import pytest

from spatial_vlm_ros.reasoning.geometric import GeometricReasoner
from spatial_vlm_ros.scene.graph import SceneGraph

pytestmark = pytest.mark.skipif(not arkitscenes.QUESTIONS.exists(), reason="no VSI-Bench data")


@pytest.fixture(scope="module")
def answered() -> list[tuple[dict[str, Any], Any]]:
    scenes = {
        name: SceneGraph(objects, (), (), (), None, None, 0, 1)
        for name, objects in arkitscenes.rooms().items()
    }
    rows = json.loads(arkitscenes.QUESTIONS.read_text())["questions"]
    assert len(rows) == 78
    reasoner = GeometricReasoner()
    return [(row, reasoner.ask(row["question"], scenes[row["scene"]])) for row in rows]


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
