"""Mean relative accuracy, how VSI-Bench scores numbers (its section 3.3)."""

from __future__ import annotations

import math

import numpy as np

#: A score counts the share of these that one less the relative error reaches.
CONFIDENCES = np.linspace(0.5, 0.95, 10)


def mean_relative_accuracy(given: float | None, right: float) -> float:
    """0..1, in steps of 0.1. None, no number at all, is wrong; the published code stops at a truth
    of 0, of which nothing but 0 is right here.
    """
    if given is None or not math.isfinite(given):
        return 0.0
    if right == 0:
        return float(given == 0)
    return float((abs(given - right) / right <= 1 - CONFIDENCES).mean())
