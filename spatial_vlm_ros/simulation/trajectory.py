"""The robot's drive: through every room round the furniture, turning to look about.

The base moves in any direction (omnidirectional), so it can look round while it drives. Poses are
of the base on the floor: x, y, yaw in the map frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.interpolate import CubicSpline
from scipy.sparse.csgraph import dijkstra
from shapely.geometry.base import BaseGeometry

from spatial_vlm_ros.simulation.world import World

ROBOT_RADIUS = 0.25
STAND_STILL = 2.5  # seconds at the start and at the end, a little of it to start softly
SECONDS_PER_ROOM = 24.0
TURN_RATE = np.radians(36.0)
RAMP = 1.5  # seconds to reach cruising speed and turn rate
RESOLUTION = 0.05
STOPS_PER_ROOM = 5


class NoWay(Exception):
    """The furniture leaves no drivable tour."""


@dataclass(frozen=True)
class Drive:
    """A drive over time; times are seconds from its start, ``duration`` its end."""

    duration: float
    _x: CubicSpline
    _y: CubicSpline
    _yaw: CubicSpline

    def pose(self, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, 3) x, y, yaw (unwrapped) at those times."""
        t = np.clip(seconds, 0.0, self.duration)
        return np.stack([self._x(t), self._y(t), self._yaw(t)], axis=-1)


