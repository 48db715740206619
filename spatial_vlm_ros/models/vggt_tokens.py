"""VGGT's aggregator tokens as spatial features (section 3.1, equation 1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spatial_vlm_ros.models.spatial_features import Frames
from spatial_vlm_ros.models.vggt_aggregator import open_aggregator, tokens


class VggtTokens:
    """A :class:`spatial_vlm_ros.models.spatial_features.SpatialFeatures` of frames alone.

    aggregator: VGGT's, or what is called like it: ``tokens_of_layers, first_patch = aggregator(
    images (B, S, 3, H, W) in 0..1)``, tokens (B, S, first_patch + patches, width) of each layer,
    which begin with the frame's camera and registers. layer: from 0. width: twice that of its
    blocks, whose frame and global attention stand beside each other. dtype: in which it computes;
    None for its own.
    """

    def __init__(
        self,
        aggregator: nn.Module,
        layer: int = 22,
        width: int = 2048,
        dtype: torch.dtype | None = None,
    ) -> None:
        self.channels = width
        self._aggregator, self._layer, self._dtype = aggregator.eval(), layer, dtype

    @classmethod
    def open(
        cls,
        name: str,
        device: torch.device | str = "cpu",
        dtype: torch.dtype | None = None,
        layer: int = 22,
        width: int = 2048,
    ) -> VggtTokens:
        """Of a VGGT in a folder, or of the hub and fetched; see :func:`open_aggregator`."""
        return cls(open_aggregator(name, device), layer, width, dtype)

    def maps(self, frames: Frames) -> Tensor:
        """See :class:`SpatialFeatures`; on the aggregator's device.

        ``ValueError`` when the images are not of 0..1, and when the aggregator has no such layer,
        or not one token of the width for each patch.
        """
        rows, columns = frames.patches
        low, high = (float(value) for value in frames.images.aminmax())
        if low < 0 or high > 1:
            raise ValueError(f"VGGT takes images of 0..1, not {low:g}..{high:g}")
        layers, first = tokens(self._aggregator, frames.images, {self._layer}, self._dtype)
        if self._layer >= len(layers):
            raise ValueError(f"layer {self._layer} of an aggregator with {len(layers)}, from 0")
        found = layers[self._layer][0, :, first:]
        expected = (len(frames.images), rows * columns, self.channels)
        if found.shape != expected:
            raise ValueError(f"VGGT gives tokens {tuple(found.shape)}, not {expected}")
        return found.reshape(len(found), rows, columns, self.channels)
