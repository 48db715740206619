"""One piece of furniture in its own frame: solids, and where other things may stand on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.simulation.shapes import Part


@dataclass(frozen=True)
class Shelf:
    """A level rectangle things can stand on: half sizes and centre in the piece's own frame."""

    half_x: float
    half_y: float
    z: float
    y: float = 0.0


@dataclass(frozen=True)
class Model:
    """One piece: its parts and where things may be put on it."""

    parts: Sequence[Part]
    shelf: Shelf | None = None

    def scaled(self, scale: NDArray[np.float64]) -> Model:
        """The same piece stretched along its own axes by (3,) factors."""
        x, y, z = map(float, scale)
        shelf = self.shelf and Shelf(
            self.shelf.half_x * x, self.shelf.half_y * y, self.shelf.z * z, self.shelf.y * y
        )
        return Model([replace(p, vertices=p.vertices * scale) for p in self.parts], shelf)

    def moved(self, y: float) -> Model:
        """The same piece ``y`` metres further forward in its own frame."""
        shelf = self.shelf and replace(self.shelf, y=self.shelf.y + y)
        return Model(
            [replace(p, vertices=p.vertices + np.array([0.0, y, 0.0])) for p in self.parts], shelf
        )
