"""Patches of each group to its proxies (Proxy3D eq. 2, grouping after PointGPT).

All groups are clustered at once: patches are sorted so that groups with more proxies come first,
and step t works on the patches of all groups that have a t-th proxy, which are a prefix.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

_LAST = (1 << 31) - 1


@dataclass(frozen=True)
class Pooling:
    """Which patches each proxy is the mean of.

    groups: (K,) index of each proxy's group, ascending. counts: (K,) patches of each proxy, none
    without any. patches: (counts.sum(),) their indices, proxy by proxy.
    """

    groups: Tensor
    counts: Tensor
    patches: Tensor

    def means(self, values: Tensor, weights: Tensor | None = None) -> Tensor:
        """(K, D) mean of the values (N, D) of each proxy's patches, weighted by (N,)."""
        starts = self.counts.cumsum(0) - self.counts
        if weights is None:
            return embedding_bag(self.patches, values, starts, mode="mean")
        own = weights[self.patches].to(values.dtype)
        total = embedding_bag(self.patches, values, starts, mode="sum", per_sample_weights=own)
        return total / self.sums(weights).to(values.dtype)[:, None]

    def sums(self, values: Tensor) -> Tensor:
        """(K,) sum of the values (N,) of each proxy's patches."""
        owner = torch.repeat_interleave(self.counts)
        return values.new_zeros(len(self.counts)).index_add_(0, owner, values[self.patches])


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
    of k-means that follow. neighbours: if not 0, no partition but PointGPT's own
    grouping: each seed takes the ``neighbours * patches / proxies`` patches nearest to it, so that
    a patch may be in several proxies or in none.
    """
    sizes = torch.bincount(groups, minlength=len(counts))
    if (counts > sizes).any():
        raise ValueError("a group has fewer patches than it is to have proxies")
    if weights is None:
        weights = points.new_ones(len(points))
    work = _Prefixes(points, weights, groups, counts, sizes)
    seeds, nearest = _farthest(work)
    if neighbours:
        return _neighbourhoods(work, seeds, neighbours)
    for _ in range(lloyd if seeds else 0):
        nearest = _reassigned(work, seeds, nearest)
    return work.pooling(nearest)


class _Prefixes:
    """The patches, those of groups with more proxies first.

    points: (N, 3); weights: (N,); slot: (N,) place of each patch's group in that order,
    ascending; base: (G,) by slot the first proxy of the group. ``steps``: for each t the number
    of groups with a t-th proxy and the number of patches of these.
    """

    def __init__(
        self, points: Tensor, weights: Tensor, groups: Tensor, counts: Tensor, sizes: Tensor
    ) -> None:
        by_count = torch.argsort(counts, descending=True, stable=True)
        slot = torch.empty_like(by_count)
        slot[by_count] = torch.arange(len(counts), device=counts.device)
        self.order = torch.argsort(slot[groups], stable=True)
        self.slot, self.points = slot[groups][self.order], points[self.order].float()
        self.weights = weights[self.order].float()
        self.counts, self.sizes = counts[by_count], sizes[by_count]
        self.base = (counts.cumsum(0) - counts)[by_count]
        self.proxy_groups = torch.repeat_interleave(counts)
        most = int(counts.max()) if len(counts) else 0
        fewer = torch.bincount(counts, minlength=most + 1).cumsum(0)[:most]
        active = (len(counts) - fewer).tolist()
        ends = [0, *self.sizes.cumsum(0).tolist()]
        self.steps = [(groups, ends[groups]) for groups in active]

    def distances(self, centres: Tensor, patches: int) -> Tensor:
        """(patches,) squared distance of the first patches to the centre (G', 3) of their group."""
        return (self.points[:patches] - centres[self.slot[:patches]]).square().sum(1)

    def means(self, owner: Tensor, used: Tensor, number: int) -> Tensor:
        """(number, 3) weighted mean of the used points by owner (N,)."""
        points, weights, owner = self.points[used], self.weights[used], owner[used]
        total = points.new_zeros(number, 3).index_add_(0, owner, points * weights[:, None])
        weight = weights.new_zeros(number).index_add_(0, owner, weights)
        return total / weight[:, None]

    def first_largest(self, values: Tensor, groups: int) -> Tensor:
        """(groups,) the patch with the largest value of each group, the first of equal ones.

        values: (n,) of the first patches, not below 0 except for patches that are not to be had.
        """
        # The bits of floats from 0 on sort as the floats do: one integer holds value and patch.
        bits = values.contiguous().view(torch.int32).long() << 32
        key = bits + (_LAST - torch.arange(len(values), device=values.device))
        best = key.new_full((groups,), -(1 << 62))
        best.scatter_reduce_(0, self.slot[: len(values)], key, "amax")
        return _LAST - (best & 0xFFFFFFFF)

    def pooling(self, nearest: Tensor) -> Pooling:
        """Each patch in the proxy of its group that ``nearest`` (N,) says."""
        used = self.counts[self.slot] > 0
        return self.pooled((self.base[self.slot] + nearest)[used], self.order[used])

    def pooled(self, proxy: Tensor, patches: Tensor) -> Pooling:
        """Each of the patches (n,) in the proxy (n,) beside it."""
        counts = torch.bincount(proxy, minlength=len(self.proxy_groups))
        return Pooling(self.proxy_groups, counts, patches[torch.argsort(proxy, stable=True)])


def _farthest(work: _Prefixes) -> tuple[list[Tensor], Tensor]:
    """For each step the seed patch of each group, and (N,) the step of each patch's nearest."""
    n = len(work.points)
    far = work.points.new_full((n,), torch.inf)
    nearest = torch.zeros(n, dtype=torch.int64, device=far.device)
    seeds: list[Tensor] = []
    for step, (groups, patches) in enumerate(work.steps):
        if step == 0:
            first = torch.arange(n, device=far.device) < patches
            central = work.distances(work.means(work.slot, first, groups), patches)
            seed = work.first_largest(1 / (1 + central), groups)
        else:
            seed = work.first_largest(far[:patches], groups)
        _let_nearer(far, nearest, work.distances(work.points[seed], patches), step)
        far[seed], nearest[seed] = -1.0, step  # never a seed again, and its own
        seeds.append(seed)
    return seeds, nearest


def _let_nearer(far: Tensor, nearest: Tensor, apart: Tensor, step: int) -> None:
    """Give those of the first n patches to ``step`` whose distance (n,) is less than ``far``."""
    n = len(apart)
    closer = apart < far[:n]
    far[:n] = torch.where(closer, apart, far[:n])
    nearest[:n][closer] = step


def _reassigned(work: _Prefixes, seeds: list[Tensor], nearest: Tensor) -> Tensor:
    """One step of Lloyd's: (N,) the nearest mean; a proxy left empty keeps its seed."""
    proxy = work.base[work.slot] + nearest
    used = work.counts[work.slot] > 0
    proxies = len(work.proxy_groups)
    centres = work.means(proxy, used, proxies)
    far = work.points.new_full((len(work.points),), torch.inf)
    nearest = torch.zeros_like(nearest)
    for step, (groups, patches) in enumerate(work.steps):
        apart = work.distances(centres[work.base[:groups] + step], patches)
        _let_nearer(far, nearest, apart, step)
    seed = torch.cat(seeds)
    step_of = torch.repeat_interleave(torch.tensor([len(s) for s in seeds])).to(seed.device)
    own = work.base[work.slot[seed]] + step_of
    kept = torch.zeros(proxies, dtype=torch.bool, device=seed.device)
    while True:  # a seed taken back may empty another proxy, at most each once
        proxy = (work.base[work.slot] + nearest)[used]
        empty = (torch.bincount(proxy, minlength=proxies) == 0)[own]
        if not empty.any():
            return nearest
        kept[own] |= empty
        nearest[seed[kept[own]]] = step_of[kept[own]]


def _neighbourhoods(work: _Prefixes, seeds: list[Tensor], ratio: float) -> Pooling:
    """Each seed with the patches nearest to it."""
    wanted = torch.ceil(ratio * work.sizes / work.counts.clamp(min=1)).long()
    wanted = torch.minimum(wanted, work.sizes)
    starts = work.sizes.cumsum(0) - work.sizes
    proxies, patches_of = [], []
    for step, (seed, (_, patches)) in enumerate(zip(seeds, work.steps, strict=True)):
        slot = work.slot[:patches]
        apart = work.distances(work.points[seed], patches)
        near = torch.argsort((slot << 32) + apart.view(torch.int32).long(), stable=True)
        place = torch.arange(patches, device=near.device) - starts[slot]
        chosen = place < wanted[slot]
        proxies.append(work.base[slot[chosen]] + step)
        patches_of.append(work.order[near[chosen]])
    proxy = torch.cat(proxies) if proxies else work.order[:0]
    patch = torch.cat(patches_of) if patches_of else work.order[:0]
    return work.pooled(proxy, patch)
