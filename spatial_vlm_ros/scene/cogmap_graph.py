"""The LocalCogMaps of objects that come, move and go, remade only where something changed.

Always the very maps that ``local_cogmaps`` would make of the objects. A map depends on the objects
within a radius round its target and on which of them come before it in Prim's order, so these are
remembered with it, and only a map for which they changed is made again.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heapify, heappop, heappush

import numpy as np

from spatial_vlm_ros.scene.cogmap import Array, Indices, squared
from spatial_vlm_ros.scene.cogmap_generation import (
    Ids,
    by_id,
    chained,
    hang,
    start_map,
    start_triplet,
)
from spatial_vlm_ros.scene.graph import LocalCogMap, SceneObject
from spatial_vlm_ros.scene.spanning_tree import SpanningTree

#: Objects whose order is remembered with a map; one that depends on more is made anew each time.
_WATCHED = 16
#: Where a larger share of the objects has changed, it is faster to make all maps anew.
ANEW = 1 / 16


class CogMapGraph:
    """maps: every one's anchors placed by earlier ones. unplaced: ids of objects without place.

    remade: how many maps the last update made, of those the rest were kept.
    """

    def __init__(self) -> None:
        self._restart(np.empty(0, dtype=np.int64), np.empty((0, 2)))

    def update(self, objects: Sequence[SceneObject]) -> None:
        """Follow the objects to where they are now."""
        ids, places = by_id(objects)
        _, was, still = np.intersect1d(self._ids, ids, assume_unique=True, return_indices=True)
        stayed = (self._tree.places[was] == places[still]).all(axis=1)
        gone = np.delete(self._ids, was[stayed])
        come = np.delete(np.arange(len(ids)), still[stayed])
        if len(come) > ANEW * len(ids):
            self._restart(ids, places)
        else:
            for number in gone.tolist():
                self._delete(number)
            for index in come:
                self._insert(int(ids[index]), places[index])
        if len(gone) or len(come):
            self._remake()

    def _restart(self, ids: Ids, places: Array) -> None:
        count = len(ids)
        self.maps: tuple[LocalCogMap, ...] = ()
        self.unplaced: tuple[int, ...] = ()
        self.remade = 0
        self._ids, self._tree = ids, SpanningTree(places)
        self._start: tuple[int, ...] = ()  # ids
        self._made: list[LocalCogMap | None] = [None] * count
        self._placed = np.zeros(count, dtype=bool)
        self._reach = np.full(count, np.inf)  # radius that a map depends on [m]
        self._near = np.full((count, _WATCHED), -1, dtype=np.intp)  # who is within it
        self._counted = np.zeros((count, _WATCHED), dtype=bool)  # who of them could be an anchor
        self._stale = np.ones(count, dtype=bool)

    def _insert(self, number: int, place: Array) -> None:
        index = int(np.searchsorted(self._ids, number))
        self._tree.insert(index, place)
        self._near += self._near >= index
        self._ids = np.insert(self._ids, index, number)
        self._made.insert(index, None)
        self._placed = np.insert(self._placed, index, False)
        self._reach = np.insert(self._reach, index, np.inf)
        self._near = np.insert(self._near, index, -1, axis=0)
        self._counted = np.insert(self._counted, index, False, axis=0)
        self._stale = np.insert(self._stale, index, True)
        within = np.flatnonzero(squared(self._tree.places, place) <= self._reach**2)
        within = within[(within != index) & np.isfinite(self._reach[within])]
        free = self._near[within] < 0
        self._near[within, free.argmax(axis=1)] = index  # not counted before it is placed
        self._stale[within[~free.any(axis=1)]] = True

    def _delete(self, number: int) -> None:
        index = int(np.searchsorted(self._ids, number))
        watched = self._near == index
        self._stale |= (watched & self._counted).any(axis=1)
        self._near[watched], self._counted[watched] = -1, False
        self._tree.delete(index)
        self._ids = np.delete(self._ids, index)
        del self._made[index]
        self._placed = np.delete(self._placed, index)
        self._reach = np.delete(self._reach, index)
        self._near = np.delete(self._near, index, axis=0)
        self._near -= self._near > index
        self._counted = np.delete(self._counted, index, axis=0)
        self._stale = np.delete(self._stale, index)

    def _remake(self) -> None:
        """Make every map anew for which something changed, in Prim's order."""
        start = start_triplet(self._tree.places)
        if start is None:
            self._restart(self._ids, self._tree.places)
            self.unplaced = tuple(self._ids.tolist())
            return
        order = self._tree.prim_order(start)
        self._keep_start(start)
        rank = np.empty(len(order), dtype=np.intp)
        rank[order] = np.arange(len(order))
        placed_at = np.where(self._placed, rank, len(order))
        countable = (placed_at[self._near] < rank[:, None]) & (self._near >= 0)
        self._stale |= (countable != self._counted).any(axis=1)
        self._stale |= np.isinf(self._reach)
        self._stale[list(start)] = False
        queue = rank[self._stale].tolist()
        heapify(queue)
        self.remade = 0
        while queue:
            target = order[heappop(queue)]
            if not self._stale[target]:
                continue
            was_placed = self._placed[target]
            self._hang(target, rank)
            if self._placed[target] != was_placed:
                later = (self._near == target).any(axis=1) & (rank > rank[target]) & ~self._stale
                later[list(start)] = False
                self._stale |= later
                for index in np.flatnonzero(later):
                    heappush(queue, int(rank[index]))
        made = [start_map(self._ids, self._tree.places, start)]
        made += [kept for index in order[3:] if (kept := self._made[index]) is not None]
        waiting = [index for index in order if not self._placed[index]]
        self.maps, self.unplaced = chained(
            self._ids, self._tree.places, made, self._placed, waiting
        )

    def _keep_start(self, start: tuple[int, int, int]) -> None:
        """The start depends on no map: it is placed. What was in it before is to be hung."""
        ids = tuple(self._ids[list(start)].tolist())
        if set(ids) != set(self._start):
            self._stale |= np.isin(self._ids, self._start)
            self._start = ids
        members = list(start)
        self._placed[members], self._reach[members] = True, 0.0
        self._near[members], self._counted[members] = -1, False
        for index in members:
            self._made[index] = None

    def _hang(self, target: int, rank: Indices) -> None:
        places = self._tree.places
        earlier = np.flatnonzero((rank < rank[target]) & self._placed)
        made, reach = hang(self._ids, places, target, earlier)
        near = np.flatnonzero(squared(places, places[target]) <= reach**2)
        near = near[near != target]
        if len(near) > _WATCHED:
            near, reach = near[:0], np.inf
        self._made[target], self._placed[target] = made, made is not None
        self._reach[target], self._stale[target] = reach, False
        self._near[target], self._counted[target] = -1, False
        self._near[target, : len(near)] = near
        self._counted[target, : len(near)] = (rank[near] < rank[target]) & self._placed[near]
        self.remade += 1
