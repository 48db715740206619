"""Which way is up in a window of images: across the floor, or as the cameras were held."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from spatial_vlm_ros.geometry.deviation import deviation
from spatial_vlm_ros.scene_frame import inverse, level_frame

Floats = NDArray[np.float64]

_FEWEST, _SEEN = 100, 2000  # points that are looked at
_SETS = 400  # of three neighbours that are tried
_NEIGHBOURS = 0.08  # of the points lie nearer than those that make a set
_PLANES = 6  # levels that are looked for: floor, seats, tables, ceiling
_LARGE = 0.05  # of the points are on a floor, at least
_UNDER = 0.2  # of the points may seem to lie under it: reflections, errors
_THICK = 1.6  # deviations of depth to the spread of a slab's points; evenly filled it is 2.2
_PARALLEL = math.cos(math.radians(6))
_ROUNDS = 5
_INDEPENDENT = 6  # points that err alone: neighbours err alike, and more say no more


@dataclass(frozen=True)
class Floor:
    """The plane up · x = offset, in a window's frame and unit.

    up: (3,) unit vector. spread: deviation of the floor's points from it. share: of all points that
    are on it. height_spread: deviation of the height of the cameras over it: a floor that is seen
    far away only may be a little higher or lower below the cameras.
    """

    up: Floats
    offset: float
    spread: float
    share: float
    height_spread: float

    def height(self, points: NDArray[np.floating]) -> Floats:
        """Of points (..., 3) over the floor."""
        heights: Floats = points @ self.up - self.offset
        return heights


def mean_up(T_window_camera: Floats) -> Floats:
    """(3,) the mean of where the images' tops point, of cameras (n, 4, 4)."""
    up = -np.mean(T_window_camera[:, :3, 1], axis=0)
    length = float(np.linalg.norm(up))
    return up / length if length > 1e-6 else -T_window_camera[0, :3, 1]


def up_from_floor(points_window: NDArray[np.floating], T_window_camera: Floats) -> Floats | None:
    """(3,) up, across the floor in points (n, 3); None when no floor is seen."""
    floor = find_floor(points_window, T_window_camera)
    return None if floor is None else floor.up


def find_floor(
    points_window: NDArray[np.floating],
    T_window_camera: Floats,
    up_window: Floats | None = None,
    tilt: float = 30.0,
    noise: float = 0.02,
) -> Floor | None:
    """The lowest large level in points (n, 3) seen by cameras (n, 4, 4); None: there is none.

    up_window: (3,) up so far as it is known; None: as the cameras are held on average. tilt: by
    how many degrees it may be wrong. noise: of depth, as a share of it. A floor has a twentieth of
    the points, no more than a fifth under it, and all cameras above it. Of the points 30 % may be
    anywhere.
    """
    up = mean_up(T_window_camera) if up_window is None else up_window / np.linalg.norm(up_window)
    points = points_window[np.all(np.isfinite(points_window), axis=1)].astype(np.float64)
    random = np.random.default_rng(0)
    points = points[random.permutation(len(points))[:_SEEN]]
    if len(points) < _FEWEST:
        return None
    centres = T_window_camera[:, :3, 3]
    search = _Search(centres.mean(axis=0), up, math.cos(math.radians(tilt)), noise, random)
    levels = search.levels(points)
    # Floor, tables and ceiling are parallel; a plane through corners of things is so to none.
    parallel = [[b for b in levels if b.up @ a.up > _PARALLEL] for a in levels]
    backing = [sum(level.share for level in group) for group in parallel]
    floors = [
        _together(level, group, search.centre)
        for level, group, backed in zip(levels, parallel, backing, strict=True)
        if backed >= max(backing) / 2
        and np.all(level.height(centres) > 0)
        and np.mean(level.height(points) < -3 * search.tolerance(level)) <= _UNDER
    ]
    return max(floors, key=lambda floor: float(floor.height(search.centre)), default=None)


def level(up_window: NDArray[np.floating], T_window_camera: Floats) -> Floats:
    """(4, 4) T_level_window: to the upright frame at a camera (4, 4), as of ``level_frame``.

    Its origin is the camera's centre, z is up, x the optical axis projected on the ground.
    """
    z = np.asarray(up_window, np.float64) / np.linalg.norm(up_window)
    y = np.cross(z, np.eye(3)[np.argmin(np.abs(z))])
    y /= np.linalg.norm(y)
    T_upright_window = np.eye(4)
    T_upright_window[:3, :3] = np.cross(y, z), y, z
    return inverse(level_frame(T_upright_window @ T_window_camera)) @ T_upright_window


