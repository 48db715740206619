"""What an object is and which number it has, and whether objects are alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from spatial_vlm_ros.reasoning import describe, resolve
from spatial_vlm_ros.reasoning.answer import Answer
from spatial_vlm_ros.reasoning.kinds.kind import Asked, Kind, reply, yes_no
from spatial_vlm_ros.reasoning.lexicon import lexicon_for, split_words
from spatial_vlm_ros.reasoning.phrase import NounPhrase
from spatial_vlm_ros.reasoning.resolve import Found
from spatial_vlm_ros.reasoning.view import Unclear, View
from spatial_vlm_ros.reasoning.vocabulary import COLOURS
from spatial_vlm_ros.scene.graph import SceneObject


def category(asked: Asked) -> Answer:
    """What an object is called."""
    found = resolve.one(asked.gaps["x"], asked.view)
    item = found.objects[0]
    text, value = f"{describe.name(item)}.", describe.label_words(item.label)
    return reply("category", text, value, objects=[item], based_on=[found])


def categories(asked: Asked) -> Answer:
    """What each of several is called, in the order in which they are asked for."""
    found = [resolve.one([phrase], asked.view) for phrase in asked.gaps["list"][0]]
    items = [part.objects[0] for part in found]
    value = ", ".join(f"#{item.id} {describe.label_words(item.label)}" for item in items)
    return reply("category", f"{describe.names(items)}.", value, objects=items, based_on=found)


def is_category(asked: Asked) -> Answer:
    """Whether an object is what is said, with its colour and the like."""
    found = resolve.one(asked.gaps["x"], asked.view)
    item, said = found.objects[0], asked.gaps["y"][0]
    fitting = resolve.find(asked.gaps["y"], asked.view)
    true, named = item in fitting.objects, item.label in said.noun.labels
    if not true and not named and _may_be(item.label, said.noun.name):
        raise Unclear(f"{describe.name(item)} may be called {said.noun.name}, too.")
    if named and said.colours and not item.colour:
        raise Unclear(f"I am not sure of the colour of {describe.name(item)}.")
    place = describe.placed(item, asked.view) if said.clauses else ""
    why = f"it is {', '.join(filter(None, (describe.name(item), place)))}."
    based_on = [found, replace(fitting, objects=())]
    return yes_no("check", true, why, objects=[item], based_on=based_on)


def _may_be(label: str, noun: str) -> bool:
    """Whether a noun can mean what has that label, where no other label is nearer to it."""
    words = split_words(noun)
    meant = lexicon_for(frozenset((label,)), frozenset()).nouns(words)
    return any(length == len(words) and label in found.labels for length, found in meant)


def numbers(asked: Asked) -> Answer:
    """The number of what is meant, or all of them."""
    found = meant(asked.gaps["x"], asked.view)
    value = ", ".join(f"#{item.id}" for item in found.objects) or "none"
    text = f"{describe.names(found.objects)}." if found.objects else f"None. {found.why_none}"
    return reply("list", text, value, objects=found.objects, based_on=[found])


def meant(readings: Sequence[NounPhrase], view: View) -> Found:
    """All that fits a phrase in the plural, else the only one; perhaps nothing."""
    found = resolve.find(readings, view)
    if any(phrase.many or phrase.indefinite for phrase in readings) or not found.objects:
        return found
    return resolve.one(readings, view)


def alike(asked: Asked) -> Answer:
    """Whether objects are of one category, or of one colour."""
    found = [resolve.one([phrase], asked.view) for phrase in asked.gaps["list"][0]]
    items = [part.objects[0] for part in found]
    known = _colours(items) if "colour" in asked.gaps else _categories(items)
    why = f"{describe.names(items)}."
    return yes_no("check", len(set(known)) == 1, why, objects=items, based_on=found)


def _colours(items: Sequence[SceneObject]) -> list[str]:
    nameless = [item for item in items if not item.colour]
    if nameless:
        raise Unclear(f"I am not sure of the colour of {describe.names(nameless)}.")
    return [COLOURS.get(item.colour.lower(), item.colour.lower()) for item in items]


def _categories(items: Sequence[SceneObject]) -> list[str]:
    """``Unclear`` where what has one label may be called by another."""
    known = [describe.label_words(item.label) for item in items]
    for one in set(known):
        for other in set(known) - {one}:
            if _may_be(one, other):
                raise Unclear(f"What is called {one} may be called {other}, too.")
    return known


_CATEGORY = "category|kind|sort|type"

KINDS = (
    Kind(
        "category",
        category,
        "what is|are {x:numbered}",
        f"what|which {_CATEGORY} of? object|thing? is|are {{x}}",
        f"what|which {_CATEGORY} does|do {{x}} belong_to",
        "what|which object|thing has the? number|id {x:numbered}",
        f"what_is? the? {_CATEGORY} of {{x}}",
        "say? what {x:numbered} is|are",
        "identify {x}",
    ),
    Kind(
        "category",
        categories,
        "what is|are {list:numbers}",
        "say? what each_of_these is|are {list:numbers}",
        "name|identify these? {list:numbers}",
    ),
    Kind(
        "list",
        numbers,
        "what|which object|objects|thing|things is|are meant? {x:several}",
        "what|which number|numbers|id|ids does|do|has|have {x:several} have?",
        "by|under what|which number is|are {x} known",
        "what_is|what_are? the? numbers|id|ids of {x:several}",
        "what_is? the? number of {x:single}",
        "list|name {x:several} by number|numbers|id",
        "find|find_me {x:many}",
    ),
    Kind(
        "check",
        alike,
        f"is|are {{list:list}} of? the? same {_CATEGORY} of? object|objects|thing|things?",
        f"do|does|has|have {{list:list}} have? the? same {_CATEGORY}",
        "is|are {list:list} of? the? same {colour:same}",
        "do|does|has|have {list:list} have? the? same {colour:same}",
    ),
    Kind("check", is_category, "is|are {x} {y:kind}"),
)
