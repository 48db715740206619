"""Which cells of a group become one when there are too many: Ward's criterion, pair by pair."""

from __future__ import annotations

import torch
from torch import Tensor


def ward(points: Tensor, counts: Tensor, left: int) -> Tensor:
    """(M,) the cluster 0..left-1 of each weighted point, merged until ``left`` clusters are left.

    points: (M, 3). counts: (M,) weights. In each round the pairs that are each other's cheapest
    merge, cheapest first; the cost of a pair is what it adds to the squared quantisation error.
    """
    owner = torch.arange(len(points), device=points.device)
    points, counts = points.double(), counts.double()
    while len(points) > left:
        cost = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist").square_()
        cost *= counts[:, None] * counts[None] / (counts[:, None] + counts[None])
        cost.fill_diagonal_(torch.inf)
        least, partner = cost.min(dim=1)
        here = torch.arange(len(points), device=points.device)
        first = here[(partner[partner] == here) & (here < partner)]
        first = first[torch.argsort(least[first], stable=True)][: len(points) - left]
        second = partner[first]
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
