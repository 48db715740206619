"""Which images are key frames: those that see enough that the last one did not.

Corners of the last key frame are followed by optical flow, on a small grey image. Where poses are
known, a way or a turn makes a key frame as well.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.frame import Frame
from spatial_vlm_ros.geometry.config import VggtConfig
from spatial_vlm_ros.scene_frame import motion

_WIDTH = 160  # of the grey image
_CORNERS = 150
_APART = 5  # pixels from corner to corner
_QUALITY = 0.05  # of the strongest corner; with 0.02 stairs of slanting edges pass for corners
_STRENGTH = 1.5e-4  # of a corner, at least; noise of a bad camera reaches 0.4e-4
_FEW = 12  # corners of which nothing can be told
_BACK = 1.0  # pixels by which a corner may miss where it came from
_BLIND_NS = 1_000_000_000  # from one key frame to the next where nothing can be followed

Points = NDArray[np.float32]


class ViewOverlap:
    """Chooses key frames of a stream.

    The first image is one. So is an image that shows less than ``config.view_overlap`` of the
    last key frame, and one that was taken ``config.keyframe_distance`` or ``keyframe_angle`` away
    from it. Where the last key frame shows nothing that can be followed (a bare wall, darkness),
    an image that does is one, else one a second, so that the stream never runs dry. A jerk of more
    than a fifteenth of the width from one image to the next may lose corners that are still there:
    then there are more key frames, not fewer.
    """

    def __init__(self, config: VggtConfig) -> None:
        self._config = config
        self._last: _Seen | None = None

    def is_key(self, frame: Frame) -> bool:
        """Whether this image becomes a key frame: then later ones are compared with it."""
        grey = small_grey(frame.rgb)
        if self._last is None or self._enough_is_new(self._last, grey, frame):
            self._last = _Seen(frame, grey)
            return True
        return False

    def reset(self) -> None:
        """The next image is the first."""
        self._last = None

    def _enough_is_new(self, last: _Seen, grey: NDArray[np.uint8], frame: Frame) -> bool:
        if self._far(last.frame, frame):
            return True
        if len(last.corners) < _FEW:
            waited = abs(frame.stamp_ns - last.frame.stamp_ns) >= _BLIND_NS
            return waited or len(corners(grey)) >= 2 * _FEW
        return last.overlap(grey) < self._config.view_overlap

    def _far(self, before: Frame, now: Frame) -> bool:
        if before.T_fixed_camera is None or now.T_fixed_camera is None:
            return False
        distance, angle = motion(before.T_fixed_camera, now.T_fixed_camera)
        config = self._config
        return distance >= config.keyframe_distance or angle >= config.keyframe_angle


class _Seen:
    """The last key frame, and where its corners have been seen since."""

    def __init__(self, frame: Frame, grey: NDArray[np.uint8]) -> None:
        self.frame, self.grey = frame, grey
        self.corners = corners(grey)
        self._at = self.corners  # where they were last, or are thought to have been

    def overlap(self, grey: NDArray[np.uint8]) -> float:
        """Share of this view that an image still shows: see :func:`overlap`."""
        found, there = follow(self.grey, grey, self.corners, self._at)
        self._at = found
        if np.count_nonzero(there) >= _FEW:  # those that were lost have moved like the others
            self._at = self.corners + np.median(found[there] - self.corners[there], axis=0)
            self._at[there] = found[there]
        return overlap(self.corners, found, there, grey.shape[1])


def small_grey(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(h, 160) uint8 of an image (H, W, 3)."""
    height = max(1, round(rgb.shape[0] * _WIDTH / rgb.shape[1]))
    small = cv2.resize(rgb, (_WIDTH, height), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY))


def corners(grey: NDArray[np.uint8]) -> Points:
    """(n, 2) pixels (u, v) that can be found again; noise on a bare wall is none."""
    strength = cv2.cornerMinEigenVal(grey, 3)
    found = cv2.goodFeaturesToTrack(grey, _CORNERS, _QUALITY, _APART)
    if found is None:
        return np.zeros((0, 2), np.float32)
    at = found.reshape(-1, 2)
    column, row = at.astype(int).T
    return np.asarray(at[strength[row, column] > _STRENGTH], np.float32)


def follow(
    before: NDArray[np.uint8], now: NDArray[np.uint8], at: Points, guess: Points
) -> tuple[Points, NDArray[np.bool_]]:
    """Where corners (n, 2) of one grey image are in another, and which of them are there (n,).

    There is what lies inside and leads back to where it came from.
    """
    found, ahead = _flow(before, now, at, guess)
    back, behind = _flow(now, before, found, at)
    height, width = now.shape
    inside = np.all((found >= 0) & (found <= [width - 1, height - 1]), axis=1)
    returned = np.linalg.norm(back - at, axis=1) <= _BACK
    return found, inside & returned & ahead & behind


def _flow(
    before: NDArray[np.uint8], now: NDArray[np.uint8], at: Points, guess: Points
) -> tuple[Points, NDArray[np.bool_]]:
    found, status, _ = cv2.calcOpticalFlowPyrLK(
        before,
        now,
        at,
        guess.copy(),
        winSize=(21, 21),
        maxLevel=3,
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )
    return np.asarray(found, np.float32), np.asarray(status[:, 0] == 1)


def overlap(before: Points, now: Points, there: NDArray[np.bool_], width: int) -> float:
    """Share of a view that is still seen, 0..1.

    It is the share of the corners that are still there; and no more than what is left of the width
    after their median shift, which a camera that circles an object notices first.
    """
    if np.count_nonzero(there) < _FEW:
        return 0.0
    shift = float(np.median(np.linalg.norm(now[there] - before[there], axis=1)))
    return min(float(np.mean(there)), 1 - shift / width)
