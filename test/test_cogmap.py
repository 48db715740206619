"""LocalCogMaps: the paper's example, invariances, and the incremental generation."""

from __future__ import annotations

import numpy as np
import pytest
from hand_built_room import room, thing
from hypothesis import given
from hypothesis import strategies as st

from spatial_vlm_ros.scene.cogmap import (
    MIN_ANCHOR_DISTANCE,
    grid_coordinates,
    local_cogmap,
    local_cogmaps,
)
from spatial_vlm_ros.scene.graph import SceneObject


def at(*places: tuple[float, float]) -> list[SceneObject]:
    return [thing(i + 1, "thing", (x, y, 0, 0.1, 0.1, 0.1, 0)) for i, (x, y) in enumerate(places)]


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


def test_it_starts_with_the_tightest_triplet_and_adds_the_cheapest_next() -> None:
    objects = at((9, 0), (0, 0), (1, 0), (0.5, 0.8), (3, 0), (2, 0.5))
    maps, unplaced = local_cogmaps(objects)
    assert unplaced == ()
    assert {maps[0].anchor_a, maps[0].anchor_b, maps[0].target} == {2, 3, 4}
    assert [m.target for m in maps[1:]] == [6, 5, 1]
    # 6 at (2, 0.5): nearest are 3 at (1, 0) and 4 at (0.5, 0.8).
    assert (maps[1].anchor_a, maps[1].anchor_b) == (3, 4)


def test_fewer_than_three_objects_have_no_map() -> None:
    assert local_cogmaps([]) == ((), ())
    assert local_cogmaps(at((0, 0))) == ((), (1,))
    assert local_cogmaps(at((0, 0), (1, 0))) == ((), (1, 2))


def test_stacked_objects_are_no_anchors_and_what_fits_nowhere_is_listed() -> None:
    stacked = at((0, 0), (0, 0), (0.01, 0))
    assert local_cogmaps(stacked) == ((), (1, 2, 3))
    far = at((0, 0), (0.5, 0), (0.2, 0.4), (40, 0))
    maps, unplaced = local_cogmaps(far)
    assert len(maps) == 1
    assert unplaced == (4,)


def test_an_object_that_fits_nowhere_is_tried_again() -> None:
    # From 0.5 m anchors 6 m away is outside every grid; with an anchor half-way it is not.
    maps, unplaced = local_cogmaps(at((0, 0), (0.5, 0), (0.2, 0.4), (2, 0), (6, 0)))
    assert unplaced == ()
    assert maps[-1].target == 5


@given(st.lists(places, min_size=3, max_size=25, unique=True))
def test_every_map_hangs_on_earlier_ones_and_fits(points: list[tuple[float, float]]) -> None:
    objects = at(*points)
    maps, unplaced = local_cogmaps(objects)
    centre = {o.id: o.box.center[:2] for o in objects}
    placed: set[int] = set()
    for number, made in enumerate(maps):
        if number == 0:
            placed |= {made.anchor_a, made.anchor_b}
        assert {made.anchor_a, made.anchor_b} <= placed
        assert made.target not in placed
        placed.add(made.target)
        spacing = 5 - made.cell_b[1]
        apart = np.linalg.norm(centre[made.anchor_a] - centre[made.anchor_b])
        assert apart >= MIN_ANCHOR_DISTANCE
        assert made.metres_per_cell == pytest.approx(apart / spacing)
        exact = grid_coordinates(
            centre[made.anchor_a], centre[made.anchor_b], centre[made.target], spacing
        )
        assert np.abs(np.array(made.cell_target) - exact).max() <= 0.5 + 1e-9
        assert all(0 <= v <= 9 for v in made.cell_target)
    assert placed | set(unplaced) == {o.id for o in objects}
    assert not placed & set(unplaced)
    if maps:
        assert len(maps) == len(objects) - 2 - len(unplaced)
    assert local_cogmaps(objects) == (maps, unplaced)


def test_unrounded_cells_give_the_layout_back() -> None:
    """Each map is one linear equation between three places in complex numbers."""
    rng = np.random.default_rng(3)
    objects = at(*map(tuple, rng.uniform(-4, 4, (20, 2))))
    maps, _ = local_cogmaps(objects)
    index = {o.id: i for i, o in enumerate(objects)}
    truth = np.array([complex(o.box.x, o.box.y) for o in objects])
    rows, right = [], []
    fixed = (index[maps[0].anchor_a], index[maps[0].anchor_b])
    for made in maps:
        a, b, c = (index[i] for i in (made.anchor_a, made.anchor_b, made.target))
        spacing = 5 - made.cell_b[1]
        x, y = grid_coordinates(
            *(np.array([truth[i].real, truth[i].imag]) for i in (a, b, c)), spacing
        )
        ratio = complex(x - 5, y - 5) / complex(0, -spacing)
        row = np.zeros(len(objects), complex)  # c = a + ratio (b - a)
        row[c], row[a], row[b] = 1, ratio - 1, -ratio
        rows.append(row)
        right.append(0)
    for i in fixed:
        row = np.zeros(len(objects), complex)
        row[i] = 1
        rows.append(row)
        right.append(truth[i])
    layout, *_ = np.linalg.lstsq(np.array(rows), np.array(right), rcond=None)
    np.testing.assert_allclose(layout, truth, atol=1e-9)


def test_the_hand_built_room_is_placed_whole() -> None:
    objects = room().objects
    maps, unplaced = local_cogmaps(objects)
    assert unplaced == ()
    assert len(maps) == len(objects) - 2
