"""Turns on a walk from object to object, each leg of it straight and free.

Who walks starts by an object, and goes forward until a little before the next one. A turn is asked
for only where it is the same, and clear, from one stop to the next and from centre to centre: so
it does not hang on where exactly one stood.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.data.generators.vsi.asking import Chooser, Draft, Room, in_turn
from spatial_vlm_ros.data.generators.vsi.ground import Ground
from spatial_vlm_ros.data.scenes import AnnotatedObject

Array = NDArray[np.float64]

#: Degrees between going on and turning aside, and between turning aside and back; all turns are
#: as many degrees from these as bearings are from sectors.
ASIDE, BACK, MARGIN = 45.0, 135.0, 10.0

TURNS = ("Turn Left", "Turn Right", "Turn Back")


def routes(room: Room, chooser: Chooser) -> Iterator[Draft]:
    """Walks with one or two turns, the first of them before the first leg or after it."""
    ground = Ground(room.scene)
    walks, known = Walks(ground), [item for item in room.unique if ground.stands(item)]
    forms = ((3, False), (3, True), (4, False), (4, True))
    yield from in_turn([_routes(walks, chooser, known, *form) for form in forms])


class Walks:
    """Straight legs from object to object, each looked for once."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._places: dict[tuple[int, ...], Array | None] = {}

    def places(self, items: Sequence[AnnotatedObject]) -> list[Array]:
        """Where one stands at the first object and stops at each other; [] where one cannot go."""
        places = [self._ground.beside(items[0], items[1].box.center[:2])]
        for number in range(1, len(items)):
            way = tuple(item.id for item in items[: number + 1])
            if way not in self._places:
                self._places[way] = self._ground.stop(places[-1], items[number])
            place = self._places[way]
            if place is None:
                return []
            places.append(place)
        return places


def turn(before: Array, after: Array) -> str:
    """From going along ``before`` (2,) to going along ``after`` (2,); "" where it is not clear."""
    cross = before[0] * after[1] - before[1] * after[0]
    degrees = float(np.degrees(np.arctan2(cross, before @ after)))
    if abs(degrees) >= BACK + MARGIN:
        return "Turn Back"
    if ASIDE + MARGIN <= abs(degrees) <= BACK - MARGIN:
        return "Turn Left" if degrees > 0 else "Turn Right"
    return ""


def _routes(
    walks: Walks, chooser: Chooser, known: list[AnnotatedObject], count: int, turn_first: bool
) -> Iterator[Draft]:
    for items in chooser.selections(known, count):
        begin, facing, *_ = items
        stations = items[2:] if turn_first else items[1:]
        turns = _turns(walks, facing, (begin, *stations))
        if not turns:
            continue
        right = ", ".join(turns)
        ways = [", ".join(way) for way in product(TURNS, repeat=len(turns))]
        wrong = chooser.shuffled([way for way in ways if way != right])[:3]
        options, letter = chooser.lettered(right, wrong)
        yield Draft(_question(begin, facing, stations), letter, items, (stations[-1],), options)


def _turns(walks: Walks, facing: AnnotatedObject, stations: Sequence[AnnotatedObject]) -> list[str]:
    """The turns of a walk, none where it cannot be walked or one of them is not clear."""
    middles = [item.box.center[:2] for item in stations]
    turns = _turns_between(facing, stations, middles, middles)
    if not all(turns):
        return []
    places = walks.places(stations)
    return turns if places and turns == _turns_between(facing, stations, places, middles) else []


def _turns_between(
    facing: AnnotatedObject,
    stations: Sequence[AnnotatedObject],
    places: Sequence[Array],
    middles: Sequence[Array],
) -> list[str]:
    """Who stands at each of ``places`` turns to the middle of the next station."""
    ahead = [facing.box.center[:2] - places[0]]
    ahead += [middle - place for place, middle in zip(places, middles[1:], strict=False)]
    turns = [turn(before, after) for before, after in pairwise(ahead)]
    return turns[1:] if stations[1] is facing else turns


def _question(
    begin: AnnotatedObject, facing: AnnotatedObject, stations: Sequence[AnnotatedObject]
) -> str:
    steps: list[str] = []
    for station in stations:
        if steps or station is not facing:
            steps.append("[please fill in]")
        steps.append(f"Go forward until the {station.category}")
    actions = " ".join(f"{number}. {step}" for number, step in enumerate(steps, 1))
    return (
        f"You are a robot beginning at the {begin.category} facing the {facing.category}. You want "
        f"to navigate to the {stations[-1].category}. You will perform the following actions "
        "(Note: for each [please fill in], choose either 'turn back,' 'turn left,' or 'turn "
        f"right.'): {actions}. You have reached the final destination."
    )
