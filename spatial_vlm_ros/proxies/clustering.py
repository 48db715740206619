"""Patches of each group to its proxies (Proxy3D eq. 2, grouping after PointGPT).

Groups of about the same size are the rows of one matrix, those with more proxies first. Step t
works on the rows of all groups that have a t-th proxy: so many steps, however many groups.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

_RATIO = 4  # of the sizes of the groups in one matrix
_BLOCK = 32  # proxies of each group that patches are held against at once


@dataclass(frozen=True)
class Pooling:
    """Which patches each proxy is the mean of.

    groups: (K,) index of each proxy's group, ascending. counts: (K,) patches of each proxy, none
    without any. patches: (counts.sum(),) their indices, proxy by proxy.
    """

    groups: Tensor
    counts: Tensor
    patches: Tensor

    def means(self, values: Tensor) -> Tensor:
        """(K, D) mean of the values (N, D) of each proxy's patches."""
        starts = self.counts.cumsum(0) - self.counts
        return embedding_bag(self.patches, values, starts, mode="mean")


def cluster(
    points: Tensor,
    groups: Tensor,
    counts: Tensor,
    *,
    weights: Tensor | None = None,
    lloyd: int = 0,
    neighbours: float = 0.0,
) -> Pooling:
    """Farthest-point seeds in each group, then every patch to its nearest seed.

    points: (N, 3). groups: (N,) index of each patch's group, 0..G-1. counts: (G,) proxies of each
    group, at most its patches; patches of a group with none are in no proxy. The first seed is the
    patch nearest the group's centroid; ties go to the lower patch and the earlier seed.

    weights: (N,) how many patches each stands for, for the centroid and for k-means. lloyd: steps
    of k-means that follow. neighbours: if not 0, no partition but PointGPT's own grouping: each
    seed takes the ``neighbours * patches / proxies`` patches nearest to it, so that a patch may be
    in several proxies or in none.
    """
    sizes = torch.bincount(groups, minlength=len(counts))
    if (counts > sizes).any():
        raise ValueError("a group has fewer patches than it is to have proxies")
    if weights is None:
        weights = points.new_ones(len(points))
    first = counts.cumsum(0) - counts
    proxies, patches = [groups[:0]], [groups[:0]]
    for rows in _matrices(points.float(), weights.float(), groups, counts, sizes):
        seeds = _farthest(rows)
        if neighbours:
            proxy, column = _neighbourhoods(rows, seeds, neighbours)
        else:
            nearest = _seeded(rows, seeds)
            for _ in range(lloyd):
                nearest = _reassigned(rows, seeds, nearest)
            proxy, column = nearest, torch.arange(nearest.shape[1], device=nearest.device)
            column = column.expand_as(nearest)
        used = rows.there if not neighbours else proxy >= 0
        proxies.append((first[rows.groups][:, None] + proxy)[used])
        patches.append(rows.patches.gather(1, column)[used])
    proxy, patch = torch.cat(proxies), torch.cat(patches)
    found = torch.bincount(proxy, minlength=int(counts.sum()))
    by_proxy = torch.argsort(proxy, stable=True)
    return Pooling(torch.repeat_interleave(counts), found, patch[by_proxy])


@dataclass(frozen=True)
class _Rows:
    """R groups with up to W patches each, those with more proxies, up to K, first.

    groups: (R,). counts: (R,) proxies. sizes: (R,) patches. patches: (R, W) their indices. there:
    (R, W) whether there is such a patch. points: (R, 3, W) from the group's first patch; weights:
    (R, W), 0 where there is none. steps: for each of K steps the rows that have it.
    """

    groups: Tensor
    counts: Tensor
    sizes: Tensor
    patches: Tensor
    there: Tensor
    points: Tensor
    weights: Tensor
    steps: list[int]

    def at(self, columns: Tensor) -> Tensor:
        """(R, n, 3) the points in these columns (R, n)."""
        return self.points.gather(2, columns[:, None].expand(-1, 3, -1)).transpose(1, 2)

    def has(self) -> Tensor:
        """(R, K) whether the row has the step."""
        return torch.arange(len(self.steps), device=self.counts.device) < self.counts[:, None]


def _matrices(
    points: Tensor, weights: Tensor, groups: Tensor, counts: Tensor, sizes: Tensor
) -> Iterator[_Rows]:
    """The groups that have proxies, each in one matrix."""
    order, starts = torch.argsort(groups, stable=True), sizes.cumsum(0) - sizes
    level = torch.where(counts > 0, sizes.double().log().div(math.log(_RATIO)).floor(), -1)
    for value in sorted(set(level.tolist()) - {-1}):
        chosen = torch.nonzero(level == value)[:, 0]
        chosen = chosen[torch.argsort(counts[chosen], descending=True, stable=True)]
        size, count = sizes[chosen], counts[chosen]
        column = torch.arange(int(size.max()), device=groups.device)
        there = column < size[:, None]
        patches = order[starts[chosen][:, None] + column * there]  # elsewhere the first once more
        placed = points[patches].transpose(1, 2)
        placed = (placed - placed[..., :1]).contiguous()
        fewer = torch.bincount(count).cumsum(0)[:-1]
        steps = (len(chosen) - fewer).tolist()
        yield _Rows(chosen, count, size, patches, there, placed, weights[patches] * there, steps)


