"""Pairs colour images with depth, labels or detections and the camera's pose into frames.

No ROS in here: messages and the present time are handed in, so a bag read without ROS and a live
camera take the same path. Messages stay undecoded until everything a frame needs is there.
"""

from __future__ import annotations

import threading
from bisect import insort
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from spatial_vlm_ros.camera_model import CameraHistory
from spatial_vlm_ros.decoder import FrameDecoder
from spatial_vlm_ros.frame import Frame
from spatial_vlm_ros.settings import setting
from spatial_vlm_ros.stamp_order import JumpDetector, StampQueue
from spatial_vlm_ros.tf.buffer import TooOld, TransformError

# (target, source, stamp_ns) -> (4, 4) T_target_source, or a TransformError
Lookup = Callable[[str, str, int], NDArray[Any]]


@dataclass(frozen=True)
class AssemblerConfig:
    """How long frames are waited for and how many are held."""

    slop: float = setting(
        0.02,
        "largest difference between the stamps of a colour image and its depth or labels [s]",
        low=0.0,
        high=1.0,
    )
    pair_wait: float = setting(
        1.0,
        "how long a colour image waits for its depth, labels and intrinsics [s]",
        low=0.0,
        high=60.0,
    )
    transform_wait: float = setting(
        1.0,
        "how long a frame waits for the transform at its image stamp [s]",
        low=0.0,
        high=60.0,
    )
    queue_size: int = setting(
        30, "images of each kind that may wait; then the oldest is dropped", low=1, high=100_000
    )
    ready_size: int = setting(
        4, "complete frames that may wait; then the oldest is dropped", low=1, high=100_000
    )
    jump_back: float = setting(
        0.5, "stamps running back by more than this are a new recording [s]", low=0.01, high=60.0
    )


@dataclass
class _Pending:
    """A colour image and what has been found for it so far."""

    stamp_ns: int
    color: Any
    arrived: float
    since: float  # when the present wait began
    epoch: int
    partners: dict[str, Any] = field(default_factory=dict)
    info: Any = None
    T_fixed_camera: NDArray[Any] | None = None
    given_up: bool = False
    waits_for: str = "pairing"  # reason it would be dropped for; "" once nothing is missing


