"""Where nothing is followed yet: when to search there, at which points, and what to accept."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.tracking.config import TrackerConfig
from spatial_vlm_ros.tracking.masks import stability
from spatial_vlm_ros.tracking.propagation import Candidate

Mask = NDArray[np.bool_]
Floats = NDArray[np.float32]

_SHIFTS = (0.7548776662466927, 0.5698402909980532)  # of Roberts: they fill a square evenly


class Prompting:
    """Decides when and where the network is asked what is there."""

    def __init__(self, config: TrackerConfig) -> None:
        self._config = config
        self.reset()

    def reset(self) -> None:
        """As before the first image."""
        self._waited: int | None = None
        self._uncovered = 1.0  # share of the image after the last search
        self._searches = 0

    def due(self, covered: Mask) -> bool:
        """Whether to search in this image. Called once for each; covered (h, w): by masks.

        The first image is searched, then every ``prompt_every``-th, and sooner when a larger share
        is uncovered than a search left: a turn of the camera shows new things at once.
        """
        if not self._config.prompt_every:
            return False
        uncovered = 1.0 - float(covered.mean())
        waited = self._waited
        self._waited = 1 if waited is None else waited + 1
        return (
            waited is None
            or self._waited >= self._config.prompt_every
            or uncovered > self._uncovered + self._config.prompt_uncovered
        )

    def searched(self, covered: Mask) -> None:
        """A search has been done, after which this is covered (h, w)."""
        self._waited = 0
        self._uncovered = 1.0 - float(covered.mean())
        self._searches += 1

    def points(self, covered: Mask, height: int, width: int) -> Floats:
        """(n, 2) float32 points (u, v) in pixels of the image, on a grid where nothing covers it.

        The grid is shifted from search to search, so that small things come to lie under a point.
        With more than ``prompt_points`` of them, evenly spread ones are taken.
        """
        step = max(height, width) / self._config.prompt_grid
        shift = [((self._searches + 1) * factor) % 1.0 for factor in _SHIFTS]
        u, v = np.meshgrid(
            np.arange(shift[0] * step, width, step), np.arange(shift[1] * step, height, step)
        )
        points = np.stack([u.reshape(-1), v.reshape(-1)], 1)
        rows = (points[:, 1] * covered.shape[0] / height).astype(int)
        columns = (points[:, 0] * covered.shape[1] / width).astype(int)
        free = points[~covered[rows, columns]]
        if len(free) > self._config.prompt_points:
            spread = np.linspace(0, len(free) - 1, self._config.prompt_points)
            free = free[np.rint(spread).astype(int)]
        return free.astype(np.float32)

    def accepted(
        self, candidates: Sequence[Candidate], covered: Mask, limit: int
    ) -> list[Candidate]:
        """The candidates to follow, at most ``limit``, the largest first.

        One has to fit and to be stable, neither tiny nor most of the image, and mostly where
        neither what is ``covered`` (h, w) nor a larger one accepted before it is.
        """
        config = self._config
        low, high = config.min_area * covered.size, config.max_area * covered.size
        fit: list[tuple[int, float, Candidate]] = []
        for candidate in candidates:
            area = int(np.count_nonzero(candidate.logits > 0))
            if (
                candidate.quality >= config.min_quality
                and area
                and low <= area <= high
                and stability(candidate.logits) >= config.min_stability
            ):
                fit.append((area, candidate.quality, candidate))
        taken = covered.copy()
        chosen: list[Candidate] = []
        for area, _, candidate in sorted(fit, key=lambda one: (-one[0], -one[1])):
            if len(chosen) == limit:
                break
            mask = candidate.logits > 0
            if np.count_nonzero(mask & taken) <= config.max_overlap * area:
                chosen.append(candidate)
                taken |= mask
        return chosen
