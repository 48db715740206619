"""Metres per unit from window to window: a Kalman filter on its logarithm."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.geometry.config import ScaleConfig
from spatial_vlm_ros.geometry.scale import ScaleEstimate

_LEAST = 1e-6  # spread that is taken for a window beside what lasts


class ScaleTracker:
    """What sources say of each window, fused by how sure they are and gated by each other.

    disagreements: of the last ``update``, in words; what they name was not used. Beside the
    logarithm the filter's state has an error of each source that lasts: a source that is 2 % off
    in every window leaves 2 % of spread after any number of them.
    """

    def __init__(self, config: ScaleConfig) -> None:
        self.config = config
        self.reset()

    def reset(self) -> None:
        """Forget all windows."""
        size = 1 + len(self.config.sources)
        self.disagreements: list[str] = []
        self._mean: NDArray[np.float64] | None = None
        self._covariance = np.zeros((size, size))
        self._against: list[ScaleEstimate] = []  # windows in a row that contradict the state

    @property
    def metres_per_unit(self) -> float | None:
        """Of the unit of the present window; None: it is not known yet."""
        return None if self._mean is None else math.exp(float(self._mean[0]))

    @property
    def spread(self) -> float:
        """1 sigma as a share; inf: not known yet."""
        return math.inf if self._mean is None else math.sqrt(float(self._covariance[0, 0]))

    def carry(self, ratio: float, spread: float) -> None:
        """A window in another unit follows: ``ratio`` old ones, and how sure that is (a share)."""
        if not (0 < ratio < math.inf and 0 <= spread < math.inf):
            raise ValueError(f"the unit of a window is {ratio} ± {spread} times the last one's")
        self._against = [
            replace(seen, metres_per_unit=seen.metres_per_unit * ratio) for seen in self._against
        ]
        if self._mean is not None:
            self._mean[0] += math.log(ratio)
            self._covariance[0, 0] += spread**2

    def update(self, estimates: Sequence[ScaleEstimate]) -> None:
        """Take in what sources say of the present window.

        One that contradicts a more trusted one is left out. If the most trusted one contradicts the
        windows so far, the whole window is; ``patience`` such windows in a row that agree with each
        other are right, and the windows before them are forgotten.
        """
        self.disagreements = []
        trusted = self._trusted(estimates)
        if not trusted:
            return
        so_far = self.metres_per_unit
        if so_far is not None and self._apart(
            trusted[0], ScaleEstimate(so_far, self.spread, "the windows so far")
        ):
            if any(self._apart(trusted[0], seen) for seen in self._against):
                self._against = []
            self._against.append(trusted[0])
            if len(self._against) < self.config.patience:
                return
            self._mean = None
        self._against = []
        for estimate in trusted:
            self._take_in(estimate)

    def _trusted(self, estimates: Sequence[ScaleEstimate]) -> list[ScaleEstimate]:
        """Those of configured sources that contradict none before them, in the order of trust."""
        order = self.config.sources
        found: list[ScaleEstimate] = []
        for estimate in sorted(
            (estimate for estimate in estimates if estimate.source in order),
            key=lambda estimate: order.index(estimate.source),
        ):
            if not any(self._apart(estimate, better) for better in found):
                found.append(estimate)
        return found

    def _apart(self, estimate: ScaleEstimate, other: ScaleEstimate) -> bool:
        """Whether an estimate contradicts another, which is told."""
        apart = abs(math.log(estimate.metres_per_unit / other.metres_per_unit))
        if apart <= self.config.gate * math.hypot(estimate.spread, other.spread):
            return False
        self.disagreements.append(
            f"{estimate.source} says {estimate.metres_per_unit:.3g} m per unit, "
            f"{other.source} {other.metres_per_unit:.3g}"
        )
        return True

    def _take_in(self, estimate: ScaleEstimate) -> None:
        """Kalman's update: log(metres per unit) = state + the source's lasting error + noise."""
        value, lasting = math.log(estimate.metres_per_unit), min(estimate.lasting, estimate.spread)
        noise = max(estimate.spread**2 - lasting**2, _LEAST**2)
        index = 1 + self.config.sources.index(estimate.source)
        covariance = self._covariance
        if self._mean is None:
            self._mean = np.zeros(len(covariance))
            self._mean[0] = value
            covariance[:] = 0.0
            covariance[0, 0] = lasting**2 + noise
            covariance[index, index] = lasting**2
            covariance[0, index] = covariance[index, 0] = -(lasting**2)
            return
        if covariance[index, index] == 0.0:  # not heard before
            covariance[index, index] = lasting**2
        sees = np.zeros(len(covariance))
        sees[[0, index]] = 1.0
        gain = covariance @ sees / (sees @ covariance @ sees + noise)
        self._mean += gain * (value - sees @ self._mean)
        keeps = np.eye(len(covariance)) - np.outer(gain, sees)
        self._covariance = keeps @ covariance @ keeps.T + noise * np.outer(gain, gain)
