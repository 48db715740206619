"""A thread for what takes long, beside the stream of images."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable

from spatial_vlm_ros.nodes.managed import ManagedNode

_IDLE_S = 0.5
_PATIENCE_S = 2.0  # of a process that has two of these launch waits five seconds


class Background:
    """Calls ``step`` when woken and twice a second, again at once while that says there is more.

    what: that it is for, in a few words, for messages. problem: why the last step failed, empty
    when it did not. A step that fails is told, and the next one is tried all the same. done: called
    after each step that did something.
    """

    def __init__(
        self,
        node: ManagedNode,
        what: str,
        step: Callable[[], bool],
        done: Callable[[], None] = lambda: None,
    ) -> None:
        self._node, self._what, self._step, self._done = node, what, step, done
        self._wake, self._stop = threading.Event(), threading.Event()
        self.problem = ""
        self._thread = threading.Thread(target=self._work, name=what, daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """There may be something to do."""
        self._wake.set()

    @property
    def stopping(self) -> bool:
        """Whether what is being done is for nothing."""
        return self._stop.is_set()

    def close(self) -> None:
        """End the thread; a step that takes longer ends by itself."""
        self._stop.set()
        self._wake.set()
        self._thread.join(_PATIENCE_S)
        if self._thread.is_alive():
            self._node.given_up.append(self._thread)

    def _work(self) -> None:
        while not self.stopping:
            self._wake.wait(_IDLE_S)
            self._wake.clear()
            try:
                while not self.stopping and self._step():
                    self.problem = ""
                    self._done()
            except Exception as error:  # out of memory, a driver's ...
                self.problem = f"{self._what}: {error}"
                known = isinstance(error, ValueError)
                text = self.problem if known else f"{self.problem}\n{traceback.format_exc()}"
                self._node.get_logger().error(text, throttle_duration_sec=5.0)
