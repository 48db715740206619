"""Which of these is closer, larger, or appeared first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.reasoning import describe, measure, ranking, resolve
from spatial_vlm_ros.reasoning.answer import Answer
from spatial_vlm_ros.reasoning.kinds.kind import Asked, Kind, phrase_text, reply, yes_no
from spatial_vlm_ros.reasoning.phrase import ROBOT, NounPhrase
from spatial_vlm_ros.reasoning.resolve import Found
from spatial_vlm_ros.reasoning.view import Unclear


def closer(asked: Asked) -> Answer:
    """Which of the objects offered is nearest to, or furthest from, another."""
    anchor = _meant(asked.gaps.get("anchor", [ROBOT]), asked)
    offered = asked.offered()
    found = [_meant([phrase], asked) for phrase in offered]
    gaps = [_nearest_gaps(f, anchor) for f in found]
    values = np.array([row.min() for row in gaps])
    best = int(ranking.chosen(values, asked.gaps["near"], 1, 1)[0])
    item = found[best].objects[int(gaps[best].argmin())]
    sureness = ranking.sureness(values, np.array([best]), "distance")
    said = _measured(offered, values, "m", asked)
    most = "closest to" if asked.gaps["near"] < 0 else "furthest from"
    text = f"{describe.name(item)} is {most} {describe.names(anchor.objects, 'or')} "
    text += f"({said}).{describe.almost(sureness)}"
    return reply(
        "closer",
        text,
        phrase_text(offered[best]),
        objects=[item],
        based_on=[anchor, *found],
        sureness=sureness,
    )


def closer_than(asked: Asked) -> Answer:
    """Whether a is nearer to (or further from) the anchor than b."""
    anchor, a, b = (
        resolve.place(asked.gaps.get(name, [ROBOT]), asked.view) for name in ("anchor", "a", "b")
    )
    values = np.array([_nearest_gaps(f, anchor).min() for f in (a, b)])
    true = asked.gaps["near"] * (values[0] - values[1]) > 0
    sureness = ranking.sureness(values, np.array([0]), "distance")
    why = f"{describe.name(a.objects[0])} is "
    of_a, of_b = asked.view.scale.compared(values)
    why += f"{of_a} from {describe.name(anchor.objects[0])}, "
    why += f"{describe.name(b.objects[0])} {of_b}.{describe.almost(sureness)}"
    return _of_two("closer", true, why, [a, b, anchor], sureness)


def larger(asked: Asked) -> Answer:
    """Which of the objects offered is the biggest, tallest, ..."""
    offered = asked.offered()
    found = [resolve.one([phrase], asked.view) for phrase in offered]
    items = [f.objects[0] for f in found]
    measured, sign = asked.gaps["more"]
    values = next(ranking.values(items, measured, (), asked.view))
    best = int(ranking.chosen(values, sign, 1, 1)[0])
    sureness = ranking.sureness(values, np.array([best]), measured)
    text = f"{describe.name(items[best])}: {measured} {_sizes(offered, values, asked, measured)}."
    text += describe.almost(sureness)
    value = phrase_text(offered[best])
    return reply("compare", text, value, objects=[items[best]], based_on=found, sureness=sureness)


def larger_than(asked: Asked) -> Answer:
    """Whether a is bigger, taller, ... than b."""
    a, b = (resolve.one(asked.gaps[name], asked.view) for name in "ab")
    measured, sign = asked.gaps["more"]
    values = next(ranking.values([a.objects[0], b.objects[0]], measured, (), asked.view))
    true = sign * (values[0] - values[1]) > 0
    sureness = ranking.sureness(values, np.array([0]), measured)
    phrases = (asked.gaps["a"][0], asked.gaps["b"][0])
    why = f"{measured} {_sizes(phrases, values, asked, measured)}.{describe.almost(sureness)}"
    return _of_two("compare", true, why, [a, b], sureness)


def _sizes(
    phrases: Sequence[NounPhrase], values: NDArray[np.float64], asked: Asked, measured: str
) -> str:
    return _measured(phrases, values, "m3" if measured == "volume" else "m", asked)


def _measured(
    phrases: Sequence[NounPhrase], values: NDArray[np.float64], unit: str, asked: Asked
) -> str:
    """Like "lamp 0.80 m, bin 1.25 m"."""
    said = asked.view.scale.compared(values, unit)
    return ", ".join(f"{phrase_text(p)} {x}" for p, x in zip(phrases, said, strict=True))


def _of_two(kind: str, true: bool, why: str, based_on: Sequence[Found], sureness: float) -> Answer:
    objects = [f.objects[0] for f in based_on[:2]]
    return yes_no(kind, true, why, objects=objects, based_on=based_on, sureness=sureness)


def _meant(readings: Sequence[NounPhrase], asked: Asked) -> Found:
    """The robot or one object, or several where the closest is meant."""
    return resolve.place(readings, asked.view, several=asked.view.closest_of_many)


def _nearest_gaps(found: Found, anchors: Found) -> NDArray[np.float64]:
    """(n,) metres from each object found to the anchor nearest to it; ``Unclear`` to itself."""
    if found.objects == anchors.objects:
        raise Unclear(f"{describe.names(found.objects)}: there is no distance to itself.")
    return np.min([measure.gaps(found.objects, anchor) for anchor in anchors.objects], axis=0)


def first(asked: Asked) -> Answer:
    """Which was seen first or last, by the stamp of the first image that showed it."""
    if "list" not in asked.gaps and not asked.wording.options:
        found = [resolve.some(asked.phrases(), asked.view)]
        items = list(found[0].objects)
        names = [describe.bare(item) for item in items]
    else:
        offered = asked.offered()
        found = [resolve.some([phrase], asked.view) for phrase in offered]
        items = [min(f.objects, key=lambda o: o.first_seen_ns) for f in found]
        names = [phrase_text(phrase) for phrase in offered]
    stamps = np.array([item.first_seen_ns for item in items])
    best = int(stamps.argmin() if asked.gaps["when"] == "first" else stamps.argmax())
    tie = int((stamps == stamps[best]).sum()) > 1
    text = f"{describe.name(items[best])} appeared {asked.gaps['when']}"
    text += ", together with another." if tie else "."
    return reply(
        "appearance",
        text,
        names[best],
        objects=[items[best]],
        based_on=found,
        sureness=0.5 if tie else 1.0,
    )


def order(asked: Asked) -> Answer:
    """The order in which things, or the first of each category, were first seen."""
    offered = asked.offered()
    found = [resolve.some([phrase], asked.view) for phrase in offered]
    items = [min(f.objects, key=lambda o: o.first_seen_ns) for f in found]
    ranks = sorted(range(len(items)), key=lambda i: items[i].first_seen_ns)
    value = ", ".join(phrase_text(offered[i]) for i in ranks)
    tie = len({item.first_seen_ns for item in items}) < len(items)
    text = f"In this order: {describe.names([items[i] for i in ranks], 'then')}."
    text += " But some appeared together." if tie else ""
    return reply(
        "appearance",
        text,
        value,
        objects=[items[i] for i in ranks],
        based_on=found,
        sureness=0.5 if tie else 1.0,
    )


def before(asked: Asked) -> Answer:
    """Whether a was first seen before (or after) b."""
    a, b = (resolve.some(asked.gaps[name], asked.view) for name in "ab")
    stamp_a, stamp_b = (min(o.first_seen_ns for o in f.objects) for f in (a, b))
    if stamp_a == stamp_b:
        raise Unclear("Both appeared in the same image.")
    true = (stamp_a < stamp_b) == (asked.gaps["when"] == "first")
    seconds = abs(stamp_a - stamp_b) / 1e9
    why = f"{describe.name(a.objects[0])} appeared {seconds:.1f} s "
    why += f"{'before' if stamp_a < stamp_b else 'after'} {describe.name(b.objects[0])}."
    return _of_two("appearance", true, why, [a, b], 1.0)


_OF = (
    "which|what|who|of|between one? of|between? these|those|the_following|the? "
    "objects|things|items|categories|ones|two?"
)
_WHICH = "which|what|who one|object|thing|item|ones? is|are the?"
_OF_THESE = "which|what one? of these|those|the_following objects|things|items|ones|categories?"

KINDS = (
    Kind(
        "closer",
        closer,
        f"{_OF} {{list:list}} which|what|who? one|of_them? is|are|stands|lies the? "
        "{near:nearness} away? to|from? {anchor}",
        f"{_WHICH} {{near:nearness}} away? to|from? {{anchor}} {{list:list}}",
        f"{_WHICH} {{near:nearness}} away? {{list:list}}",
        f"{_OF_THESE} is|are the? {{near:nearness}} away? to|from? {{anchor}} {{list:list}}",
        "is|are {list:list} the? {near:nearness} away? to|from? {anchor}",
        "is|are|am {anchor} {near:nearness} away? to|from {list:list}",
        "{list:list} which|what one|of_them? is|are the? {near:nearness} away? to|from? {anchor}",
        f"{_OF_THESE} is|are the? {{near:nearness}} away? to|from? {{anchor}}",
    ),
    Kind(
        "closer",
        closer_than,
        "am_i|are_you {near:nearness} away? to|from {a} than to|from? {b}",
        "is|are {anchor} {near:nearness} away? to|from {a} than to|from {b}",
        "is|are {a} {near:nearness} away? to|from? {anchor} than {b}",
        "is|are {a} {near:nearness} away? than {b} to|from {anchor}",
    ),
    Kind(
        "compare",
        larger,
        f"{_OF} {{list:list}} which|what|who? one|of_them? is|are|has the? {{more:more}}",
        f"{_WHICH} {{more:more}} object|thing|one? {{list:list}}",
        f"{_OF_THESE} is|are the? {{more:more}} {{list:list}}",
        "is|are {list:list} the? {more:more}",
        f"{_OF_THESE} is|are the? {{more:more}}",
    ),
    Kind("compare", larger_than, "is|are {a} {more:more} than {b}"),
    Kind(
        "appearance",
        order,
        "what|which will_be|is|was the? first_time? appearance order of the_following? "
        "categories|objects|things? here? {list:list}",
        "what|which? will_be|is|was? the? order of? the? first? appearance|appearances of|for "
        "the_following? categories|objects? {list:list}",
        "in? what|which order did|do|have|were {list:list} appear|appeared|come|seen "
        "first? in|here?",
        "in? what|which order did|do you see {list:list} in|here?",
    ),
    Kind(
        "appearance",
        first,
        "which|what|who one? of? these? objects|things? {when:seen} {list:list}",
        f"{_OF} {{list:list}} {{when:seen}} here?",
        "which|what {x} {when:seen} here?",
        f"{_OF_THESE} {{when:seen}}",
        "what {when:seen} here?",
        "what|which is|was the? {when:order} {x} you_saw|you_see|you_noticed|seen|to_appear",
        "did|was|were {list:list} {when:seen}",
    ),
    Kind(
        "appearance",
        before,
        "did|was|were|has|have {a} appear|appeared|come|seen|show_up {when:before} {b}",
        "did|have|had you see|seen|notice {a} {when:before} {b}",
        "did you see {a} {when:before} you_saw? {b}",
    ),
)

#: "Which is closer to the sofa? A. lamp B. bin": asked of whatever there is, but for the options.
OF_OPTIONS = (
    Kind("closer", closer, f"{_WHICH} {{near:nearness}} away? to|from? {{anchor}}"),
    Kind("compare", larger, f"{_WHICH} {{more:more}}"),
)
