"""Windows one after the other: each is attached to the one before, and brought to metres."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.frame import Frame
from spatial_vlm_ros.geometry.agreement import agreement, together
from spatial_vlm_ros.geometry.config import GeometryConfig
from spatial_vlm_ros.geometry.gravity import Floor, find_floor, level, mean_up
from spatial_vlm_ros.geometry.metres import Metres
from spatial_vlm_ros.geometry.prediction import MetricNetwork, Predictor
from spatial_vlm_ros.geometry.scale_tracker import ScaleTracker
from spatial_vlm_ros.geometry.similarity import Similarity
from spatial_vlm_ros.geometry.stitching import attached, unit_ratio
from spatial_vlm_ros.geometry.window import Window

Floats = NDArray[np.float64]

_MEDIAN = 2.0  # median depth of the first window where nothing says metres
_HELD = 8  # windows that wait for metres at most
_TILT = 10.0  # degrees by which up, once found, may differ from the floor's


@dataclass(frozen=True)
class _Seen:
    """An image that the next window has too. T_fixed_camera: where it was placed."""

    frame: Frame
    depth: NDArray[np.float32]
    sure: NDArray[np.bool_]
    T_fixed_camera: Floats


@dataclass(frozen=True)
class _Placed:
    """A window, of which the images from ``first`` on are to come out.

    T_fixed_camera: (n, 4, 4). scale: lengths of the fixed frame in the window's unit.
    """

    window: Window
    first: int
    T_fixed_camera: Floats
    scale: float

    def moved(self, moved: Similarity, poses: bool) -> _Placed:
        """In another fixed frame. poses: whether its poses are of this frame, or TF's."""
        T = moved.pose(self.T_fixed_camera) if poses else self.T_fixed_camera
        return replace(self, T_fixed_camera=T, scale=moved.scale * self.scale)

    def last(self, count: int) -> tuple[_Seen, ...]:
        """The last images, with which the next window begins."""
        window, numbers = self.window, range(len(self.window.frames))[-count:]
        depth, T = window.prediction.depth, self.T_fixed_camera
        return tuple(_Seen(window.frames[n], depth[n], window.sure[n], T[n]) for n in numbers)

    def complete(self, spread: float) -> list[Frame]:
        """The frames that are to come out."""
        return [
            replace(
                self.window.frames[number],
                depth=self.window.depth_image(number, self.scale),
                T_fixed_camera=self.T_fixed_camera[number],
                scale_spread=spread,
            )
            for number in range(self.first, len(self.window.frames))
        ]


