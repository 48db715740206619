"""How many, is there, where, what is where, is it so, what colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from spatial_vlm_ros.reasoning import describe, measure, resolve
from spatial_vlm_ros.reasoning.answer import Answer
from spatial_vlm_ros.reasoning.kinds.kind import Asked, Kind, reply
from spatial_vlm_ros.reasoning.lexicon import Noun
from spatial_vlm_ros.reasoning.phrase import NounPhrase
from spatial_vlm_ros.reasoning.resolve import Found
from spatial_vlm_ros.reasoning.view import Unclear
from spatial_vlm_ros.scene.graph import SceneObject

#: Relations that are directions, and how far away things are still listed by them [m].
SIDES, LISTED_M = ("left", "right", "front", "behind"), 3.0

_ANYTHING = NounPhrase("object", Noun("object", generic=True), many=True)


def _asked_for(asked: Asked) -> list[NounPhrase]:
    """Readings of the noun asked for, with what the rest of the sentence says about it."""
    phrases: Sequence[NounPhrase] = asked.gaps.get("x", (_ANYTHING,))
    if "colour" in asked.gaps:
        colour = asked.gaps["colour"]
        phrases = [p.coloured(colour) for p in phrases]
    if "where" in asked.gaps:
        return [p.placed(clauses) for p in phrases for clauses in asked.gaps["where"]]
    return list(phrases)


def count(asked: Asked) -> Answer:
    """How many objects fit."""
    phrases = _asked_for(asked)
    found = resolve.find(phrases, asked.view)
    number = len(found.objects)
    text = f"{describe.counted(number, phrases[0].name)}."
    if 0 < number <= 12:
        text = f"{text[:-1]}: {describe.names(found.objects)}."
    return reply("count", text, float(number), objects=found.objects, based_on=[found])


def exists(asked: Asked) -> Answer:
    """Whether any object fits."""
    found = resolve.find(_asked_for(asked), asked.view)
    if not found.objects:
        return reply("exists", f"No. {found.why_none}", "no", based_on=[found])
    text = f"Yes: {describe.names(found.objects)}."
    return reply("exists", text, "yes", objects=found.objects, based_on=[found])


def where(asked: Asked) -> Answer:
    """What an object is on, in or beside, and how it lies from the robot."""
    phrases = _asked_for(asked)
    found = resolve.some(phrases, asked.view)
    if len(found.objects) > 1 and not any(p.many for p in phrases):
        raise resolve.ambiguous(phrases[0].name, found.objects, asked.view)
    places = [describe.placed(item, asked.view) for item in found.objects]
    said = [
        f"{describe.name(item)} is {place + ', ' if place else ''}"
        f"{describe.position(item, asked.view)}"
        for item, place in zip(found.objects, places, strict=True)
    ]
    value = places[0] if len(places) == 1 and places[0] else None
    return reply("where", "; ".join(said) + ".", value, objects=found.objects, based_on=[found])


def what(asked: Asked) -> Answer:
    """Lists what fits; by direction only what is near, nearest first."""
    found = resolve.find(_asked_for(asked), asked.view)
    sides = [c for phrase in _asked_for(asked)[:1] for c in phrase.clauses if c.relation in SIDES]
    if sides and found.objects:
        found = _near(found, resolve.place(sides[0].anchors, asked.view, several=True).objects[0])
    if not found.objects:
        return reply("list", f"Nothing. {found.why_none}", "nothing", based_on=[found])
    value = ", ".join(describe.bare(item) for item in found.objects)
    text = f"{describe.names(found.objects)}."
    return reply("list", text, value, objects=found.objects, based_on=[found])


def _near(found: Found, anchor: SceneObject) -> Found:
    gaps = measure.gaps(found.objects, anchor)
    kept = tuple(found.objects[i] for i in np.argsort(gaps, kind="stable") if gaps[i] <= LISTED_M)
    return replace(found, objects=kept, why_none=f"I see nothing there within {LISTED_M:.0f} m.")


def supporter(asked: Asked) -> Answer:
    """What an object rests on directly."""
    item = resolve.one(asked.gaps["x"], asked.view)
    subject = item.objects[0]
    below = asked.view.supporter.get(subject.id)
    carrying = tuple(o for o in asked.view.objects if o.id == below)
    if not carrying:
        raise Unclear(f"I see nothing that {describe.name(subject)} rests on; perhaps the floor.")
    text = f"{describe.name(subject)} is on {describe.name(carrying[0])}."
    based_on = [item, Found(carrying)]
    return reply("list", text, describe.bare(carrying[0]), objects=carrying, based_on=based_on)


def check(asked: Asked) -> Answer:
    """Whether an object, or all of several, is where or of the colour that is said."""
    phrases = asked.gaps["x"]
    several = phrases[0].many and phrases[0].determiner not in ("any", "some")
    subject = (resolve.some if several else resolve.one)(phrases, asked.view)
    nameless = [item for item in subject.objects if not item.colour]
    if "colour" in asked.gaps and nameless:
        raise Unclear(f"I am not sure of the colour of {describe.names(nameless)}.")
    fitting = resolve.find(_asked_for(asked), asked.view)
    fits = {item.id for item in fitting.objects}
    against = [item for item in subject.objects if item.id not in fits]
    if against:
        facts = [f"{describe.name(item)} is {_instead(item, asked)}" for item in against]
        text = f"No: {'; '.join(facts)}."
    else:
        verb = "is" if len(subject.objects) == 1 else "are"
        text = f"Yes, {describe.names(subject.objects)} {verb}."
    value, based_on = "no" if against else "yes", [subject, fitting]
    return reply("check", text, value, objects=subject.objects, based_on=based_on)


def _instead(item: SceneObject, asked: Asked) -> str:
    """What is so of an object of which something else was said."""
    if "colour" in asked.gaps:
        return item.colour
    return describe.placed(item, asked.view) or describe.position(item, asked.view)


def colour(asked: Asked) -> Answer:
    """The colour of an object, or of all of several."""
    found = resolve.some(asked.gaps["x"], asked.view)
    if len(found.objects) > 1 and not any(p.many for p in asked.gaps["x"]):
        raise resolve.ambiguous(asked.gaps["x"][0].name, found.objects, asked.view)
    colours = [item.colour for item in found.objects]
    if not all(colours):
        nameless = next(item for item in found.objects if not item.colour)
        raise Unclear(f"I am not sure of the colour of {describe.name(nameless)}.")
    said = [f"the {o.label.replace('_', ' ')} (#{o.id}) is {o.colour}" for o in found.objects]
    text, value = f"{describe.joined(said)}.", ", ".join(dict.fromkeys(colours))
    return reply("colour", text, value, objects=found.objects, based_on=[found])


KINDS = (
    Kind(
        "count",
        count,
        "how_many different? {x}",
        "how_many different? {x} is|are|do|can|have|exist there|here? here?",
        "how_many {x} have|did you_seen|you_see|you_found here?",
        "how_many {x} does the|this room|house|space|kitchen|office have|contain",
        "how_many {x} there is|are",
        "how_many {x} is|are there? {where:clauses}",
        "how_many {x} is|are {colour:colour}",
        "what_is? the? number|count|amount of {x}",
        "count here? {x}",
    ),
    Kind(
        "exists",
        exists,
        "is|are there {x} there|here?",
        "do|can|did|have here|you_see|you_know|you_know_of|you_remember|you_seen|you_have {x}",
        "does the|this room|house|space have|contain {x}",
        "is|are {x} present|visible|somewhere|around",
        "is|are there here {x}",
    ),
    Kind(
        "colour",
        colour,
        "what|which color|colour is|are|has {x}",
        "what|which color|colour does|do {x} have",
        "what_is|what_are? the? color|colour|colors|colours of {x}",
        "is|are {x} {a:colour} or {b:colour}",
    ),
    Kind("check", check, "is|are {x} {colour:colour}", "is|are {x} {where:clauses}"),
    Kind(
        "where",
        where,
        "where is|are|was|were|do|did|can here? {x}",
        "where can|do|did|could|should i|you|we|one find|see|look_for {x}",
        "where {x} is|are|stands",
        "what_is|what_are? the? position|location|place|coordinates|whereabouts of {x}",
        "locate|show|show_me|point_to|point_out|highlight {x}",
        "{x}",
    ),
    Kind(
        "list",
        supporter,
        "what|which is|are {x} standing|sitting|lying|resting|placed|put? on",
        "what|which does|do {x} stand|sit|lie|rest on",
        "what|which carries|supports|holds {x}",
        "on what|which is|does {x} stand|standing|lie|lying|sit|sitting|rest|resting?",
    ),
    Kind(
        "list",
        what,
        "what|which else? is|are|stands|lies|sits|hangs|can|do there? {where:clauses}",
        "what|which else? {x} is|are|stands|lies|sits|hangs there? {where:clauses}",
        "what|which {x} do|can|did here|you_see|you_know here? {where:clauses}",
        "what|which {x} is|are|do|can there|here here?",
        "what else? is|are|do|can|did there|here|you_see|you_find here?",
        "what can|do|did here|you_see|i_see|be_seen|you_find {where:clauses}",
        "list|name|enumerate|describe all? {x}",
        "what|which|who is|are {x}",
    ),
)
