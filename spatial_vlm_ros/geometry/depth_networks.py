"""Networks that see metres in single images: how each wants them, and what its output means.

All as the processors of transformers do it, without torchvision; a test holds them equal.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad
from transformers import (
    DepthAnythingForDepthEstimation,
    DepthProForDepthEstimation,
    ZoeDepthForDepthEstimation,
)

from spatial_vlm_ros.frame import Intrinsics
from spatial_vlm_ros.vision.images import IMAGENET_MEAN, IMAGENET_STD, normalised, resized

_MODES = {2: "bilinear", 3: "bicubic"}  # as Pillow numbers them

Settings = Mapping[str, Any]


class DepthNetwork(Protocol):
    """One kind of network. settings: of preprocessor_config.json."""

    architecture: Any

    def __init__(self, settings: Settings) -> None: ...

    def inputs(self, image: Tensor) -> Tensor:
        """(1, 3, h, w) float32 for an image (3, H, W) uint8."""
        ...

    def metres(self, output: Tensor, intrinsics: Intrinsics) -> Tensor:
        """(H, W) float32 along the optical axis, of its ``predicted_depth`` (1, h, w)."""
        ...


class DepthAnything:
    """Depth Anything in its metric form: metres come out as they are.

    It learned them from cameras of about one field of view, and takes no other into account: a
    camera with another one is off by about the ratio of their focal lengths, in pixels of the same
    width. That is a spread of scale, which depth or odometry can correct.
    """

    architecture: Any = DepthAnythingForDepthEstimation

    def __init__(self, settings: Settings) -> None:
        self._size = _Size(settings, (518, 518), keeps=False, multiple=1)
        self._mode = _mode(settings, "bicubic")
        self._mean, self._std = _colours(settings)

    def inputs(self, image: Tensor) -> Tensor:
        """See :class:`DepthNetwork`."""
        size = self._size.of(image.shape[1], image.shape[2])
        return normalised(resized(image, size, self._mode), self._mean, self._std)[None]

    def metres(self, output: Tensor, intrinsics: Intrinsics) -> Tensor:
        """See :class:`DepthNetwork`."""
        return _enlarged(output, (intrinsics.height, intrinsics.width), "bicubic")


class ZoeDepth:
    """ZoeDepth: the image gets a margin in which it is mirrored, which is cut off again."""

    architecture: Any = ZoeDepthForDepthEstimation

    def __init__(self, settings: Settings) -> None:
        self._size = _Size(settings, (384, 512), keeps=True, multiple=32)
        self._mode = _mode(settings, "bilinear")
        self._mean, self._std = _colours(settings)
        self._pads = settings.get("do_pad", True)

    def inputs(self, image: Tensor) -> Tensor:
        """See :class:`DepthNetwork`."""
        rows, columns = self._margin(image.shape[1], image.shape[2])
        wide = pad(image[None].float() / 255, (columns, columns, rows, rows), "reflect")
        size = self._size.of(wide.shape[2], wide.shape[3])
        wide = interpolate(wide, size, mode=self._mode, align_corners=True)
        return (wide - self._mean[:, None, None]) / self._std[:, None, None]

    def metres(self, output: Tensor, intrinsics: Intrinsics) -> Tensor:
        """See :class:`DepthNetwork`."""
        height, width = intrinsics.height, intrinsics.width
        rows, columns = self._margin(height, width)
        wide = _enlarged(output, (height + 2 * rows, width + 2 * columns), "bicubic")
        return wide[rows : rows + height, columns : columns + width]

    def _margin(self, height: int, width: int) -> tuple[int, int]:
        if not self._pads:
            return 0, 0
        return int(math.sqrt(height / 2) * 3), int(math.sqrt(width / 2) * 3)


class _DepthProAlone(DepthProForDepthEstimation):
    """Without the network that guesses the field of view: a calibrated camera has it."""

    def __init__(self, config: Any) -> None:
        super().__init__(config, use_fov_model=False)


class DepthPro:
    """Depth Pro: what comes out is the inverse of depth for a focal length of one image width.

    The camera's own focal length makes metres of it, where transformers takes a guessed one.
    """

    architecture: Any = _DepthProAlone

    def __init__(self, settings: Settings) -> None:
        self._size = _size(settings, (1536, 1536))
        self._mode = _mode(settings, "bilinear")
        self._mean, self._std = _colours(settings)

    def inputs(self, image: Tensor) -> Tensor:
        """See :class:`DepthNetwork`; it is not smoothed where it shrinks."""
        values = normalised(image, self._mean, self._std)[None]
        return interpolate(values, self._size, mode=self._mode, align_corners=False)

    def metres(self, output: Tensor, intrinsics: Intrinsics) -> Tensor:
        """See :class:`DepthNetwork`."""
        inverse = output.float() * (intrinsics.width / intrinsics.fx)
        inverse = _enlarged(inverse, (intrinsics.height, intrinsics.width), self._mode)
        return 1 / inverse.clamp(1e-4, 1e4)


#: By model_type of config.json.
KINDS: dict[str, type[DepthNetwork]] = {
    "depth_anything": DepthAnything,
    "depth_pro": DepthPro,
    "zoedepth": ZoeDepth,
}


class _Size:
    """At which size an image is seen: near to a given one, both sides multiples of a number."""

    def __init__(
        self, settings: Settings, usual: tuple[int, int], *, keeps: bool, multiple: int
    ) -> None:
        self._size = _size(settings, usual)
        self._keeps = settings.get("keep_aspect_ratio", keeps)
        self._multiple = settings.get("ensure_multiple_of", multiple)

    def of(self, height: int, width: int) -> tuple[int, int]:
        """For an image; where it is kept as long as wide, of two ways the one that changes less."""
        by_rows, by_columns = self._size[0] / height, self._size[1] / width
        if self._keeps:
            by_rows = by_columns = min(by_rows, by_columns, key=lambda by: abs(1 - by))
        return self._fit(by_rows * height), self._fit(by_columns * width)

    def _fit(self, pixels: float) -> int:
        return int(round(pixels / self._multiple) * self._multiple)


def _size(settings: Settings, usual: tuple[int, int]) -> tuple[int, int]:
    size = settings.get("size", usual)
    if isinstance(size, Mapping):
        size = size["height"], size["width"]
    return (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))


def _mode(settings: Settings, usual: str) -> str:
    return _MODES.get(settings.get("resample", -1), usual)


def _colours(settings: Settings) -> tuple[Tensor, Tensor]:
    """Mean and deviation (3,) of red, green and blue of 0..1."""
    return (
        torch.tensor(settings.get("image_mean", IMAGENET_MEAN)),
        torch.tensor(settings.get("image_std", IMAGENET_STD)),
    )


def _enlarged(output: Tensor, size: tuple[int, int], mode: str) -> Tensor:
    """(H, W) float32 of an output (1, h, w)."""
    return interpolate(output[None].float(), size, mode=mode, align_corners=False)[0, 0]
