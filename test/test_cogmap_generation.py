"""The chain of LocalCogMaps: where it starts, in which order it grows, and what it guarantees."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hand_built_room import at, room
from hypothesis import given
from hypothesis import strategies as st

from spatial_vlm_ros.scene.cogmap import (
    MIN_ANCHOR_DISTANCE,
    NEAREST,
    grid_coordinates,
    local_cogmap,
    squared,
)
from spatial_vlm_ros.scene.cogmap_generation import (
    START_SIDE,
    local_cogmaps,
    overlapping_cogmaps,
    start_triplet,
)
from spatial_vlm_ros.scene.graph import LocalCogMap

places = st.tuples(st.integers(-5000, 5000), st.integers(-5000, 5000)).map(
    lambda p: (p[0] / 1000, p[1] / 1000)
)
coarse = st.tuples(st.integers(-6, 6), st.integers(-6, 6)).map(lambda p: (p[0] / 4, p[1] / 4))
sparse = st.tuples(st.integers(-6, 6), st.integers(-6, 6)).map(lambda p: (4.0 * p[0], 4.0 * p[1]))


def test_it_starts_with_the_first_near_triplet_and_adds_the_nearest_next() -> None:
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
    far = at((0, 0), (1, 0), (0.4, 0.8), (40, 0))
    maps, unplaced = local_cogmaps(far)
    assert len(maps) == 1
    assert unplaced == (4,)


def test_an_object_that_fits_nowhere_is_tried_again() -> None:
    # 5 is nearer to the first three (6.7 m) than 4 (7 m) and comes first, but lies outside the
    # grid of anchors 1 and 3, while 4 lies inside; with 4 as an anchor it fits.
    maps, unplaced = local_cogmaps(at((0, 0.5), (0, 1.5), (1, 1.5), (-0.5, 8.5), (6, 6)))
    assert unplaced == ()
    assert [m.target for m in maps] == [2, 4, 5]
    assert {maps[2].anchor_a, maps[2].anchor_b} == {3, 4}


def test_a_heap_of_things_is_no_start_for_what_is_far_from_it() -> None:
    heap = at((0, 0), (0.35, 0), (0.2, 0.2), (0.1, 0.1), (3, 0), (3, 1.5), (4, 0))
    assert local_cogmaps(heap)[1] == ()
    desk = at((0, 0), (0.35, 0), (0.2, 0.2))  # unless there is nothing else
    assert len(local_cogmaps(desk)[0]) == 1


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


def test_the_hand_built_room_is_placed_whole() -> None:
    objects = room().objects
    maps, unplaced = local_cogmaps(objects)
    assert unplaced == ()
    assert len(maps) == len(objects) - 2


def test_the_start_is_the_first_triplet_within_delta_with_anchors_furthest_apart() -> None:
    near = np.array([(0.0, 0), (1.5, 0), (0.2, 0), (0, 0.3)])
    assert start_triplet(near) == (0, 1, 2)
    # 2 m exactly is within; a side of 2.01 m is not.
    assert START_SIDE == (1.0, 2.0)
    assert start_triplet(np.array([(0.0, 0), (2, 0), (1, 0.1), (1.01, 0)])) == (0, 1, 2)
    assert start_triplet(np.array([(0.0, 0), (2.01, 0), (1, 0.1), (1.01, 0)])) == (0, 3, 2)


def tightest_by_force(points: np.ndarray) -> tuple[float, tuple[int, ...]] | None:
    found = []
    for triplet in combinations(range(len(points)), 3):
        longest = max(np.hypot(*(points[i] - points[j])) for i, j in combinations(triplet, 2))
        if longest >= START_SIDE[0]:
            found.append((round(float(longest), 9), triplet))
    return min(found, default=None)


@given(st.lists(sparse, min_size=3, max_size=14))
def test_where_none_is_within_delta_it_is_the_tightest(points: list[tuple[float, float]]) -> None:
    spots = np.array(points)
    expected, start = tightest_by_force(spots), start_triplet(spots)
    assert (start is None) == (expected is None)
    if start is not None and expected is not None:
        assert tuple(sorted(start)) == expected[1]


def by_the_book(spots: np.ndarray) -> tuple[list[tuple[int, int, int]], set[int]]:
    """(anchor, anchor, target) of every map, and what is not placed, without any cleverness."""
    start = start_triplet(spots)
    if start is None:
        return [], set(range(len(spots)))
    made, placed, added = [start], list(start), list(start)
    outside = set(range(len(spots))) - set(start)

    def away(i: int, j: int) -> float:
        return float(squared(spots[i], spots[j]))

    def hang(target: int) -> bool:
        near = sorted(placed, key=lambda i: (away(i, target), i))
        pairs = [(a, b) for n, a in enumerate(near[:NEAREST]) for b in near[n + 1 :]]
        cost = {p: np.sqrt(away(p[0], target)) + np.sqrt(away(p[1], target)) for p in pairs}
        for a, b in sorted(pairs, key=lambda p: (cost[p], p)):
            if local_cogmap((0, 0, 0), spots[a], spots[b], spots[target]):
                made.append((a, b, target))
                placed.append(target)
                return True
        return False

    waiting = []
    while outside:
        _, _, _, target = min((away(i, j), min(i, j), max(i, j), i) for i in outside for j in added)
        outside.remove(target)
        added.append(target)
        if not hang(target):
            waiting.append(target)
    again = True
    while again:
        again = False
        for target in list(waiting):
            if hang(target):
                waiting.remove(target)
                again = True
    return made, set(waiting)


@given(st.one_of(st.lists(kind, max_size=16) for kind in (places, sparse, coarse)))
def test_it_is_the_algorithm_by_the_book(points: list[tuple[float, float]]) -> None:
    maps, unplaced = local_cogmaps(at(*points))
    expected, left = by_the_book(np.array(points, float).reshape(-1, 2).round(6))
    assert [tuple(i - 1 for i in m.ids) for m in maps] == expected
    assert {i - 1 for i in unplaced} == left


@given(
    st.integers(0, 2**32),
    st.integers(3, 25),
    st.floats(-3, 3),
    places,
)
def test_the_chain_moves_and_turns_with_its_scene(
    seed: int, count: int, angle: float, shift: tuple[float, float]
) -> None:
    spots = np.random.default_rng(seed).uniform(-4, 4, (count, 2))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = spots @ turn.T + shift
    before, after = (local_cogmaps(at(*map(tuple, these))) for these in (spots, moved))
    assert after[1] == before[1]
    for one, other in zip(before[0], after[0], strict=True):
        assert one.ids == other.ids
        exact = grid_coordinates(*(spots[i - 1] for i in one.ids), 5 - one.cell_b[1])
        if np.abs(exact - np.floor(exact) - 0.5).min() > 1e-3 and one.cell_b == other.cell_b:
            assert other.cell_target == one.cell_target


def test_overlapping_maps_place_every_object_several_times() -> None:
    objects = room().objects
    maps = overlapping_cogmaps(objects, 3)
    assert {m.target for m in maps} == {o.id for o in objects}
    pairs = {(m.target, frozenset((m.anchor_a, m.anchor_b))) for m in maps}
    assert len(pairs) == len(maps) == 3 * len(objects)
    # The first of each is the cheapest of all pairs, so not dearer than the chain's.
    centre = {o.id: o.box.center[:2] for o in objects}

    def cost(made: LocalCogMap) -> float:
        a, b, c = (centre[i] for i in made.ids)
        return float(np.hypot(*(a - c)) + np.hypot(*(b - c)))

    first = {m.target: m for m in reversed(maps)}
    for made in local_cogmaps(objects)[0][1:]:
        assert cost(first[made.target]) <= cost(made) + 1e-9


@pytest.mark.parametrize("count", [3, 30, 300])
def test_n_objects_give_n_minus_2_maps(count: int) -> None:
    spots = np.random.default_rng(count).uniform(0, np.sqrt(count) * 1.2, (count, 2))
    maps, unplaced = local_cogmaps(at(*map(tuple, spots)))
    assert (len(maps), unplaced) == (count - 2, ())
