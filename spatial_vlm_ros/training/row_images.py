"""Rows about images of their own, with points and rectangles drawn as their questions name them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spatial_vlm_ros.data.row import Mark, Row
from spatial_vlm_ros.models.spatial_features import Frames, SpatialFeatures
from spatial_vlm_ros.models.ssr_positions import FrameLayout
from spatial_vlm_ros.reasoners.scene_inputs import frame_inputs
from spatial_vlm_ros.training.lessons import Unteachable
from spatial_vlm_ros.training.scenes import Shown
from spatial_vlm_ros.vision.images import as_tensor, fit_size, resized

#: Red, green and blue of the colours that marks have.
COLOURS = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
}
#: Of the longer side of an image: radius of a point, and thickness of a rectangle's line.
_RADIUS, _LINE = 0.012, 0.006


class RowImages:
    """The images of rows as frames.

    vision: the tower's configuration. colours: mean and deviation, (3,) each. channels: of the
    geometry that the model reads; None where it reads none. pixels: of an image, at most. features:
    what tells the geometry from images alone; None: it is unknown.
    """

    def __init__(
        self,
        layout: FrameLayout,
        vision: Any,
        colours: tuple[Tensor, Tensor],
        channels: int | None,
        pixels: int,
        features: SpatialFeatures | None = None,
    ) -> None:
        self._features = features
        self._layout, self._vision, self._colours = layout, vision, colours
        self._channels, self._pixels = channels, pixels

    def check(self, row: Row) -> None:
        """:class:`Unteachable` says why a row's images cannot be shown."""
        if not all(Path(image).is_file() for image in row.images):
            raise Unteachable("its images are not there")
        if any(mark.colour not in COLOURS for mark in row.marks):
            raise Unteachable("a mark has a colour that is not known")

    def shown(self, row: Row) -> Shown:
        """``ValueError``: an image cannot be read."""
        return self.of(marked(row))

    def of(self, frames: Sequence[NDArray[np.uint8]]) -> Shown:
        """Images (H, W, 3) as they are, at the size of the first."""
        images = [as_tensor(rgb) for rgb in frames]
        cell = self._vision.patch_size * self._vision.spatial_merge_size
        size = fit_size(images[0].shape[1], images[0].shape[2], cell, self._pixels)
        images = [resized(image, size) for image in images]
        inputs = frame_inputs(images, self._vision, *self._colours)
        if self._features is not None:
            with torch.inference_mode():
                maps = self._features.maps(Frames(torch.stack(images) / 255))
            inputs["spatial_values"] = maps.flatten(0, 2).float().cpu()
        elif self._channels is not None:
            patches = len(inputs["pixel_values_videos"])
            inputs["spatial_values"] = torch.zeros(patches, self._channels)
        placeholders = self._layout.tokens(*inputs["video_grid_thw"][0].tolist())
        return Shown(placeholders, inputs, geometry=self._features is not None)


def marked(row: Row) -> list[NDArray[np.uint8]]:
    """Its images (H, W, 3) with its marks. ``ValueError``: one cannot be read."""
    images = []
    for name in row.images:
        image = cv2.imread(name, cv2.IMREAD_COLOR)
        if image is None:
            raise ValueError(f"{name}, of row {row.dataset}/{row.id}, is no image")
        images.append(np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8))
    for mark in row.marks:
        _draw(images[mark.image], mark)
    return images


def _draw(image: NDArray[np.uint8], mark: Mark) -> None:
    height, width = image.shape[:2]
    colour, side = COLOURS[mark.colour], max(height, width)

    def pixel(u: float, v: float) -> tuple[int, int]:
        return round(u * (width - 1)), round(v * (height - 1))

    if mark.corner is None:
        cv2.circle(image, pixel(mark.u, mark.v), max(2, round(_RADIUS * side)), colour, -1)
    else:
        line = max(1, round(_LINE * side))
        cv2.rectangle(image, pixel(mark.u, mark.v), pixel(*mark.corner), colour, line)
