"""What networks say of geometry: of windows of images in a unit of its own, of one in metres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from spatial_vlm_ros.frame import Intrinsics


@dataclass(frozen=True)
class Prediction:
    """Geometry of n images in the frame of the first one's camera, lengths in an unknown unit.

    depth: (n, h, w) float32 along the optical axis. confidence: (n, h, w) float32, 1 or more.
    T_window_camera: (n, 4, 4) rigid, optical frames; the first is the identity. intrinsics:
    (n, 3, 3) in pixels of the depth, as the network sees them. features: (n, h/14, w/14, C)
    tokens of the layer asked for, from the same pass; None when none was asked for.
    """

    depth: NDArray[np.float32]
    confidence: NDArray[np.float32]
    T_window_camera: NDArray[np.float64]
    intrinsics: NDArray[np.float64]
    features: Tensor | None = None


class Predictor(Protocol):
    """A network of many views."""

    def predict(self, images: Sequence[NDArray[np.uint8]]) -> Prediction:
        """Of RGB images (H, W, 3) of one size; the depth covers each whole image, h x w of its
        own. ``ValueError`` or ``RuntimeError`` (out of memory, ...) when there is none.
        """
        ...


class MetricNetwork(Protocol):
    """A network that sees metres in single images."""

    def depth(self, rgb: NDArray[np.uint8], intrinsics: Intrinsics) -> NDArray[np.float32]:
        """(H, W) metres along the optical axis of an image (H, W, 3); 0 where there are none.

        ``ValueError`` or ``RuntimeError`` (out of memory, ...) when there is nothing.
        """
        ...
