"""How well objects or boxes that were answered stand for those that are meant.

Boxes of ScanNet benchmarks are axis-aligned in the aligned scan: (n, 2, 3) arrays of least and
greatest corners, in metres.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Corners = NDArray[np.float64]
THRESHOLDS = (0.25, 0.5)
#: What the published code adds to the volume of the union, so that an IoU of exactly 0.5 misses.
_EPSILON = 1e-8


def overlaps(first: Corners, second: Corners) -> NDArray[np.float64]:
    """(n, m) IoU of axis-aligned boxes (n, 2, 3) and (m, 2, 3)."""
    low = np.maximum(first[:, None, 0], second[None, :, 0])
    high = np.minimum(first[:, None, 1], second[None, :, 1])
    common = np.prod(np.clip(high - low, 0, None), axis=-1)
    volumes = (np.prod(each[:, 1] - each[:, 0], axis=-1) for each in (first, second))
    one, other = volumes
    found: NDArray[np.float64] = common / (one[:, None] + other[None] - common + _EPSILON)
    return found


def f1(given: Corners, right: Corners) -> dict[float, float]:
    """F1 by threshold (Multi3DRefer's evaluator): boxes are matched so that the sum of IoU is
    greatest; of nothing meant nothing answered is right.
    """
    if not len(given) or not len(right):
        return dict.fromkeys(THRESHOLDS, float(len(given) == len(right)))
    found = overlaps(given, right)
    matched = found[linear_sum_assignment(found, maximize=True)]
    return {
        least: 2 * int((matched >= least).sum()) / (len(given) + len(right)) for least in THRESHOLDS
    }
