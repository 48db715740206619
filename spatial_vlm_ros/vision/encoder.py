"""The one interface of vision encoders: an image in, a map of features out."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class VisionEncoder(Protocol):
    """What turns images into maps of features.

    name: says which encoder and weights the features come from; features of encoders with
    different names are never mixed. dimension: D. cell: side, in pixels of the image as the
    encoder sees it, of the square that one feature describes. device: where its features are.
    """

    name: str
    dimension: int
    cell: int
    device: torch.device

    def encode(self, rgb: NDArray[np.uint8]) -> Tensor:
        """(h, w, D) float32 features, on the encoder's device, of an image (H, W, 3) of any size.

        Row i, column j of the map is the part of the image from i/h to (i+1)/h of its height and
        from j/w to (j+1)/w of its width.
        """
        ...


def same_weights(name: str, other: str) -> bool:
    """Whether encoders of these names give the same features, whatever their files are called."""
    return name.rpartition("-")[2] == other.rpartition("-")[2]