class WindowChain:
    """Makes frames complete, window by window; see :class:`VggtGeometry` for what it does.

    awaited: what metres wait for, empty when they do not. left_out: how many images showed nothing
    of what the others did. gravity, focal: what to say of them. Failing, it stays as it was.
    """

    def __init__(
        self, config: GeometryConfig, predictor: Predictor, network: MetricNetwork | None
    ) -> None:
        self._config, self._predictor = config, predictor
        self._metres = Metres(config, network)
        self.scale = ScaleTracker(config.scale)
        self._own = config.poses == "images"  # or TF's
        self.awaited, self.gravity, self.left_out = "", "" if self._own else "TF", 0
        self.focal = 1.0  # as the network sees it, over the calibrated one
        self.overlap: tuple[_Seen, ...] = ()  # the images that the next window begins with
        self._unit = 1.0  # of the last window, in lengths
        self._metric = self._nominal = False  # what has come out so far is in metres, or is not
        self._held: list[_Placed] = []

    def extend(self, new: Sequence[Frame]) -> list[Frame]:
        """Complete frames, those of windows before included that have waited for metres.

        ``ValueError``, ``RuntimeError``, ``MemoryError``: there are none of this window.
        """
        frames = [seen.frame for seen in self.overlap] + list(new)
        prediction = self._predictor.predict([frame.rgb for frame in frames])
        window = Window.of(frames, prediction, self._config.vggt.confidence)
        sources = self._metres.there(window)
        if len(frames) == 1 and not set(sources) - {"odometry"}:
            raise ValueError("a single image, of which nothing says metres")
        good = self._fitting(agreement(prediction, window.sure))
        before = [seen for seen, fits in zip(self.overlap, good, strict=False) if fits]
        window, first = window.only(good), len(before)
        ratio, spread = _ratio(window, before)
        floor = self._floor(window, before)
        estimates = self._metres.of(window, first, floor)
        # What may fail has been done.
        self.left_out += len(new) - (len(window.frames) - first)
        self.focal = window.focal_ratio()
        if not before:
            self._begin(window)
        self._unit *= ratio
        self.scale.carry(ratio, spread)
        self.scale.update(estimates)
        placed = self._place(window, before, floor)
        self._held.append(placed)
        self.overlap = placed.last(self._config.vggt.overlap)
        self._level(placed, floor)
        return self._release(anyway=not sources)

    def finish(self) -> list[Frame]:
        """What still waits for metres, without them."""
        return self._release(anyway=True)

    def _fitting(self, shares: Floats) -> NDArray[np.bool_]:
        """(n,) which images of a window bear each other out, by their agreement (n, n).

        Where none of the new ones bears out the overlap, the view is lost. With poses by TF windows
        then begin anew.
        """
        known = len(self.overlap)
        good = together(shares, known)
        if not good[known:].any():
            if self._own:
                raise ValueError("the images show nothing of what the last ones showed; go back")
            good = np.append(np.zeros(known, np.bool_), together(shares[known:, known:], 0))
        return good

    def _begin(self, window: Window) -> None:
        """With a window that has nothing to do with the ones before, if there were any."""
        self.left_out += sum(len(placed.window.frames) - placed.first for placed in self._held)
        self._held.clear()
        self.scale.reset()
        self._metric = False
        self._unit = _MEDIAN / float(np.median(window.prediction.depth[window.sure]))

    def _floor(self, window: Window, before: Sequence[_Seen]) -> Floor | None:
        """In the window's frame, where it is asked for."""
        if self.gravity and not self._config.scale.camera_height:
            return None
        T = window.prediction.T_window_camera
        placed = [seen.T_fixed_camera for seen in before]
        if not self._own:
            placed = _by_tf(window)
        if not (placed and self.gravity):
            return find_floor(window.points_window(), T)
        # The fixed frame's z as each camera sees it, in the window.
        up = np.einsum("nij,nj->ni", T[: len(placed), :3, :3], np.array(placed)[:, 2, :3])
        return find_floor(window.points_window(), T, np.median(up, axis=0), _TILT)

    def _place(self, window: Window, before: Sequence[_Seen], floor: Floor | None) -> _Placed:
        metres = self.scale.metres_per_unit
        scale = metres if self._metric and metres is not None else self._unit
        T = window.prediction.T_window_camera
        if not self._own:
            T_fixed = np.array(_by_tf(window))
        elif before:
            known = np.array([seen.T_fixed_camera for seen in before])
            T_fixed = attached(known, T[: len(known)], scale).pose(T)
        else:
            upright = level(mean_up(T), T[0])
            T_fixed = Similarity(scale, upright[:3, :3], scale * upright[:3, 3]).pose(T)
        return _Placed(window, len(before), T_fixed, scale)

    def _level(self, placed: _Placed, floor: Floor | None) -> None:
        """Make the fixed frame upright by a window's floor, as long as nothing has come out."""
        if self.gravity or floor is None:
            return
        T_window_camera = placed.window.prediction.T_window_camera[0]
        up = placed.T_fixed_camera[0, :3, :3] @ T_window_camera[:3, :3].T @ floor.up
        upright = level(up, self._held[0].T_fixed_camera[0])
        self._move(Similarity(1.0, upright[:3, :3], upright[:3, 3]))
        self.gravity = "floor"

    def _release(self, anyway: bool) -> list[Frame]:
        """The frames of the windows that wait, as soon as metres are known, or anyway."""
        metres = self.scale.metres_per_unit
        if not (self._metric or self._nominal):
            if metres is None and not anyway:
                self.awaited = "; ".join(self._metres.missing)
                if len(self._held) > _HELD:
                    lost = self._held.pop(0)
                    self.left_out += len(lost.window.frames) - lost.first
                return []
            self._metric, self._nominal = metres is not None, metres is None
            self._move(Similarity(metres / self._unit if metres else 1.0, np.eye(3), np.zeros(3)))
            self.gravity = self.gravity or "how the camera was held: no floor was seen"
        self.awaited = ""
        held, self._held = self._held, []
        spread = self.scale.spread if self._metric else math.inf
        return [frame for placed in held for frame in placed.complete(spread)]

    def _move(self, moved: Similarity) -> None:
        """Bring all that has not come out to another fixed frame, which may have another length."""
        self._held = [placed.moved(moved, self._own) for placed in self._held]
        if self._own:
            poses = [moved.pose(seen.T_fixed_camera) for seen in self.overlap]
            self.overlap = tuple(map(_with_pose, self.overlap, poses))


def _with_pose(seen: _Seen, T_fixed_camera: Floats) -> _Seen:
    return replace(seen, T_fixed_camera=T_fixed_camera)


def _ratio(window: Window, before: Sequence[_Seen]) -> tuple[float, float]:
    if not before:
        return 1.0, 0.0
    sure = window.sure[: len(before)] & np.array([seen.sure for seen in before])
    depth = np.array([seen.depth for seen in before])
    return unit_ratio(depth, window.prediction.depth[: len(before)], sure)


def _by_tf(window: Window) -> list[Floats]:
    return [frame.T_fixed_camera for frame in window.frames if frame.T_fixed_camera is not None]
