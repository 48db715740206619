"""How far errors go of which a part is far too large."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_GAUSS = 1.4826  # a deviation, over the median of absolute errors


def deviation(errors: NDArray[np.float64]) -> float:
    """Deviation of those of the errors (n,) that are right; less than half may be wrong."""
    return _GAUSS * float(np.median(np.abs(errors)))
