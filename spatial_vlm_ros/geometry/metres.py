"""What the sources of metric scale that a robot has say of a window."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.geometry import scale
from spatial_vlm_ros.geometry.config import GeometryConfig
from spatial_vlm_ros.geometry.gravity import Floor
from spatial_vlm_ros.geometry.prediction import MetricNetwork
from spatial_vlm_ros.geometry.scale import ScaleEstimate
from spatial_vlm_ros.geometry.window import Window

_IMAGES = 8  # of a window that the network for single images sees


class Metres:
    """Asks the sources that are both configured and there. missing: why some said nothing of the
    last window.
    """

    def __init__(self, config: GeometryConfig, network: MetricNetwork | None) -> None:
        self._config, self._network = config, network
        self.missing: list[str] = []

    def there(self, window: Window) -> list[str]:
        """The sources that can say something of such windows, be it not of this one."""
        frames = window.frames
        there = {
            "depth": any(frame.depth is not None for frame in frames),
            "odometry": any(frame.T_fixed_camera is not None for frame in frames),
            "metric_depth": self._network is not None,
            "camera_height": self._config.scale.camera_height > 0,
        }
        return [source for source in self._config.scale.sources if there[source]]

    def of(self, window: Window, first: int, floor: Floor | None) -> list[ScaleEstimate]:
        """What they say. first: of the images that no window before this one had."""
        self.missing = []
        new = range(first, len(window.frames))
        ask = {
            "depth": lambda: self._depth(window, new),
            "odometry": lambda: self._odometry(window),
            "metric_depth": lambda: self._metric_depth(window, new),
            "camera_height": lambda: scale.from_camera_height(
                floor, window.prediction.T_window_camera[:, :3, 3], self._config.scale, self._say
            ),
        }
        said = [ask[source]() for source in self.there(window)]
        return [estimate for estimate in said if estimate is not None]

    def _say(self, reason: str) -> None:
        self.missing.append(reason)

    def _depth(self, window: Window, new: Sequence[int]) -> ScaleEstimate | None:
        measured = np.stack([window.at_prediction(window.frames[n].depth) for n in new])
        return scale.from_depth(measured, *_of(window, new), self._config.scale, self._say)

    def _metric_depth(self, window: Window, new: Sequence[int]) -> ScaleEstimate | None:
        assert self._network is not None
        some = [new[k] for k in np.unique(np.linspace(0, len(new) - 1, _IMAGES).astype(int))]
        frames = [window.frames[number] for number in some]
        metres = [self._network.depth(frame.rgb, frame.intrinsics) for frame in frames]
        seen = np.stack([window.at_prediction(depth) for depth in metres])
        lasting = self._config.metric_depth.spread
        return scale.from_metric_depth(seen, *_of(window, some), lasting, self._say)

    def _odometry(self, window: Window) -> ScaleEstimate | None:
        posed = [n for n, frame in enumerate(window.frames) if frame.T_fixed_camera is not None]
        poses = [frame.T_fixed_camera for frame in window.frames]
        fixed = np.array([T[:3, 3] for T in poses if T is not None])
        seen = window.prediction.T_window_camera[posed, :3, 3]
        return scale.from_odometry(seen, fixed, self._config.scale, self._say)


def _of(window: Window, numbers: Sequence[int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Depth, 0 where it is not sure, and confidence of some images, (k, h, w) each."""
    depth = np.where(window.sure, window.prediction.depth, 0)[list(numbers)]
    return depth, window.prediction.confidence[list(numbers)]
