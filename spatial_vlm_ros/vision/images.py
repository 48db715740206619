"""Images made ready for a vision transformer: their size and the range of their values."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_LEAST_CELLS = 4  # of an image that is not long and thin
_LONGEST = 200  # times as long as the other side


def fit_size(height: int, width: int, cell: int, pixels: int) -> tuple[int, int]:
    """The size at which an image (height, width) is seen, by the rule of Qwen2-VL.

    Both sides become multiples of ``cell``, and the image about as long as wide as it was. It has
    at least four cells, and at most ``pixels`` pixels where no side has to be kept from becoming
    shorter than a cell. ``ValueError`` when a side is more than 200 times as long as the other.
    """
    if max(height, width) > _LONGEST * min(height, width):
        raise ValueError(
            f"an image of {width} x {height} pixels is more than {_LONGEST} times as long as wide; "
            "crop it"
        )
    rows, columns = round(height / cell), round(width / cell)
    if rows * columns * cell**2 > pixels:
        shrink = math.sqrt(height * width / pixels)
        rows = max(1, math.floor(height / shrink / cell))
        columns = max(1, math.floor(width / shrink / cell))
    elif rows * columns < _LEAST_CELLS:
        grow = math.sqrt(_LEAST_CELLS * cell**2 / (height * width))
        rows = math.ceil(height * grow / cell)
        columns = math.ceil(width * grow / cell)
    return rows * cell, columns * cell


def check_image(rgb: NDArray[np.uint8]) -> None:
    """``ValueError`` when it is not an image (H, W, 3) of bytes, or empty."""
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or not rgb.size:
        raise ValueError(
            f"an image has shape {rgb.shape} and type {rgb.dtype}, not (H, W, 3) and uint8"
        )


def as_tensor(rgb: NDArray[np.uint8]) -> Tensor:
    """(3, H, W) uint8 copy of an image (H, W, 3). ``ValueError`` when it is something else."""
    check_image(rgb)
    return torch.from_numpy(np.array(rgb, order="C")).permute(2, 0, 1)


def resized(image: Tensor, size: tuple[int, int], mode: str = "bicubic") -> Tensor:
    """An image (3, H, W) uint8 at another size (height, width).

    mode: bicubic or bilinear. It is smoothed first where it shrinks: bit for bit what torchvision
    does in the processors of transformers. Pillow, with which the weights were trained, is 0.005
    grey levels off in the mean when both sides shrink, 0.2 when one side grows; OpenCV, which does
    not smooth, 0.4 for 640 x 480 to 588 x 448 and 2.2 for 1920 x 1080 to 672 x 364 (all bicubic).
    """
    if image.shape[1:] == size:
        return image
    return interpolate(image[None], size, mode=mode, align_corners=False, antialias=True)[0]


def normalised(image: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """(3, H, W) float32 values of an image 0..255, less the mean (3,), over the deviation (3,).

    mean and std: float32, of values 0..1.
    """
    return (image.float() - mean[:, None, None] * 255) / (std[:, None, None] * 255)


def patches(image: Tensor, patch: int, merge: int, frames: int) -> Tensor:
    """(n, 3 * frames * patch * patch) values of the patches of an image (3, H, W).

    The merge x merge patches of a cell follow each other, and the cells row by row. The image
    stands still over the ``frames`` that a patch lasts.
    """
    rows, columns = image.shape[1] // (merge * patch), image.shape[2] // (merge * patch)
    cells = image.reshape(3, rows, merge, patch, columns, merge, patch)
    cells = cells.permute(1, 4, 2, 5, 0, 3, 6)  # row, column; of the patch; colour; of the pixel
    still = cells.unsqueeze(5).expand(-1, -1, -1, -1, -1, frames, -1, -1)
    return still.flatten(0, 3).flatten(1)
