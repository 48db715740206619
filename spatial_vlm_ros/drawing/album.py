"""A few frames kept from a run, to draw boxes over when all objects are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.drawing.overlay import overlay, shown_in
from spatial_vlm_ros.frame import Frame
from spatial_vlm_ros.scene.graph import SceneObject


class Album:
    """Keeps fewer than ``size`` frames, evenly spread over a run of unknown length."""

    def __init__(self, size: int = 16) -> None:
        self._size, self._stride, self._offered = size, 1, 0
        self._kept: list[tuple[Frame, NDArray[np.float64]]] = []

    def offer(self, frame: Frame) -> None:
        """Keep the frame if its turn has come; when full, every second one goes."""
        if self._offered % self._stride == 0 and frame.T_fixed_camera is not None:
            self._kept.append((frame, frame.T_fixed_camera))
            if len(self._kept) == self._size:
                self._kept = self._kept[::2]
                self._stride *= 2
        self._offered += 1

    def best_overlay(
        self, objects: Sequence[SceneObject], T_scene_fixed: NDArray[np.float64]
    ) -> NDArray[np.uint8]:
        """The kept frame that shows most of the objects, with their boxes: (H, W, 3) RGB.

        ``ValueError`` when no frame was offered.
        """
        if not self._kept:
            raise ValueError("no frame to draw on")
        placed = [(frame, T_scene_fixed @ pose) for frame, pose in self._kept]
        best, pose = max(placed, key=lambda kept: len(shown_in(kept[0], objects, kept[1])))
        return overlay(best, objects, pose)
