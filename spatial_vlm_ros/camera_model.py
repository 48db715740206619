"""The camera of a ``sensor_msgs/CameraInfo``: intrinsics, lens distortion, changes over time."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.frame import Detection, Intrinsics

_FISHEYE = "equidistant"
_BROWN = ("plumb_bob", "rational_polynomial", "thin_prism")
# How many coefficients OpenCV takes; drivers are not strict about which Brown model has how many.
_COEFFICIENTS = {**dict.fromkeys(_BROWN, (4, 5, 8, 12, 14)), _FISHEYE: (4,)}


class CameraModel:
    """Makes images and boxes of one calibrated camera those of its ``intrinsics``.

    ``info``: a CameraInfo message; regions of interest and binning are applied as image_geometry
    does. ``rectified`` says the images come rectified already: then P holds, not K and D.
    ``ValueError`` when the camera is not calibrated or its distortion model is unknown.
    """

    def __init__(self, info: Any, rectified: bool = False) -> None:
        matrix = np.asarray(info.p if rectified else info.k, float).reshape(3, -1)[:, :3].copy()
        if not (matrix[0, 0] > 0 and matrix[1, 1] > 0):
            raise ValueError(
                f"camera_info has a zero {'P' if rectified else 'K'}: the camera is not calibrated"
            )
        width, height = _apply_window(matrix, info)
        self.intrinsics = Intrinsics(
            width, height, matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2]
        )
        self._matrix = matrix
        self._distortion = np.zeros(0) if rectified else np.asarray(info.d, float)
        self._fisheye = info.distortion_model == _FISHEYE
        self._maps: tuple[Any, Any] | None = None
        if np.any(self._distortion):
            _refuse_unknown_lens(info.distortion_model, self._distortion)
            init = (cv2.fisheye if self._fisheye else cv2).initUndistortRectifyMap
            self._maps = init(
                matrix, self._distortion, np.eye(3), matrix, (width, height), cv2.CV_16SC2
            )

    @property
    def distorted(self) -> bool:
        """Whether images have to be rectified."""
        return self._maps is not None

    def rectify(self, image: NDArray[Any], smooth: bool) -> NDArray[Any]:
        """``image`` without distortion: interpolated if ``smooth``, else nearest (depth, ids).

        Pixels the camera did not see are 0.
        """
        size = (self.intrinsics.height, self.intrinsics.width)
        if self._maps is None or image.shape[:2] != size:  # a wrong size is Frame's to report
            return image
        kind = cv2.INTER_LINEAR if smooth else cv2.INTER_NEAREST
        if image.dtype != np.int32:
            return cv2.remap(image, *self._maps, kind)
        # OpenCV remaps no int32; float64 holds every one of them
        return cv2.remap(image.astype(np.float64), *self._maps, kind).astype(np.int32)

    def rectify_detection(self, box: Detection) -> Detection:
        """The upright box around the rectified corners of ``box``."""
        if self._maps is None:
            return box
        u, v = [box.u_min, box.u_max], [box.v_min, box.v_max]
        corners = np.array([[[a, b]] for a in u for b in v], float)
        undistort = (cv2.fisheye if self._fisheye else cv2).undistortPoints
        straight = undistort(corners, self._matrix, self._distortion, P=self._matrix)
        (u_min, v_min), (u_max, v_max) = straight[:, 0].min(0), straight[:, 0].max(0)
        return Detection(
            box.label, box.score, float(u_min), float(v_min), float(u_max), float(v_max)
        )


class CameraHistory:
    """Which CameraInfo is in force at a stamp; keeps the last few that differ."""

    def __init__(self) -> None:
        self._since: list[tuple[int, Any]] = []  # (first stamp, message), in stamp order
        self._newest_ns = -1
        self._comes_with_images = False
        self.changes = 0

    def add(self, stamp_ns: int, info: Any) -> None:
        """Take in one message."""
        self._newest_ns = max(stamp_ns, self._newest_ns)
        if self._since and same_camera(self._since[-1][1], info):
            return
        self.changes += bool(self._since)
        self._since.append((stamp_ns, info))
        self._since.sort(key=lambda entry: entry[0])
        del self._since[:-8]

    def restart(self) -> None:
        """Stamps begin anew: the newest message holds until another comes."""
        self._since = [(0, info) for _, info in self._since[-1:]]
        self._newest_ns = -1

    def at(self, stamp_ns: int, expired: bool) -> Any | None:
        """The message in force at ``stamp_ns``; None while a newer one may still apply.

        A driver that stamps camera_info like its images is waited for, unless ``expired``; one
        that publishes it now and then is taken at its last word.
        """
        self._comes_with_images |= self._newest_ns == stamp_ns
        self._comes_with_images &= not expired
        if self._comes_with_images and self._newest_ns < stamp_ns:
            return None
        before = [info for since, info in self._since if since <= stamp_ns]
        return before[-1] if before else (self._since[0][1] if self._since else None)


def same_camera(a: Any, b: Any) -> bool:
    """Whether two CameraInfo messages describe the same camera, stamps aside."""
    return _key(a) == _key(b)


def _key(info: Any) -> tuple[Any, ...]:
    roi = info.roi
    window = (roi.x_offset, roi.y_offset, roi.width, roi.height, info.binning_x, info.binning_y)
    lens = (info.distortion_model, *map(float, info.d), *map(float, info.k), *map(float, info.p))
    return (info.width, info.height, *window, *lens)


def _refuse_unknown_lens(model: str, distortion: NDArray[np.float64]) -> None:
    if model not in _COEFFICIENTS:
        raise ValueError(
            f"camera_info has distortion model {model!r}; supported: "
            f"{', '.join(_COEFFICIENTS)}. Use the rectified image instead"
        )
    if len(distortion) not in _COEFFICIENTS[model]:
        raise ValueError(
            f"camera_info has {len(distortion)} distortion coefficients, {model} has "
            f"{' or '.join(map(str, _COEFFICIENTS[model]))}"
        )
    if not np.all(np.isfinite(distortion)):
        raise ValueError(f"camera_info has distortion coefficients {distortion.tolist()}")


def _apply_window(matrix: NDArray[np.float64], info: Any) -> tuple[int, int]:
    """Moves ``matrix`` to the region of interest and binning; returns the image's size."""
    roi, bin_x, bin_y = info.roi, int(info.binning_x) or 1, int(info.binning_y) or 1
    width = int(roi.width) or int(info.width)
    height = int(roi.height) or int(info.height)
    matrix[0, 2] -= roi.x_offset
    matrix[1, 2] -= roi.y_offset
    matrix[0] /= bin_x
    matrix[1] /= bin_y
    return width // bin_x, height // bin_y
