"""Numbers as scene texts, boxes and answers say them."""

from __future__ import annotations

from collections.abc import Iterable


def two_decimals(value: float) -> str:
    """Never "-0.00"."""
    return f"{round(value, 2) + 0.0:.2f}"  # adding 0 makes 0 of -0


def listed(values: Iterable[float]) -> str:
    """Like "[1.20, -0.35, 0.40]"."""
    return f"[{', '.join(map(two_decimals, values))}]"
