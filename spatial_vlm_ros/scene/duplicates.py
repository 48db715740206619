"""Whether two remembered objects are one: votes of the frames, from boxes and surfaces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from spatial_vlm_ros.perception.segments import UNNAMED
from spatial_vlm_ros.scene.association import FOOT, same_label
from spatial_vlm_ros.scene.box import ious
from spatial_vlm_ros.scene.tracked import TrackedObject
from spatial_vlm_ros.scene.visibility import Visibility

SHOWN = 0.6  # share of an object's visible points on a segment that make it show the object
#: A segment of one object with less than this share of another's surface does not show the other.
_STRAY = 0.2
_SURELY_TWO = -30  # no more votes are kept for two objects being two
_INSIDE = 0.6  # share of an object's surface in another's box that makes it a part
#: Two boxes with this overlap (IoU) are one object's.
_FILLED = 0.5
_APART = 0.2  # with less they are two, whatever their surfaces
_SHARED = 0.15  # of the smaller box's volume
_SAMPLES = 100
_TOGETHER = 0.03  # metres within which two surfaces are one
_NARROW = 0.75  # a foot's length as a share of that of what it carries
_TO_FOOT = 0.12  # metres between them; the underside is seldom seen
#: Metres: a leg is more slender, and at its nearest no further from the rest of its object.
_SLENDER, _TO_LEG = 0.15, 0.2


class Duplicates:
    """Votes on pairs of objects, which are one after ``needed`` more votes for it than against."""

    def __init__(self, needed: int) -> None:
        self._needed = needed
        self._votes: dict[tuple[int, int], int] = {}
        self._gone: set[int] = set()

    def forget(self, object_id: int) -> None:
        """Drop the votes on an object that is gone."""
        self._gone.add(object_id)
        self._votes = {pair: n for pair, n in self._votes.items() if object_id not in pair}

    def vote(
        self, near: Sequence[TrackedObject], seen: Sequence[int], visibility: Visibility
    ) -> Iterator[tuple[TrackedObject, TrackedObject]]:
        """Count one frame's votes; the pairs that are one, of which one is to be forgotten.

        near: the objects in view, those of ``visibility``. seen: which of them the frame shows;
        without one of the two it is no evidence on a pair.
        """
        self._gone.clear()
        share = visibility.cover
        area = np.array([item.voxels.area for item in near])
        shown = visibility.on_segment * (area / np.maximum(visibility.sampled, 1))[:, None]
        segment = np.where(share.max(axis=1, initial=0) >= SHOWN, _argmax(share), -1)
        for a, b, overlap in meeting(near, seen):
            if near[a].id in self._gone or near[b].id in self._gone:
                continue
            small, large = (a, b) if near[a].box.volume < near[b].box.volume else (b, a)
            own = segment[small]
            apart = own >= 0 and (
                (segment[large] >= 0 and segment[large] != own)
                or (segment[large] < 0 and shown[large, own] < _STRAY * shown[small, own])
            )
            together = own >= 0 and segment[large] == own
            visible = bool(visibility.surface[[a, b]].min() > 0)
            self._count(near[a], near[b], overlap, together, apart, visible)
            if self._votes.get(_pair(near[a], near[b]), 0) >= self._needed:
                yield near[a], near[b]

    def _count(
        self,
        a: TrackedObject,
        b: TrackedObject,
        overlap: float,
        together: bool,
        apart: bool,
        visible: bool,
    ) -> None:
        """One frame's vote on a pair, which it shows as one segment, as two, or not clearly."""
        votes = self._votes.get(_pair(a, b), 0)
        if not same_label(a.label, b.label):
            one = _coincide(a, b, overlap)  # as when a detector has two names for a thing
            if not one and votes == 0:
                return
            vote = 1 if one and not apart else -1
        elif same_place(a, b, overlap):  # a leg is seen apart, and is none the less one
            votes, vote = max(votes, 0), 1
        elif together:
            vote = 1
        elif apart:
            vote = -1
        elif votes > -self._needed and (
            (visible and same_surface(a, b)) or _share_room(a, b, overlap)
        ):
            vote = 1
        else:
            return
        self._votes[_pair(a, b)] = max(votes + vote, _SURELY_TWO)


def _pair(a: TrackedObject, b: TrackedObject) -> tuple[int, int]:
    return min(a.id, b.id), max(a.id, b.id)


