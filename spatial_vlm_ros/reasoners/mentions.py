"""Which objects a text for people names, by id or by noun."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from spatial_vlm_ros.reasoning.lexicon import lexicon_for, object_number, text_words
from spatial_vlm_ros.scene.graph import SceneObject

#: More words than any noun has.
_LONGEST_NOUN = 8


class Mentions(NamedTuple):
    """``ids`` in the order in which they are named first. ``vague``: a noun fits several."""

    ids: tuple[int, ...]
    vague: bool


def mentions(text: str, objects: Iterable[SceneObject]) -> Mentions:
    """Of ``text`` with ids as "#7" or "chair (#7)"; O(length).

    Ids are any, nouns are those of ``objects``: a noun, with its colour where that is said, means
    the one object it fits, and none where it fits several.
    """
    objects = tuple(objects)
    labels, colours = (frozenset(getattr(o, a) for o in objects) for a in ("label", "colour"))
    lexicon = lexicon_for(labels, colours)
    words = text_words(text)
    found: dict[int, None] = {}
    vague, at = False, 0
    while at < len(words):
        if (number := object_number(words[at])) is not None:
            found[number] = None
            at += 1
            continue
        length, noun = next(lexicon.nouns(words[at : at + _LONGEST_NOUN]), (1, None))
        by_id = any(word.startswith("#") for word in words[at + length : at + length + 1])
        if noun is not None and not by_id:
            fitting = [o for o in objects if o.label in noun.labels]
            colour = lexicon.colours.get(words[at - 1]) if at else None
            fitting = [o for o in fitting if colour and o.colour == colour] or fitting
            if len(fitting) == 1:
                found[fitting[0].id] = None
            vague |= len(fitting) > 1
        at += length
    return Mentions(tuple(found), vague)


def said_in(phrase: Sequence[str], words: Sequence[str]) -> int | None:
    """Where among ``words`` a phrase stands, one word after the other."""
    count = len(phrase)
    places = (at for at in range(len(words) - count + 1) if words[at : at + count] == phrase)
    return next(places, None) if count else None
