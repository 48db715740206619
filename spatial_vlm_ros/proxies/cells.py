"""Weighted centroids of patches, many per group: what the streaming proxies are made from."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from spatial_vlm_ros.proxies.runs import by_owner


@dataclass
class Cells:
    """M cells. groups: (M,) int64. counts: (M,) patches of each, float64. features: (M, D) and
    points: (M, 3), their means. spread: (M, 3, 3) covariance of the points, square metres.
    stamps: (M,) int64, nanoseconds, when last seen. proxies: (M,) int64, which proxy of its group
    each belongs to, -1 for none yet.
    """

    groups: Tensor
    counts: Tensor
    features: Tensor
    points: Tensor
    spread: Tensor
    stamps: Tensor
    proxies: Tensor

    @staticmethod
    def of_patches(groups: Tensor, features: Tensor, points: Tensor, stamp_ns: int) -> Cells:
        """One cell per patch."""
        n = len(groups)
        return Cells(
            groups,
            groups.new_ones(n, dtype=torch.float64),
            features,
            points,
            points.new_zeros(n, 3, 3),
            groups.new_full((n,), stamp_ns),
            groups.new_full((n,), -1),
        )

    def __len__(self) -> int:
        return len(self.groups)

    def take(self, rows: Tensor | slice) -> Cells:
        """Some rows: copied for indices or a mask, the same memory for a slice."""
        return Cells(*(getattr(self, name)[rows] for name in CELL_FIELDS))

    def put(self, rows: Tensor | slice, cells: Cells) -> None:
        """Overwrite rows."""
        for name in CELL_FIELDS:
            getattr(self, name)[rows] = getattr(cells, name)

    @staticmethod
    def concatenate(parts: list[Cells]) -> Cells:
        """All rows of all parts."""
        return Cells(*(torch.cat([getattr(p, name) for p in parts]) for name in CELL_FIELDS))


CELL_FIELDS = tuple(field.name for field in fields(Cells))


class CellStore:
    """At most ``most`` cells that come and go in place; room for them grows by doubling."""

    def __init__(self, cells: Cells, most: int) -> None:
        self._room, self._size, self._most = cells, len(cells), most

    def __len__(self) -> int:
        return self._size

    @property
    def cells(self) -> Cells:
        """The cells; writing to its tensors writes to the store."""
        return self._room.take(slice(self._size))

    def append(self, cells: Cells) -> None:
        """Add cells at the end."""
        size = self._size + len(cells)
        if size > len(self._room):
            spare = cells.take(torch.zeros(min(size, self._most - size), dtype=torch.int64))
            self._room = Cells.concatenate([self.cells, cells, spare])
        else:
            self._room.put(slice(self._size, size), cells)
        self._size = size

    def remove(self, rows: Tensor) -> None:
        """Remove cells; the last ones take their places."""
        gone = torch.zeros(self._size, dtype=torch.bool, device=rows.device)
        gone[rows] = True
        left = self._size - int(gone.sum())
        holes = torch.nonzero(gone[:left])[:, 0]
        fillers = left + torch.nonzero(~gone[left:])[:, 0]
        self._room.put(holes, self._room.take(fillers))
        self._size = left


def merged(cells: Cells, owner: Tensor, number: int, rows: Tensor | None = None) -> Cells:
    """(number,) cells, each all of the cells of one owner (n,); every owner has some.

    rows: (n,) the cells that have owners, all of them when it is not given. Group and proxy are
    those of the owner's heaviest cell, the first of equal ones.
    """
    if rows is None:
        rows = torch.arange(len(cells), device=owner.device)
    weights = cells.counts[rows]
    counts = weights.new_zeros(number).index_add_(0, owner, weights)
    share = (weights / counts[owner]).to(cells.features.dtype)
    order, starts = by_owner(owner, number, weights)

    def mean(values: Tensor, places: Tensor) -> Tensor:
        return embedding_bag(places, values, starts, mode="sum", per_sample_weights=share[order])

    points = mean(cells.points, rows[order])
    apart = cells.points[rows] - points[owner]
    spread = cells.spread[rows] + apart[:, :, None] * apart[:, None, :]
    heaviest = rows[order[starts]]
    stamps = cells.stamps.new_full((number,), -1)
    return Cells(
        cells.groups[heaviest],
        counts,
        mean(cells.features, rows[order]),
        points,
        mean(spread.flatten(1), order).view(-1, 3, 3),
        stamps.scatter_reduce_(0, owner, cells.stamps[rows], "amax"),
        cells.proxies[heaviest],
    )


def blended(old: Cells, new: Cells) -> Cells:
    """Each old cell together with the new one of the same row; group and proxy stay."""
    counts = old.counts + new.counts
    share = (new.counts / counts).to(old.features.dtype)[:, None]
    apart = new.points - old.points
    between = (share * (1 - share))[:, :, None] * apart[:, :, None] * apart[:, None, :]
    return Cells(
        old.groups,
        counts,
        torch.lerp(old.features, new.features, share),
        torch.lerp(old.points, new.points, share),
        torch.lerp(old.spread, new.spread, share[:, :, None]) + between,
        torch.maximum(old.stamps, new.stamps),
        old.proxies,
    )
