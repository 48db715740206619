"""Proxies told which object they are of: references added to their features (Proxy3D section 3.2).

The mean is linear: fusing a group's patches and fusing its proxies is the same.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


def norm_ratio(features: Tensor, references: Mapping[int, Tensor]) -> Tensor:
    """() float32 mean norm of features (K, D) over the mean norm of references (D,)."""
    table = torch.stack(list(references.values())).to(features.device)
    sizes = [rows.detach().float().norm(dim=1).mean() for rows in (features, table)]
    return sizes[0] / sizes[1].clamp_min(1e-12)


def fuse(
    features: Tensor, groups: Tensor, references: Mapping[int, Tensor], strength: float = 1.0
) -> Tensor:
    """(K, D) features with the references of their groups added: f' = f + alpha e(g).

    groups: (K,) int64. references: e (D,) by group; rows of other groups stay as they are.
    alpha = strength * mean |f| / mean |e|: at strength 1 both are about as long.
    """
    if not references:
        return features.clone()
    alpha = strength * norm_ratio(features, references)
    fused = features.clone()
    for group, reference in references.items():
        rows = groups == group
        added = alpha * reference.to(features.device, torch.float32)
        fused[rows] = (features[rows] + added).to(features.dtype)
    return fused
