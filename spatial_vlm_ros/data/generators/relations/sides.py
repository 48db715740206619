"""Left and right for one who stands and faces, or looks from the first camera; and between."""

from __future__ import annotations

import cmath
import math
import random
from collections.abc import Callable, Iterator

from spatial_vlm_ros.data.generators.draft import Draft, Kind, Pools
from spatial_vlm_ros.data.generators.relations.margins import (
    MARGIN_DEG,
    MARGIN_M,
    letters,
    yes_and_no,
)
from spatial_vlm_ros.data.generators.subject import Subject
from spatial_vlm_ros.reasoning.relate import BETWEEN_MARGIN

#: Metres between the centres of where one stands and what one faces or looks for, seen from above.
NEAREST_M, FARTHEST_M = 0.5, 5.0
#: Corners of a footprint that may lie on the other side.
CORNERS_BEYOND = 1
#: Least metres before the first camera, and most degrees from where it looks, for what it sees.
AHEAD_M, AHEAD_DEG = 0.5, 60.0
#: Metres between things that something is between.
APART_M = (1.0, 6.0)

_STANDING = (
    "Standing at {a} and facing {b}, is {c} to the left or to the right?",
    "If I stand by {a} and face {b}, is {c} to my left or to my right?",
    "I am standing by {a}, facing {b}. Is {c} on my left or on my right?",
)
_QUADRANT = (
    "If I am standing by {a} and facing {b}, is {c} to my front-left, front-right, back-left, or "
    "back-right?",
    "Standing at {a} and facing {b}, in which direction is {c}?",
)
_SEEN = (
    "Seen from the first camera, is {a} to the left or to the right of {b}?",
    "From where the first camera stands, is {a} to the left or to the right of {b}?",
)
_DEPTH = (
    "Seen from the first camera, is {a} in front of {b} or behind {b}?",
    "From where the first camera stands, is {a} in front of {b} or behind {b}?",
)
_BETWEEN = ("Is {c} between {a} and {b}?", "Does {c} lie between {a} and {b}?")
_HALVES = ("left", "right")
_QUADRANTS = ("front-left", "front-right", "back-left", "back-right")


def _degrees(turn: complex) -> float:
    """Of a quotient of two directions; to the left is positive."""
    return math.degrees(cmath.phase(turn))


def _half(degrees: float) -> str:
    return "left" if degrees > 0 else "right"


def _quadrant(degrees: float) -> str:
    return f"{'front' if abs(degrees) < 90 else 'back'}-{_half(degrees)}"


def half(subject: Subject, numbers: tuple[int, ...]) -> str:
    """Where the third is for one at the first who faces the second; "" where not clear."""
    return _facing(subject, numbers, _half, (0, 180))


def quadrant(subject: Subject, numbers: tuple[int, ...]) -> str:
    """The same in quadrants."""
    return _facing(subject, numbers, _quadrant, (0, 90, 180))


def _facing(
    subject: Subject,
    numbers: tuple[int, ...],
    side: Callable[[float], str],
    borders: tuple[int, ...],
) -> str:
    stand, face, target = (subject.middle[n] for n in numbers)
    ahead, there = face - stand, target - stand
    if not all(NEAREST_M <= abs(way) <= FARTHEST_M for way in (ahead, there)):
        return ""
    degrees = _degrees(there / ahead)
    if min(abs(abs(degrees) - border) for border in borders) < MARGIN_DEG:
        return ""
    corners = (_degrees((corner - stand) / ahead) for corner in subject.corners[numbers[2]])
    beyond = sum(side(corner) != side(degrees) for corner in corners)
    return side(degrees) if beyond <= CORNERS_BEYOND else ""


def seen_half(subject: Subject, pair: tuple[int, ...]) -> str:
    """On which hand of the second the first is, for one at the first camera; "" if not clear."""
    one, other = (subject.middle[n] for n in pair)
    if not (_ahead(one) and _ahead(other)):
        return ""
    degrees, around = _degrees(one / other), abs(_around(one, other))
    if abs(degrees) < MARGIN_DEG or min(around, 180 - around) < MARGIN_DEG:
        return ""
    corners = (_degrees(corner / other) for corner in subject.corners[pair[0]])
    beyond = sum(_half(corner) != _half(degrees) for corner in corners)
    return _half(degrees) if beyond <= CORNERS_BEYOND else ""


def seen_depth(subject: Subject, pair: tuple[int, ...]) -> str:
    """Whether the first is in front of the second or behind it, for one at the first camera."""
    one, other = (subject.middle[n] for n in pair)
    if not (_ahead(one) and _ahead(other)) or subject.level_gap(*pair) < MARGIN_M:
        return ""
    around = abs(_around(one, other))
    if around <= 45 - MARGIN_DEG:
        return "in front"
    return "behind" if around >= 135 + MARGIN_DEG else ""


def _ahead(place: complex) -> bool:
    return place.real >= AHEAD_M and abs(_degrees(place)) <= AHEAD_DEG


def _around(one: complex, other: complex) -> float:
    """Degrees round ``other`` at which ``one`` is, 0 being towards the first camera."""
    return _degrees((one - other) / -other) if one != other else 90.0


def is_between(subject: Subject, numbers: tuple[int, ...]) -> bool | None:
    """Whether the third is on the way from the first to the second, seen from above."""
    start, end, place = (subject.middle[n] for n in numbers)
    length = abs(end - start)
    if not APART_M[0] <= length <= APART_M[1]:
        return None
    along = (end - start) / length
    away = (place - start) / along
    share, off = away.real / length, abs(away.imag)
    half_a, half_b, own = (_half_breadth(subject, n, along) for n in numbers)
    if off >= max(half_a, half_b, own, BETWEEN_MARGIN) + MARGIN_M:
        return False
    room = max((1 - share) * half_a + share * half_b, BETWEEN_MARGIN)
    clear = min(subject.level_gap(numbers[2], n) for n in numbers[:2]) > 0
    return True if clear and 0.2 <= share <= 0.8 and off <= room - MARGIN_M else None


def _half_breadth(subject: Subject, number: int, along: complex) -> float:
    """How far a footprint reaches from its middle across a direction."""
    middle = subject.middle[number]
    return max(abs(((corner - middle) / along).imag) for corner in subject.corners[number])


def _where(
    wordings: tuple[str, ...],
    size: int,
    side_of: Callable[[Subject, tuple[int, ...]], str],
    sides: tuple[str, ...],
    lettered: bool = False,
) -> Callable[[Subject, random.Random], Pools]:
    """On which of the ``sides``, as often on each; ``lettered``: they are options."""

    def propose(subject: Subject, rng: random.Random) -> Pools:
        def drafts(side: str) -> Iterator[Draft]:
            options = (side, *(other for other in sides if other != side)) if lettered else ()
            for numbers in subject.tuples(size, rng):
                if side_of(subject, numbers) == side:
                    question = rng.choice(wordings).format(**letters(subject, numbers, rng))
                    yield Draft(question, side, numbers, options)

        return [drafts(side) for side in sides]

    return propose


_DEPTHS = ("in front", "behind")

KINDS = (
    Kind("standing", "direction", _where(_STANDING, 3, half, _HALVES), even=True),
    Kind("quadrants", "direction", _where(_QUADRANT, 3, quadrant, _QUADRANTS, True), even=True),
    Kind("seen", "direction", _where(_SEEN, 2, seen_half, _HALVES), even=True),
    Kind("depth", "direction", _where(_DEPTH, 2, seen_depth, _DEPTHS), even=True),
    Kind("between", "relation", yes_and_no(_BETWEEN, 3, is_between), even=True),
)
