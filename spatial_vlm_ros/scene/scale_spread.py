"""How sure the scale of a map is that was made of many frames."""

from __future__ import annotations

import math

_SETTLED = 100  # frames from which on older ones count less and less


class ScaleSpread:
    """Root mean square of the frames' shares; one frame that is not metric makes all so.

    value: the share (1 sigma) by which all lengths may be off together, inf: they are no metres.
    """

    def __init__(self, value: float | None = None) -> None:
        """Begin with nothing, or with the ``value`` of a map that goes on."""
        self.value, self._frames = (0.0, 0) if value is None else (value, _SETTLED)

    def add(self, spread: float) -> None:
        """Take in the share of one more frame."""
        self._frames = min(self._frames + 1, _SETTLED)
        new = 1 / self._frames
        # Not by adding squares: 0 times inf is no number, and the first frame has all the say.
        before = self.value * math.sqrt(1 - new) if self._frames > 1 else 0.0
        self.value = math.hypot(spread * math.sqrt(new), before)
