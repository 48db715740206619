"""Questions of direction: seen from one object facing another, from the robot, and between."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

from spatial_vlm_ros.simulation.questions import exact
from spatial_vlm_ros.simulation.questions.asker import Asker
from spatial_vlm_ros.simulation.truth import TrueObject, TrueQuestion

MARGIN_DEG = 15.0  # from the border of a sector
NEAREST_M = 1.0  # nearer things have no clear bearing


def three_ways(asker: Asker) -> Iterator[TrueQuestion]:
    """Standing by one object and facing another: left, right or back (from 135 degrees)."""
    choices = ("left", "right", "back")
    for triple, degrees in _triples(asker):
        if _clear(degrees, 0, 135):
            where = "back" if abs(degrees) > 135 else _side(degrees)
            yield _standing(asker, triple, where, choices)


def four_ways(asker: Asker) -> Iterator[TrueQuestion]:
    """Standing by one object and facing another: in which quadrant is a third."""
    choices = ("front-left", "front-right", "back-left", "back-right")
    for triple, degrees in _triples(asker):
        if _clear(degrees, 0, 90, 180):
            where = f"{'front' if abs(degrees) < 90 else 'back'}-{_side(degrees)}"
            yield _standing(asker, triple, where, choices)


def robot_sides(asker: Asker) -> Iterator[TrueQuestion]:
    """Left or right of the robot as it stands at the end."""
    for item, degrees in _from_robot(asker):
        if _clear(degrees, 0, 180):
            yield TrueQuestion(
                f"Is the {asker.name(item)} to my left or to my right?",
                "own_direction",
                _side(degrees),
                choices=("left", "right"),
                about=(item.id,),
            )


def robot_front(asker: Asker) -> Iterator[TrueQuestion]:
    """Before or behind the robot as it stands at the end."""
    for item, degrees in _from_robot(asker):
        if _clear(degrees, 90):
            yield TrueQuestion(
                f"Is the {asker.name(item)} in front of me or behind me?",
                "own_direction",
                "front" if abs(degrees) < 90 else "behind",
                choices=("front", "behind"),
                about=(item.id,),
            )


def between(asker: Asker) -> Iterator[TrueQuestion]:
    """Yes where it is well inside the way from one to the other, no where it is far off it."""
    for a, b, c in permutations(asker.named, 3):
        apart = exact.level_distance(a.box, b.box)
        if a.id > b.id or not a.room == b.room == c.room or not 1.5 <= apart <= 6.0:
            continue
        share, off = exact.between(a.box, b.box, c.box)
        clear_of_ends = min(asker.distance(c.id, a.id), asker.distance(c.id, b.id)) > 0.1
        yes = 0.25 <= share <= 0.75 and off <= 0.2 and clear_of_ends
        if yes or off >= 1.3 or not -0.2 <= share <= 1.2:
            yield TrueQuestion(
                f"Is the {asker.name(c)} between the {asker.name(a)} and the {asker.name(b)}?",
                "between",
                "yes" if yes else "no",
                choices=("yes", "no"),
                about=(c.id, a.id, b.id),
            )


def between_yes(asker: Asker) -> Iterator[TrueQuestion]:
    """Those of :func:`between` with the answer yes."""
    return (question for question in between(asker) if question.truth == "yes")


def between_no(asker: Asker) -> Iterator[TrueQuestion]:
    """Those of :func:`between` with the answer no."""
    return (question for question in between(asker) if question.truth == "no")


def _clear(degrees: float, *borders: float) -> bool:
    """Whether a bearing is well away from all borders, on either side."""
    return min(abs(abs(degrees) - border) for border in borders) >= MARGIN_DEG


def _side(degrees: float) -> str:
    return "left" if degrees > 0 else "right"


def _from_robot(asker: Asker) -> Iterator[tuple[TrueObject, float]]:
    for item in asker.named:
        if exact.level_distance(asker.robot, item.box) >= NEAREST_M:
            yield item, exact.bearing(asker.robot, asker.robot_ahead, item.box)


_Triple = tuple[TrueObject, TrueObject, TrueObject]


def _triples(asker: Asker) -> Iterator[tuple[_Triple, float]]:
    """Where to stand, what to face and what to point at, in one room, with the bearing."""
    for a, b, c in permutations(asker.named, 3):
        near = min(exact.level_distance(a.box, b.box), exact.level_distance(a.box, c.box))
        if a.room == b.room == c.room and near >= NEAREST_M:
            yield (a, b, c), exact.bearing(a.box, b.box, c.box)


def _standing(asker: Asker, triple: _Triple, where: str, choices: tuple[str, ...]) -> TrueQuestion:
    stand, face, target = (asker.name(item) for item in triple)
    listed = f"{', '.join(choices[:-1])}, or {choices[-1]}"
    return TrueQuestion(
        f"If I am standing by the {stand} and facing the {face}, is the {target} to my {listed}?",
        "direction",
        where,
        choices=choices,
        about=tuple(item.id for item in triple),
    )
