"""How far a system's confidence tells right answers from wrong ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.benchmarks.item import Judged

_BINS = 15


@dataclass(frozen=True)
class Calibration:
    """Of the answers that have a confidence, ``answers`` in number.

    error: expected calibration error, the mean distance between confidence and rightness in 15
    bins of equal width (Guo et al. 2017, equation 3). coverage, risk: (n,) share of the questions
    answered where only the surest are, and how wrong those are (Geifman and El-Yaniv 2017); area:
    the mean of that risk.
    """

    answers: int
    error: float
    coverage: NDArray[np.float64]
    risk: NDArray[np.float64]

    @property
    def area(self) -> float:
        """Mean risk over all coverages."""
        return float(self.risk.mean())


def calibration(judged: Sequence[Judged]) -> Calibration | None:
    """None where no answer has a confidence. Equally sure answers are taken together."""
    pairs = [
        (each.confidence, each.right["right"]) for each in judged if each.confidence is not None
    ]
    if not pairs:
        return None
    confidence, right = np.array(pairs, float).T
    bins = np.clip(np.ceil(confidence * _BINS) - 1, 0, _BINS - 1).astype(int)
    sums = (np.bincount(bins, weights, _BINS) for weights in (confidence, right))
    claimed, found = sums
    error = float(np.abs(claimed - found).sum() / len(confidence))

    order = np.argsort(-confidence, kind="stable")
    ends = np.flatnonzero(np.diff(confidence[order], append=-np.inf))  # of equally sure ones
    answered = ends + 1
    wrong = np.cumsum(1 - right[order])[ends]
    return Calibration(len(confidence), error, answered / len(confidence), wrong / answered)