def _farthest(rows: _Rows) -> Tensor:
    """(R, K) the seeds' columns; 0 where a row has no such step."""
    seeds = rows.patches.new_zeros(len(rows.steps), len(rows.groups))
    far = torch.where(rows.there, torch.inf, -torch.inf).to(rows.points)
    flat = rows.points.transpose(1, 2).flatten(0, 1)
    base = rows.points.shape[2] * torch.arange(len(far), device=far.device)
    middle = (rows.points * rows.weights[:, None]).sum(2) / rows.weights.sum(1, keepdim=True)
    central = (rows.points - middle[..., None]).square_().sum(1)
    seeds[0] = central.masked_fill_(~rows.there, torch.inf).argmin(1)
    for step, active in enumerate(rows.steps):
        seed, reached = seeds[step, :active], far[:active]
        if step > 0:
            torch.argmax(reached, 1, out=seed)
        centre = flat.index_select(0, base[:active] + seed)
        apart = (rows.points[:active] - centre[..., None]).square_().sum(1)
        torch.minimum(reached, apart, out=reached)
        reached.scatter_(1, seed[:, None], -1.0)  # never a seed again
    return seeds.T


def _nearest(rows: _Rows, centres: Tensor) -> Tensor:
    """(R, W) the nearest of the centres (R, K, 3) to each patch, the first of equal ones."""
    nearest = torch.zeros_like(rows.patches)
    least = torch.full_like(rows.weights, torch.inf)
    # Half the squared distance, but for what is the same for all centres.
    half = torch.where(rows.has(), centres.square().sum(2) / 2, torch.inf)
    for start in range(0, len(rows.steps), _BLOCK):
        active, block = rows.steps[start], slice(start, start + _BLOCK)
        score = torch.baddbmm(
            half[:active, block, None], centres[:active, block], rows.points[:active], alpha=-1
        )
        best, index = score.min(1)
        nearer = best < least[:active]
        nearest[:active] = torch.where(nearer, index + start, nearest[:active])
        torch.minimum(least[:active], best, out=least[:active])
    return nearest


def _seeded(rows: _Rows, seeds: Tensor) -> Tensor:
    """(R, W) the nearest seed to each patch; a seed's is its own."""
    nearest, (row, step) = _nearest(rows, rows.at(seeds)), torch.nonzero(rows.has(), as_tuple=True)
    nearest[row, seeds[row, step]] = step
    return nearest


def _reassigned(rows: _Rows, seeds: Tensor, nearest: Tensor) -> Tensor:
    """One step of Lloyd's: (R, W) the nearest mean; a proxy left empty keeps its seed."""
    number, has = len(rows.steps), rows.has()
    owner = nearest + number * torch.arange(len(nearest), device=nearest.device)[:, None]
    # In double precision the order in which a GPU adds is lost in rounding.
    parts = torch.cat([rows.points * rows.weights[:, None], rows.weights[:, None]], 1).double()
    total = torch.zeros(len(nearest) * number, 4, dtype=torch.float64, device=nearest.device)
    total.index_add_(0, owner.flatten(), parts.transpose(1, 2).flatten(0, 1))
    means = (total[:, :3] / total[:, 3:]).view(len(nearest), number, 3)
    nearest = _nearest(rows, torch.where(has[..., None], means, 0.0).to(rows.points))
    kept = torch.zeros_like(has)
    while True:  # a seed taken back may empty another proxy, at most each once
        row = torch.arange(len(nearest), device=nearest.device)[:, None].expand_as(nearest)
        owner = (row * number + nearest)[rows.there]
        empty = has & (torch.bincount(owner, minlength=len(total)).view_as(has) == 0)
        if not empty.any():
            return nearest
        kept |= empty
        again, step = torch.nonzero(kept, as_tuple=True)
        nearest[again, seeds[again, step]] = step


def _neighbourhoods(rows: _Rows, seeds: Tensor, ratio: float) -> tuple[Tensor, Tensor]:
    """(R, n) steps, -1 for none, and (R, n) columns: each seed with the patches nearest to it."""
    wanted = torch.minimum(torch.ceil(ratio * rows.sizes / rows.counts).long(), rows.sizes)
    place = torch.arange(int(wanted.max()), device=wanted.device)
    steps, columns = [], []
    for step, centre in enumerate(rows.at(seeds).unbind(1)):
        apart = (rows.points - centre[..., None]).square_().sum(1)
        apart.masked_fill_(~rows.there, torch.inf)
        columns.append(torch.argsort(apart, dim=1, stable=True)[:, : len(place)])
        own = (place < wanted[:, None]) & (step < rows.counts[:, None])
        steps.append(torch.where(own, step, -1))
    return torch.cat(steps, 1), torch.cat(columns, 1)
