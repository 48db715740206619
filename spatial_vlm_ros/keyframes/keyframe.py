"""An image that is kept, where it was taken and what it shows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.config import KeyframeConfig
from spatial_vlm_ros.frame import Frame, Intrinsics
from spatial_vlm_ros.perception.points import PointMap

_JPEG_QUALITY = 90


@dataclass(frozen=True, eq=False)
class Keyframe:
    """One image of the scene.

    id: a later one has a greater id, in other runs too. frame: the camera optical frame, "" where
    it has no name. jpeg: the image, all of it. intrinsics: (3, 3) of that image, pixels.
    T_scene_camera: (4, 4). points_scene: (h, w, 3) float32 metres, the mean of what each cell of
    an even grid over the whole image shows, NaN where that is unknown. visible: ascending ids of
    the objects it shows, confirmed or not.
    """

    id: int
    stamp_ns: int
    frame: str
    jpeg: bytes
    intrinsics: NDArray[np.float64]
    T_scene_camera: NDArray[np.float64]
    points_scene: NDArray[np.float32]
    visible: tuple[int, ...]

    @staticmethod
    def of(
        number: int, frame: Frame, points: PointMap, visible: Iterable[int], config: KeyframeConfig
    ) -> Keyframe:
        """Keyframe ``number`` from a frame, its points, and the objects it shows."""
        jpeg, intrinsics = _shrunk(frame.rgb, frame.intrinsics, config.width)
        return Keyframe(
            number,
            frame.stamp_ns,
            frame.camera_frame,
            jpeg,
            intrinsics,
            points.T_scene_camera,
            coarse_points(points, config.columns),
            tuple(sorted(visible)),
        )

    def image(self) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB, decoded anew each time. ``ValueError`` when it is no jpeg."""
        data = np.frombuffer(self.jpeg, np.uint8)
        bgr = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
        if bgr is None:
            raise ValueError(f"keyframe {self.id} is no jpeg image")
        return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)

    @property
    def nbytes(self) -> int:
        """Bytes of the image and the points."""
        return len(self.jpeg) + self.points_scene.nbytes


def coarse_points(points: PointMap, columns: int) -> NDArray[np.float32]:
    """(h, w, 3) scene points: the mean of the valid ones in each cell of an even grid, else NaN.

    w is ``columns``, or what ``points`` has if that is less; cells are as good as square.
    """
    rows_in, columns_in = points.depth.shape
    width = min(columns, columns_in)
    height = min(max(1, round(width * rows_in / columns_in)), rows_in)
    # In the camera's frame, since there a cell without a point is 0 and adds nothing to a sum.
    parts = np.empty((rows_in, columns_in, 4), np.float32)
    np.multiply(points.rays, points.depth[..., None], out=parts[..., :3])
    parts[..., 3] = points.valid
    means = cv2.resize(parts, (width, height), interpolation=cv2.INTER_AREA)
    share = means[..., 3:]
    with np.errstate(invalid="ignore", divide="ignore"):
        points_camera = np.where(share > 1e-6, means[..., :3] / share, np.float32(np.nan))
    return points.to_scene(points_camera.reshape(-1, 3)).reshape(height, width, 3)


def _shrunk(
    rgb: NDArray[np.uint8], intrinsics: Intrinsics, most: int
) -> tuple[bytes, NDArray[np.float64]]:
    """A jpeg at most ``most`` pixels wide, and its (3, 3) intrinsic matrix."""
    image: NDArray[Any] = rgb
    height, width = rgb.shape[:2]
    if width > most:
        size = most, max(1, round(height * most / width))
        image = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    k = intrinsics.resized(image.shape[1], image.shape[0])
    matrix = np.array([[k.fx, 0, k.cx], [0, k.fy, k.cy], [0, 0, 1]], np.float64)
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1]
    return jpeg.tobytes(), matrix
