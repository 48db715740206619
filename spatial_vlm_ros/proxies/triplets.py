"""Patches as triplets of feature, point and group (Proxy3D section 3.1, "Feature extraction")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class PatchTriplets:
    """N patches of one or more images.

    features: (N, D) of the vision encoder. points_scene: (N, 3) metres, scene frame.
    groups: (N,) int64, the object each patch shows; what is no object has ids of its own.
    """

    features: Tensor
    points_scene: Tensor
    groups: Tensor

    def __post_init__(self) -> None:
        n = len(self.features)
        if self.features.ndim != 2 or not self.features.is_floating_point():
            raise ValueError(f"features are (N, D) floats, not {_shape(self.features)}")
        if self.points_scene.shape != (n, 3):
            raise ValueError(f"points of {n} patches are ({n}, 3), not {_shape(self.points_scene)}")
        if self.groups.shape != (n,) or self.groups.dtype != torch.int64:
            raise ValueError(f"groups of {n} patches are ({n},) int64, not {_shape(self.groups)}")
        bad = int((~torch.isfinite(self.points_scene)).any(dim=1).sum())
        if bad:
            raise ValueError(f"{bad} of {n} patches have a point that is not finite: drop them")

    def __len__(self) -> int:
        return len(self.features)

    @staticmethod
    def concatenate(parts: Sequence[PatchTriplets]) -> PatchTriplets:
        """All patches of several images. ``ValueError`` when there is none."""
        if not parts:
            raise ValueError("no images to take patches from")
        return PatchTriplets(
            torch.cat([part.features for part in parts]),
            torch.cat([part.points_scene for part in parts]),
            torch.cat([part.groups for part in parts]),
        )


def _shape(tensor: Tensor) -> str:
    return f"{tuple(tensor.shape)} {tensor.dtype}"
