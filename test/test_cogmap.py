"""The LocalCogMap: the paper's example, invariances, and which anchors hold a target."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatial_vlm_ros.scene.cogmap import cheapest_anchors, grid_coordinates, local_cogmap


def xy(*values: float) -> np.ndarray:
    return np.array(values)


@pytest.mark.parametrize(
    ("a", "b", "c", "cell"),
    [
        ((0, 0), (0, -1), (1, -1), (7, 3)),  # the paper's cell
        ((0, 0), (1, 0), (1, 1), (7, 3)),  # the same, turned by 90 degrees
        ((0, 0), (0, -1), (-1, -1), (3, 3)),  # mirrored
        ((2, 3), (2, 1), (3, 4), (6, 6)),
    ],
)
def test_cells_with_two_cells_between_the_anchors(
    a: tuple[float, float],
    b: tuple[float, float],
    c: tuple[float, float],
    cell: tuple[int, int],
) -> None:
    assert tuple(grid_coordinates(xy(*a), xy(*b), xy(*c), 2)) == pytest.approx(cell)
    assert tuple(grid_coordinates(xy(*a), xy(*b), xy(*b), 2)) == pytest.approx((5, 3))
    assert tuple(grid_coordinates(xy(*a), xy(*b), xy(*a), 2)) == pytest.approx((5, 5))


places = st.tuples(st.floats(-5, 5), st.floats(-5, 5))


@given(places, places, places, st.floats(-3, 3), st.floats(0.2, 5), places)
def test_a_map_moves_turns_and_scales_with_its_scene(
    a: tuple[float, float],
    b: tuple[float, float],
    c: tuple[float, float],
    angle: float,
    scale: float,
    shift: tuple[float, float],
) -> None:
    if np.hypot(a[0] - b[0], a[1] - b[1]) < 0.1:
        return
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    before = grid_coordinates(xy(*a), xy(*b), xy(*c), 3)
    after = grid_coordinates(*(turn @ xy(*p) + xy(*shift) for p in (a, b, c)), 3)
    np.testing.assert_allclose(after, before, atol=1e-6)
    mirrored = grid_coordinates(*(xy(-p[0], p[1]) for p in (a, b, c)), 3)
    np.testing.assert_allclose(mirrored, [10 - before[0], before[1]], atol=1e-6)


def test_the_finest_grid_that_holds_the_target() -> None:
    a, b = xy(0, 0), xy(0, -1)
    fine = local_cogmap((1, 2, 3), a, b, xy(1, 0))
    assert fine is not None
    assert (fine.cell_b, fine.cell_target, fine.metres_per_cell) == ((5, 1), (9, 5), 0.25)
    coarser = local_cogmap((1, 2, 3), a, b, xy(1.4, 0))  # 4 * 1.4 would be cell 11
    assert coarser is not None
    assert (coarser.cell_b, coarser.cell_target) == ((5, 2), (9, 5))
    coarsest = local_cogmap((1, 2, 3), a, b, xy(-5, 4))
    assert coarsest is not None
    assert (coarsest.cell_b, coarsest.cell_target) == ((5, 4), (0, 9))
    assert local_cogmap((1, 2, 3), a, b, xy(5, 0)) is None  # would be cell 10: never clamped


def test_anchors_too_near_fix_no_grid() -> None:
    assert local_cogmap((1, 2, 3), xy(0, 0), xy(0, -0.29), xy(0, 0.3)) is None
    assert local_cogmap((1, 2, 3), xy(0, 0), xy(0, -0.31), xy(0, 0.3)) is not None


def anchors(target: tuple[float, float], *candidates: tuple[float, float]) -> list[list[int]]:
    pairs, _ = cheapest_anchors(xy(*target), np.array(candidates, float).reshape(-1, 2), 9)
    return pairs.tolist()


def test_the_nearest_pair_that_can_hold_the_target_comes_first() -> None:
    # Sums of distances: 0 and 1: 3, 0 and 2: 4, 1 and 2: 5.
    assert anchors((0, 0), (1, 0), (-2, 0), (0, 3)) == [[0, 1], [0, 2], [1, 2]]
    # The nearest two are 0.2 m apart and fix no direction.
    assert anchors((0, 0), (1, 0), (1, 0.2), (0, 3)) == [[0, 2], [1, 2]]
    # Between 0 and 1, 0.5 m apart, 6 m is 12 cells: only pairs with a wider base hold it.
    assert anchors((0, 0), (6, 0), (6.5, 0), (0, 7)) == [[0, 2], [1, 2]]


def test_equal_sums_go_by_index_and_there_may_be_no_pair() -> None:
    assert anchors((0, 0), (0, 1), (1, 0), (0, -1)) == [[0, 1], [0, 2], [1, 2]]
    assert anchors((0, 0)) == anchors((0, 0), (1, 0)) == anchors((0, 0), (1, 0), (1, 0)) == []
    assert cheapest_anchors(xy(0, 0), np.array([(9.0, 0), (9, 1)]))[1] == np.inf


@given(st.lists(places, min_size=3, max_size=12, unique=True), places, places)
def test_what_is_outside_the_radius_changes_no_choice(
    candidates: list[tuple[float, float]], target: tuple[float, float], other: tuple[float, float]
) -> None:
    known = np.array(candidates).round(3)
    pairs, reach = cheapest_anchors(xy(*target), known)
    more, _ = cheapest_anchors(xy(*target), np.concatenate([known, [other]]))
    if np.hypot(other[0] - target[0], other[1] - target[1]) > reach:
        assert more.tolist() == pairs.tolist()
    for gone in range(len(known)):
        if np.hypot(*(known[gone] - xy(*target))) > reach:
            left, _ = cheapest_anchors(xy(*target), np.delete(known, gone, axis=0))
            assert (left + (left >= gone)).tolist() == pairs.tolist()
