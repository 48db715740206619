"""Questions wait for a model one behind the other, not too many and not too long."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from spatial_vlm_ros.reasoning.answer import Cancelled

_POLL_S = 0.02  # how soon one that waits notices that nobody listens any more


class Turns:
    """Who came first goes first. seconds: the longest wait for a turn."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._queue: deque[object] = deque()
        self._changed = threading.Condition()

    @property
    def waiting(self) -> int:
        """How many wait or have their turn."""
        return len(self._queue)

    @contextmanager
    def turn(self, gone: Callable[[], bool]) -> Iterator[None]:
        """Wait for the turn, and have it until the end of the block.

        :class:`Cancelled` when ``gone``, ``TimeoutError`` when the wait was too long.
        """
        mine = object()
        deadline = time.monotonic() + self.seconds
        with self._changed:
            self._queue.append(mine)
        try:
            with self._changed:
                while self._queue[0] is not mine:
                    if gone():
                        raise Cancelled
                    if time.monotonic() >= deadline:
                        others = self._queue.index(mine)
                        raise TimeoutError(
                            f"no turn within {self.seconds:g} s: {others} other questions come "
                            "first; ask again later, or raise queue_timeout"
                        )
                    self._changed.wait(_POLL_S)
            yield
        finally:
            with self._changed:
                self._queue.remove(mine)
                self._changed.notify_all()
