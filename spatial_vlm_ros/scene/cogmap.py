"""LocalCogMaps: the layout as a chain of triplets in 10x10 grids (SSR section 3.2, algorithm 1).

Two anchors fix a grid, a target lies in it. Only centres seen from above are used, so a map does
not change when the whole scene is moved, turned or scaled.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.scene.graph import LocalCogMap, SceneObject

Array = NDArray[np.float64]

#: Nearer anchors than this [m] fix no direction: errors grow with 1 / their distance.
MIN_ANCHOR_DISTANCE = 0.3
#: Cells between the anchors, finest grid first.
SPACINGS = (4, 3, 2, 1)
#: An anchor pair has one of this many placed objects nearest to the target.
NEAREST = 4


def grid_coordinates(a: Array, b: Array, c: Array, spacing: int) -> Array:
    """(..., 2) place of ``c`` in the grid where a is [5, 5] and b is [5, 5 - spacing].

    ``a``, ``b``, ``c`` are (..., 2) in scene coordinates and broadcast. x is right and y is up,
    seen from above: standing at a facing b, a larger x is further to the left.
    """
    up = a - b
    length = np.linalg.norm(up, axis=-1, keepdims=True)
    up = up / length
    right = np.stack([up[..., 1], -up[..., 0]], axis=-1)
    offset = c - a
    along = np.stack([(offset * right).sum(-1), (offset * up).sum(-1)], axis=-1)
    return np.asarray(5.0 + spacing / length * along)


def local_cogmap(
    ids: tuple[int, int, int], a: Array, b: Array, target: Array
) -> LocalCogMap | None:
    """The finest map that holds the target, ``ids`` being (anchor a, anchor b, target).

    None where the anchors are nearer than ``MIN_ANCHOR_DISTANCE`` or the target is outside even
    the coarsest grid: a cell is never clamped.
    """
    length = float(np.linalg.norm(b - a))
    if length < MIN_ANCHOR_DISTANCE:
        return None
    for spacing in SPACINGS:
        x, y = (int(v) for v in np.floor(grid_coordinates(a, b, target, spacing) + 0.5))
        if 0 <= x <= 9 and 0 <= y <= 9:
            return LocalCogMap(*ids, (5, 5 - spacing), (x, y), length / spacing)
    return None


def local_cogmaps(
    objects: Sequence[SceneObject],
) -> tuple[tuple[LocalCogMap, ...], tuple[int, ...]]:
    """Maps that chain all objects together, and the ids of those that none could place.

    Starts with the tightest triplet that can be drawn. Then again and again the object with the
    smallest sum of distances to two placed ones is drawn with the nearest pair of anchors that can
    hold it. Every anchor is therefore placed by an earlier map. An object that fits nowhere is
    tried again after each new one. Fewer than three objects have no map.
    """
    ids = [item.id for item in objects]
    centres = np.array([[item.box.x, item.box.y] for item in objects]).reshape(-1, 2)
    apart = np.linalg.norm(centres[:, None] - centres[None], axis=-1)
    placed = _tightest_triplet(apart)
    if not placed:
        return (), tuple(sorted(ids))
    maps = [_draw(ids, centres, *placed)]
    waiting = [i for i in range(len(ids)) if i not in placed]
    nearest_two = np.sort(apart[:, placed], axis=1)[:, :2]
    while waiting:
        cheapest_first = sorted(waiting, key=lambda i: nearest_two[i].sum())
        found = next(_placeable(ids, centres, apart, placed, cheapest_first), None)
        if found is None:
            break
        target, made = found
        maps.append(made)
        placed.append(target)
        waiting.remove(target)
        with_new = np.column_stack([nearest_two, apart[:, target]])
        nearest_two = np.sort(with_new, axis=1)[:, :2]
    return tuple(m for m in maps if m is not None), tuple(sorted(ids[i] for i in waiting))


def _draw(ids: Sequence[int], centres: Array, a: int, b: int, target: int) -> LocalCogMap | None:
    return local_cogmap((ids[a], ids[b], ids[target]), centres[a], centres[b], centres[target])


def _tightest_triplet(apart: Array) -> list[int]:
    """Anchors and target with the smallest longest side, anchors on that side; [] if none.

    Sides are taken shortest first: the first that closes a triangle with two shorter ones is the
    answer. In the plane at most 5 n / 2 sides can come before it, so this is O(n^2).
    """
    rows, columns = np.triu_indices(len(apart), 1)
    for side in np.argsort(apart[rows, columns], kind="stable"):
        a, b = int(rows[side]), int(columns[side])
        if apart[a, b] < MIN_ANCHOR_DISTANCE:
            continue
        longest = np.maximum(apart[a], apart[b])
        longest[[a, b]] = np.inf
        if longest.min() <= apart[a, b]:
            return [a, b, int(longest.argmin())]
    return []


def _placeable(
    ids: Sequence[int],
    centres: Array,
    apart: Array,
    placed: list[int],
    targets: Sequence[int],
) -> Iterator[tuple[int, LocalCogMap]]:
    """Those of ``targets`` that two placed objects can hold, with their maps."""
    for target in targets:
        for a, b in _anchor_pairs(apart[target], placed):
            made = _draw(ids, centres, a, b, target)
            if made is not None:
                yield target, made
                break


def _anchor_pairs(from_target: Array, placed: list[int]) -> Iterator[tuple[int, int]]:
    """Pairs of placed objects, the smallest sum of distances first, the nearer one as anchor a."""
    near = sorted(placed, key=lambda i: (from_target[i], i))
    pairs = [(i, j) for p, i in enumerate(near[:NEAREST]) for j in near[p + 1 :]]
    yield from sorted(pairs, key=lambda pair: from_target[pair[0]] + from_target[pair[1]])
