"""Where, what is where, is it so, what colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from spatial_vlm_ros.reasoning import describe, measure, relate, resolve
from spatial_vlm_ros.reasoning.answer import Answer
from spatial_vlm_ros.reasoning.kinds.counts import exists
from spatial_vlm_ros.reasoning.kinds.kind import Asked, Kind, reply
from spatial_vlm_ros.reasoning.phrase import Clause
from spatial_vlm_ros.reasoning.resolve import Found
from spatial_vlm_ros.reasoning.view import Unclear, View
from spatial_vlm_ros.scene.graph import SceneObject

#: How far away things are still listed by direction [m].
LISTED_M = 3.0


def where(asked: Asked) -> Answer:
    """What an object is on, in or beside, and how it lies from the robot."""
    found = _all_meant(asked)
    places = [describe.placed(item, asked.view) for item in found.objects]
    said = [
        f"{describe.name(item)} is {place + ', ' if place else ''}"
        f"{describe.position(item, asked.view)}"
        for item, place in zip(found.objects, places, strict=True)
    ]
    value = places[0] if len(places) == 1 and places[0] else None
    return reply("where", "; ".join(said) + ".", value, objects=found.objects, based_on=[found])


def _all_meant(asked: Asked) -> Found:
    """The one object that is meant, or all where the phrase is plural or asks for any."""
    phrases = asked.phrases()
    if any(phrase.many or phrase.indefinite for phrase in phrases):
        return resolve.some(phrases, asked.view)
    return resolve.one(phrases, asked.view)


def what(asked: Asked) -> Answer:
    """Lists what fits; by direction only what is near, nearest first."""
    phrases = asked.phrases()
    found = resolve.find(phrases, asked.view)
    sides = [c for c in phrases[0].clauses if c.relation in relate.SIDES and c.facing is None]
    if sides and found.objects:
        anchors = resolve.place(sides[0].anchors, asked.view, several=True).objects
        found = _near(found, anchors[0], asked.view)
    if not found.objects:
        return reply("list", f"Nothing. {found.why_none}", "nothing", based_on=[found])
    value = ", ".join(describe.bare(item) for item in found.objects)
    text = f"{describe.names(found.objects)}."
    if any(phrase.ranks for phrase in phrases):
        text += describe.almost(found.sureness)
    return reply("list", text, value, objects=found.objects, based_on=[found])


def _near(found: Found, anchor: SceneObject, view: View) -> Found:
    gaps = measure.gaps(found.objects, anchor)
    kept = tuple(found.objects[i] for i in np.argsort(gaps, kind="stable") if gaps[i] <= LISTED_M)
    why_none = f"I see nothing there within {LISTED_M:.0f} {view.scale.unit}."
    return replace(found, objects=kept, why_none=why_none)


def supporter(asked: Asked) -> Answer:
    """What an object rests on directly."""
    item = resolve.one(asked.gaps["x"], asked.view)
    subject = item.objects[0]
    carrying = asked.view.carriers(subject)[:1]
    if not carrying and relate.on_floor([subject], asked.view):
        return reply("list", f"{describe.name(subject)} is on the floor.", "floor", based_on=[item])
    if not carrying:
        raise Unclear(f"I see nothing that {describe.name(subject)} rests on.")
    text = f"{describe.name(subject)} is on {describe.name(carrying[0])}."
    based_on = [item, Found(carrying)]
    return reply("list", text, describe.bare(carrying[0]), objects=carrying, based_on=based_on)


def related_to(asked: Asked) -> Answer:
    """What an object is in, under, next to, ...: the things it is in that relation to."""
    relation = asked.gaps["relation"]
    if relation == "on":
        return supporter(asked)
    item = resolve.one(asked.gaps["x"], asked.view)
    others = [(other,) for other in asked.view.objects]
    true, _ = relate.holds(relation, item.objects, others, asked.view)
    found = Found(tuple(o for (o,), holds in zip(others, true[0], strict=True) if holds))
    said = f"{describe.name(item.objects[0])} is {relate.PHRASES[relation]} "
    value = ", ".join(describe.bare(other) for other in found.objects) or "nothing"
    text = f"{said}{describe.names(found.objects) or 'nothing I know'}."
    return reply("list", text, value, objects=found.objects, based_on=[item, found])


def contents(asked: Asked) -> Answer:
    """What is in or on an object."""
    clauses = [(Clause(asked.gaps["holds"], (phrase,)),) for phrase in asked.gaps["y"]]
    return what(replace(asked, gaps={"where": clauses}))


def check(asked: Asked) -> Answer:
    """Whether an object, or all of several, is where or of the colour that is said."""
    phrases = asked.gaps["x"]
    if phrases[0].indefinite:
        return exists(asked)
    subject = (resolve.some if phrases[0].many else resolve.one)(phrases, asked.view)
    nameless = [item for item in subject.objects if not item.colour]
    if "colour" in asked.gaps and nameless:
        raise Unclear(f"I am not sure of the colour of {describe.names(nameless)}.")
    if any(part.clauses for part in phrases[0].parts):
        raise Unclear("I can tell one thing at a time: where all of these are, or one of them.")
    fitting = _fitting(asked, subject.objects)
    fits = {item.id for item in fitting.objects}
    against = [item for item in subject.objects if item.id not in fits]
    if against and not (phrases[0].either and fits):
        facts = [f"{describe.name(item)} is {_instead(item, asked)}" for item in against]
        text, value = f"No: {'; '.join(facts)}.", "no"
    else:
        so = [item for item in subject.objects if item.id in fits]
        text, value = f"Yes, {describe.names(so)} {'is' if len(so) == 1 else 'are'}.", "yes"
    return reply("check", text, value, objects=subject.objects, based_on=[subject, fitting])


def _fitting(asked: Asked, subjects: Sequence[SceneObject]) -> Found:
    """Those of which it is so; "is the sofa the tallest" means of all there is."""
    said = {name: gap for name, gap in asked.gaps.items() if name in ("where", "colour")}
    everything = replace(asked, gaps=said)
    if any(phrase.ranks for phrase in everything.phrases()):
        return resolve.find(everything.phrases(), asked.view)
    own = [[replace(p, id=o.id, many=False) for p in everything.phrases()] for o in subjects]
    return resolve.joined([resolve.find(phrases, asked.view) for phrases in own])


def which_place(asked: Asked) -> Answer:
    """In which of several relations, or to which of two things, an object is."""
    gaps, item = asked.gaps, resolve.one(asked.gaps["x"], asked.view)
    if "where" in gaps:
        clauses = [c for name in ("where", "other") for c in gaps[name][0] if isinstance(c, Clause)]
        if len(clauses) != 2:
            raise Unclear("I can tell which of two places it is in; more is said here.")
    elif "ways" in gaps:
        clauses = [Clause(way, (gaps["y"][0],)) for way in gaps["ways"]]
    else:
        clauses = [Clause(gaps["relation"], (gaps[name][0],)) for name in "yz"]
    said = [resolve.clause_text(clause) for clause in clauses]
    found = [resolve.find([p.placed([c]) for p in gaps["x"]], asked.view) for c in clauses]
    so = [k for k in range(len(said)) if found[k].objects]
    where = " and ".join(said[k] for k in so) or f"neither {' nor '.join(said)}"
    if "ways" in gaps:  # one anchor: the relation says it
        said = [relate.PHRASES[clause.relation] for clause in clauses]
    value = " and ".join(said[k] for k in so) or "neither"
    text = f"{describe.name(item.objects[0])} is {where}."
    return reply("check", text, value, objects=item.objects, based_on=[item, *found])


def _instead(item: SceneObject, asked: Asked) -> str:
    """What is so of an object of which something else was said."""
    if "colour" in asked.gaps:
        return item.colour
    return describe.placed(item, asked.view) or describe.position(item, asked.view)


def colour(asked: Asked) -> Answer:
    """The colour of an object, or of all of several."""
    found = _all_meant(asked)
    colours = [item.colour for item in found.objects]
    if not all(colours):
        nameless = next(item for item in found.objects if not item.colour)
        raise Unclear(f"I am not sure of the colour of {describe.name(nameless)}.")
    said = [f"the {o.label.replace('_', ' ')} (#{o.id}) is {o.colour}" for o in found.objects]
    text, value = f"{describe.joined(said)}.", ", ".join(dict.fromkeys(colours))
    return reply("colour", text, value, objects=found.objects, based_on=[found])


#: Before questions of direction: "where is the chair farthest from the window" asks for a chair,
#: not which way from the window it is.
OF_LANDMARKS = (Kind("where", where, "where is|are {x:landmarked}"),)

KINDS = (
    Kind(
        "colour",
        colour,
        "what|which color|colour is|are|has {x:several}",
        "what|which color|colour does|do {x:several} have",
        "what_is|what_are? the? color|colour|colors|colours of {x:several}",
        "what_is {x} s color|colour",
        "is|are {x} {a:colour} or {b:colour}",
    ),
    Kind(
        "check",
        which_place,
        "is|are {x} {where:clauses} or {other:clauses}",
        "where? is|are {x} {ways:relations} {y}",
        "is|are {x} {relation:relation} {y} or {z}",
    ),
    Kind(
        "check", check, "is|are {x:several} {colour:colour}", "is|are {x:several} {where:clauses}"
    ),
    Kind("check", check, "does|do {x:several} stand|sit|lie|hang|rest {where:clauses}"),
    Kind(
        "where",
        where,
        "where|whereabouts exactly? is|are|was|were|do|did|can here? {x:several} at|here?",
        "where can|do|did|could|should i|you|we|one last? find|see|look_for|leave|put {x}",
        "where {x} is|are|stands",
        "i am looking|searching for {x}",
        "what_is|what_are? the? position|location|place|coordinates|whereabouts of {x:several}",
        "locate|show|show_me|point_to|point_out|highlight {x:several}",
        "{x}",
    ),
    Kind(
        "list",
        related_to,
        "what|which is|are {x} standing|sitting|lying|resting|placed|put|located? "
        "{relation:relation}",
        "what|which does|do {x} stand|sit|lie|rest {relation:relation}",
    ),
    Kind(
        "list",
        supporter,
        "what|which carries|supports|holds {x}",
        "on what|which is|does {x} stand|standing|lie|lying|sit|sitting|rest|resting?",
    ),
    Kind("list", contents, "what|which does|do {y} {holds:holds}"),
    Kind(
        "list",
        what,
        "what|which else? is|are|stands|lies|sits|hangs|can|do there? {where:clauses}",
        "what|which else? {x} is|are|stands|lies|sits|hangs there? {where:clauses}",
        "what|which else? {x} is|are {colour:colour}",
        "what|which is|are {colour:colour}",
        "what|which {x} do|can|did here|you_see|you_know here? {where:clauses}",
        "what|which {x} is|are|do|can there|here here?",
        "what else? is|are|do|can|did there|here|you_see|you_find here?",
        "what can|do|did here|you_see|i_see|be_seen|be_found|you_find {where:clauses}",
        "what|which is|are|was|were {x} you_saw|you_noticed|i_saw|we_saw",
        "list|name|enumerate|describe {x:several}",
        "what|which|who is|are {x}",
    ),
)
