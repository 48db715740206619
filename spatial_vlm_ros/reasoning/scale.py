"""How well the lengths of a scene are known, how they are said, and what that leaves open.

All lengths of a scene are off by the same factor, which is known to a share of it. What is nearer,
larger or further left is so whatever the factor; only against a length that somebody says can it
turn out either way.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spatial_vlm_ros.reasoning.units import AREAS, LENGTHS

#: A length that is said, nearer to the one measured than this many spreads, may be more or less.
SIGMAS = 2.0
NOT_METRIC = (
    "The scene is not metric: its lengths are in a unit of unknown size, so I cannot tell or obey "
    "any in metres. A depth camera, odometry, a network for metric depth, or the camera's height "
    "over the floor would give the mapper that size."
)
_POWERS = {**dict.fromkeys(LENGTHS, 1), **dict.fromkeys(AREAS, 2), "m3": 3}
_UNKNOWN = {1: "units", 2: "square units", 3: "cubic units"}


@dataclass(frozen=True)
class Scale:
    """``spread``: the share (1 sigma) by which all lengths may be off; inf: they are no metres."""

    spread: float = 0.0

    @property
    def metric(self) -> bool:
        """Whether lengths are metres at all."""
        return math.isfinite(self.spread)

    @property
    def unit(self) -> str:
        """Of lengths as they are said."""
        return "m" if self.metric else _UNKNOWN[1]

    @property
    def share(self) -> str:
        """The spread, like "± 10 %"; "" where there is none to tell."""
        percent = 100 * self.spread
        return f"± {percent:.{2 if percent < 99 else 3}g} %" if 0 < self.spread < math.inf else ""

    @property
    def known(self) -> str:
        """The reason for a doubt."""
        return f"lengths here are known to {self.share}"

    def of(self, value: float, unit: str) -> float:
        """1 sigma of a measure in its unit; 0 for what is no length, area or volume.

        An area is off by twice the share of a length, a volume by three times.
        """
        power = _POWERS.get(unit, 0)
        if not self.metric:
            return math.inf if power else 0.0
        return power * self.spread * abs(value)

    def said(self, value: float, unit: str = "m", most: int = 2) -> str:
        """A measure in words, like "2.1 m ± 0.2"; "2.10 units" where that is all that is known."""
        if not self.metric:
            return f"{value:.{most}f} {_UNKNOWN[_POWERS[unit]]}"
        return said(value, unit, self.of(value, unit), most)

    def compared(self, values: Iterable[float], unit: str = "m") -> list[str]:
        """Measures that are held against each other, like "2.10 m", the last with their share.

        They are off together: digits below the spread still tell which is more.
        """
        *others, last = (Scale(0 if self.metric else math.inf).said(v, unit) for v in values)
        return [*others, f"{last}, all {self.share}" if self.share else last]

    def leaves_open(self, metres: ArrayLike, bound: float) -> NDArray[np.bool_]:
        """(...) whether lengths (...) may as well be on the other side of one that was said."""
        metres = np.asarray(metres, dtype=np.float64)
        return np.asarray(np.abs(metres - bound) < SIGMAS * self.spread * metres)


def said(value: float, unit: str, spread: float, most: int = 2) -> str:
    """A number with the decimals that its spread leaves, at most ``most``, and the spread.

    >>> said(2.1, "m", 0.21), said(0.8, "m", 0.012), said(0.8, "m", 0.0)
    ('2.1 m ± 0.2', '0.80 m ± 0.01', '0.80 m')
    """
    return f"{value:.{_decimals(spread, most)}f} {unit}{plus_minus(spread, most)}"


def plus_minus(spread: float, most: int = 2) -> str:
    """Like " ± 0.2": one digit, two where the first is a 1; "" where that is not ``most`` decimals.

    >>> plus_minus(0.21), plus_minus(0.123), plus_minus(12.3), plus_minus(0.004)
    (' ± 0.2', ' ± 0.12', ' ± 12', '')
    """
    written = f"{spread:.{_decimals(spread, most)}f}"
    return f" ± {written}" if float(written) else ""


def _decimals(spread: float, most: int) -> int:
    if not 0 < spread < math.inf:
        return most
    first = math.floor(math.log10(spread))
    digits = 2 if spread < 1.95 * 10.0**first else 1
    return min(max(digits - 1 - first, 0), most)
