"""Which remembered object each instance of a frame belongs to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from spatial_vlm_ros.config import AssociationConfig
from spatial_vlm_ros.perception.segments import UNNAMED, Observation
from spatial_vlm_ros.scene.tracked import TrackedObject
from spatial_vlm_ros.scene.visibility import FEW, Visibility

_SOME = 60  # points are enough to tell a share
_HELD = 0.5  # share of what the best box holds of a segment that another must hold to own it
TOUCH = 0.05  # metres between a piece and the rest of its object, at the nearest
FOOT = 0.08  # metres above an object's bottom within which its feet begin


def associate(
    seen: Sequence[Observation],
    objects: Sequence[TrackedObject],
    visibility: Visibility,
    whole: bool,
    config: AssociationConfig,
) -> list[int]:
    """For every observation the index of its object in ``objects``, -1 for a new one.

    An object belongs to the segment that its visible points fall on (cover). One to one at first,
    so that the sum of cover is greatest; an observation left over belongs to the object in whose
    box it lies: one not seen in this frame yet, or, unless segments are ``whole`` objects, one
    that shows several pieces. ``visibility`` is of the same objects.
    """
    if not seen or not objects:
        return [-1] * len(seen)
    affinity = _affinity(seen, objects, visibility, whole, config)
    rows, columns = linear_sum_assignment(affinity, maximize=True)
    found = [-1] * len(seen)
    for row, column in zip(rows, columns, strict=True):
        if affinity[row, column] > 0:
            found[column] = int(row)
    taken = set(found) if whole else set()
    extents = np.array([candidate.extent for candidate in objects])
    for index, item in enumerate(seen):
        if found[index] < 0:
            rows = [row for row in _round_middle(item, extents, config) if row not in taken]
            found[index] = _inside(item, rows, objects, config)
            if whole:
                taken.add(found[index])
    return found


def same_label(a: str, b: str) -> bool:
    """Whether two labels can name one object; an unnamed object can be anything."""
    return a == b or UNNAMED in (a, b)


def _affinity(
    seen: Sequence[Observation],
    objects: Sequence[TrackedObject],
    visibility: Visibility,
    whole: bool,
    config: AssociationConfig,
) -> NDArray[np.float64]:
    """(objects, observations) cover, 0 where they cannot be the same.

    A segment that may show several objects at once is not one whose box holds little of it.
    """
    affinity = visibility.cover[:, [item.segment for item in seen]]
    affinity[affinity < config.min_cover] = 0.0
    for column, item in enumerate(seen if not whole else ()):
        rows = np.flatnonzero(visibility.on_segment[:, item.segment] >= FEW).tolist()
        if len(rows) > 1 and affinity[:, column].any():
            some = item.points[:: -(-len(item.points) // _SOME)]
            held = [objects[row].box.contains(some, config.depth_margin).mean() for row in rows]
            affinity[np.array(rows)[held < _HELD * np.max(held)], column] = 0.0
    for row, column in np.argwhere(affinity > 0):
        item, candidate = seen[column], objects[row]
        # Of two objects under one segment the one with more points is the likelier.
        affinity[row, column] += 1e-3 * visibility.on_segment[row, item.segment]
        if not same_label(item.label, candidate.label):
            overlap = _overlap(item.bounds, candidate.extent)
            affinity[row, column] *= 0.5 * (overlap >= config.min_overlap_other_label)
    return affinity


def _round_middle(
    item: Observation, extents: NDArray[np.float64], config: AssociationConfig
) -> list[int]:
    """Which extents (n, 2, 3) hold an observation's median, as what holds most of it does."""
    middle, margin = np.median(item.points, axis=0), 2 * config.depth_margin
    holds = (extents[:, 0] - margin <= middle) & (middle <= extents[:, 1] + margin)
    return np.flatnonzero(holds.all(axis=1)).tolist()


def _inside(
    item: Observation,
    rows: Sequence[int],
    objects: Sequence[TrackedObject],
    config: AssociationConfig,
) -> int:
    """Of the objects ``rows`` the one whose box holds this observation, -1 for none.

    Without names it must touch besides: under a table is not the table.
    """
    best, row_of_best = config.min_inside, -1
    for row in rows:
        candidate = objects[row]
        unnamed = UNNAMED in (item.label, candidate.label)
        if not same_label(item.label, candidate.label):
            continue
        if unnamed and not _is_foot(item, candidate):
            continue
        share = float(candidate.box.contains(item.points, config.depth_margin).mean())
        if share > best:
            best, row_of_best = share, row
    return row_of_best


def _is_foot(item: Observation, candidate: TrackedObject) -> bool:
    """Whether the observation is a foot of the object: level with its bottom, and touching it."""
    if abs(item.bounds[0, 2] - candidate.box.bottom) > FOOT:
        return False
    some = item.points[:: -(-len(item.points) // 50)]
    return bool(cdist(some, candidate.surface, "sqeuclidean").min() < TOUCH**2)


def _overlap(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Intersection over union of two axis-aligned extents (2, 3), each at least 4 cm thick."""
    a, b = _thick(a), _thick(b)
    shared = np.prod(np.maximum(np.minimum(a[1], b[1]) - np.maximum(a[0], b[0]), 0.0))
    return float(shared / (np.prod(a[1] - a[0]) + np.prod(b[1] - b[0]) - shared))


def _thick(bounds: NDArray[np.float64]) -> NDArray[np.float64]:
    grow = np.maximum(0.04 - (bounds[1] - bounds[0]), 0.0) / 2
    return np.array([bounds[0] - grow, bounds[1] + grow])
