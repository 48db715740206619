"""Exact geometry of boxes: by hand, and against shapely on random pairs."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from spatial_vlm_ros.scene import box as boxes
from spatial_vlm_ros.scene.box import Box, closest_points, distance, iou

UNIT = Box(0.0, 0.0, 0.5, 1.0, 1.0, 1.0, 0.0)

lengths = st.floats(0.02, 3.0)
places = st.floats(-2.0, 2.0)
random_boxes = st.builds(Box, places, places, places, lengths, lengths, lengths, st.floats(-7, 7))
#: Boxes on a grid, so that edges and corners coincide exactly.
grid_boxes = st.builds(
    lambda x, y, z, size, turns: Box(x, y, z, *size, turns * np.pi / 2),
    *(st.integers(-2, 2),) * 3,
    st.tuples(*(st.integers(1, 3),) * 3),
    st.integers(-2, 2),
)


def outline(box: Box) -> shapely.Polygon:
    """Built without the code under test."""
    square = shapely.box(-box.length / 2, -box.width / 2, box.length / 2, box.width / 2)
    turned = shapely.affinity.rotate(square, box.yaw, origin=(0, 0), use_radians=True)
    return shapely.affinity.translate(turned, box.x, box.y)


def test_corners_of_a_turned_box() -> None:
    box = Box(1.0, 2.0, 3.0, 4.0, 2.0, 6.0, np.pi / 2)
    np.testing.assert_allclose(box.corners_bev(), [[0, 4], [0, 0], [2, 0], [2, 4]], atol=1e-12)
    corners = box.corners()
    assert corners.shape == (8, 3)
    np.testing.assert_allclose(corners[:, 2], [0, 0, 0, 0, 6, 6, 6, 6])
    np.testing.assert_allclose(corners[4:, :2], box.corners_bev())


def test_corners_run_counter_clockwise() -> None:
    assert outline(UNIT).equals(shapely.Polygon(UNIT.corners_bev()))
    assert shapely.Polygon(UNIT.corners_bev()).exterior.is_ccw


def test_contains_with_margin() -> None:
    box = Box(0.0, 0.0, 0.0, 2.0, 1.0, 1.0, np.pi / 4)
    along = np.array([[0.7, 0.7, 0.0], [0.7, -0.7, 0.0], [0.8, 0.8, 0.0], [0.0, 0.0, 0.6]])
    assert box.contains(along).tolist() == [True, False, False, False]
    assert box.contains(along, margin=0.2).tolist() == [True, False, True, True]


def test_canonical_keeps_the_same_body() -> None:
    box = Box(0.3, 0.1, 0.5, 1.0, 2.0, 1.0, 0.4)
    same = box.canonical()
    assert (same.length, same.width) == (2.0, 1.0)
    assert -np.pi / 2 <= same.yaw < np.pi / 2
    assert iou(box, same) == pytest.approx(1.0)


def test_tuple_round_trip_and_its_errors() -> None:
    values = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 0.7)
    assert Box.from_tuple(values).to_tuple() == values
    with pytest.raises(ValueError, match="7 finite numbers"):
        Box.from_tuple(values[:6])
    with pytest.raises(ValueError, match="7 finite numbers"):
        Box.from_tuple((*values[:6], float("nan")))
    with pytest.raises(ValueError, match="negative size"):
        Box.from_tuple((0, 0, 0, 1, -1, 1, 0))


def test_distance_by_hand() -> None:
    beside = Box(3.0, 0.0, 0.5, 1.0, 1.0, 1.0, 0.0)
    assert distance(UNIT, beside) == pytest.approx(2.0)
    diagonal = Box(4.0, 5.0, 0.5, 1.0, 1.0, 1.0, 0.0)
    assert distance(UNIT, diagonal) == pytest.approx(5.0)  # gaps of 3 and 4
    above = Box(3.0, 4.0 + 0.0, 13.5, 1.0, 1.0, 1.0, 0.0)
    assert distance(UNIT, above) == pytest.approx(np.sqrt(2**2 + 3**2 + 12**2))
    turned = Box(2.0, 0.0, 0.5, np.sqrt(2), np.sqrt(2), 1.0, np.pi / 4)
    assert distance(UNIT, turned) == pytest.approx(0.5)  # its corner is at x = 1
    assert distance(UNIT, Box(1.0, 0.0, 0.5, 1.0, 1.0, 1.0, 0.0)) == 0.0  # they touch
    assert distance(UNIT, Box(0.0, 0.0, 0.5, 0.1, 0.1, 0.1, 1.0)) == 0.0  # one in the other
    cross = Box(0.0, 0.0, 0.5, 4.0, 0.1, 1.0, 0.3)
    assert distance(UNIT, cross) == 0.0  # no corner of one in the other


def test_iou_by_hand() -> None:
    assert iou(UNIT, Box(0.5, 0.0, 0.5, 1.0, 1.0, 1.0, 0.0)) == pytest.approx(1 / 3)
    octagon = 2 * np.sqrt(2) - 2  # unit square with itself at 45 degrees
    turned = Box(0.0, 0.0, 0.5, 1.0, 1.0, 1.0, np.pi / 4)
    assert iou(UNIT, turned) == pytest.approx(octagon / (2 - octagon))
    assert iou(UNIT, Box(0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0)) == pytest.approx(1 / 3)
    assert iou(UNIT, Box(1.0, 0.0, 0.5, 1.0, 1.0, 1.0, 0.0)) == 0.0
    assert iou(UNIT, UNIT) == pytest.approx(1.0)
    flat = Box(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    assert iou(flat, flat) == 0.0


@given(random_boxes | grid_boxes, random_boxes | grid_boxes)
def test_iou_and_distance_agree_with_shapely(a: Box, b: Box) -> None:
    height = max(0.0, min(a.top, b.top) - max(a.bottom, b.bottom))
    common = outline(a).intersection(outline(b)).area * height
    assert iou(a, b) == pytest.approx(common / (a.volume + b.volume - common), abs=1e-9)
    rise = max(0.0, a.bottom - b.top, b.bottom - a.top)
    assert distance(a, b) == pytest.approx(
        np.hypot(outline(a).distance(outline(b)), rise), abs=1e-7
    )


@given(random_boxes, random_boxes)
def test_closest_points_lie_on_the_boxes_and_span_the_distance(a: Box, b: Box) -> None:
    on_a, on_b = closest_points(a, b)
    assert a.contains(on_a[None], margin=1e-7).all()
    assert b.contains(on_b[None], margin=1e-7).all()
    assert np.linalg.norm(on_a - on_b) == pytest.approx(distance(a, b), abs=1e-7)


def test_distance_is_no_longer_than_any_sampled_pair() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        a, b = (
            Box(*rng.uniform(-2, 2, 3), *rng.uniform(0.1, 1, 3), rng.uniform(-3, 3)) for _ in "ab"
        )
        grid = np.stack(np.meshgrid(*[np.linspace(-0.5, 0.5, 9)] * 3), -1).reshape(-1, 3)
        clouds = []
        for box in (a, b):
            turn = np.array(
                [[np.cos(box.yaw), -np.sin(box.yaw)], [np.sin(box.yaw), np.cos(box.yaw)]]
            )
            local = grid * box.size
            clouds.append(np.column_stack([local[:, :2] @ turn.T, local[:, 2]]) + box.center)
        sampled = np.linalg.norm(clouds[0][:, None] - clouds[1][None], axis=-1).min()
        assert distance(a, b) <= sampled + 1e-9
        assert sampled - distance(a, b) < 0.3  # the sampling is that fine


def test_matrices_agree_with_single_pairs() -> None:
    rng = np.random.default_rng(1)
    many = [Box(*rng.uniform(-1, 1, 3), *rng.uniform(0.1, 1, 3), 0.3 * i) for i in range(6)]
    few = many[:2]
    assert boxes.ious(many, few)[4, 1] == iou(many[4], few[1])
    assert boxes.distances(many, few)[4, 1] == distance(many[4], few[1])
    assert boxes.ious(many, []).shape == (6, 0)
    assert boxes.distances([], few).shape == (0, 2)
