"""A chain of LocalCogMaps through all objects, from scratch (SSR section 3.2, algorithm 1).

Where the paper's algorithm leaves a choice: the first triplet in order of ids whose longest side is
within ``START_SIDE`` starts it, else the tightest that is not smaller; the object nearest to those
in the graph is added next (Prim's order), which keeps maps small and makes the result independent
of how objects came; its anchors are the nearest two that can hold it. An object that no two before
it can hold is tried again when all others are placed, and listed if that fails.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from spatial_vlm_ros.scene.cogmap import (
    MIN_ANCHOR_DISTANCE,
    Array,
    Indices,
    centres_of,
    cheapest_anchors,
    local_cogmap,
    squared,
)
from spatial_vlm_ros.scene.graph import LocalCogMap, SceneObject
from spatial_vlm_ros.scene.spanning_tree import prim

#: Longest side of a triplet to start from [m]: at most the paper's delta, and not so short that
#: nothing beyond a heap of things can be reached from it.
START_SIDE = (1.0, 2.0)

Ids = NDArray[np.int64]


def local_cogmaps(
    objects: Sequence[SceneObject],
) -> tuple[tuple[LocalCogMap, ...], tuple[int, ...]]:
    """Maps that chain all objects together, and the ids of those that none could place.

    The anchors of every map are placed by earlier ones. n objects give n - 2 maps, less one for
    each that is not placed; fewer than three have none. O(n^2) time, O(n) memory.
    """
    ids, places = by_id(objects)
    start = start_triplet(places)
    if start is None:
        return (), tuple(ids.tolist())
    order, _ = prim(places, start)
    maps = [start_map(ids, places, start)]
    placed = np.zeros(len(ids), dtype=bool)
    placed[list(start)] = True
    waiting = []
    for target in order[3:].tolist():
        made, _ = hang(ids, places, target, np.flatnonzero(placed))
        if made is None:
            waiting.append(target)
        else:
            maps.append(made)
            placed[target] = True
    return chained(ids, places, maps, placed, waiting)


def by_id(objects: Sequence[SceneObject]) -> tuple[Ids, Array]:
    """Ids (n,) in ascending order, and the objects' centres (n, 2)."""
    ids = np.array([item.id for item in objects], dtype=np.int64)
    ascending = np.argsort(ids)
    return ids[ascending], centres_of(objects)[ascending]


def start_triplet(places: Array) -> tuple[int, int, int] | None:
    """Anchors, which are furthest apart, and target; None where there are no three to draw."""
    least, most = START_SIDE
    found = (
        _first_within(places, least, most)
        or _tightest(places, least)
        or _first_within(places, MIN_ANCHOR_DISTANCE, least)
    )
    if found is None:
        return None
    sides = [(found[i], found[j], found[3 - i - j]) for i, j in ((0, 1), (0, 2), (1, 2))]
    return max(sides, key=lambda side: float(squared(places[side[0]], places[side[1]])))


def _first_within(places: Array, least: float, most: float) -> tuple[int, int, int] | None:
    """The first triplet, by index, whose longest side is within these [m]."""
    least, most = least**2, most**2
    for a in range(len(places) - 2):
        near = a + 1 + np.flatnonzero(squared(places[a + 1 :], places[a]) <= most)
        for number, b in enumerate(near.tolist()):
            rest = near[number + 1 :]
            sides = squared(places[rest], places[b])
            longest = np.maximum(sides, squared(places[rest], places[a]))
            longest = np.maximum(longest, squared(places[a], places[b]))
            fits = rest[(sides <= most) & (longest >= least)]
            if len(fits):
                return a, b, int(fits[0])
    return None


def _tightest(places: Array, least: float) -> tuple[int, int, int] | None:
    """The triplet with the shortest longest side of ``least`` [m] or more; by index among equals.

    Sides are taken shortest first; the first that closes a triangle with two shorter ones ends it.
    Few can come before it in the plane.
    """
    near, reach = cKDTree(places), least
    extent = float(np.sqrt(squared(places.max(axis=0), places.min(axis=0)))) if len(places) else 0.0
    found: list[tuple[float, tuple[int, ...]]] = []
    while not found and reach <= 2 * extent:
        reach *= 2
        pairs = near.query_pairs(reach, output_type="ndarray")
        sides = squared(places[pairs[:, 0]], places[pairs[:, 1]])
        for number in np.argsort(sides, kind="stable"):
            side, pair = float(sides[number]), pairs[number]
            if found and side > found[0][0]:
                break
            if side >= least**2:
                longest = np.maximum(*(squared(places, places[end]) for end in pair))
                longest[pair] = np.inf
                closed = np.flatnonzero(longest <= side)
                found += [(side, tuple(sorted([*pair.tolist(), c]))) for c in closed.tolist()]
    if not found:
        return None
    _, (a, b, c) = min(found)
    return a, b, c


def start_map(ids: Ids, places: Array, start: tuple[int, int, int]) -> LocalCogMap:
    """The map of the triplet all others hang on; its target is within its anchors' distance."""
    made = _draw(ids, places, *start)
    assert made is not None
    return made


def hang(
    ids: Ids, places: Array, target: int, candidates: Indices
) -> tuple[LocalCogMap | None, float]:
    """The map of ``target`` with the cheapest two of ``candidates``, and what it depends on.

    That is a radius, see :func:`cheapest_anchors`. All are indices, candidates ascending.
    """
    pairs, reach = cheapest_anchors(places[target], places[candidates])
    if not len(pairs):
        return None, reach
    a, b = candidates[pairs[0]].tolist()
    return _draw(ids, places, a, b, target), reach


def chained(
    ids: Ids,
    places: Array,
    maps: list[LocalCogMap],
    placed: NDArray[np.bool_],
    waiting: list[int],
) -> tuple[tuple[LocalCogMap, ...], tuple[int, ...]]:
    """``maps`` and those of what is ``waiting``, which may hang on all that is ``placed`` now."""
    maps, placed = list(maps), placed.copy()
    again = True
    while again:
        again = False
        for target in list(waiting):
            made, _ = hang(ids, places, target, np.flatnonzero(placed))
            if made is not None:
                maps.append(made)
                placed[target] = again = True
                waiting = [index for index in waiting if index != target]
    return tuple(maps), tuple(ids[sorted(waiting)].tolist())


def _draw(ids: Ids, places: Array, a: int, b: int, target: int) -> LocalCogMap | None:
    numbers = (int(ids[a]), int(ids[b]), int(ids[target]))
    return local_cogmap(numbers, places[a], places[b], places[target])


def overlapping_cogmaps(objects: Sequence[SceneObject], each: int = 3) -> tuple[LocalCogMap, ...]:
    """Maps of every object with its cheapest anchors of all, up to ``each``: more than a chain.

    What several maps say of one object can be held against each other, see ``scene/layout.py``.
    """
    ids, places = by_id(objects)
    maps = []
    for target in range(len(ids)):
        others = np.delete(np.arange(len(ids)), target)
        pairs, _ = cheapest_anchors(places[target], places[others], each)
        maps += [_draw(ids, places, a, b, target) for a, b in others[pairs].tolist()]
    return tuple(made for made in maps if made is not None)