@dataclass(frozen=True)
class _Ground:
    """Where the robot's centre may be: a grid over the map."""

    x0: float
    y0: float
    free: NDArray[np.bool_]
    clearance: NDArray[np.float64]  # metres to what is not free

    def points(self, cells: NDArray[np.int64]) -> NDArray[np.float64]:
        """(n, 2) centres of (n, 2) cells (row, column)."""
        return np.stack([self.x0 + RESOLUTION * cells[:, 1], self.y0 + RESOLUTION * cells[:, 0]], 1)

    def is_free(self, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """(n,) whether (n, 2) points lie in free cells."""
        column = np.rint((points[:, 0] - self.x0) / RESOLUTION).astype(int)
        row = np.rint((points[:, 1] - self.y0) / RESOLUTION).astype(int)
        return self.free[row, column]


def plan_drive(world: World, rng: np.random.Generator) -> Drive:
    """A collision-free tour of all rooms. Raises :class:`NoWay` when the furniture forbids one."""
    ground = _ground(world)
    stops = [stop for room in range(len(world.plan.rooms)) for stop in _stops(world, ground, room)]
    path = _smooth(_path(ground, np.array(stops)), ground)
    drive = _timed(path, SECONDS_PER_ROOM * len(world.plan.rooms), rng)
    driven = drive.pose(np.arange(0.0, drive.duration, 0.05))[:, :2]
    if not shapely.contains_xy(_open_floor(world, ROBOT_RADIUS), driven).all():
        raise NoWay("rounding its corners brings the tour too close to something")
    return drive


def _open_floor(world: World, margin: float) -> BaseGeometry:
    """Floor at least ``margin`` from walls and from what is lower than the robot's head."""
    low = [item.footprint.buffer(margin) for item in world.objects if item.z_range[0] < 1.4]
    return world.plan.floor.buffer(-margin).difference(shapely.unary_union(low))


def _ground(world: World) -> _Ground:
    """Free cells, keeping the largest connected area only."""
    x0, y0, x1, y1 = world.plan.floor.bounds
    grid = np.meshgrid(np.arange(x0, x1, RESOLUTION), np.arange(y0, y1, RESOLUTION))
    free = shapely.contains_xy(_open_floor(world, ROBOT_RADIUS + RESOLUTION), *grid)
    areas, count = ndimage.label(free)
    if count == 0:
        raise NoWay("no free floor")
    free = areas == 1 + np.argmax(np.bincount(areas.ravel())[1:])
    return _Ground(x0, y0, free, ndimage.distance_transform_edt(free) * RESOLUTION)


def _stops(world: World, ground: _Ground, room: int) -> list[NDArray[np.int64]]:
    """Cells far apart in a room, in order round its middle."""
    cells = np.argwhere(ground.free)
    inside = shapely.contains_xy(world.plan.rooms[room].polygon, ground.points(cells))
    roomy = ground.clearance[tuple(cells.T)] > 0.1
    cells = cells[inside & roomy]
    if len(cells) * RESOLUTION**2 < 3.0:
        raise NoWay(f"less than 3 m2 to drive on in room {room}")
    chosen = [cells[np.linalg.norm(cells - cells.mean(axis=0), axis=1).argmax()]]
    while len(chosen) < STOPS_PER_ROOM:
        reach = np.min([np.linalg.norm(cells - stop, axis=1) for stop in chosen], axis=0)
        chosen.append(cells[reach.argmax()])
    away = np.array(chosen) - np.mean(chosen, axis=0)
    order = np.argsort(np.arctan2(away[:, 0], away[:, 1]))
    return [chosen[i] for i in order]


def _path(ground: _Ground, stops: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n, 2) points of the shortest way along the stops, wide berths preferred."""
    cells = np.argwhere(ground.free)
    numbers = np.full(np.add(ground.free.shape, 2), -1)  # a border keeps neighbours in range
    numbers[1:-1, 1:-1][ground.free] = np.arange(len(cells))
    dear = 1.0 + 0.15 / (0.05 + ground.clearance[tuple(cells.T)])
    graph = sparse.csr_array((len(cells), len(cells)))
    for step in ((0, 1), (1, 0), (1, 1), (1, -1)):
        there = numbers[tuple((cells + 1 + step).T)]
        here = np.flatnonzero(there >= 0)
        cost = np.hypot(*step) * dear[here]
        graph += sparse.csr_array((cost, (here, there[here])), shape=graph.shape)
    ids = numbers[tuple((stops + 1).T)]
    _, previous = dijkstra(graph, directed=False, indices=ids, return_predecessors=True)
    way = [ids[0]]
    for leg, (start, end) in enumerate(pairwise(ids)):
        back = [end]
        while back[-1] != start:
            if back[-1] < 0:
                raise NoWay("a stop cannot be reached")
            back.append(previous[leg][back[-1]])
        way.extend(back[-2::-1])
    return ground.points(cells[np.array(way)])


def _smooth(path: NDArray[np.float64], ground: _Ground) -> NDArray[np.float64]:
    """The path with its corners rounded as far as the ground stays free."""
    for _ in range(300):
        pulled = path.copy()
        pulled[1:-1] += 0.5 * ((path[:-2] + path[2:]) / 2 - path[1:-1])
        path = np.where(ground.is_free(pulled)[:, None], pulled, path)
    return path


def _timed(path: NDArray[np.float64], seconds: float, rng: np.random.Generator) -> Drive:
    """Drive the path at steady speed within about ``seconds``, turning steadily; soft starts."""
    steps = np.linalg.norm(np.diff(path, axis=0), axis=1)
    moved = np.concatenate([[True], steps > 1e-6])
    path, reach = path[moved], np.concatenate([[0.0], np.cumsum(steps)])[moved]
    speed = float(np.clip(reach[-1] / seconds, 0.25, 0.56))
    duration = reach[-1] / speed + RAMP
    t = np.arange(0.0, duration + 2 * STAND_STILL, 0.1)
    share = np.clip(t - STAND_STILL, 0.0, duration)
    cruised = _ramped(share, duration)
    along = np.interp(cruised / cruised[-1] * reach[-1], reach, np.arange(len(path)))
    x = np.interp(along, np.arange(len(path)), path[:, 0])
    y = np.interp(along, np.arange(len(path)), path[:, 1])
    soft = [ndimage.gaussian_filter1d(values, 3.0, mode="nearest") for values in (x, y)]
    start_yaw = np.arctan2(*(path.mean(axis=0) - path[0])[::-1])
    turn = TURN_RATE * rng.choice([-1.0, 1.0])
    return Drive(
        float(t[-1]),
        CubicSpline(t, soft[0]),
        CubicSpline(t, soft[1]),
        CubicSpline(t, start_yaw + turn * cruised),
    )


def _ramped(t: NDArray[np.float64], duration: float) -> NDArray[np.float64]:
    """Distance covered at unit cruising speed with smooth acceleration at both ends."""
    fine = np.linspace(0.0, duration, 2000)
    rise = np.clip(np.minimum(fine, duration - fine) / RAMP, 0.0, 1.0)
    rate = rise**2 * (3 - 2 * rise)
    covered = np.concatenate([[0.0], np.cumsum((rate[1:] + rate[:-1]) / 2 * np.diff(fine))])
    return np.interp(t, fine, covered)
