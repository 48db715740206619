"""A window: its images' frames, and what the network says of them that can be used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.frame import Frame, Intrinsics
from spatial_vlm_ros.geometry.prediction import Prediction
from spatial_vlm_ros.perception.points import pixel_rays

Floats = NDArray[np.float64]

_UNSURE = 1.0 + 1e-4  # confidence begins at 1
_FLAT = 1e-4  # deviation of depth over its mean: what is the same everywhere says nothing
_POINTS = 20_000  # of a window that are looked at


@dataclass(frozen=True)
class Window:
    """n frames and their prediction. sure: (n, h, w), the pixels whose depth is used."""

    frames: tuple[Frame, ...]
    prediction: Prediction
    sure: NDArray[np.bool_]

    @staticmethod
    def of(frames: Sequence[Frame], prediction: Prediction, unsure: float) -> Window:
        """unsure: share of all pixels, the least sure ones, that are not used.

        ``ValueError`` when the prediction does not fit the frames, is not finite, or says nothing.
        """
        depth, confidence = prediction.depth, prediction.confidence
        T = prediction.T_window_camera
        if depth.shape != confidence.shape or len(depth) != len(frames) or T.shape[0] != len(depth):
            raise ValueError(f"{len(frames)} images got depth {depth.shape} and poses {T.shape}")
        if not all(np.isfinite(values).all() for values in (depth, confidence, T)):
            raise ValueError("the network's depths or poses are not finite")
        if not np.std(depth) > _FLAT * abs(float(np.mean(depth))):
            raise ValueError("the network says the same depth everywhere")
        sure = confidence >= max(float(np.quantile(confidence, unsure)), _UNSURE)
        sure &= depth > 0
        if not sure.any():
            raise ValueError("the network is sure of no pixel")
        return Window(tuple(frames), prediction, sure)

    def only(self, chosen: NDArray[np.bool_]) -> Window:
        """Of some of its images (n,)."""
        said = self.prediction
        return Window(
            tuple(frame for frame, keep in zip(self.frames, chosen, strict=True) if keep),
            Prediction(
                said.depth[chosen],
                said.confidence[chosen],
                said.T_window_camera[chosen],
                said.intrinsics[chosen],
                None if said.features is None else said.features[chosen.tolist()],
            ),
            self.sure[chosen],
        )

    @property
    def camera(self) -> Intrinsics:
        """Of the prediction's pixels, by calibration: what depth is unprojected with later."""
        height, width = self.sure.shape[1:]
        return self.frames[0].intrinsics.resized(width, height)

    def points_window(self) -> Floats:
        """(m, 3) in the window's frame and unit, of some of the sure pixels of all images."""
        step = max(1, int(np.sqrt(self.sure.size / _POINTS)))
        depth = np.where(self.sure, self.prediction.depth, 0)[:, ::step, ::step]
        points = pixel_rays(self.camera)[::step, ::step] * depth[..., None]
        T = self.prediction.T_window_camera
        moved = np.einsum("nij,nhwj->nhwi", T[:, :3, :3], points) + T[:, None, None, :3, 3]
        return moved[depth > 0]

    def depth_image(self, number: int, scale: float) -> NDArray[np.float32]:
        """(H, W) of an image's own size, in the unit of which ``scale`` make one of the window.

        0 where the network is not sure. Nearest pixels, so that no depth lies between two things.
        """
        depth = np.where(self.sure[number], self.prediction.depth[number] * scale, 0)
        own = self.frames[number].intrinsics
        return nearest(depth.astype(np.float32), own.height, own.width)

    def at_prediction(self, depth: NDArray[np.float32] | None) -> NDArray[np.float32]:
        """(h, w) of an image's depth at the prediction's pixels, the nearest; 0 for none."""
        shape = self.sure.shape[1:]
        return np.zeros(shape, np.float32) if depth is None else nearest(depth, *shape)

    def focal_ratio(self) -> float:
        """Focal length as the network sees it, over the calibrated one."""
        seen = np.median(self.prediction.intrinsics[:, 0, 0])
        return float(seen / self.camera.fx)


def nearest(depth: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """(height, width) of a depth image, by its nearest pixels."""
    return np.asarray(
        cv2.resize(depth, (width, height), interpolation=cv2.INTER_NEAREST_EXACT), np.float32
    )