def _argmax(share: NDArray[np.float64]) -> NDArray[np.int64]:
    return share.argmax(axis=1) if share.shape[1] else np.zeros(len(share), np.int64)


def meeting(objects: Sequence[TrackedObject], seen: Sequence[int]) -> list[tuple[int, int, float]]:
    """Pairs (a, b) of ``objects``, a one of ``seen``, with the IoU of their boxes.

    Only pairs whose extents meet, near enough for a leg allowed. Each pair comes once.
    """
    if not seen:
        return []
    extents, rows = np.array([item.extent for item in objects]), np.array(seen)
    low, high = extents[:, 0], extents[:, 1] + _TO_LEG
    near = np.all((low[rows, None] <= high) & (low <= high[rows, None]), axis=-1)
    near[:, rows] &= rows[:, None] < rows
    which, b = np.nonzero(near)
    overlaps = ious([objects[row].box for row in seen], [item.box for item in objects])
    return list(zip(rows[which].tolist(), b.tolist(), overlaps[which, b].tolist(), strict=True))


def _share_room(a: TrackedObject, b: TrackedObject, overlap: float) -> bool:
    """Whether two boxes of a name share more room than two things can. ``overlap``: their IoU."""
    if UNNAMED in (a.label, b.label):
        return False
    volumes = a.box.volume, b.box.volume
    return overlap / (1 + overlap) * sum(volumes) >= _SHARED * min(volumes)


def same_surface(a: TrackedObject, b: TrackedObject) -> bool:
    """Whether most of one object's surface is surface of the other as well."""
    small, large = (a, b) if a.box.volume < b.box.volume else (b, a)
    return _lies_on(small, large)


def _lies_on(item: TrackedObject, other: TrackedObject) -> bool:
    points = item.surface[:: -(-len(item.surface) // _SAMPLES)]
    low, high = other.extent[0] - _TOGETHER, other.extent[1] + _TOGETHER
    if np.all((points > low) & (points < high), axis=1).mean() < _INSIDE:
        return False
    return bool(other.voxels.near(points, max(other.voxels.size, _TOGETHER)).mean() >= _INSIDE)


def _coincide(a: TrackedObject, b: TrackedObject, overlap: float) -> bool:
    """Whether two boxes or two surfaces are the same; of these neither may be a mere part."""
    if overlap >= _FILLED or overlap < _APART:
        return overlap >= _FILLED
    return _lies_on(a, b) and _lies_on(b, a)


def same_place(a: TrackedObject, b: TrackedObject, overlap: float) -> bool:
    """Whether one of two objects fills the other's box, or lies in it as a part of it.

    ``overlap``: IoU of the boxes. What has the same name is a part; without names only feet and
    legs are.
    """
    if overlap >= _FILLED:
        return True
    small, large = (a, b) if a.box.volume < b.box.volume else (b, a)
    if UNNAMED not in (a.label, b.label):
        return bool(large.box.contains(small.surface, 0.03).mean() >= _INSIDE)
    return _is_leg(small, large) or _is_foot_of_wide(a, b)


def _is_foot_of_wide(a: TrackedObject, b: TrackedObject) -> bool:
    """Whether one is below the other and so much narrower that the upper one would not stand."""
    low, high = (a, b) if a.box.z < b.box.z else (b, a)
    if abs(high.box.bottom - low.box.top) > _TO_FOOT:
        return False
    if low.box.length > _NARROW * high.box.length:
        return False
    above = replace(high.box, z=low.box.z, height=low.box.height + _TO_FOOT)
    return bool(above.contains(low.surface, 0.03).mean() >= _INSIDE)


def _is_leg(small: TrackedObject, large: TrackedObject) -> bool:
    """Whether an object reaches into another's box from below, or stands in it, and touches it."""
    if small.box.bottom > large.box.bottom + FOOT or large.box.top < small.box.top:
        return False
    if small.box.length > _SLENDER and small.box.bottom < large.box.bottom - FOOT:
        return False
    height = large.box.top - small.box.bottom
    whole = replace(large.box, z=small.box.bottom + height / 2, height=height)
    if whole.contains(small.surface, 0.03).mean() < _INSIDE:
        return False
    gap = cKDTree(large.surface).query(small.surface, distance_upper_bound=_TO_LEG)[0]
    return bool(np.isfinite(gap).any())
