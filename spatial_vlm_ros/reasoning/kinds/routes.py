"""Turns on a way from object to object, as VSI-Bench leaves them out of a list of actions."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

from spatial_vlm_ros.reasoning import describe, measure, relate, resolve
from spatial_vlm_ros.reasoning.answer import Answer
from spatial_vlm_ros.reasoning.kinds.kind import Asked, Kind, reply
from spatial_vlm_ros.reasoning.view import Unclear

_MOST_LEGS = 4
_TURNS = ("left", "right", "back")


def turns(legs: int, turn_first: bool, asked: Asked) -> Answer:
    """Which way to turn at each stop, seen from above and from centre to centre. The first turn is
    made where one begins, or else at the first stop.
    """
    names = ("begin", "facing", "end", *(f"stop{n}" for n in range(legs)))
    found = [resolve.one(asked.gaps[name], asked.view) for name in names]
    begin, facing, end, *stops = (each.objects[0] for each in found)
    if stops[-1].id != end.id:
        raise Unclear(f"The last action does not lead to {describe.name(end)}.")
    ways = [(begin, facing), *pairwise([begin, *stops])]
    if any(measure.level(a.box.center[:2], b.box.center[:2]) < relate.FACING_M for a, b in ways):
        raise Unclear("Two stops of the way are in the same place, seen from above.")
    said, margins = [], []
    for (a, b), (c, d) in pairwise(ways if turn_first else ways[1:]):
        ahead = (b.box.center - a.box.center)[:2]
        degrees = measure.bearing(c.box.center[:2], ahead, d.box.center[:2])
        side, margin = measure.sector(degrees, _TURNS)
        said.append(f"turn {side}")
        margins.append(margin)
    value, sureness = ", ".join(said), relate.sureness(min(margins))
    text = f"to get to {describe.name(end)}: {value}."
    return reply("route", text, value, objects=[end], based_on=found, sureness=sureness)


def _kind(legs: int, turn_first: bool) -> Kind:
    turn, steps = "please? fill_in", []
    for leg in range(legs):
        steps += [turn] if leg or turn_first else []
        steps.append(f"go|move|walk forward until|to {{stop{leg}}}")
    pattern = (
        "you are a robot? beginning|starting at|by|from {begin} and? facing {facing} "
        "you want to navigate|go|get to {end} you will perform|take the following actions|steps "
        f"{' '.join(steps)}"
    )
    return Kind("route", partial(turns, legs, turn_first), pattern)


KINDS = tuple(
    _kind(legs, turn_first)
    for legs in range(1, _MOST_LEGS + 1)
    for turn_first in (False, True)
    if legs > 1 or turn_first
)
