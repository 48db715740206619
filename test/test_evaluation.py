"""Scores of boxes on cases small enough to do by hand."""

from __future__ import annotations

import pytest

from spatial_vlm_ros.evaluation import score_boxes
from spatial_vlm_ros.scene.box import Box
from spatial_vlm_ros.scene.graph import ObjectState, SceneObject
from spatial_vlm_ros.simulation.truth import TrueObject


def cube(x: float) -> Box:
    """A unit cube at x on the x axis. Two of them d < 1 apart have IoU (1 - d) / (1 + d)."""
    return Box(x, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0)


def found(object_id: int, label: str, x: float) -> SceneObject:
    return SceneObject(object_id, label, 1.0, cube(x), ObjectState.CONFIRMED, "", 0.0, 0, 0, 9)


def true(object_id: int, category: str, x: float, seen: float = 0.9) -> TrueObject:
    return TrueObject(object_id, category, "", "hall", None, cube(x), 0, 50, seen)


def test_perfect_boxes() -> None:
    scores = score_boxes(
        [found(7, "chair", 5.0), found(8, "table", 0.0)],
        [true(1, "table", 0.0), true(2, "chair", 5.0)],
    )
    assert scores.recall == {0.25: 1.0, 0.5: 1.0}
    assert scores.precision == {0.25: 1.0, 0.5: 1.0}
    assert scores.mean_iou == pytest.approx(1.0)
    assert {(m.true_id, m.object_id) for m in scores.matches} == {(1, 8), (2, 7)}
    assert scores.misses == ()


def test_thresholds_and_mean_by_hand() -> None:
    # offsets 0, 0.5 (IoU 1/3) and 0.8 (IoU 1/9)
    scores = score_boxes(
        [found(1, "box", 0.0), found(2, "box", 10.5), found(3, "box", 20.8)],
        [true(1, "box", 0.0), true(2, "box", 10.0), true(3, "box", 20.0)],
    )
    assert scores.recall == pytest.approx({0.25: 2 / 3, 0.5: 1 / 3})
    assert scores.precision == pytest.approx({0.25: 2 / 3, 0.5: 1 / 3})
    assert scores.mean_iou == pytest.approx((1 + 1 / 3) / 2)
    assert [m.true_id for m in scores.misses] == [2, 3]
    assert scores.misses[0].reason == "box of object 2 overlaps only 0.33"
    assert scores.misses[0].best_iou == pytest.approx(1 / 3)


def test_matching_is_one_to_one_and_best_in_sum() -> None:
    # Object 1 overlaps both true boxes, object 2 only the second: greedy would lose a match.
    scores = score_boxes(
        [found(1, "box", 0.45), found(2, "box", 1.3)], [true(1, "box", 0.0), true(2, "box", 0.8)]
    )
    assert {(m.true_id, m.object_id) for m in scores.matches} == {(1, 1), (2, 2)}


def test_two_boxes_on_one_object_cost_precision() -> None:
    scores = score_boxes([found(1, "box", 0.0), found(2, "box", 0.1)], [true(1, "box", 0.0)])
    assert scores.recall[0.5] == 1.0
    assert scores.precision[0.5] == 0.5


def test_wrong_name_is_a_miss_only_by_category() -> None:
    objects, truth = [found(1, "sofa", 0.0)], [true(1, "bed", 0.0)]
    named = score_boxes(objects, truth)
    assert named.recall[0.5] == 0.0
    assert named.misses[0].reason == "its box is called 'sofa'"
    assert named.misses[0].best_iou == pytest.approx(1.0)
    assert score_boxes(objects, truth, by_category=False).recall[0.5] == 1.0


def test_badly_seen_objects_count_neither_way() -> None:
    truth = [true(1, "box", 0.0), true(2, "box", 5.0, seen=0.1)]
    without = score_boxes([found(1, "box", 0.0)], truth)
    assert (without.well_seen, without.recall[0.5], without.precision[0.5]) == (1, 1.0, 1.0)
    # a poor box of the badly seen one is no error, a box of nothing at all is
    poor = score_boxes([found(1, "box", 0.0), found(2, "box", 5.7)], truth)
    assert poor.precision[0.5] == 1.0
    invented = score_boxes([found(1, "box", 0.0), found(2, "box", 9.0)], truth)
    assert invented.precision[0.5] == 0.5


def test_box_shared_by_two_true_objects_names_the_other() -> None:
    scores = score_boxes([found(1, "box", 0.1)], [true(1, "box", 0.0), true(2, "box", 0.9)])
    assert [m.true_id for m in scores.misses] == [2]
    assert scores.misses[0].reason == "its box was taken for the box 1"


def test_nothing_found_and_nothing_there() -> None:
    nothing_found = score_boxes([], [true(1, "box", 0.0)])
    assert nothing_found.recall[0.5] == nothing_found.precision[0.5] == nothing_found.mean_iou == 0
    assert nothing_found.misses[0].reason == "no box overlaps it"
    nothing_there = score_boxes([found(1, "box", 0.0)], [])
    assert nothing_there.precision[0.5] == 0.0
    assert score_boxes([], []).boxes == 0
