"""Geometry from windows of images, computed beside the camera's stream."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from threading import Lock

from spatial_vlm_ros.errors import first_line
from spatial_vlm_ros.frame import Frame
from spatial_vlm_ros.geometry.chain import WindowChain
from spatial_vlm_ros.geometry.config import GeometryConfig
from spatial_vlm_ros.geometry.prediction import MetricNetwork, Predictor
from spatial_vlm_ros.geometry.view_overlap import ViewOverlap

_PATIENCE_NS = 3_000_000_000  # without a key frame until those that wait make a window
_FOCAL = 1.2  # times another focal length than calibrated, or as many times less, is told


class VggtGeometry:
    """A :class:`~spatial_vlm_ros.geometry.source.GeometrySource` by a network of many views.

    Key frames are gathered into windows, each of which begins with the last images of the last
    good one: by these it is attached. The first window is half as large, so that there is something
    soon; a camera that stands still for 3 s ends a window early. If the network is slower than key
    frames come, and more wait than a window holds, those are let go whose neighbours are nearest to
    each other. A window that fails is dropped and told in ``problem``; every second one of its
    images is tried again with the next, or the camera would have gone out of sight of the last good
    one. All other key frames come out once, but for images that show nothing of what the rest
    shows.

    With poses "tf" frames keep their pose and get depth. With "images" the fixed frame is upright
    at the first camera. Without any source of metres lengths are nominal, and ``scale_spread``
    inf; as long as a source is there but has not yet said anything, frames wait for it.
    """

    def __init__(
        self, config: GeometryConfig, predictor: Predictor, metric_depth: MetricNetwork | None
    ) -> None:
        self._config, self._predictor, self._network = config, predictor, metric_depth
        self._lock = Lock()
        self._keys = ViewOverlap(config.vggt)
        self._waiting: list[Frame] = []
        self._complete: deque[Frame] = deque()
        self._let_go = 0
        self.reset()

    def offer(self, frame: Frame) -> None:
        """See :class:`GeometrySource`; what is no key frame is passed over."""
        if self._config.poses == "tf" and frame.T_fixed_camera is None:
            self.problem = "an image has no pose; with poses: tf each one needs it"
            return
        key = self._keys.is_key(frame)
        with self._lock:
            self._newest_ns = frame.stamp_ns
            if not key:
                return
            self._waiting.append(frame)
            if len(self._waiting) > self._config.vggt.window:
                self._let_go += 1
                del self._waiting[_least_missed([waiting.stamp_ns for waiting in self._waiting])]

    def compute(self) -> bool:
        """See :class:`GeometrySource`: at most one window."""
        with self._lock:
            chain, batch = self._chain, self._next_batch()
            flush = self._finishing and not batch
            self._finishing &= not flush
        if not batch and not flush:
            return False
        try:
            complete, problem = chain.extend(batch) if batch else chain.finish(), ""
            if chain.awaited:
                problem = f"waiting for metres: {chain.awaited}"
        except (RuntimeError, ValueError, MemoryError) as error:
            complete = []
            problem = f"a window of {len(batch)} new images was dropped: {first_line(error)}"
        with self._lock:
            if chain is self._chain:  # or all has been forgotten meanwhile
                self._publish(complete, problem, batch)
        return True

    def finish(self) -> None:
        """See :class:`GeometrySource`."""
        with self._lock:
            self._finishing = True

    def take(self) -> Frame | None:
        """See :class:`GeometrySource`."""
        with self._lock:
            return self._complete.popleft() if self._complete else None

    def reset(self) -> None:
        """See :class:`GeometrySource`."""
        with self._lock:
            self._keys.reset()
            self._chain = WindowChain(self._config, self._predictor, self._network)
            self._waiting.clear()
            self._complete.clear()
            self._newest_ns = 0
            self._finishing = False
            self._let_go = self._windows = self._dropped = 0
            self._last_drop = ""
            self.problem = f"VGGT: gathering images for its first window, of {self._enough()}"

    def values(self) -> dict[str, str]:
        """See :class:`GeometrySource`."""
        with self._lock:
            chain = self._chain
            told = {
                "windows": f"{self._windows}, {self._dropped} dropped",
                "key frames": f"{len(self._waiting)} wait, {self._let_go} let go, "
                f"{chain.left_out} left out",
                "gravity": chain.gravity or "not known yet",
                "metres per unit": _number(chain.scale.metres_per_unit),
                "scale spread": _number(chain.scale.spread),
            }
            if chain.scale.disagreements:
                told["scale"] = "; ".join(chain.scale.disagreements)
            if self._last_drop:
                told["last window dropped"] = self._last_drop
            if not 1 / _FOCAL <= chain.focal <= _FOCAL:
                told["focal length"] = (
                    f"the network sees {chain.focal:.2f} times that of camera_info: is that right?"
                )
            return told

    def _enough(self) -> int:
        """New images that make a window."""
        vggt = self._config.vggt
        known = len(self._chain.overlap)
        return vggt.window - known if known else max(2, vggt.overlap, vggt.window // 2)

    def _next_batch(self) -> list[Frame]:
        """The new images of the next window, taken from those that wait; none, not enough yet."""
        waiting, enough = self._waiting, self._enough()
        if len(waiting) < enough and not self._finishing:
            alone = len(waiting) + len(self._chain.overlap) < 2
            rests = waiting and self._newest_ns - waiting[-1].stamp_ns >= _PATIENCE_NS
            if alone or not rests:
                return []
        self._waiting = waiting[enough:]
        return waiting[:enough]

    def _publish(self, complete: Sequence[Frame], problem: str, batch: Sequence[Frame]) -> None:
        self._complete.extend(complete)
        if batch or complete:
            self.problem = problem
        failed = bool(batch) and problem.startswith("a window")
        self._windows += bool(batch) and not failed
        self._dropped += failed
        if failed:
            again = list(batch[1::2])
            self._let_go += len(batch) - len(again)
            self._waiting = again + self._waiting
        self._last_drop = problem if failed else self._last_drop


def _least_missed(stamps_ns: Sequence[int]) -> int:
    """Which of at least three stamps leaves the least gap; neither the first nor the last."""
    gaps = [after - before for before, after in zip(stamps_ns, stamps_ns[2:], strict=False)]
    return 1 + gaps.index(min(gaps))


def _number(value: float | None) -> str:
    return "not known" if value is None or math.isinf(value) else f"{value:.3g}"
