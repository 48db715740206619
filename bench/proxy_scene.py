"""What proxies are made from, taken from simulated images with their true labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from spatial_vlm_ros.config import PointsConfig
from spatial_vlm_ros.frame import Frame
from spatial_vlm_ros.perception.points import unproject
from spatial_vlm_ros.proxies.patchify import patchify, upsample
from spatial_vlm_ros.proxies.triplets import PatchTriplets


@dataclass(frozen=True)
class ImageMaps:
    """The arguments of ``patchify`` for one image, its feature map (h, w, D) not yet upsampled."""

    features: Tensor
    points_scene: Tensor
    valid: Tensor
    groups: Tensor

    def patches(self, factor: int) -> PatchTriplets:
        """The patches of a feature map made ``factor`` times finer."""
        features = upsample(self.features, factor)
        return patchify(features, self.points_scene, self.valid, self.groups)

    def to(self, device: str) -> ImageMaps:
        """The same on another device."""
        features, points = self.features.to(device), self.points_scene.to(device)
        return ImageMaps(features, points, self.valid.to(device), self.groups.to(device))


def geometry(frame: Frame, config: PointsConfig) -> tuple[Tensor, Tensor, Tensor]:
    """Points (H, W, 3) in the fixed frame, where they are valid, and the true ids (H, W)."""
    assert frame.labels is not None and frame.T_fixed_camera is not None
    points = unproject(frame, frame.T_fixed_camera, config)
    ids = frame.labels.ids[:: points.stride, :: points.stride].astype(np.int64)
    return (
        torch.from_numpy(points.points_scene),
        torch.from_numpy(points.valid),
        torch.from_numpy(ids),
    )
