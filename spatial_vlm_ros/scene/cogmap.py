"""The LocalCogMap: a target in the 10x10 grid that two anchors fix (SSR section 3.2).

Only centres seen from above are used, so a map does not change when the whole scene is moved,
turned or scaled.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.scene.graph import LocalCogMap, SceneObject

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

#: Nearer anchors than this [m] fix no direction: errors grow with 1 / their distance.
MIN_ANCHOR_DISTANCE = 0.3
#: Cells between the anchors, finest grid first.
SPACINGS = (4, 3, 2, 1)
#: Cells along each side of the grid.
CELLS = 10
#: An anchor pair has one of this many candidates nearest to the target.
NEAREST = 4


def grid_coordinates(a: Array, b: Array, c: Array, spacing: int) -> Array:
    """(..., 2) place of ``c`` in the grid where a is [5, 5] and b is [5, 5 - spacing].

    ``a``, ``b``, ``c`` are (..., 2) in scene coordinates and broadcast. x is right and y is up,
    seen from above: standing at a facing b, a larger x is further to the left.
    """
    length = np.sqrt(squared(a, b))
    up_x, up_y = ((a[..., i] - b[..., i]) / length for i in (0, 1))
    off_x, off_y = (c[..., i] - a[..., i] for i in (0, 1))
    right = off_x * up_y - off_y * up_x
    up = off_x * up_x + off_y * up_y
    return 5.0 + np.stack([right, up], axis=-1) * (spacing / length)[..., None]


def local_cogmap(
    ids: tuple[int, int, int], a: Array, b: Array, target: Array
) -> LocalCogMap | None:
    """The finest map that holds the target, ``ids`` being (anchor a, anchor b, target).

    None where the anchors are nearer than ``MIN_ANCHOR_DISTANCE`` or the target is outside even
    the coarsest grid: a cell is never clamped.
    """
    apart = squared(a, b)
    if apart < MIN_ANCHOR_DISTANCE**2:
        return None
    length = float(np.sqrt(apart))
    for spacing in SPACINGS:
        cell, inside = _cells(a, b, target, spacing)
        if inside:
            x, y = cell.astype(int).tolist()
            return LocalCogMap(*ids, (5, 5 - spacing), (x, y), length / spacing)
    return None


def _cells(a: Array, b: Array, c: Array, spacing: int) -> tuple[Array, NDArray[np.bool_]]:
    """(..., 2) nearest cells of ``c``, and (...) whether they are in the grid."""
    cells = np.floor(grid_coordinates(a, b, c, spacing) + 0.5)
    return cells, np.asarray(((cells >= 0) & (cells < CELLS)).all(axis=-1))


def centres_of(objects: Sequence[SceneObject]) -> Array:
    """(n, 2) centres seen from above, scene coordinates, to the micrometre.

    Rounded, so that places are equal or clearly apart and every comparison of distances has the
    same outcome in whatever order it is made.
    """
    x, y = ([getattr(item.box, axis) for item in objects] for axis in "xy")
    return np.array([x, y], dtype=float).T.round(6)


def squared(a: Array, b: Array) -> Array:
    """(...) squared distances of (..., 2) places, the same to the last bit either way round."""
    x, y = (a[..., i] - b[..., i] for i in (0, 1))
    return np.asarray(x * x + y * y)


def cheapest_anchors(target: Array, candidates: Array, count: int = 1) -> tuple[Indices, float]:
    """The pairs of ``candidates`` (n, 2) that hold ``target`` (2,), nearest pair first, O(n).

    Cheap is a small sum of distances to the target (SSR algorithm 1, line 12); one of a pair is
    among the ``NEAREST`` candidates. Equal sums go by index. Returns (at most ``count``, 2)
    indices, the one nearer to the target first, and the radius round the target outside which
    nothing that comes or goes changes the first pair: with the nearest candidate it would cost
    more. Infinite where there is no pair.
    """
    away = np.sqrt(squared(candidates, target))
    within = _smallest(away, NEAREST)
    near = np.flatnonzero(away <= within)
    near = near[np.argsort(away[near], kind="stable")][:NEAREST]
    # Each pair once: the other anchor is further away, or as far with a larger index.
    usable = away[near][:, None] <= away
    usable &= (away[near][:, None] < away) | (near[:, None] < np.arange(len(away)))
    usable &= squared(candidates[near][:, None], candidates) >= MIN_ANCHOR_DISTANCE**2
    rows, b = np.nonzero(usable)
    a = near[rows]
    sums = away[a] + away[b]
    for most in (count + NEAREST, len(sums)):
        cheap = np.flatnonzero(sums <= _smallest(sums, most))
        cheap = cheap[np.lexsort((b[cheap], a[cheap], sums[cheap]))]
        # The coarsest grid is the one that holds most: what does not fit there fits nowhere.
        _, inside = _cells(candidates[a[cheap]], candidates[b[cheap]], target, SPACINGS[-1])
        found = cheap[inside][:count]
        if len(found) == count:
            break
    reach = float(sums[found[0]] - away.min()) + 1e-9 if len(found) else np.inf
    return np.stack([a[found], b[found]], axis=1), reach


def _smallest(values: Array, place: int) -> float:
    """The ``place``-th smallest, or the largest where there are fewer; infinite for none."""
    if not len(values):
        return np.inf
    index = min(place, len(values)) - 1
    return float(np.partition(values, index)[index])
