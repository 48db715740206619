"""From what the camera gives to frames a memory can take in: instances first, then geometry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from threading import Lock

from spatial_vlm_ros.frame import Frame
from spatial_vlm_ros.geometry.source import GeometrySource
from spatial_vlm_ros.perception.instances import Instances


class Perception:
    """Completes frames.

    ``offer``, ``ready``, ``reset`` and ``look_for`` are for the thread that has the camera's
    stream, ``compute`` may run in another one beside it.
    """

    def __init__(self, instances: Instances, geometry: GeometrySource) -> None:
        self._instances, self._geometry = instances, geometry
        self._computing = Lock()

    def offer(self, frame: Frame) -> None:
        """Hand in the next frame. ``ValueError``, ``RuntimeError``: its instances were not found.

        The frame is lost then, the next one may do.
        """
        seen = self._instances.see(frame)
        if seen is not None:
            self._geometry.offer(seen)

    def compute(self) -> bool:
        """Do what takes long; whether there was anything to do.

        One thread at a time: another one, given up when it took too long, may still be at it.
        """
        if not self._computing.acquire(blocking=False):
            return False
        try:
            return self._geometry.compute()
        finally:
            self._computing.release()

    def ready(self) -> Iterator[Frame]:
        """Frames that are complete by now."""
        while (frame := self._geometry.take()) is not None:
            yield frame

    def finish(self) -> Iterator[Frame]:
        """No more frames come: what can still be completed."""
        self._geometry.finish()
        while self._geometry.compute():
            yield from self.ready()
        yield from self.ready()

    def look_for(self, words: Sequence[str]) -> None:
        """Change the vocabulary. ``ValueError`` names a word that cannot be looked for."""
        self._instances.look_for(words)

    def reset(self) -> None:
        """Forget the way; the next frame is the first."""
        self._instances.reset()
        self._geometry.reset()

    @property
    def problem(self) -> str:
        """Why nothing comes out at present; empty when all is well."""
        return self._geometry.problem

    def values(self) -> dict[str, str]:
        """For diagnostics."""
        return {**self._instances.values(), **self._geometry.values()}
