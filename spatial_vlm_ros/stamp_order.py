"""Message stamps: noticing that they run back, and finding the message nearest to a stamp."""

from __future__ import annotations

from bisect import insort
from typing import Any


class JumpDetector:
    """Notices when the stamps of several streams run back together, as when a recording loops.

    Streams do not all jump at the same instant. After the first one has, late messages of the
    previous pass are told apart by lying nearer to its end than to the new beginning.
    """

    def __init__(self, jump_back_s: float) -> None:
        self._jump_back_ns = jump_back_s * 1e9
        self.newest: dict[str, int] = {}  # stamp by stream, in the present pass
        self._divide_ns: int | None = None  # stamps after it may still be of the previous pass

    def see(self, stream: str, stamp_ns: int) -> tuple[bool, bool]:
        """(whether this message is the first after a jump, whether it is of the present pass)."""
        newest = self.newest.get(stream)
        if self._divide_ns is not None and stamp_ns > self._divide_ns:
            if newest is None:
                return False, False
            self._divide_ns = None  # the pass has come this far: nobody can be late any more
        jumped = newest is not None and stamp_ns < newest - self._jump_back_ns
        if newest is not None and jumped:
            self._divide_ns = (newest + stamp_ns) // 2
            self.newest.clear()
        self.newest[stream] = max(stamp_ns, self.newest.get(stream, stamp_ns))
        return jumped, True


class StampQueue:
    """Messages of one stream in stamp order, at most ``size``; the oldest fall out."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: list[tuple[int, Any]] = []

    def add(self, stamp_ns: int, message: Any) -> None:
        """Keep one message."""
        insort(self._entries, (stamp_ns, message), key=lambda entry: entry[0])
        del self._entries[: -self._size]

    def clear(self) -> None:
        """Forget all messages."""
        self._entries.clear()

    def nearest(self, stamp_ns: int) -> tuple[int, Any] | None:
        """(distance in ns, message) of the message nearest to ``stamp_ns``; None when empty."""
        if not self._entries:
            return None
        stamp, message = min(self._entries, key=lambda entry: abs(entry[0] - stamp_ns))
        return abs(stamp - stamp_ns), message

    def discard_through(self, message: Any) -> None:
        """Forget ``message`` and everything before it."""
        index = next(i for i, (_, held) in enumerate(self._entries) if held is message)
        del self._entries[: index + 1]
