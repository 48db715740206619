"""Exact geometry of boxes: by hand, and against shapely on random pairs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import shapely
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from spatial_vlm_ros.scene import box as boxes
from spatial_vlm_ros.scene.box import Box, closest_points, distance, iou

Rows = NDArray[np.float64]

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
#: 1 mm wide: where an error in metres weighs most.
thin_boxes = st.builds(Box, places, places, places, lengths, st.just(1e-3), lengths, places)
any_boxes = random_boxes | grid_boxes | thin_boxes


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
    already = Box(0.3, 0.1, 0.5, 2.0, 1.0, 1.0, 0.1)
    assert already.canonical() == already  # to the last digit


@given(random_boxes)
@example(Box(0.0, 0.0, 0.0, 2.0, 1.0, 1.0, np.nextafter(-np.pi / 2, -2)))
@example(Box(0.0, 0.0, 0.0, 1.0, 2.0, 1.0, np.nextafter(-np.pi, -4)))
def test_canonical_is_in_its_range_and_final(box: Box) -> None:
    same = box.canonical()
    assert same.length >= same.width
    assert -np.pi / 2 <= same.yaw < np.pi / 2
    assert same.canonical() == same
    assert same.canonical().volume == pytest.approx(box.volume)


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


@given(any_boxes, any_boxes)
def test_iou_and_distance_agree_with_shapely(a: Box, b: Box) -> None:
    true = true_ious(boxes.as_array([a]), boxes.as_array([b]))[0]
    assert iou(a, b) == pytest.approx(true, abs=1e-9)
    rise = max(0.0, a.bottom - b.top, b.bottom - a.top)
    assert distance(a, b) == pytest.approx(
        np.hypot(outline(a).distance(outline(b)), rise), abs=1e-7
    )


# IoU: rows are (n, 7) x, y, z, length, width, height, yaw --------------------------------------


def anywhere(rng: np.random.Generator) -> Rows:
    """1000 boxes from 2 cm to 3 m, within 2 m of each other."""
    places = rng.uniform(-1, 1, (1000, 3))
    return np.column_stack([places, rng.uniform(0.02, 3, (1000, 3)), rng.uniform(-7, 7, 1000)])


def thin(rng: np.random.Generator) -> Rows:
    """Like :func:`anywhere`, but each 1 mm long or 1 mm wide."""
    rows = anywhere(rng)
    rows[np.arange(1000), rng.integers(3, 5, 1000)] = 1e-3
    return rows


def moved(rows: Rows, along: Rows | float = 0.0, x: float = 0.0, y: float = 0.0) -> Rows:
    """``along`` metres in the direction of each box's length, then by x and y."""
    shift = along * np.exp(1j * rows[:, 6])
    zeros = np.zeros(len(rows))
    columns = [shift.real + x, shift.imag + y, zeros, zeros, zeros, zeros, zeros]
    return rows + np.column_stack(columns)


def jittered(rng: np.random.Generator, rows: Rows) -> Rows:
    """Moved and turned by 0.1 down to 1e-16 m and rad."""
    step = 10.0 ** rng.uniform(-16, -1, (len(rows), 1))
    return rows + step * rng.normal(size=rows.shape) * [1, 1, 1, 0, 0, 0, 1]


def scattered(rng: np.random.Generator) -> tuple[Rows, Rows]:
    return anywhere(rng), anywhere(rng)


def about_the_same(rng: np.random.Generator) -> tuple[Rows, Rows]:
    a = anywhere(rng)
    return a, jittered(rng, a)


def identical(rng: np.random.Generator) -> tuple[Rows, Rows]:
    a = anywhere(rng)
    turns = rng.integers(-3, 4, 1000)
    b = a.copy()
    b[:, 6] += turns * np.pi / 2
    odd = turns % 2 == 1
    b[odd, 3:5] = b[odd, 4:2:-1]
    return a, b


def touching(rng: np.random.Generator) -> tuple[Rows, Rows]:
    a = anywhere(rng)
    return a, moved(a, along=a[:, 3])


def nested_about_one_centre(rng: np.random.Generator) -> tuple[Rows, Rows]:
    a = anywhere(rng)
    return a, a * [1, 1, 1, 0.5, 1, 1, 1]


def nested_in_a_corner(rng: np.random.Generator) -> tuple[Rows, Rows]:
    a = anywhere(rng)
    return a, moved(a * [1, 1, 1, 0.5, 1, 0.5, 1], along=a[:, 3] / 4)


def nested_and_turned(rng: np.random.Generator) -> tuple[Rows, Rows]:
    a, turned = anywhere(rng), anywhere(rng)
    return a, np.column_stack(
        [a[:, :3], a[:, 3:5].min(axis=1)[:, None] / 2 * [[1, 1]], a[:, 5], turned[:, 6]]
    )


def thin_and_crossing(rng: np.random.Generator) -> tuple[Rows, Rows]:
    a, b = thin(rng), thin(rng)
    b[:, :2] = a[:, :2] + rng.normal(0, 0.01, (1000, 2))
    return a, b


def thin_and_about_the_same(rng: np.random.Generator) -> tuple[Rows, Rows]:
    a = thin(rng)
    return a, jittered(rng, a)


def far_away(rng: np.random.Generator) -> tuple[Rows, Rows]:
    a, b = scattered(rng)
    return moved(a, x=100, y=-100), moved(b, x=100, y=-100)


