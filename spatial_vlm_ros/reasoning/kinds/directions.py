"""Which way: for one who stands by an object and faces another, and from the robot itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spatial_vlm_ros.reasoning import describe, measure, relate, resolve
from spatial_vlm_ros.reasoning.answer import Answer
from spatial_vlm_ros.reasoning.kinds.kind import Asked, Kind, reply
from spatial_vlm_ros.reasoning.phrase import ROBOT
from spatial_vlm_ros.reasoning.sides import read_sides
from spatial_vlm_ros.reasoning.view import ROBOT_ID, Unclear


def standing(asked: Asked) -> Answer:
    """Standing by a, facing b: where is c. Centres seen from above, as in VSI-Bench."""
    found = [resolve.one(asked.gaps[name], asked.view) for name in "abc"]
    a, b, c = (f.objects[0] for f in found)
    if len({a.id, b.id, c.id}) < 3:
        raise Unclear("Where to stand, what to face and what to find must be three things.")
    place, facing, target = (item.box.center[:2] for item in (a, b, c))
    if min(measure.level(place, facing), measure.level(place, target)) < relate.FACING_M:
        raise Unclear(f"{describe.name(a)} is in the same place, seen from above.")
    degrees = measure.bearing(place, facing - place, target)
    text = f"standing by {describe.name(a)} and facing {describe.name(b)}, {describe.name(c)} is "
    if "side" in asked.gaps:
        true, margins = measure.on_side(asked.gaps["side"], np.array([degrees]))
        value, margin = "yes" if true[0] else "no", float(margins[0])
        text = f"{value}: {text}{_said('', degrees)}"
    else:
        value, margin = measure.sector(degrees, _offered(asked))
        text += _said(value, degrees)
    sureness = relate.sureness(margin)
    return reply("direction", text, value, objects=[c], based_on=found, sureness=sureness)


def from_robot(asked: Asked) -> Answer:
    """On which side of the robot, or of an object as the robot sees it."""
    subject = resolve.one(asked.gaps["c"], asked.view)
    anchor = resolve.place(asked.gaps.get("anchor", [ROBOT]), asked.view)
    item, around = subject.objects[0], anchor.objects[0]
    if item.id == around.id:
        raise Unclear(f"{describe.name(item)} has no side of itself to be on.")
    degrees = relate.seen_bearing(item, around, asked.view)
    value, margin = measure.sector(degrees, _offered(asked))
    if around.id == ROBOT_ID:
        text = f"{describe.name(item)} is {_said(value, degrees, 'my')}"
    else:
        text = f"seen from where I am, {describe.name(item)} is on the {value} side of "
        text += f"{describe.name(around)}."
    sureness = relate.sureness(margin)
    based_on = [subject, anchor]
    return reply("direction", text, value, objects=[item], based_on=based_on, sureness=sureness)


def from_first_camera(asked: Asked) -> Answer:
    """The same for one who stands where the first camera was and looks as it did."""
    first = replace(asked.view, scene=replace(asked.view.scene, T_scene_robot=np.eye(4)))
    found = [resolve.one(asked.gaps[name], first) for name in ("c", "anchor")]
    item, around = (f.objects[0] for f in found)
    if "again" in asked.gaps and resolve.one(asked.gaps["again"], first).objects != (around,):
        raise Unclear("I can tell on which side of one object it is; two are named.")
    if item.id == around.id:
        raise Unclear(f"{describe.name(item)} has no side of itself to be on.")
    sides = asked.gaps.get("sides") or (asked.gaps["side"], asked.gaps["other"])
    value, margin = measure.sector(relate.seen_bearing(item, around, first), sides)
    value = "in front" if value == "front" else value
    where = value if value in ("in front", "behind") else f"to the {value}"
    text = f"seen from where the first camera was, {describe.name(item)} is {where}"
    text += f"{'' if value == 'behind' else ' of'} {describe.name(around)}."
    sureness = relate.sureness(margin)
    return reply("direction", text, value, objects=[item], based_on=found, sureness=sureness)


def _offered(asked: Asked) -> tuple[str, ...]:
    """The directions to choose from: in the options, else in the question, else all eight."""
    options = [o.lower().replace("-", " ").strip(" .") for o in asked.wording.options.values()]
    offered = read_sides(" or ".join(options).split())
    return offered or tuple(asked.gaps.get("sides", measure.EIGHT))


def _said(value: str, degrees: float, whose: str = "the") -> str:
    where = {"front": "in front", "behind": "behind", "back": "at the back", "ahead": "ahead"}
    side = where.get(value, f"to {whose} {value}")
    turn = f"{abs(degrees):.0f} degrees to the {'left' if degrees > 0 else 'right'}."
    return f"{side}: {turn}" if value else turn


_STAND = (
    "if|when|while|suppose|imagine|assume|say? that? i|you|we|someone|one? am|are|is|were|was? "
    "standing|stand|stood|sitting|sit|positioned|located? "
    "by|at|next_to|near|beside|close_to|on|from? {a} "
    "and|while? i|you|we? am|are? facing|face|faced|looking|look|turned "
    "at|to|towards|toward? {b} then?"
)
_WHICH_WAY = (
    "in? on? to? which|what {sides:ways} of_me|of_mine|from_me|"
    "relative_to_me? would_i_find|do_i_find|will_i_find|is|are|lies"
)

_CAMERA = "as? seen|viewed? from where? the_first_camera stands|stood|is|was?"

KINDS = (
    Kind(
        "direction",
        from_first_camera,
        f"{_CAMERA} is|are {{c}} {{sides:sides}} {{anchor}}",
        f"{_CAMERA} is|are {{c}} {{side:side}} {{anchor}} or {{other:side}} {{again}}",
    ),
    Kind(
        "direction",
        standing,
        f"{_STAND} is|are|would|will {{c}} be? {{sides:sides}}",
        f"{_STAND} is|are|would|will {{c}} be? {{sides:sides}} {{reference}}",
        f"{_STAND} is|are|would|will {{c}} be? {{side:side}}",
        f"is|are {{c}} {{side:side}} {_STAND}",
        f"{_STAND} where is|are|would|will {{c}} be?",
        f"{_STAND} where is|are|would|will {{c}} be? {{sides:sides}}",
        f"{_STAND} where do|would|will|can i|you find {{c}}",
        f"{_STAND} {_WHICH_WAY} {{c}} in|on|to?",
        f"is|are {{c}} {{sides:sides}} {_STAND}",
        f"where is|are {{c}} {_STAND}",
        f"{_WHICH_WAY} {{c}} {_STAND}",
    ),
    Kind(
        "direction",
        from_robot,
        "is|are {c} {sides:sides}",
        "is|are {c} {sides:sides} {anchor}",
        f"{_WHICH_WAY} {{c}} in|on|to? from_me|relative_to_me|from_here|from_you|of_me?",
        "where is|are {c} relative_to|from|seen_from|with_respect_to {anchor}",
    ),
)
