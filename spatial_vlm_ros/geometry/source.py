"""The one interface of geometry: frames in, the same frames with depth and pose out, later."""

from __future__ import annotations

from typing import Protocol

from spatial_vlm_ros.frame import Frame


class GeometrySource(Protocol):
    """Gives frames what they lack of depth, pose and scale.

    ``offer`` and ``take`` are quick and called by one thread, ``compute`` by another one, beside
    the camera's stream. problem: why no frames come out at present, empty when all is well.
    """

    problem: str

    def offer(self, frame: Frame) -> None:
        """Hand in the next frame; it may be passed over."""
        ...

    def compute(self) -> bool:
        """Do what is to be done and takes long; whether there was anything."""
        ...

    def finish(self) -> None:
        """No more frames come: the next ``compute`` makes do with what there is."""
        ...

    def take(self) -> Frame | None:
        """The next frame that is complete, in the order of stamps; None when there is none yet."""
        ...

    def reset(self) -> None:
        """Forget all frames and what is known of the way."""
        ...

    def values(self) -> dict[str, str]:
        """For diagnostics."""
        ...
