"""The Euclidean minimum spanning tree of places, kept up to date, and Prim's order along it.

Of two edges of one length the one between smaller indices is the shorter, so there is one minimum
spanning tree only, whatever order places came and went in. Prim's order, which always adds the
place nearest to those it has, runs along its edges.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heappush

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree
from scipy.spatial import cKDTree

from spatial_vlm_ros.scene.cogmap import Array, Indices, squared

#: A place has at most one edge into each of this many equal sectors, and six would suffice.
_SECTORS = 8


class SpanningTree:
    """Places (n, 2) in a fixed order and the tree between them.

    places: (n, 2). edges: (n - 1, 2) indices, the smaller one first, the shortest edge first.
    """

    def __init__(self, places: Array) -> None:
        self.places = places
        order, reached_from = prim(places)
        edges = np.sort(np.stack([reached_from[1:], order[1:]], axis=1), axis=1)
        self.edges: Indices = self._sorted(edges)

    def insert(self, index: int, place: Array) -> None:
        """Put a place (2,) before ``index``; later indices grow by one. O(n log n)."""
        edges = self.edges + (self.edges >= index)
        self.places = np.insert(self.places, index, place, axis=0)
        # Minimum spanning tree edges are minimal in every cut, so an edge that was not in the tree
        # does not enter it now, but for those of the new place.
        others = self._shortest_by_sector(index)
        new = np.sort(np.stack([np.full(len(others), index), others], axis=1), axis=1)
        self.edges = self._minimum(np.concatenate([edges, new]))

    def delete(self, index: int) -> None:
        """Take a place away; later indices shrink by one."""
        kept = self.edges[(self.edges != index).all(axis=1)]
        self.edges = kept - (kept > index)
        self.places = np.delete(self.places, index, axis=0)
        self._reconnect()

    def prim_order(self, start: Iterable[int]) -> list[int]:
        """All indices: those of ``start``, then ever the one nearest to those before it."""
        order = list(start)
        count = len(self.places)
        # Each edge from both its ends, as one number that sorts by length: rank * count + far end.
        near_end, far_end = np.concatenate([self.edges, self.edges[:, ::-1]]).T
        ways = np.tile(np.arange(len(self.edges)), 2) * count + far_end
        by_end = np.argsort(near_end, kind="stable")
        leaving = ways[by_end].tolist()
        first = np.searchsorted(near_end[by_end], np.arange(count + 1)).tolist()
        outside = [True] * count
        for index in order:
            outside[index] = False
        waiting = [way for index in order for way in leaving[first[index] : first[index + 1]]]
        heapify(waiting)
        while waiting:
            index = heappop(waiting) % count
            if outside[index]:
                outside[index] = False
                order.append(index)
                for way in leaving[first[index] : first[index + 1]]:
                    if outside[way % count]:
                        heappush(waiting, way)
        return order

    def _sorted(self, edges: Indices) -> Indices:
        """Edges, the shortest first."""
        a, b = edges.T
        return edges[np.lexsort((b, a, squared(self.places[a], self.places[b])))]

    def _minimum(self, edges: Indices) -> Indices:
        """The minimum spanning tree of a connected graph with ``edges``, none of them twice."""
        count, edges = len(self.places), self._sorted(edges)
        ranks = np.arange(1, len(edges) + 1)
        graph = coo_array((ranks, (edges[:, 0], edges[:, 1])), (count, count)).tocsr()
        return edges[np.sort(minimum_spanning_tree(graph).data).astype(np.intp) - 1]

    def _shortest_by_sector(self, index: int) -> Indices:
        """All that can be joined to a place by an edge of the tree.

        Of two places in one sector of 45 degrees round it, the further is nearer to the other.
        """
        away = squared(self.places, self.places[index])
        others = np.argsort(away, kind="stable")
        others = others[others != index]
        coincident = others[away[others] == 0]
        others = others[len(coincident) :]
        x, y = (self.places[others] - self.places[index]).T
        sector = np.floor(np.arctan2(y, x) * (_SECTORS / 2 / np.pi))
        _, first = np.unique(sector % _SECTORS, return_index=True)
        return np.concatenate([coincident, others[first]])

    def _reconnect(self) -> None:
        """Join the parts the tree fell into, the smallest first, by their shortest way out."""
        count = len(self.places)
        ones = np.ones(len(self.edges))
        parts, part = connected_components(
            coo_array((ones, (self.edges[:, 0], self.edges[:, 1])), (count, count)), directed=False
        )
        for _ in range(parts - 1):
            sizes = np.bincount(part)
            smallest = int(np.where(sizes > 0, sizes, count + 1).argmin())
            inside, outside = np.flatnonzero(part == smallest), np.flatnonzero(part != smallest)
            there = cKDTree(self.places[outside])
            away, _ = there.query(self.places[inside])
            reach = away.min() * (1 + 1e-9) + 1e-9
            ends = inside[away <= reach]
            hits = there.query_ball_point(self.places[ends], reach)
            ways = [(a, outside[hit]) for a, found in zip(ends, hits, strict=True) for hit in found]
            new = np.sort(np.array(ways, dtype=np.intp), axis=1)
            new = self._sorted(new)[:1]
            self.edges = np.concatenate([self.edges, new])
            part[part == smallest] = part[new[part[new] != smallest]]
        self.edges = self._sorted(self.edges)


def prim(places: Array, start: Sequence[int] = (0,)) -> tuple[Indices, Indices]:
    """Prim's order of all ``places`` (n, 2), ``start`` first, and from where each is reached.

    Both (n,); the latter in the same order, -1 for ``start``. O(n^2) time, O(n) memory.
    """
    count = len(places)
    order, origin = list(start)[:count], np.full(count, -1)
    away, outside = np.full(count, np.inf), np.ones(count, dtype=bool)
    for number in range(count):
        if number >= len(order):
            rest = np.flatnonzero(outside)
            rest = rest[away[rest] == away[rest].min()]
            ends = np.sort(np.stack([rest, origin[rest]]), axis=0)
            order.append(int(rest[np.lexsort(ends[::-1])[0]]))
        added = order[number]
        outside[added] = False
        from_added = squared(places, places[added])
        nearer = (from_added < away) | ((from_added == away) & (added < origin))
        nearer &= outside
        away[nearer], origin[nearer] = from_added[nearer], added
    origin[list(start)[:count]] = -1
    return np.array(order, dtype=np.intp), origin[order].astype(np.intp)
