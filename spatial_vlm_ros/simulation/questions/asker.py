"""Which objects may be asked about, and what to call them so that nothing else is meant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.scene.box import Box
from spatial_vlm_ros.simulation.questions import exact
from spatial_vlm_ros.simulation.truth import TrueObject, Truth, well_seen

MARGIN_M = 0.2  # by how much compared distances must differ
APPEARED_PIXELS = (30, 600)  # an appearance may be noticed anywhere between these, at 640x480


@dataclass(frozen=True)
class Sightings:
    """Pixels with depth of every instance in every image: ``pixels`` (images, ids).

    ``area`` is the image's size relative to 640x480.
    """

    stamps_ns: NDArray[np.int64]
    pixels: NDArray[np.int64]
    area: float

    def appearance(self, number: int) -> tuple[float, float] | None:
        """Earliest and latest second at which one may say that the object appeared."""
        times = []
        for least in APPEARED_PIXELS:
            seen = np.flatnonzero(self.pixels[:, number] >= least * self.area)
            if not len(seen):
                return None
            times.append(float(self.stamps_ns[seen[0]] - self.stamps_ns[0]) / 1e9)
        return times[0], times[1]


class Asker:
    """A recording's objects as a questioner sees them.

    ``seen`` are the well seen objects, ``named`` those of them that a phrase fits alone among all
    objects there are, seen or not. ``robot`` is where the camera was last, ``robot_ahead`` a point
    before it: boxes of no size.
    """

    def __init__(self, truth: Truth, sightings: Sightings) -> None:
        self.truth, self.sightings = truth, sightings
        self._categories = Counter(item.category for item in truth.objects)
        self._colours = Counter((item.colour, item.category) for item in truth.objects)
        self.seen = [item for item in truth.objects if well_seen(item)]
        self.named = [item for item in self.seen if self.name(item)]
        robot = np.linalg.inv(truth.T_map_scene) @ truth.T_map_camera[-1]
        self.robot = _point(robot[:3, 3])
        self.robot_ahead = _point(robot[:3, 3] + robot[:3, 2])
        self.distance = cache(lambda a, b: exact.distance(truth[a].box, truth[b].box))

    def name(self, item: TrueObject) -> str:
        """The shortest phrase that fits this object alone; empty when there is none."""
        if self._categories[item.category] == 1:
            return item.category
        if self._colours[item.colour, item.category] == 1:
            return f"{item.colour} {item.category}"
        return ""

    def groups(self) -> Iterator[tuple[str, list[TrueObject]]]:
        """Categories with several objects, every one well seen."""
        for category, count in self._categories.items():
            members = [item for item in self.seen if item.category == category]
            if count == len(members) >= 2:
                yield category, members

    def extreme(
        self, members: Sequence[TrueObject], landmark: TrueObject, sign: int
    ) -> TrueObject | None:
        """The nearest (``sign`` 1) or furthest (-1) of them from the landmark, if clearly so."""
        if landmark in members:
            return None
        reach = {item.id: sign * self.distance(item.id, landmark.id) for item in members}
        first, second = sorted(members, key=lambda item: reach[item.id])[:2]
        return first if reach[second.id] - reach[first.id] >= MARGIN_M else None


def _point(place: NDArray[np.float64]) -> Box:
    x, y, z = map(float, place)
    return Box(x, y, z, 0.0, 0.0, 0.0, 0.0)


def plural(noun: str) -> str:
    """English plural of a category."""
    if noun.endswith("shelf"):
        return noun[:-1] + "ves"
    return noun + ("es" if noun.endswith(("x", "s", "ch")) else "s")
