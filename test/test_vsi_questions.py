"""Real VSI-Bench questions answered from the ground-truth boxes of their ARKitScenes rooms."""

from __future__ import annotations

import json
from pathlib import Path
from string import ascii_uppercase
from typing import Any

import arkitscenes
import numpy as np
import pytest

from spatial_vlm_ros.benchmarks.captions import JavaFree
from spatial_vlm_ros.benchmarks.item import Prediction
from spatial_vlm_ros.benchmarks.registry import benchmark
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


def test_as_vsi_bench_scores_them(
    answered: list[tuple[dict[str, Any], Any]], tmp_path: Path
) -> None:
    """As rows of the published file; numbers by mean relative accuracy."""
    quadrants = ["front-left", "front-right", "back-left", "back-right"]
    rows, predictions = [], {}
    for number, (row, answer) in enumerate(answered):
        named = isinstance(row["ground_truth"], str)
        letters = dict(zip(quadrants, ascii_uppercase, strict=False))
        options = [f"{letter}. {text}" for text, letter in letters.items()]
        told = {"id": number, "dataset": "arkitscenes", "scene_name": row["scene"]}
        told |= {"question_type": row["type"], "question": row["question"]}
        told |= (
            {"ground_truth": letters[row["ground_truth"]]}
            if named
            else {"ground_truth": str(row["ground_truth"])}
        )
        rows.append(told | {"options": options if named else None})
        text = letters[answer.value] if named else f"{answer.value:.3f}"
        predictions[str(number)] = Prediction(str(number), text)
    (tmp_path / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    chosen = benchmark("vsi-bench")
    scores = chosen.score(chosen.load(tmp_path), predictions, "vsi-2025", JavaFree())
    assert (scores.unread, scores.unanswered) == (0, 0)
    assert scores.metrics["object_counting"] == scores.metrics["object_rel_direction"] == 100
    assert scores.metrics["object_abs_distance"] > 90, scores.metrics
