"""The layout that local maps make together, and what it says of maps that are wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hand_built_room import thing
from hypothesis import given
from hypothesis import strategies as st

from spatial_vlm_ros.scene.cogmap import grid_coordinates
from spatial_vlm_ros.scene.cogmap_generation import local_cogmaps, overlapping_cogmaps
from spatial_vlm_ros.scene.graph import LocalCogMap, SceneObject
from spatial_vlm_ros.scene.layout import (
    CONTRADICTION,
    least_squares,
    missed_by,
    object_scores,
    solve_layout,
)

NAN = float("nan")


def scene(count: int, seed: int) -> tuple[list[SceneObject], dict[int, tuple[float, float]]]:
    spots = np.random.default_rng(seed).uniform(0, np.sqrt(count), (count, 2))
    spots = spots.round(3)
    things = [thing(i + 1, "thing", (*p, 0, 0.1, 0.1, 0.1, 0)) for i, p in enumerate(spots)]
    return things, {i + 1: (float(x), float(y)) for i, (x, y) in enumerate(spots)}


def exact(made: LocalCogMap, places: dict[int, tuple[float, float]]) -> LocalCogMap:
    """The map with the unrounded cell."""
    a, b, c = (np.array(places[i]) for i in made.ids)
    x, y = grid_coordinates(a, b, c, 5 - made.cell_b[1]).tolist()
    return replace(made, cell_target=(x, y))


@given(st.integers(0, 2**32), st.integers(3, 40))
def test_exact_cells_give_the_layout_back(seed: int, count: int) -> None:
    objects, places = scene(count, seed)
    maps = [exact(made, places) for made in local_cogmaps(objects)[0]]
    if not maps:
        return
    first = maps[0]
    found = solve_layout(maps, {i: places[i] for i in (first.anchor_a, first.anchor_b)})
    for number, place in found.places.items():
        np.testing.assert_allclose(place, places[number], atol=1e-9)
    assert set(found.places) == {m.target for m in maps} | {first.anchor_a, first.anchor_b}
    np.testing.assert_allclose(found.missed, 0, atol=1e-8)


def test_a_triangle_by_hand() -> None:
    made = LocalCogMap(7, 8, 9, (5, 3), (7, 3), 0.5)
    found = solve_layout([made])
    # Anchor b two cells of 0.5 m down; [7, 3] is two cells right of it.
    assert found.places == {7: (0.0, 0.0), 8: (0.0, -1.0), 9: pytest.approx((1.0, -1.0))}
    assert found.undetermined == ()
    unknown = solve_layout([replace(made, metres_per_cell=NAN)])  # then in cells
    assert unknown.places[9] == pytest.approx((2.0, -2.0))
    turned = solve_layout([made], {7: (0.0, 0.0), 8: (3.0, 0.0)})
    assert turned.places[9] == pytest.approx((3.0, 3.0))
    assert missed_by([made], {7: (0, 0), 8: (0, -1), 9: (1.5, -1)}) == pytest.approx([1.0])
    assert missed_by([made], {7: (0, 0), 8: (0, -1)}) == pytest.approx([NAN], nan_ok=True)
    assert missed_by([made], {7: (1, 1), 8: (1, 1), 9: (0, 0)}).tolist() == [np.inf]


def test_the_third_follows_whichever_two_are_known() -> None:
    made = LocalCogMap(1, 2, 3, (5, 1), (9, 5), 0.25)
    truth = {1: (0.0, 0.0), 2: (0.0, -1.0), 3: (1.0, 0.0)}
    for missing in truth:
        given_two = {i: place for i, place in truth.items() if i != missing}
        found = solve_layout([made], given_two)
        assert found.places[missing] == pytest.approx(truth[missing])
    # In the cell of anchor a, the target does not tell where b is.
    said_nothing = replace(made, cell_target=(5, 5))
    assert solve_layout([said_nothing], {1: (0.0, 0.0), 3: (0.0, 0.0)}).undetermined == (2,)


def test_what_hangs_on_nothing_is_listed() -> None:
    maps = [LocalCogMap(1, 2, 3, (5, 3), (7, 3), 1.0), LocalCogMap(4, 5, 6, (5, 3), (7, 3), 1.0)]
    found = solve_layout(maps)
    assert found.undetermined == (4, 5, 6)
    assert found.missed[0] == pytest.approx(0.0)
    assert np.isnan(found.missed[1])
    with pytest.raises(ValueError, match="nothing to lay out"):
        solve_layout([])
    with pytest.raises(ValueError, match="two places"):
        solve_layout(maps, {1: (0.0, 0.0)})


cells = st.tuples(st.integers(0, 9), st.integers(0, 9))
anchored = st.sampled_from([(5, 5), (5, 4), (5, 3), (5, 2), (5, 1)])  # in the cell of an anchor
claims = st.builds(
    lambda ids, k, cell: LocalCogMap(*ids, (5, 5 - k), cell, NAN),
    st.permutations(range(7)).map(lambda order: order[:3]),
    st.integers(1, 4),
    st.one_of(cells, anchored),
)


@given(st.lists(claims, min_size=1, max_size=20))
def test_whatever_maps_claim_every_determined_place_is_a_place(maps: list[LocalCogMap]) -> None:
    found = solve_layout(maps)
    assert np.isfinite(np.array(list(found.places.values()))).all()
    named = {i for m in maps for i in m.ids}
    assert set(found.places) | set(found.undetermined) == named
    assert not set(found.places) & set(found.undetermined)


def test_least_squares_weighs_what_disagrees() -> None:
    # Two maps put c at 1 and at 3 on the way from a = 0 to b = 1; the second counts twice as much.
    triplets, ratios = np.array([[0, 1, 2], [0, 1, 2]]), np.array([1.0 + 0j, 3.0])
    z = least_squares(triplets, ratios, np.array([1.0, 2.0]), 3, {0: 0j, 1: 1 + 0j})
    assert z[2] == pytest.approx((1 * 1 + 4 * 3) / 5)


def test_rounded_maps_miss_by_less_than_a_wrong_one() -> None:
    objects, _ = scene(25, 8)
    chain = local_cogmaps(objects)[0]
    maps = [*chain, *(m for m in overlapping_cogmaps(objects, 3) if m not in chain)]
    assert solve_layout(maps).missed.max() < CONTRADICTION
    found = []
    for wrong in range(5, 25):
        x, y = maps[wrong].cell_target
        lie = replace(maps[wrong], cell_target=(9 - x, y if abs(9 - 2 * x) > 3 else 9 - y))
        if np.hypot(lie.cell_target[0] - x, lie.cell_target[1] - y) < 3:
            continue
        said = [*maps[:wrong], lie, *maps[wrong + 1 :]]
        missed = solve_layout(said).missed
        found.append(missed.argmax() == wrong and missed[wrong] > CONTRADICTION)
    assert len(found) >= 10
    assert np.mean(found) >= 0.8


def test_an_object_in_a_wrong_place_is_doubted_and_few_others_are() -> None:
    worst, doubted, others = [], [], []
    for seed in range(6):
        objects, places = scene(25 + seed, seed)
        maps = overlapping_cogmaps(objects, 3)
        rounding = object_scores(maps, missed_by(maps, places))
        assert max(rounding.values()) < 0.75
        for number, (x, y) in places.items():
            scores = object_scores(maps, missed_by(maps, {**places, number: (x + 1.5, y)}))
            worst.append(max(scores, key=lambda i: scores[i]) == number)
            over = {i for i, score in scores.items() if score > CONTRADICTION}
            doubted.append(number in over)
            others.append(len(over - {number}) / (len(places) - 1))
    assert np.mean(doubted) > 0.95
    assert np.mean(worst) > 0.7  # else a neighbour that hangs on it
    assert np.mean(others) < 0.05
