"""Sides as one sees them who stands somewhere and faces something: "on the left when ..."."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product
from typing import TYPE_CHECKING

from spatial_vlm_ros.reasoning.lexicon import Words
from spatial_vlm_ros.reasoning.pattern import Pattern
from spatial_vlm_ros.reasoning.phrase import Clause, NounPhrase
from spatial_vlm_ros.reasoning.sides import read_side
from spatial_vlm_ros.reasoning.wording import trimmed

if TYPE_CHECKING:  # the parser reads clauses with this file
    from spatial_vlm_ros.reasoning.parser import Parser

_ONE = "i|you|we|someone|one?"
_AM = "am|are|is|were|was?"
_STAND = "standing|stand|stands|stood|sitting|sit|sits|positioned|located"
_AT = "by|at|next_to|near|beside|close_to|on|from"
_LOOKING = "facing|face|faces|faced|looking|look|looks|turned"
_FACING = f"and|while|when? {_ONE} {_AM} {_LOOKING} at|to|towards|toward? {{b}}"
#: Where one stands, {a}, and what one faces, {b}.
_VIEWPOINTS = tuple(
    Pattern(f"{where} {{a}} {_FACING}", {})
    for where in (
        f"as|when|if|while? {_ONE} {_AM} {_STAND} {_AT}?",
        f"when|if|while {_ONE} {_AM} {_AT}",
        "as? seen|viewed|looking? from",
    )
)
_LOOKING_WORDS = frozenset(_LOOKING.split("|"))
#: As relations are named.
_NAMES = {"back": "behind", "ahead": "front"}
_LONGEST_SIDE = 7  # words: "on the left hand side of me"


def seen_sides(parser: Parser, start: int, end: int) -> Iterator[tuple[Clause, int]]:
    """Readings like "on the left when standing at the sofa and facing the tv", and their stops.

    They begin at ``start``; the longest come first.
    """
    if not _mentions_looking(parser.words[start:end]):
        return
    for at in range(start + 1, min(start + _LONGEST_SIDE, end - 1) + 1):
        side = read_side(parser.words[start:at])
        for stop in range(end, at, -1) if side else ():
            for a, b in _viewpoints(parser, at, stop):
                yield Clause(_NAMES.get(side, side), (a,), facing=b), stop


def _viewpoints(parser: Parser, start: int, stop: int) -> Iterator[tuple[NounPhrase, NounPhrase]]:
    """Readings of exactly ``words[start:stop]``: where one stands and what one faces."""
    for pattern in _VIEWPOINTS:
        for bound in pattern.matches(parser, start, stop):
            yield from product(bound["a"], bound["b"])


def rearranged(parser: Parser) -> Iterator[Words]:
    """The words with a viewpoint said first or last, or between commas, put right behind the side
    it is of.

    "Standing at the sofa, facing the tv, go to the chair on the left" becomes "go to the chair on
    the left standing at the sofa facing the tv".
    """
    words = parser.words
    if not _mentions_looking(words):
        return
    cuts = range(1, len(words))
    places = [place for cut in cuts for place in ((0, cut), (cut, len(words)))]
    places += combinations((at for at in cuts if words[at] == ","), 2)
    for start, stop in places:
        rest = trimmed(words[:start] + words[stop:])
        moved = rest + tuple(word for word in words[start:stop] if word != ",")
        if moved != words and _ends_in_a_side(rest) and any(_viewpoints(parser, start, stop)):
            yield moved


def _mentions_looking(words: Words) -> bool:
    return not _LOOKING_WORDS.isdisjoint(words)


def _ends_in_a_side(words: Words) -> bool:
    return any(read_side(words[-length:]) for length in range(1, _LONGEST_SIDE + 1))