@dataclass(frozen=True)
class _Level:
    """Points on a plane: its normal up, their centre, their scatter (3, 3), deviation, share."""

    up: Floats
    centre: Floats
    scatter: Floats
    spread: float
    share: float

    def height(self, points: Floats) -> Floats:
        """Of points (..., 3) over it."""
        heights: Floats = (points - self.centre) @ self.up
        return heights


def _together(floor: _Level, parallel: list[_Level], centre: Floats) -> Floor:
    """A level as the floor, across the up that it and its parallels agree on."""
    weight = sum(level.share for level in parallel)
    scatter = sum(level.share / weight * level.scatter for level in parallel)
    sizes, axes = np.linalg.eigh(scatter)
    up = axes[:, 0] * np.sign(axes[:, 0] @ floor.up)
    # How far the cameras are from where it was seen, in deviations of the points there.
    away = (centre - floor.centre) @ axes[:, 1:] / np.sqrt(sizes[1:] + 1e-24)
    lever = math.sqrt((1 + float(away @ away)) / _INDEPENDENT)
    offset = float(up @ floor.centre)
    return Floor(up, offset, floor.spread, floor.share, lever * floor.spread)


@dataclass(frozen=True)
class _Search:
    """For large planes across ``up``, to within an angle of that cosine, seen from ``centre``."""

    centre: Floats
    up: Floats
    cosine: float
    noise: float
    random: np.random.Generator

    def tolerance(self, plane: _Level) -> float:
        """Deviation of points on it: an error along a ray that meets a plane aslant moves the
        point off it by the same share of the camera's distance from the plane, however far it is.
        """
        return self.noise * abs(float(plane.height(self.centre)))

    def levels(self, points: Floats) -> list[_Level]:
        """Planes, each of what the ones before have left."""
        found: list[_Level] = []
        left = points
        for _ in range(_PLANES):
            best = self._most_supported(left)
            plane = None if best is None else self._refined(left, best)
            if plane is None:
                break
            plane = replace(plane, share=plane.share * len(left) / len(points))
            if plane.share < _LARGE:
                break
            tolerance = self.tolerance(plane)
            if plane.up @ self.up >= self.cosine and plane.spread < _THICK * tolerance:
                found.append(plane)
            left = left[np.abs(plane.height(left)) > max(4 * plane.spread, 2 * tolerance)]
            if len(left) < _LARGE * len(points):
                break
        return found

    def _most_supported(self, points: Floats) -> _Level | None:
        """The plane through three neighbours that has most points near it."""
        near = max(3, round(_NEIGHBOURS * len(points)))
        first = self.random.integers(len(points), size=_SETS)
        _, neighbours = cKDTree(points).query(points[first], near)
        chosen = self.random.integers(1, near, size=(2, _SETS))
        second, third = neighbours[np.arange(_SETS), chosen]
        across = np.cross(points[second] - points[first], points[third] - points[first])
        length = np.linalg.norm(across, axis=1)
        normals = across / np.maximum(length, 1e-300)[:, None]
        normals *= np.sign(normals @ self.up)[:, None]
        level = (length > 0) & (normals @ self.up >= self.cosine)
        if not np.any(level):
            return None
        normals, first = normals[level], first[level]
        offsets = np.sum(normals * points[first], axis=1)
        tolerances = self.noise * np.abs(normals @ self.centre - offsets)
        support = np.count_nonzero(np.abs(points @ normals.T - offsets) < tolerances, axis=0)
        best = int(np.argmax(support))
        return _Level(normals[best], points[first[best]], np.zeros((3, 3)), math.inf, 0.0)

    def _refined(self, points: Floats, plane: _Level) -> _Level | None:
        """The plane by least squares of the points that are on it; share is of ``points``."""
        for _ in range(_ROUNDS):
            tolerance = self.tolerance(plane)
            width = 3 * min(max(plane.spread, tolerance / 10), tolerance)
            errors = plane.height(points)
            near = np.abs(errors) < width
            on = points[near]
            if len(on) < _FEWEST * _LARGE:
                return None
            # Where a wall begins all points are on one side; least there, where they weigh little.
            weights = (1 - (errors[near] / width) ** 2) ** 2
            centre = np.average(on, axis=0, weights=weights)
            scatter = np.cov(on.T, aweights=weights, ddof=0)
            normal = np.linalg.eigh(scatter)[1][:, 0]
            normal *= np.sign(normal @ plane.up)
            spread = deviation((on - centre) @ normal)
            plane = _Level(normal, centre, scatter, spread, len(on) / len(points))
        return plane
