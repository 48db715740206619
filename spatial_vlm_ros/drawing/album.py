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
        self._frames: list[Frame] = []

    def offer(self, frame: Frame) -> None:
        """Keep the frame if its turn has come; when full, every second one goes."""
        if self._offered % self._stride == 0:
            self._frames.append(frame)
            if len(self._frames) == self._size:
                self._frames = self._frames[::2]
                self._stride *= 2
        self._offered += 1

    def best_overlay(
        self, objects: Sequence[SceneObject], T_scene_fixed: NDArray[np.float64]
    ) -> NDArray[np.uint8]:
        """The kept frame that shows most of the objects, with their boxes: (H, W, 3) RGB.

        ``ValueError`` when no frame was offered.
        """
        if not self._frames:
            raise ValueError("no frame to draw on")
        best = max(
            self._frames, key=lambda f: len(shown_in(f, objects, T_scene_fixed @ f.T_fixed_camera))
        )
        return overlay(best, objects, T_scene_fixed @ best.T_fixed_camera)
