"""An object's points, accumulated over frames: one weighted mean per voxel, bounded."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

_OFFSET = 1 << 20  # voxel indices lie in +-2^20 and are packed, 21 bits each, into one key
_AROUND = [(x << 42) + (y << 21) + z for x, y, z in product((-1, 0, 1), repeat=3)]
_NEIGHBOURHOOD = 0.1  # metres; reach of depth noise from afar
_DISPROVED = 0.05  # a disputed voxel of less weight is forgotten
_FAR = 0.08  # a voxel never seen with this share of its neighbourhood's trust is noise
_RARE = 0.03  # so is one with less than this share of its neighbourhood's weight,
_RAREST = 0.002  # with less than this share it is noise beyond doubt
_MANY = 30.0  # counted up to so many times the trust, or age alone would disprove what is seen less


class VoxelPoints:
    """Means and weights of the points of each occupied voxel, sorted by voxel key.

    keys: (n,) int64. means: (n, 3) float32 scene coordinates. weights: (n,) float32, the trust
    summed over all points of the voxel; trust: (n,) float32, that of the best of them. size: edge
    of a voxel, metres; doubled whenever there are more than ``limit`` voxels, so that memory stays
    bounded however large the object.
    """

    def __init__(self, size: float, limit: int) -> None:
        self.size = size
        self.limit = limit
        self.keys = np.empty(0, np.int64)
        self.means = np.empty((0, 3), np.float32)
        self.weights = np.empty(0, np.float32)
        self.trust = np.empty(0, np.float32)

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def bytes_used(self) -> int:
        """Bytes of the arrays."""
        return self.keys.nbytes + self.means.nbytes + self.weights.nbytes + self.trust.nbytes

    @property
    def area(self) -> float:
        """Square metres of surface, roughly."""
        return len(self) * self.size**2

    def add(self, points: NDArray[np.float32], weights: NDArray[np.float32]) -> None:
        """Average points (n, 3), each with its weight (n,), into their voxels."""
        self._add(points, weights, weights)

    def absorb(self, other: VoxelPoints) -> None:
        """Add another object's points."""
        self._add(other.means, other.weights, other.trust)

    def dispute(self, points: NDArray[np.float32]) -> None:
        """Halve the weight of the voxels of points (n, 3) that turned out to be something else."""
        keys = np.unique(_packed(points, self.size))
        place = np.minimum(np.searchsorted(self.keys, keys), len(self) - 1)
        place = place[self.keys[place] == keys]
        self.weights[place] *= 0.5
        disproved = place[self.weights[place] < _DISPROVED]
        if len(disproved):
            kept = np.ones(len(self), np.bool_)
            kept[disproved] = False
            self.keep(kept)

    def keep(self, chosen: NDArray[np.bool_]) -> None:
        """Forget all voxels but the ``chosen`` (n,)."""
        self.keys, self.means = self.keys[chosen], self.means[chosen]
        self.weights, self.trust = self.weights[chosen], self.trust[chosen]

    def keep_largest_part(self) -> None:
        """Forget what is more than three voxels away from the largest part."""
        tree = cKDTree(self.means)
        links = tree.sparse_distance_matrix(tree, 3 * self.size, output_type="coo_matrix")
        _, part = connected_components(links, directed=False)
        self.keep(part == np.bincount(part).argmax())

    def clean(self) -> NDArray[np.bool_]:
        """Forget what surely is noise; (n,) which of the voxels left are surface beyond doubt.

        Depth from afar scatters round a surface: what was seen only with much less trust than its
        neighbourhood is noise, and so are a distribution's rare tails. A part only ever seen from
        afar has no such neighbourhood and stays.
        """
        lately = np.minimum(self.weights, _MANY * self.trust)
        long = np.minimum(self.weights, _MANY / _RARE * self.trust)
        around = self._around(np.column_stack([self.trust, lately, long]))
        trusted = self.trust >= _FAR * around[:, 0]
        keep = trusted & (long >= _RAREST * around[:, 2])
        solid = trusted & (lately >= _RARE * around[:, 1])
        self.keep(keep)
        return np.asarray(solid[keep])

    def near(self, points: NDArray[np.float32], reach: float) -> NDArray[np.bool_]:
        """(n,) whether a voxel next to points (n, 3) has its mean within ``reach`` of them."""
        cells = _packed(points, self.size)[:, None] + np.array(_AROUND)
        place = np.minimum(np.searchsorted(self.keys, cells), len(self) - 1)
        point, which = np.nonzero(self.keys[place] == cells)
        apart = points[point] - self.means[place[point, which]]
        close = point[np.einsum("ni,ni->n", apart, apart) <= reach * reach]
        return np.bincount(close, minlength=len(points)) > 0

    def _around(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, k): the greatest of ``values`` (n, k) in each voxel's neighbourhood."""
        keys = _packed(self.means, _NEIGHBOURHOOD)
        order = np.argsort(keys, kind="stable")
        new = np.concatenate([[True], np.diff(keys[order]) > 0])
        cells, cell_of = keys[order][new], np.empty(len(keys), np.int64)
        cell_of[order] = np.cumsum(new) - 1
        own = np.maximum.reduceat(values[order], np.flatnonzero(new))
        greatest = own.copy()
        for step in _AROUND:
            place = np.minimum(np.searchsorted(cells, cells + step), len(cells) - 1)
            there = cells[place] == cells + step
            greatest[there] = np.maximum(greatest[there], own[place[there]])
        return greatest[cell_of]

    def _add(
        self,
        points: NDArray[np.float32],
        weights: NDArray[np.float32],
        trust: NDArray[np.float32],
    ) -> None:
        if len(points) == 0:
            return
        keys, points, weights, trust = _averaged(_packed(points, self.size), points, weights, trust)
        place = np.searchsorted(self.keys, keys)
        known = place < len(self)
        known[known] = self.keys[place[known]] == keys[known]
        at, new = place[known], ~known
        self.weights[at] += weights[known]
        self.trust[at] = np.maximum(self.trust[at], trust[known])
        share = (weights[known] / self.weights[at])[:, None]
        self.means[at] += share * (points[known] - self.means[at])
        if new.any():
            self.keys = np.insert(self.keys, place[new], keys[new])
            self.means = np.insert(self.means, place[new], points[new], axis=0)
            self.weights = np.insert(self.weights, place[new], weights[new])
            self.trust = np.insert(self.trust, place[new], trust[new])
            self._shrink()

    def _shrink(self) -> None:
        """Once over the limit, forget noise; if that is not enough, double the voxels' size."""
        if len(self) <= self.limit:
            return
        self.keep(self.clean())
        while True:
            self.keys, self.means, self.weights, self.trust = _averaged(
                _packed(self.means, self.size), self.means, self.weights, self.trust
            )
            if len(self) <= 0.8 * self.limit:
                return
            self.size *= 2


def _packed(points: NDArray[np.float32], size: float) -> NDArray[np.int64]:
    """(n,) key of the cell of edge ``size`` each point (n, 3) lies in."""
    index = np.floor(points / np.float32(size)).astype(np.int64) + _OFFSET
    return (index[:, 0] << 42) | (index[:, 1] << 21) | index[:, 2]


def _averaged(
    keys: NDArray[np.int64],
    points: NDArray[np.float32],
    weights: NDArray[np.float32],
    trust: NDArray[np.float32],
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Sorted unique keys with their points' weighted mean, summed weight and greatest trust."""
    order = np.argsort(keys, kind="stable")
    keys, points, weights, trust = keys[order], points[order], weights[order], trust[order]
    first = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    total = np.add.reduceat(weights, first)
    means = np.add.reduceat(points * weights[:, None], first) / total[:, None]
    return (
        keys[first],
        means.astype(np.float32),
        total.astype(np.float32),
        np.maximum.reduceat(trust, first),
    )
