"""Transforms between named frames over time, with the meaning tf2 gives them.

A transform names its child's place in a parent. Between two samples the translation is
interpolated linearly and the rotation along the shorter great arc; nothing is extrapolated.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

_NAMED = 8  # frames of the tree named in an error
UNIT_TOLERANCE = 1e-2  # how far a quaternion's squared length may be from 1, as in tf2


class TransformError(Exception):
    """A transform cannot be given."""


class UnknownFrame(TransformError):
    """No transform has ever named this frame."""


class NotConnected(TransformError):
    """Both frames are known, but no chain of transforms joins them."""


class TooOld(TransformError):
    """The stamp is before the oldest sample that is kept."""


class TooNew(TransformError):
    """The stamp is after the newest sample; it may still arrive."""


@dataclass(frozen=True)
class Sample:
    """Place of a child in ``parent``: metres, unit quaternion x y z w."""

    parent: str
    translation: tuple[float, ...]
    rotation: tuple[float, ...]

    def matrix(self) -> NDArray[np.float64]:
        """(4, 4) maps child coordinates to parent coordinates."""
        x, y, z, w = self.rotation
        tx, ty, tz = self.translation
        return np.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w), tx],
                [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w), ty],
                [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y), tz],
                [0.0, 0.0, 0.0, 1.0],
            ]
        )


@dataclass
class History:
    """Samples of one child, sorted by stamp. A static one has a single sample, valid always."""

    static: bool
    stamps_ns: list[int] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)

    def add(self, stamp_ns: int, sample: Sample, cache_ns: int) -> None:
        """Keep ``sample``; forget what is older than the newest by more than ``cache_ns``."""
        if self.static:
            self.stamps_ns, self.samples = [stamp_ns], [sample]
            return
        if self.stamps_ns and stamp_ns < self.stamps_ns[-1] - cache_ns:
            return
        index = bisect_left(self.stamps_ns, stamp_ns)
        if index < len(self.stamps_ns) and self.stamps_ns[index] == stamp_ns:
            self.samples[index] = sample
            return
        self.stamps_ns.insert(index, stamp_ns)
        self.samples.insert(index, sample)
        expired = bisect_left(self.stamps_ns, self.stamps_ns[-1] - cache_ns)
        del self.stamps_ns[:expired], self.samples[:expired]

    def at(self, child: str, stamp_ns: int) -> Sample:
        """The sample at ``stamp_ns``, interpolated; the earlier one where the parent changes."""
        if self.static:
            return self.samples[0]
        if not self.samples:
            raise TooNew(f"transform of {child}: no sample since the buffer was cleared")
        index = bisect_left(self.stamps_ns, stamp_ns)
        if index == len(self.stamps_ns):
            self._raise_outside(TooNew, child, stamp_ns, self.stamps_ns[-1], self.samples[-1])
        if self.stamps_ns[index] == stamp_ns:
            return self.samples[index]
        if index == 0:
            self._raise_outside(TooOld, child, stamp_ns, self.stamps_ns[0], self.samples[0])
        before, after = self.samples[index - 1], self.samples[index]
        if before.parent != after.parent:
            return before
        start_ns, end_ns = self.stamps_ns[index - 1 : index + 1]
        return interpolate(before, after, (stamp_ns - start_ns) / (end_ns - start_ns))

    @staticmethod
    def _raise_outside(
        error: type[TransformError], child: str, stamp_ns: int, limit_ns: int, sample: Sample
    ) -> NoReturn:
        side, which = ("past", "oldest") if error is TooOld else ("future", "newest")
        raise error(
            f"transform from {child} to {sample.parent}: {stamp_ns / 1e9:.3f} s is "
            f"{abs(stamp_ns - limit_ns) / 1e6:.3f} ms into the {side} of the {which} sample "
            f"({limit_ns / 1e9:.3f} s)"
        )


def interpolate(before: Sample, after: Sample, share: float) -> Sample:
    """Linear in translation, spherical and shortest in rotation; ``share`` in 0..1."""
    translation = tuple(
        a + (b - a) * share for a, b in zip(before.translation, after.translation, strict=True)
    )
    start, end = before.rotation, after.rotation
    dot = sum(a * b for a, b in zip(start, end, strict=True))
    if dot < 0:  # q and -q are one rotation: take the nearer
        dot, end = -dot, tuple(-b for b in end)
    angle = math.acos(min(1.0, dot))
    if angle < 1e-9:
        return Sample(before.parent, translation, start)
    weight_start = math.sin((1 - share) * angle) / math.sin(angle)
    weight_end = math.sin(share * angle) / math.sin(angle)
    rotation = tuple(weight_start * a + weight_end * b for a, b in zip(start, end, strict=True))
    return Sample(before.parent, translation, rotation)


class TransformBuffer:
    """Remembers ``cache_s`` seconds of every moving transform, and static ones for good.

    Safe to use from several threads.
    """

    def __init__(self, cache_s: float = 30.0) -> None:
        self._cache_ns = int(cache_s * 1e9)
        self._histories: dict[str, History] = {}
        self._frames: set[str] = set()
        self._lock = Lock()

    def set(
        self,
        parent: str,
        child: str,
        stamp_ns: int,
        translation: Sequence[float],
        rotation_xyzw: Sequence[float],
        static: bool = False,
    ) -> None:
        """Add one transform: the pose of ``child`` in ``parent``, metres, unit quaternion.

        A second one with the same stamp replaces the first; one older than the cache is ignored.
        ``ValueError`` when names, numbers or the quaternion cannot be meant.
        """
        parent, child = parent.lstrip("/"), child.lstrip("/")
        sample = _checked(parent, child, translation, rotation_xyzw)
        with self._lock:
            history = self._histories.get(child)
            if history is None or history.static != static:
                history = self._histories[child] = History(static)
            history.add(stamp_ns, sample, self._cache_ns)
            self._frames.update((parent, child))

    def lookup(self, target: str, source: str, stamp_ns: int) -> NDArray[np.float64]:
        """(4, 4) T_target_source at ``stamp_ns``: maps source coordinates to target coordinates.

        Raises :class:`UnknownFrame`, :class:`NotConnected`, :class:`TooOld` or :class:`TooNew`.
        """
        target, source = target.lstrip("/"), source.lstrip("/")
        with self._lock:
            for frame in (target, source):
                if frame not in self._frames:
                    names = ", ".join(sorted(self._frames)[:_NAMED]) or "nothing: none has arrived"
                    raise UnknownFrame(
                        f"frame {frame!r} is not in the transform tree, which has {names}"
                    )
            from_source, source_error = self._climb(source, stamp_ns)
            from_target, target_error = self._climb(target, stamp_ns)
        for frame, T_frame_source in from_source.items():
            if frame in from_target:
                return _inverse(from_target[frame]) @ T_frame_source
        errors = [e for e in (source_error, target_error) if e is not None]
        if not errors:
            raise NotConnected(f"frames {source!r} and {target!r} are in separate trees")
        error = min(errors, key=lambda e: isinstance(e, TooNew))  # what waiting cannot cure first
        raise type(error)(f"from {source} to {target}: {error}")

    def clear(self) -> None:
        """Forget every moving transform; static ones and all names stay."""
        with self._lock:
            for child, history in self._histories.items():
                if not history.static:
                    self._histories[child] = History(static=False)

    def frames(self) -> frozenset[str]:
        """Names of all frames ever heard of."""
        with self._lock:
            return frozenset(self._frames)

    def _climb(
        self, frame: str, stamp_ns: int
    ) -> tuple[dict[str, NDArray[np.float64]], TransformError | None]:
        """T_ancestor_frame of every ancestor that can be reached, and what stopped the climb."""
        matrix = np.eye(4)
        reached = {frame: matrix}
        while (history := self._histories.get(frame)) is not None:
            try:
                sample = history.at(frame, stamp_ns)
            except TransformError as error:
                return reached, error
            if sample.parent in reached:
                return reached, NotConnected(f"the transforms form a loop at {sample.parent!r}")
            frame, matrix = sample.parent, sample.matrix() @ matrix
            reached[frame] = matrix
        return reached, None


def _checked(
    parent: str, child: str, translation: Sequence[float], rotation: Sequence[float]
) -> Sample:
    name = f"transform from {child!r} to {parent!r}"
    if not parent or not child:
        raise ValueError(f"{name}: a frame name is empty")
    if parent == child:
        raise ValueError(f"{name}: parent and child are the same frame")
    if not all(math.isfinite(v) for v in (*translation, *rotation)):
        raise ValueError(f"{name}: a number is NaN or infinite")
    squared = sum(q * q for q in rotation)
    if abs(squared - 1) > UNIT_TOLERANCE:
        raise ValueError(f"{name}: quaternion has length {math.sqrt(squared):.3f}, not 1")
    length = math.sqrt(squared)
    return Sample(
        parent, tuple(float(t) for t in translation), tuple(float(q) / length for q in rotation)
    )


def _inverse(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    inverse = np.eye(4)
    inverse[:3, :3] = matrix[:3, :3].T
    inverse[:3, 3] = -matrix[:3, :3].T @ matrix[:3, 3]
    return inverse
