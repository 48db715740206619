"""The Euclidean minimum spanning tree, kept up to date, against a search through all edges."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spatial_vlm_ros.scene.cogmap import squared
from spatial_vlm_ros.scene.spanning_tree import SpanningTree, prim

# On a coarse grid many distances are equal and many places the same.
coarse = st.tuples(st.integers(-3, 3), st.integers(-3, 3)).map(lambda p: (p[0] / 2, p[1] / 2))
fine = st.tuples(st.integers(-9999, 9999), st.integers(-9999, 9999)).map(
    lambda p: (p[0] / 1000, p[1] / 1000)
)
ring = st.integers(0, 23).map(
    lambda i: (round(3 * np.cos(i * np.pi / 12), 6), round(3 * np.sin(i * np.pi / 12), 6))
)
places = st.one_of(st.lists(kind, min_size=1, max_size=24) for kind in (coarse, fine, ring))


def edges_by_force(spots: np.ndarray) -> list[list[int]]:
    """Kruskal's algorithm over all pairs."""
    part = list(range(len(spots)))
    kept = []
    every = combinations(range(len(spots)), 2)
    for a, b in sorted(every, key=lambda e: (float(squared(spots[e[0]], spots[e[1]])), e)):
        if part[a] != part[b]:
            kept.append([a, b])
            part = [part[a] if p == part[b] else p for p in part]
    return kept


@given(places)
def test_the_tree_is_the_shortest(points: list[tuple[float, float]]) -> None:
    assert SpanningTree(np.array(points)).edges.tolist() == edges_by_force(np.array(points))


@given(places, places, st.randoms(use_true_random=False))
def test_it_stays_the_shortest_while_places_come_and_go(
    points: list[tuple[float, float]], more: list[tuple[float, float]], choose: object
) -> None:
    tree = SpanningTree(np.array(points))
    for place in more:
        if choose.random() < 0.5 and len(tree.places):  # type: ignore[attr-defined]
            tree.delete(choose.randrange(len(tree.places)))  # type: ignore[attr-defined]
        else:
            index = choose.randint(0, len(tree.places))  # type: ignore[attr-defined]
            tree.insert(index, np.array(place))
            assert tree.places[index].tolist() == list(place)
        assert tree.edges.tolist() == edges_by_force(tree.places)


@given(places, st.integers(1, 3))
def test_prims_order_runs_along_the_tree(points: list[tuple[float, float]], begin: int) -> None:
    spots = np.array(points)
    start = list(range(min(begin, len(spots))))
    order, origin = prim(spots, start)
    assert SpanningTree(spots).prim_order(start) == order.tolist()
    assert order[: len(start)].tolist() == start
    assert sorted(order) == list(range(len(spots)))
    for step in range(len(start), len(order)):
        before, rest = order[:step], order[step:]
        ways = squared(spots[rest][:, None], spots[before][None])
        assert squared(spots[order[step]], spots[origin[step]]) == ways.min()
        assert origin[step] in before


def test_no_place_and_one_place_have_no_edge() -> None:
    tree = SpanningTree(np.empty((0, 2)))
    assert (tree.edges.shape, tree.prim_order([])) == ((0, 2), [])
    tree.insert(0, np.array([1.0, 2.0]))
    assert (tree.edges.shape, tree.prim_order([0])) == ((0, 2), [0])
    tree.insert(0, np.array([0.0, 2.0]))
    assert tree.edges.tolist() == [[0, 1]]
    tree.delete(0)
    tree.delete(0)
    assert len(tree.places) == len(tree.edges) == 0


def test_a_broken_ring_is_closed_on_its_other_side() -> None:
    angles = np.arange(12) * np.pi / 6
    spots = np.stack([np.cos(angles), np.sin(angles)], axis=1) * (3 + 0.01 * angles[:, None])
    tree = SpanningTree(spots)
    open_at = {tuple(sorted((i, (i + 1) % 12))) for i in range(12)} - set(map(tuple, tree.edges))
    assert len(open_at) == 1
    tree.delete(5)
    assert tree.edges.tolist() == edges_by_force(np.delete(spots, 5, axis=0))
