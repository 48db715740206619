"""Standing by one object and facing another: where is a third. Centres, seen from above."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.data.generators.vsi.asking import Chooser, Draft, Room
from spatial_vlm_ros.data.scenes import AnnotatedObject

Array = NDArray[np.float64]

#: The three objects are so far apart, each from each [m].
NEAR, FAR = 0.3, 5.0
#: The bearing is so far from the border of a sector, on either side [degrees].
MARGIN = 10.0
#: So many of the box's eight corners may lie in another sector than its centre.
STRAY = 2

#: Where sectors end, degrees to the left of straight ahead, and what they are called.
QUADRANTS = (90.0, 180.0, 270.0, 360.0), ("front-left", "back-left", "back-right", "front-right")
THIRDS = (135.0, 225.0, 360.0), ("left", "back", "right")

Sectors = tuple[tuple[float, ...], tuple[str, ...]]


def easy(room: Room, chooser: Chooser) -> Iterator[Draft]:
    """Left or right; what is behind is not asked about."""
    for three, where in _triples(room, chooser, THIRDS):
        if where != "back":
            side = f"to the left or the right of the {three[1].category}?"
            yield _draft(chooser, three, side, where, ("left", "right"))


def medium(room: Room, chooser: Chooser) -> Iterator[Draft]:
    """Left, right or back."""
    side = (
        "to my left, right, or back?\n"
        "An object is to my back if I would have to turn at least 135 degrees in order to face it."
    )
    for three, where in _triples(room, chooser, THIRDS):
        yield _draft(chooser, three, side, where, THIRDS[1])


def hard(room: Room, chooser: Chooser) -> Iterator[Draft]:
    """In which quadrant."""
    side = (
        "to my front-left, front-right, back-left, or back-right?\n"
        "The directions refer to the quadrants of a Cartesian plane (if I am standing at the "
        "origin and facing along the positive y-axis)."
    )
    for three, where in _triples(room, chooser, QUADRANTS):
        yield _draft(chooser, three, side, where, QUADRANTS[1])


def bearings(stand: Array, face: Array, points: Array) -> Array:
    """(n,) degrees in [0, 360) to the left of ``face`` (2,) at which ``points`` (n, 2) lie for one
    who stands at ``stand`` (2,).
    """
    ahead, there = face - stand, points - stand
    angles = np.arctan2(there[:, 1], there[:, 0]) - np.arctan2(ahead[1], ahead[0])
    return np.asarray(np.degrees(angles) % 360.0)


def sector(degrees: Array, sectors: Sectors) -> str:
    """Of the first of ``degrees`` (n,), a centre among corners; "" where there is a doubt."""
    borders, names = sectors
    off = np.abs((degrees[0] - np.array(borders) + 180.0) % 360.0 - 180.0)
    places = np.searchsorted(borders, degrees, side="right")
    if off.min() < MARGIN or np.count_nonzero(places != places[0]) > STRAY:
        return ""
    return names[places[0] % len(names)]


def _triples(
    room: Room, chooser: Chooser, sectors: Sectors
) -> Iterator[tuple[tuple[AnnotatedObject, ...], str]]:
    """Where to stand, what to face and what to find, with the answer."""
    for three in chooser.selections(room.unique, 3):
        a, b, c = three
        gaps = (room.gap(a, b), room.gap(a, c), room.gap(b, c))
        stand, face, target = (item.box.center[:2] for item in three)
        level = min(np.linalg.norm(face - stand), np.linalg.norm(target - stand))
        if min(gaps) < NEAR or max(gaps) > FAR or level < NEAR:
            continue
        points = np.concatenate([target[None], np.tile(c.box.corners_bev(), (2, 1))])
        where = sector(bearings(stand, face, points), sectors)
        if where:
            yield three, where


def _draft(
    chooser: Chooser,
    three: tuple[AnnotatedObject, ...],
    side: str,
    where: str,
    names: tuple[str, ...],
) -> Draft:
    a, b, c = three
    options, letter = chooser.lettered(where, [name for name in names if name != where])
    question = (
        f"If I am standing by the {a.category} and facing the {b.category}, is the {c.category} "
        f"{side}"
    )
    return Draft(question, letter, three, (), options)
