"""What objects stand on and hang on: sides that are seldom seen, but have a place to end at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.perception.walls import Wall
from spatial_vlm_ros.scene.box import Box

_FOOT = 0.06  # metres; a foot this near the floor or a surface stands on it
_AROUND = 0.06  # metres; the surface is looked for this far round the foot, if hidden below it
_FEW = 5  # fewer points are no surface
_THIN = 0.15  # metres; only things this thin hang on walls
_HANGING = 0.12  # metres; and no further from them than this
_PARALLEL = 0.985  # cosine between a wall's normal and the thin side's


@dataclass(frozen=True)
class Contacts:
    """Floor, walls and other objects' surfaces.

    floor_height: scene z, None while unknown. surfaces: (n, 3) points; owners: (n,) ids of the
    objects they are of.
    """

    floor_height: float | None
    walls: Sequence[Wall]
    surfaces: NDArray[np.float32]
    owners: NDArray[np.int64]

    @staticmethod
    def of(
        surfaces: Iterable[tuple[int, NDArray[np.float32]]],
        floor_height: float | None,
        walls: Sequence[Wall],
    ) -> Contacts:
        """From the ids and surfaces of the objects around."""
        pairs = list(surfaces)
        owners = np.repeat([owner for owner, _ in pairs], [len(points) for _, points in pairs])
        points = np.concatenate([np.empty((0, 3), np.float32), *(points for _, points in pairs)])
        return Contacts(floor_height, walls, points, owners.astype(np.int64))

    def complete(self, box: Box, owner: int) -> Box:
        """The box of object ``owner``, let down to its support and back to its wall."""
        return self._hung(self._let_down(box, owner))

    def _let_down(self, box: Box, owner: int) -> Box:
        support = self._support(box, owner)
        if support is None:
            return box
        height = box.top - support
        if height < 0.5 * box.height or height > 2 * box.height:
            return box
        return replace(box, z=support + height / 2, height=height)

    def _support(self, box: Box, owner: int) -> float | None:
        """Height of what the box all but stands on."""
        if self.floor_height is not None and abs(box.bottom - self.floor_height) < _FOOT:
            return self.floor_height
        near = np.abs(self.surfaces[:, 2] - box.bottom) <= _FOOT
        level = np.flatnonzero(near & (self.owners != owner))
        for grow in (0.0, 2 * _AROUND):
            place = replace(
                box,
                z=box.bottom,
                length=box.length + grow,
                width=box.width + grow,
                height=2 * _FOOT,
            )
            below = level[place.contains(self.surfaces[level])]
            if len(below) >= _FEW:
                return float(np.median(self.surfaces[below, 2]))
        return None

    def _hung(self, box: Box) -> Box:
        along = np.array([np.cos(box.yaw), np.sin(box.yaw), 0.0])
        across = np.array([-along[1], along[0], 0.0])
        for wall in self.walls:
            before = float(box.center @ wall.normal - wall.offset)
            thin_along = abs(along @ wall.normal) > _PARALLEL
            thickness = box.length if thin_along else box.width
            parallel = thin_along or abs(across @ wall.normal) > _PARALLEL
            gap = before - thickness / 2
            if not (parallel and thickness < _THIN and -thickness < gap < _HANGING):
                continue
            if not wall.along[0] < box.center @ wall.tangent < wall.along[1]:
                continue
            full = before + thickness / 2
            x, y, _ = box.center + (full / 2 - before) * wall.normal
            if thin_along:
                return replace(box, x=float(x), y=float(y), length=full).canonical()
            return replace(box, x=float(x), y=float(y), width=full).canonical()
        return box
