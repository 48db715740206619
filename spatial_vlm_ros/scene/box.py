"""The 7-DoF box (SSR section 3.3): centre, size and yaw, in the scene frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Box:
    """An upright box in scene coordinates (metres, radians, z up).

    ``length`` lies along the box's own x axis, ``width`` along y, ``height`` along z; ``yaw``
    turns the box about z by the right hand. Boxes have no front, so the canonical form has
    length >= width and yaw in [-pi/2, pi/2); use :meth:`canonical`.
    """

    x: float
    y: float
    z: float
    length: float
    width: float
    height: float
    yaw: float

    @property
    def center(self) -> NDArray[np.float64]:
        """(3,) centre in scene coordinates."""
        return np.array([self.x, self.y, self.z])

    @property
    def size(self) -> NDArray[np.float64]:
        """(3,) length, width, height."""
        return np.array([self.length, self.width, self.height])

    def canonical(self) -> Box:
        """The same box with length >= width and yaw in [-pi/2, pi/2)."""
        length, width, yaw = self.length, self.width, self.yaw
        if length < width:
            length, width, yaw = width, length, yaw + np.pi / 2
        yaw = (yaw + np.pi / 2) % np.pi - np.pi / 2
        return Box(self.x, self.y, self.z, length, width, self.height, float(yaw))
