"""Which images of a moving camera show enough that is new to be encoded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.config import ProxyConfig
from spatial_vlm_ros.scene_frame import motion


class KeyframeGate:
    """Lets an image pass when the camera has moved, or when it shows something unknown.

    A robot that stands still would else fill the scene with what happens to be before it.
    """

    def __init__(self, config: ProxyConfig) -> None:
        self._config = config
        self._last: tuple[NDArray[np.float64], int] | None = None

    def passes(self, T_scene_camera: NDArray[np.float64], stamp_ns: int, unknown: bool) -> bool:
        """Whether to use the image taken at this pose (4, 4); if so it is the last one from now.

        unknown: it shows an object that none of those used before has shown.
        """
        if self._last is not None:
            pose, when = self._last
            distance, angle = motion(pose, T_scene_camera)
            waited = abs(stamp_ns - when) >= 1e9 * self._config.keyframe_period
            moved = distance >= self._config.keyframe_distance
            if not (moved or angle >= self._config.keyframe_angle or (unknown and waited)):
                return False
        self._last = T_scene_camera, stamp_ns
        return True
