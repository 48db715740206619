"""Walls: large vertical planes with nothing behind them, remembered from frame to frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.config import GeometricConfig
from spatial_vlm_ros.perception.points import PointMap, between

_UPRIGHT = 0.25  # a vertical surface's normal rises by less than this
_AZIMUTHS = 72  # bins of the direction of vertical surfaces
_OFFSET_BIN = 0.04  # metres
_PARALLEL = 0.94  # cosine between the normals of a plane and of a surface on it (20 degrees)
_BEHIND = 0.25  # share of the points beside a plane that may lie behind it (doorways, windows)
_MARGIN = 0.4  # metres a wall is believed to go on beyond what was seen of it
_GAP = 0.3  # metres along a wall without a point of it, beyond which it is another's
_THICK = 0.15  # metres behind its face that are a wall's body, as doorways show it
_LOW = 1.0  # metres; no wall shows less of its height
_MAX_WALLS = 200
_SHARP_RANGE = 4.5  # metres; planes are fitted to nearer points only
_STEP = 3  # every third grid cell in both directions is enough to find a wall


@dataclass
class Wall:
    """normal . p = offset, the normal level and towards the seen side; along and up: (2,) from
    where to where it was seen, metres; weight: how well the plane is known.
    """

    normal: NDArray[np.float64]
    offset: float
    along: NDArray[np.float64]
    up: NDArray[np.float64]
    weight: float

    @property
    def tangent(self) -> NDArray[np.float64]:
        """Level unit vector along the wall."""
        return np.array([-self.normal[1], self.normal[0], 0.0])


class Walls:
    """The walls seen so far, in scene coordinates.

    revision grows when one is added, moved or noticeably lengthened.
    """

    def __init__(self, config: GeometricConfig) -> None:
        self.config = config
        self.found: list[Wall] = []
        self.revision = 0

    def update(
        self,
        points: PointMap,
        normals: NDArray[np.float32],
        known: NDArray[np.bool_],
        rest: NDArray[np.bool_],
        floor_height: float | None,
    ) -> None:
        """Look for walls among the points of ``rest`` (h, w)."""
        pick = (slice(None, None, _STEP), slice(None, None, _STEP))
        rest, normal, depth = rest[pick], normals[pick], points.depth[pick]
        upright = rest & known[pick] & (np.abs(normal[..., 2]) < _UPRIGHT)
        upright &= depth < _SHARP_RANGE
        if upright.sum() < 100:
            return
        everything = points.points_scene[pick]
        position, normal, depth = everything[upright], normal[upright], depth[upright]
        everything = everything[rest]
        for wall in _planes(position, normal, depth):
            near = np.abs(position @ wall.normal - wall.offset) < self.config.plane_distance
            near &= normal @ wall.normal > _PARALLEL
            place = position[near]
            run = _longest_run(place @ wall.tangent)
            if run.sum() < 50:
                continue
            if run.sum() < len(place):  # the rest is something else that was in line by chance
                place, far = place[run], depth[near][run]
                wall = _refined(place, far, wall.normal)
            _measure(wall, place)
            if self._is_wall(wall, everything, floor_height):
                self._remember(wall)

    def contain(
        self,
        points: PointMap,
        normals: NDArray[np.float32],
        known: NDArray[np.bool_],
        tolerance: NDArray[np.float32],
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """(h, w) points on a wall within ``tolerance``, and those that are so beyond doubt."""
        on_wall, surely = np.zeros((2, points.depth.size), np.bool_)
        eye = points.T_scene_camera[:3, 3]
        steep = points.valid & (np.abs(normals[..., 2]) < 0.5)
        position, normal = points.points_scene.reshape(-1, 3), normals.reshape(-1, 3)
        for wall in self.found:
            if eye @ wall.normal < wall.offset:
                continue
            axis = wall.normal.astype(np.float32)
            before = points.points_scene @ axis - np.float32(wall.offset)
            cells = np.flatnonzero(steep & (before < tolerance) & (before > -_THICK))
            along = position[cells] @ wall.tangent.astype(np.float32)
            cells = cells[(along > wall.along[0] - _MARGIN) & (along < wall.along[1] + _MARGIN)]
            distance, facing = before.reshape(-1)[cells], normal[cells] @ axis > _PARALLEL
            body = distance < 0.5 * tolerance.reshape(-1)[cells]  # a jamb, too
            on_wall[cells[facing | body | ~known.reshape(-1)[cells]]] = True
            surely[cells[facing & (np.abs(distance) < self.config.plane_distance)]] = True
        return on_wall.reshape(steep.shape), surely.reshape(steep.shape)

    def _is_wall(
        self, wall: Wall, everything: NDArray[np.float32], floor_height: float | None
    ) -> bool:
        """Large, or reaching higher than furniture does, and with nothing to be seen behind it."""
        length, height = np.ptp(wall.along), np.ptp(wall.up)
        large = length >= self.config.wall_length and height >= self.config.wall_height
        tall = floor_height is not None and wall.up[1] > floor_height + self.config.wall_top
        if not large and not (tall and height > _LOW):
            return False
        along = everything @ wall.tangent
        beside = (along > wall.along[0]) & (along < wall.along[1])
        beside &= (everything[:, 2] > wall.up[0]) & (everything[:, 2] < wall.up[1])
        behind = everything @ wall.normal < wall.offset - 0.1
        return bool((beside & behind).sum() <= _BEHIND * max(beside.sum(), 1))

    def _remember(self, new: Wall) -> None:
        """Add a wall, or join it to the known ones it continues; the best measured plane stays."""
        same = [wall for wall in self.found if _same_plane(wall, new)]
        if not same:
            self.found = [*self.found, new][-_MAX_WALLS:]
            self.revision += 1
            return
        wall, joined = same[0], {id(other) for other in same[1:]}
        self.found = [other for other in self.found if id(other) not in joined]
        for other in [*same[1:], new]:
            if other.weight > wall.weight:
                self.revision += abs(wall.offset - other.offset) > 0.01
                wall.normal, wall.offset, wall.weight = other.normal, other.offset, other.weight
            ends, up = np.array([wall.along, other.along]), np.array([wall.up, other.up])
            wall.along = np.array([ends[:, 0].min(), ends[:, 1].max()])
            self.revision += np.ptp(wall.along) > np.ptp(ends[0]) + 0.2
            wall.up = np.array([up[:, 0].min(), up[:, 1].max()])

    def hold(self, points_scene: NDArray[np.float32]) -> NDArray[np.bool_]:
        """(n,) whether points (n, 3) lie on a wall."""
        result = np.zeros(len(points_scene), np.bool_)
        for wall in self.found:
            distance = points_scene @ wall.normal - wall.offset
            on = (distance < self.config.plane_distance) & (distance > -_THICK)
            along = points_scene @ wall.tangent
            result |= on & (along > wall.along[0] - _MARGIN) & (along < wall.along[1] + _MARGIN)
        return result


def _longest_run(along: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    """(n,) which of these places on a line (n,) are of the run, without gaps, that has the most."""
    if len(along) == 0:
        return np.zeros(0, np.bool_)
    order = np.argsort(along)
    run = np.empty(len(along), np.int64)
    run[order] = np.cumsum(np.diff(along[order], prepend=along[order[0]]) > _GAP)
    return np.asarray(run == np.bincount(run).argmax())


def _same_plane(a: Wall, b: Wall) -> bool:
    """Whether the middle and the ends of ``b`` lie on ``a``, and no further from its ends."""
    if a.normal @ b.normal < 0.97:
        return False
    if b.along[0] > a.along[1] + _MARGIN or b.along[1] < a.along[0] - _MARGIN:
        return False
    places = np.append(b.along, b.along.mean())[:, None] * b.tangent
    places = places + b.normal * b.offset
    return bool(np.all(np.abs(places @ a.normal - a.offset) < (0.15, 0.15, 0.06)))


def _planes(
    position: NDArray[np.float32], normal: NDArray[np.float32], depth: NDArray[np.float32]
) -> list[Wall]:
    """Candidates: peaks of direction, and of offset in each direction."""
    area = depth**2
    azimuth = np.arctan2(normal[:, 1], normal[:, 0])
    turn = 2 * np.pi / _AZIMUTHS
    index = np.round(azimuth / turn).astype(int) % _AZIMUTHS
    histogram = np.bincount(index, area, _AZIMUTHS)
    histogram = histogram + 0.5 * (np.roll(histogram, 1) + np.roll(histogram, -1))
    result = []
    for peak in np.argsort(-histogram)[:8]:
        if histogram[peak] < max(histogram[peak - 1], histogram[(peak + 1) % _AZIMUTHS]):
            continue
        away = (azimuth - peak * turn + np.pi) % (2 * np.pi) - np.pi
        near = np.abs(away) < 1.5 * turn
        if near.sum() < 50:
            continue
        direction = np.average(normal[near, :2], axis=0, weights=area[near])
        direction = np.append(direction / np.linalg.norm(direction), 0.0)
        offset = position[near] @ direction
        bins = np.floor(offset / _OFFSET_BIN).astype(int)
        lowest = bins.min()
        counts = np.convolve(np.bincount(bins - lowest, area[near]), [1, 1, 1], "same")
        for best in np.argsort(-counts)[:3]:
            middle = (best + lowest + 0.5) * _OFFSET_BIN
            plane = np.abs(offset - middle) < 1.5 * _OFFSET_BIN
            if plane.sum() > 50 and np.ptp(position[near, 2][plane]) > _LOW:
                result.append(_refined(position[near][plane], depth[near][plane], direction))
    return result


def _refined(
    points: NDArray[np.float32], depth: NDArray[np.float32], direction: NDArray[Any]
) -> Wall:
    """Least squares vertical plane through points (n, 3), on the side of ``direction``.

    Its weight is the spread along the wall over the noise: how well its direction is known.
    """
    normal, limit, spread = direction, 1.5 * _OFFSET_BIN, np.zeros(2)
    trust = 1 / np.maximum(depth, 0.5) ** 2  # area times inverse variance of the noise
    offset = float(np.average(points @ normal, weights=trust))
    for _ in range(3):
        near = np.abs(points @ normal - offset) < limit
        if near.sum() < 50:
            break
        weight = trust[near] / trust[near].sum()
        middle = weight @ points[near, :2]
        local = points[near, :2] - middle
        spread, vectors = np.linalg.eigh((local * weight[:, None]).T @ local)
        normal = np.append(vectors[:, 0], 0.0)
        if normal @ direction < 0:
            normal = -normal
        points, trust, limit = points[near], trust[near], limit / 1.5
        offset = float(normal[:2] @ middle)
    ends = np.zeros(2)
    return Wall(normal, offset, ends, ends, float(spread[1] * trust.sum()))


def _measure(wall: Wall, points: NDArray[np.float32]) -> None:
    """Set how far the wall was seen to reach, stray points left out."""
    wall.along = between(points @ wall.tangent, 0.02).astype(float)
    wall.up = between(points[:, 2], 0.02).astype(float)