def far_away_thin_and_about_the_same(rng: np.random.Generator) -> tuple[Rows, Rows]:
    a = moved(thin(rng), x=1e4, y=-1e4)
    return a, jittered(rng, a)


FAMILIES = [
    (scattered, 0.01),
    (about_the_same, 0.8),
    (identical, 1 - 1e-12),
    (touching, 0.0),
    (nested_about_one_centre, 0.5),
    (nested_in_a_corner, 0.25),
    (nested_and_turned, 0.01),
    (thin_and_crossing, 1e-5),
    (thin_and_about_the_same, 0.5),
    (far_away, 0.01),
    (far_away_thin_and_about_the_same, 0.5),
]


def true_ious(a: Rows, b: Rows) -> Rows:
    """(n,) by shapely, seen from the middle of ``a`` with corners made here.

    On a grid: without one, GEOS 3.14 finds 2 in 1000 pairs of nested rectangles that share edges
    to have nothing in common.
    """
    outlines = []
    for rows in (a, b):
        x, y = rows[:, 3:4] * [0.5, -0.5, -0.5, 0.5], rows[:, 4:5] * [0.5, 0.5, -0.5, -0.5]
        corners = (x + 1j * y) * np.exp(1j * rows[:, 6:7])
        corners += ((rows - a)[:, 0] + 1j * (rows - a)[:, 1])[:, None]
        outlines.append(shapely.polygons(np.stack([corners.real, corners.imag], axis=-1)))
    area = shapely.area(shapely.intersection(*outlines, grid_size=1e-14))
    low = np.maximum(a[:, 2] - a[:, 5] / 2, b[:, 2] - b[:, 5] / 2)
    high = np.minimum(a[:, 2] + a[:, 5] / 2, b[:, 2] + b[:, 5] / 2)
    common = area * np.maximum(high - low, 0)
    return common / (a[:, 3:6].prod(axis=1) + b[:, 3:6].prod(axis=1) - common)


def pair_ious(a: Rows, b: Rows) -> Rows:
    """(n,): IoU of row with row, a hundred at a time for the matrices' sake."""
    parts = np.arange(0, len(a), 100)
    blocks = ([[Box(*row) for row in rows[i : i + 100]] for rows in (a, b)] for i in parts)
    return np.concatenate([np.diag(boxes.ious(*block)) for block in blocks])


@pytest.mark.parametrize(("family", "typical"), FAMILIES)
def test_iou_agrees_with_shapely(
    family: Callable[[np.random.Generator], tuple[Rows, Rows]], typical: float
) -> None:
    """1000 random pairs a family, 11 000 in all. ``typical``: what the third quartile exceeds."""
    a, b = family(np.random.default_rng(3))
    true, found = true_ious(a, b), pair_ious(a, b)
    np.testing.assert_allclose(found, true, rtol=0, atol=1e-9)
    np.testing.assert_allclose(pair_ious(b, a), found, rtol=0, atol=1e-11)
    assert found.min() >= 0
    assert found.max() <= 1
    assert np.quantile(true, 0.75) >= typical  # the pairs are what the family is named for


@given(any_boxes, any_boxes)
def test_iou_is_symmetric_and_a_share(a: Box, b: Box) -> None:
    assert 0 <= iou(a, b) <= 1
    assert iou(a, b) == pytest.approx(iou(b, a), abs=1e-11)
    assert iou(a, a) == pytest.approx(1, abs=1e-11)
    assert iou(a, b) <= min(a.volume, b.volume) / max(a.volume, b.volume) + 1e-12


@given(any_boxes, any_boxes, st.floats(-100, 100), st.floats(-100, 100), st.floats(-7, 7))
def test_iou_stays_when_both_boxes_are_moved(
    a: Box, b: Box, x: float, y: float, turn: float
) -> None:
    def carried(box: Box) -> Box:
        place = complex(box.x, box.y) * np.exp(1j * turn) + complex(x, y)
        return Box(place.real, place.imag, box.z + x, *box.to_tuple()[3:6], box.yaw + turn)

    assert iou(carried(a), carried(b)) == pytest.approx(iou(a, b), abs=1e-9)


@given(any_boxes, st.floats(0, 1))
def test_iou_when_lifted(box: Box, share: float) -> None:
    lifted = Box(box.x, box.y, box.z + share * box.height, *box.to_tuple()[3:])
    assert iou(box, lifted) == pytest.approx((1 - share) / (1 + share), abs=1e-9)
    assert iou(box, Box(box.x, box.y, box.z + 1.01 * box.height, *box.to_tuple()[3:])) == 0


@pytest.mark.parametrize("size", [(0, 0, 0), (0, 0, 1), (1, 0, 1), (0, 1, 1), (1, 1, 0)])
@pytest.mark.parametrize("yaw", [0.0, 0.4])
def test_boxes_without_volume_have_nothing_in_common(
    size: tuple[float, float, float], yaw: float
) -> None:
    flat = Box(0.1, 0.2, 0.5, *size, yaw)
    with np.errstate(all="raise"):
        for other in (UNIT, flat, Box(0.1, 0.2, 0.5, 0.5, 0.5, 0.5, 0.4)):
            assert iou(flat, other) == iou(other, flat) == 0


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