class FrameAssembler:
    """Turns single messages into frames, in stamp order; safe to use from several threads.

    ``lookup`` gives the transform at a stamp; None: frames need no pose. ``needs`` are the streams
    that make a frame with "color": "depth", "labels", "detections". ``rectified``: the images come
    rectified.
    ``on_jump`` is called when stamps run back; the queues are empty then and ``epoch`` has grown.
    ``used`` and ``dropped`` (by reason) count frames, ``details`` explains each reason.
    """

    def __init__(
        self,
        lookup: Lookup | None,
        fixed_frame: str,
        needs: Sequence[str] = ("depth",),
        config: AssemblerConfig | None = None,
        *,
        labels_per_instance: bool = True,
        rectified: bool = False,
        on_jump: Callable[[], None] = lambda: None,
    ) -> None:
        self._config = config or AssemblerConfig()
        self._lookup, self._fixed_frame, self._needs = lookup, fixed_frame, tuple(needs)
        self._on_jump = on_jump
        self._decoder = FrameDecoder(labels_per_instance, rectified)
        self._slop_ns = self._config.slop * 1e9
        self._names: dict[int, str] | None = None
        self._pending: list[_Pending] = []
        self._ready: deque[_Pending] = deque()
        self._partners = {name: StampQueue(self._config.queue_size) for name in needs}
        self._stamps = JumpDetector(self._config.jump_back)
        self._infos = CameraHistory()
        self._lock = threading.Lock()
        self.received = self.used = self.transform_waits = 0
        self.epoch = self.frame_epoch = 0
        self.frame_arrived = 0.0
        self.dropped: Counter[str] = Counter()
        self.details: dict[str, str] = {}

    def add(self, stream: str, stamp_ns: int, message: Any, now: float) -> None:
        """Take in one message of "color", "camera_info" or a needed stream at time ``now`` [s]."""
        with self._lock:
            jumped, present = self._stamps.see(stream, stamp_ns)
            if not present:
                return
            if jumped:
                self._restart()
            if stream == "color":
                self.received += 1
                pending = _Pending(stamp_ns, message, now, now, self.epoch)
                insort(self._pending, pending, key=lambda p: p.stamp_ns)
            elif stream == "camera_info":
                self._infos.add(stamp_ns, message)
            else:
                self._partners[stream].add(stamp_ns, message)
            self._advance(now)

    def set_label_names(self, names: dict[int, str]) -> None:
        """The category of each label id; label images wait until this is known."""
        with self._lock:
            self._names = names

    def take(self, now: float) -> Frame | None:
        """The next complete frame, decoded; None when there is none at time ``now`` [s].

        ``frame_epoch`` and ``frame_arrived`` are then those of that frame. What cannot be decoded
        is dropped and counted as "bad_image".
        """
        while True:
            with self._lock:
                self._advance(now)
                if not self._ready:
                    return None
                pending = self._ready.popleft()
            try:
                frame = self._decoder.decode(
                    pending.stamp_ns,
                    pending.color,
                    pending.partners,
                    pending.info,
                    self._names or {},
                    pending.T_fixed_camera,
                )
            except ValueError as error:
                with self._lock:
                    self._drop("bad_image", str(error))
                continue
            self.used += 1
            self.frame_epoch, self.frame_arrived = pending.epoch, pending.arrived
            return frame

    @property
    def waiting(self) -> int:
        """Colour images held, complete or not."""
        return len(self._pending) + len(self._ready)

    @property
    def intrinsics_changes(self) -> int:
        """How often the camera's calibration has changed."""
        return self._infos.changes

    def _restart(self) -> None:
        self._pending.clear()
        self._ready.clear()
        for queue in self._partners.values():
            queue.clear()
        self._infos.restart()
        self.epoch += 1
        self._on_jump()

    def _advance(self, now: float) -> None:
        """Find partners for all images, then move complete ones to the ready queue in order."""
        for pending in self._pending[:]:
            if not self._pair(pending, now):
                self._pending.remove(pending)
        while self._pending and self._settle_pose(self._pending[0], now):
            pending = self._pending.pop(0)
            if not pending.given_up:
                self._ready.append(pending)
        while len(self._pending) > self._config.queue_size:
            self._drop(self._pending.pop(0).waits_for, "more images came than could be completed")
        while len(self._ready) > self._config.ready_size:
            self._ready.popleft()
            self._drop("queue_full", "frames come faster than they can be processed")

    def _pair(self, pending: _Pending, now: float) -> bool:
        """Find what ``pending`` needs besides its pose; False when it was dropped."""
        if pending.waits_for in ("", "no_transform"):
            return True
        expired = now - pending.since >= self._config.pair_wait
        for name in self._needs:
            if name not in pending.partners and not self._find_partner(name, pending, expired):
                self._drop(f"no_{name}", self._why_unpaired(name, pending.stamp_ns))
                return False
        pending.info = pending.info or self._infos.at(pending.stamp_ns, expired)
        pending.waits_for = self._first_missing(pending)
        if not pending.waits_for:
            pending.since = now  # from here on it waits for its pose
        elif expired:
            self._drop(pending.waits_for, f"none within {self._config.pair_wait} s of the image")
            return False
        return True

    def _first_missing(self, pending: _Pending) -> str:
        for name in self._needs:
            if name not in pending.partners:
                return f"no_{name}"
        if "labels" in self._needs and self._names is None:
            return "no_label_info"
        return "" if pending.info is not None else "no_intrinsics"

    def _find_partner(self, name: str, pending: _Pending, expired: bool) -> bool:
        """Move the nearest message within the slop to ``pending``; False when none can come."""
        nearest = self._partners[name].nearest(pending.stamp_ns)
        newest = self._stamps.newest.get(name, -1)
        if nearest is not None and nearest[0] <= self._slop_ns:
            if nearest[0] == 0 or newest >= pending.stamp_ns or expired:  # else a nearer may come
                pending.partners[name] = nearest[1]
                self._partners[name].discard_through(nearest[1])
            return True
        return not (expired or newest > pending.stamp_ns + self._slop_ns)

    def _why_unpaired(self, name: str, stamp_ns: int) -> str:
        newest = self._stamps.newest.get(name)
        if newest is None:
            return f"no {name} message has arrived"
        gap = (newest - stamp_ns) / 1e9
        return (
            f"no {name} within slop {self._config.slop} s of a colour image; the newest is "
            f"{abs(gap):.3f} s {'later' if gap > 0 else 'earlier'}"
        )

    def _settle_pose(self, pending: _Pending, now: float) -> bool:
        """Look up the pose of a paired image; True when found, or given up and counted."""
        if pending.waits_for not in ("", "no_transform"):
            return False
        if self._lookup is None:
            return True
        camera_frame = pending.color.header.frame_id
        try:
            pending.T_fixed_camera = self._lookup(self._fixed_frame, camera_frame, pending.stamp_ns)
            return True
        except TransformError as error:
            self.transform_waits += not pending.waits_for
            pending.waits_for = "no_transform"
            waited = now - pending.since >= self._config.transform_wait
            if waited or isinstance(error, TooOld):
                self._drop("no_transform", f"{self._fixed_frame} <- {camera_frame}: {error}")
                pending.given_up = True
                return True
            return False

    def _drop(self, reason: str, detail: str) -> None:
        self.dropped[reason] += 1
        self.details[reason] = detail
