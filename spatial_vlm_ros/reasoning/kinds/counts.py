"""How many, is there, are there more of these than of those."""

from __future__ import annotations

import operator

from spatial_vlm_ros.reasoning import describe, resolve
from spatial_vlm_ros.reasoning.answer import Answer
from spatial_vlm_ros.reasoning.kinds.kind import Asked, Kind, reply, yes_no
from spatial_vlm_ros.reasoning.resolve import Found
from spatial_vlm_ros.reasoning.view import Unclear

#: Where there are more objects, they are not named one by one.
MOST_NAMED = 12


def count(asked: Asked) -> Answer:
    """How many objects fit."""
    phrases = asked.phrases()
    found = resolve.joined(resolve.each(phrases, asked.view))
    number = len(found.objects)
    text = f"{describe.counted(number, phrases[0].name)}{_named(found)}."
    return reply("count", text, float(number), objects=found.objects, based_on=[found])


def exists(asked: Asked) -> Answer:
    """Whether any object fits, or as many as said."""
    phrase, each = asked.phrases()[0], resolve.each(asked.phrases(), asked.view)
    found = resolve.joined(each)
    number = len(found.objects)
    if phrase.number is None and "bound" in asked.gaps:
        raise Unclear("How many? I need a number to compare with.")
    if phrase.number is None:
        true = (any if phrase.either else all)(f.objects for f in each)
        why = f"{describe.names(found.objects)}." if true else found.why_none
    else:
        true = asked.gaps.get("bound", operator.ge)(number, phrase.number)
        why = f"{describe.counted(number, phrase.name)}{_named(found)}."
    value, objects = ("yes", found.objects) if true else ("no", ())
    text = f"Yes: {why}" if true else f"No. {why}"
    return reply("exists", text, value, objects=objects, based_on=[found])


def outnumber(asked: Asked) -> Answer:
    """Whether there are more, fewer or as many of these as of those."""
    these, those = (resolve.find(asked.gaps[name], asked.view) for name in "ab")
    numbers = len(these.objects), len(those.objects)
    true = asked.gaps["how"](*numbers)
    said = [describe.counted(n, asked.gaps[k][0].name) for n, k in zip(numbers, "ab", strict=True)]
    why, objects = f"{describe.joined(said)}.", (*these.objects, *those.objects)
    return yes_no("count", true, why, objects=objects, based_on=[these, those])


def _named(found: Found) -> str:
    return f": {describe.names(found.objects)}" if 0 < len(found.objects) <= MOST_NAMED else ""


KINDS = (
    Kind(
        "count",
        count,
        "how_many different? of? {x:several}",
        "how_many different? of? {x:several} is|are|do|can|have|exist there|here? here?",
        "how_many {x:several} have|did|do you_seen|you_see|you_found|we_have|i_have here?",
        "how_many {x:several} does the|this room|house|space|kitchen|office have|contain",
        "how_many {x:several} there is|are",
        "how_many {x:several} is|are there? {where:clauses}",
        "how_many {x:several} stand|stands|sit|lie|hang|rest {where:clauses}",
        "how_many {x:several} can be found|seen here?",
        "how_many of? {x:several} is|are {colour:colour}",
        "what|what_is? the? total? number|count|amount of {x:several} is|are|do? there|here?",
        "count here? {x:several} here?",
    ),
    Kind(
        "count",
        outnumber,
        "is|are there {how:outnumber} {a} than|as {b} here?",
    ),
    Kind(
        "exists",
        exists,
        "is|are there {x:several} there|here?",
        "is|are there {bound:bound} {x} there|here?",
        "do|can|did|have here|you_see|you_know|you_know_of|you_remember|you_seen|you_noticed|"
        "you_notice|you_have|we_have|i_have "
        "{x:several} here?",
        "does the|this room|house|space have|contain {x:several}",
        "is|are {x:several} present|visible|somewhere|around|here",
        "is|are there here {x:several}",
    ),
)
