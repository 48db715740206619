"""Which object is on, under, above, below, inside or beside which, from the boxes alone.

Boxes come from noisy depth, so every contact has a tolerance. A box is a hull: what lies on the
seat of a sofa is within the sofa's box, and so is the bin under a desk. Which of the two it is
follows from how high it lies and from a short list of what such furniture is called.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.scene import polygon
from spatial_vlm_ros.scene.box import as_array, footprints
from spatial_vlm_ros.scene.graph import Relation, SceneObject

#: Most that a resting object may float over, and sink into, its supporter [m].
FLOAT, SINK = 0.12, 0.1
#: Least share of the smaller footprint that must overlap for one to be over the other.
OVER = 0.5
#: Least share of an object's footprint (and, inside, of its height) that a hull must hold.
HELD = 0.6
#: A seat or board starts this share of the height (at least ``SEAT_LOW`` metres) over the bottom.
SEAT_SHARE, SEAT_LOW = 0.25, 0.12
#: Footprints this far apart still count as over one another for above and below [m].
OVER_MARGIN = 0.15
#: Widest gap between things that stand beside each other [m], and least common share of height.
BESIDE_GAP, BESIDE_SPAN = 0.5, 0.5

#: Stands on legs or spans the floor: what is low within its box is under it.
LEGGED = frozenset("armchair bed bench chair counter desk piano stool table workbench".split())
#: Has a seat or boards: what is high within its box is on it.
SURFACE = LEGGED | frozenset(
    "bookcase bookshelf couch dresser nightstand rack shelf shelves sofa trolley wagon".split()
)
#: Fixed to a wall: neither rests on what it happens to touch nor holds anything.
MOUNTED = frozenset(
    "blind blinds curtain curtains door mirror painting picture poster whiteboard window".split()
)


def relations(objects: Sequence[SceneObject]) -> tuple[Relation, ...]:
    """All relations between ``objects``, sorted by subject, predicate, object (ids).

    With bottom, top and footprint of subject a and object b:

    * **on**: a rests on b: a's bottom at most ``FLOAT`` over and ``SINK`` under b's top and not
      below b's middle, footprints overlapping by ``OVER`` of the smaller; or a lies on a seat or
      board within the box of a ``SURFACE``: ``HELD`` of its footprint in b's, its bottom between
      b's seat level (``SEAT_SHARE``) and b's top. Only the direct supporter: the one with the
      highest top, seats only where nothing is in contact. Nothing ``MOUNTED`` is in on, under or
      inside.
    * **under**: a stands beneath a ``LEGGED`` b: ``HELD`` of its footprint in b's, its bottom
      lower than b's seat level, its top not above b's top.
    * **inside**: ``HELD`` of a's footprint and of its height are in b, a is less than half of b's
      volume, and neither "on" nor "under" holds; never inside something ``LEGGED``.
    * **above** / **below**: a's bottom is at least b's top, less ``SINK``; footprints, b's
      grown by ``OVER_MARGIN``, overlap by ``OVER`` of the smaller; and a is not on b. Below is
      the converse.
    * **beside** (both ways round): gap between footprints at most ``BESIDE_GAP``, at least
      ``BESIDE_SPAN`` of the lower one's height shared, and none of on, under, inside, above.
    """
    if len(objects) < 2:
        return ()
    pairs = _near_pairs(objects)
    on = _direct_supporters(pairs)
    under = _under(pairs) & ~on
    inside = _inside(pairs) & ~on & ~under
    above = _above(pairs) & ~on
    taken = pairs.either_way(on | under | inside | above)
    found = {
        "on": on,
        "under": under,
        "inside": inside,
        "above": above,
        "below": pairs.reversed(above),
        "beside": _beside(pairs) & ~taken,
    }
    ids = [item.id for item in objects]
    made = [
        Relation(ids[pairs.a[p]], predicate, ids[pairs.b[p]])
        for predicate, holds in found.items()
        for p in np.flatnonzero(holds)
    ]
    return tuple(sorted(made, key=lambda r: (r.subject, r.predicate, r.object)))


@dataclass(frozen=True)
class _Pairs:
    """Ordered pairs (a, b) of objects that are near each other; every array is (pairs,)."""

    a: NDArray[np.intp]
    b: NDArray[np.intp]
    turned: NDArray[np.intp]  # where (b, a) is
    low_a: NDArray[np.float64]
    high_a: NDArray[np.float64]
    low_b: NDArray[np.float64]
    high_b: NDArray[np.float64]
    volume_a: NDArray[np.float64]
    volume_b: NDArray[np.float64]
    common: NDArray[np.float64]  # footprint area they share
    common_grown: NDArray[np.float64]  # the same with b's footprint grown by OVER_MARGIN
    area_a: NDArray[np.float64]
    area_b: NDArray[np.float64]
    gap: NDArray[np.float64]
    legged_b: NDArray[np.bool_]
    surface_b: NDArray[np.bool_]
    mounted: NDArray[np.bool_]  # either of them

    @property
    def seat_b(self) -> NDArray[np.float64]:
        """Height over which something within b's box is on it rather than under it."""
        return self.low_b + np.maximum(SEAT_SHARE * (self.high_b - self.low_b), SEAT_LOW)

    @property
    def held(self) -> NDArray[np.bool_]:
        """Whether b's footprint holds a's."""
        return self.common >= HELD * self.area_a

    def reversed(self, holds: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """``holds`` for (b, a) at the place of (a, b)."""
        return np.asarray(holds[self.turned])

    def either_way(self, holds: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return holds | self.reversed(holds)


def _near_pairs(objects: Sequence[SceneObject]) -> _Pairs:
    boxes = [item.box for item in objects]
    rows, corners = as_array(boxes), footprints(boxes)
    low, high = corners.min(axis=1), corners.max(axis=1)
    a, b = _meeting(low, high + max(BESIDE_GAP, OVER_MARGIN))
    heads = [item.label.lower().replace("_", " ").split(" ")[-1] for item in objects]
    legged, surface, mounted = (
        np.array([head in names for head in heads]) for names in (LEGGED, SURFACE, MOUNTED)
    )
    bottoms, tops = rows[:, 2] - rows[:, 5] / 2, rows[:, 2] + rows[:, 5] / 2
    area, volume = rows[:, 3] * rows[:, 4], np.prod(rows[:, 3:6], axis=1)
    return _Pairs(
        a=a,
        b=b,
        turned=np.lexsort((a, b)),
        low_a=bottoms[a],
        high_a=tops[a],
        low_b=bottoms[b],
        high_b=tops[b],
        volume_a=volume[a],
        volume_b=volume[b],
        common=polygon.overlap_areas(corners[a], corners[b]),
        common_grown=polygon.overlap_areas(corners[a], footprints(boxes, OVER_MARGIN)[b]),
        area_a=area[a],
        area_b=area[b],
        gap=polygon.gaps(corners[a], corners[b]),
        legged_b=legged[b],
        surface_b=surface[b],
        mounted=mounted[a] | mounted[b],
    )


def _meeting(
    low: NDArray[np.float64], high: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Ordered pairs of rectangles (n, 2) that meet, sorted; only those that meet in x are tried."""
    from_left = np.argsort(low[:, 0], kind="stable")
    starts = low[from_left, 0]
    behind = np.searchsorted(starts, high[from_left, 0], side="right") - np.arange(len(low)) - 1
    first = np.repeat(np.arange(len(low)), behind)
    second = first + 1 + np.arange(len(first)) - np.repeat(np.cumsum(behind) - behind, behind)
    one, other = from_left[first], from_left[second]
    meet = (low[one, 1] <= high[other, 1]) & (low[other, 1] <= high[one, 1])
    a, b = np.concatenate([[one[meet], other[meet]], [other[meet], one[meet]]], axis=1)
    order = np.lexsort((b, a))
    return a[order], b[order]


def _direct_supporters(p: _Pairs) -> NDArray[np.bool_]:
    """At most one b for each a: the highest in contact, else the highest seat or board."""
    over = p.common >= OVER * np.minimum(p.area_a, p.area_b)
    middle_b = (p.low_b + p.high_b) / 2
    contact = over & (p.low_a <= p.high_b + FLOAT) & (p.low_a >= p.high_b - SINK)
    contact &= (p.low_a >= middle_b) & ((p.low_a + p.high_a) / 2 > middle_b)
    on_seat = p.surface_b & p.held & (p.low_a >= p.seat_b) & (p.low_a < p.high_b)
    on_seat &= p.volume_a < p.volume_b
    rank = np.where(contact, 1e6, 0.0) + p.high_b
    supported = (contact | on_seat) & ~p.mounted
    direct = np.zeros(len(p.a), dtype=bool)
    order = np.lexsort((p.b, -rank, p.a))
    order = order[supported[order]]
    _, first = np.unique(p.a[order], return_index=True)
    direct[order[first]] = True
    return direct


def _under(p: _Pairs) -> NDArray[np.bool_]:
    beneath = (p.low_a < p.seat_b) & (p.high_a <= p.high_b + SINK)
    return np.asarray(p.legged_b & p.held & beneath & ~p.mounted & (p.volume_a < p.volume_b))


def _inside(p: _Pairs) -> NDArray[np.bool_]:
    shared = np.minimum(p.high_a, p.high_b) - np.maximum(p.low_a, p.low_b)
    within = p.held & (shared >= HELD * (p.high_a - p.low_a))
    return np.asarray(within & (p.volume_a < p.volume_b / 2) & ~p.legged_b & ~p.mounted)


def _above(p: _Pairs) -> NDArray[np.bool_]:
    over = p.common_grown >= OVER * np.minimum(p.area_a, p.area_b)
    return np.asarray(over & (p.low_a >= p.high_b - SINK) & (p.low_a >= p.low_b + SINK))


def _beside(p: _Pairs) -> NDArray[np.bool_]:
    shared = np.minimum(p.high_a, p.high_b) - np.maximum(p.low_a, p.low_b)
    lower = np.minimum(p.high_a - p.low_a, p.high_b - p.low_b)
    return np.asarray((p.gap <= BESIDE_GAP) & (shared >= BESIDE_SPAN * lower))
