"""Geometry from a depth camera and TF: frames come with all they need."""

from __future__ import annotations

from collections import deque

from spatial_vlm_ros.frame import Frame


class DepthCamera:
    """A :class:`~spatial_vlm_ros.geometry.source.GeometrySource` that has nothing to add."""

    problem = ""

    def __init__(self) -> None:
        self._frames: deque[Frame] = deque()

    def offer(self, frame: Frame) -> None:
        """See :class:`GeometrySource`; every frame is used."""
        self._frames.append(frame)

    def compute(self) -> bool:
        """See :class:`GeometrySource`."""
        return False

    def finish(self) -> None:
        """See :class:`GeometrySource`."""

    def take(self) -> Frame | None:
        """See :class:`GeometrySource`."""
        return self._frames.popleft() if self._frames else None

    def reset(self) -> None:
        """See :class:`GeometrySource`."""
        self._frames.clear()

    def values(self) -> dict[str, str]:
        """See :class:`GeometrySource`."""
        return {}
