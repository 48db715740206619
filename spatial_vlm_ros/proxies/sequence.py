"""Patches of a whole scene to the sequence a language model reads (Proxy3D eq. 3 and 5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from spatial_vlm_ros.config import ProxyConfig
from spatial_vlm_ros.proxies.allocation import allocate
from spatial_vlm_ros.proxies.clustering import cluster
from spatial_vlm_ros.proxies.runs import by_owner
from spatial_vlm_ros.proxies.serialisation import serialise
from spatial_vlm_ros.proxies.triplets import PatchTriplets


@dataclass(frozen=True)
class ProxySequence:
    """K proxies in the order in which they are read.

    features: (K, D). points_scene: (K, 3) metres, scene frame. groups: (K,) int64, what the
    patches' groups were. counts: (K,) patches that each is the mean of.
    """

    features: Tensor
    points_scene: Tensor
    groups: Tensor
    counts: Tensor

    def __len__(self) -> int:
        return len(self.features)


def build(
    triplets: PatchTriplets, config: ProxyConfig, minimum_of: Mapping[int, int] | None = None
) -> ProxySequence:
    """Group, allocate, cluster and order all patches at once.

    minimum_of: proxies that single groups, by id, get before shares count: the objects a question
    is about (Table 5). Groups that have no patch are left out. No patches give no proxies.
    """
    ids, member = torch.unique(triplets.groups, return_inverse=True)
    group = member if config.grouping else torch.zeros_like(member)
    sizes = torch.bincount(group).cpu().numpy()
    index = {int(key): place for place, key in enumerate(ids.tolist())} if config.grouping else {}
    own = {index[key]: value for key, value in (minimum_of or {}).items() if key in index}
    counts = torch.from_numpy(allocate(sizes, config.budget, config.minimum, own))
    pooling = cluster(
        triplets.points_scene,
        group,
        counts.to(group.device),
        lloyd=config.lloyd,
        neighbours=config.neighbours,
    )
    points = pooling.means(triplets.points_scene)
    groups = ids[_most_frequent(member[pooling.patches], pooling.counts, len(ids))]
    order = serialise(points.cpu().numpy(), groups.cpu().numpy(), config.order, config.graph_degree)
    read = torch.from_numpy(order).to(points.device)
    features = pooling.means(triplets.features)
    if not torch.isfinite(features).all():
        bad = int((~torch.isfinite(triplets.features)).any(dim=1).sum())
        raise ValueError(f"{bad} of {len(triplets)} patches have a feature that is not finite")
    return ProxySequence(features[read], points[read], groups[read], pooling.counts[read])


def _most_frequent(values: Tensor, counts: Tensor, number: int) -> Tensor:
    """(K,) of the consecutive runs (K,) of values 0..number-1 the most frequent, then lowest."""
    run = torch.repeat_interleave(counts)
    pairs, frequency = torch.unique(run * max(number, 1) + values, return_counts=True)  # ascending
    owner, value = pairs // max(number, 1), pairs % max(number, 1)
    best, starts = by_owner(owner, len(counts), frequency)
    return value[best[starts]]
