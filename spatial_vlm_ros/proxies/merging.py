"""Which cells of a group become one when there are too many: Ward's criterion, pair by pair."""

from __future__ import annotations

import torch
from scipy.spatial import cKDTree
from torch import Tensor

_AROUND = 6  # nearest points that one may be merged with


def ward(points: Tensor, counts: Tensor, left: int) -> Tensor:
    """(M,) the cluster 0..left-1 of each weighted point, merged until ``left`` clusters are left.

    points: (M, 3). counts: (M,) weights. In each round pairs of neighbours of which neither has a
    cheaper one merge, cheapest first; the cost is what it adds to the squared quantisation error.
    """
    owner = torch.arange(len(points), device=points.device)
    points, counts = points.double(), counts.double()
    while len(points) > left:
        first, second, cost = _edges(points, counts)
        rank = torch.argsort(torch.argsort(cost, stable=True))
        best = torch.full_like(counts, len(rank), dtype=torch.int64)
        for end in (first, second):
            best.scatter_reduce_(0, end, rank, "amin")
        both = torch.nonzero((rank == best[first]) & (rank == best[second]))[:, 0]
        both = both[torch.argsort(rank[both])][: len(points) - left]
        first, second = first[both], second[both]
        total = counts[first] + counts[second]
        share = (counts[second] / total)[:, None]
        points[first] += share * (points[second] - points[first])
        counts[first] = total
        kept = torch.ones(len(points), dtype=torch.bool, device=points.device)
        kept[second] = False
        place = kept.cumsum(0) - 1
        place[second] = place[first]
        owner, points, counts = place[owner], points[kept], counts[kept]
    return owner


def _edges(points: Tensor, counts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Neighbours, the lower index first, each pair once, and what it costs to merge them."""
    near = min(_AROUND + 1, len(points))  # one of them is the point itself
    tree = cKDTree(points.cpu().numpy())
    second = torch.from_numpy(tree.query(tree.data, near)[1]).to(points.device).flatten()
    first = torch.arange(len(points), device=points.device).repeat_interleave(near)
    pairs = torch.minimum(first, second) * len(points) + torch.maximum(first, second)
    pairs = torch.unique(pairs[first != second])
    first, second = pairs // len(points), pairs % len(points)
    weight = counts[first] * counts[second] / (counts[first] + counts[second])
    return first, second, weight * (points[first] - points[second]).square().sum(1)
