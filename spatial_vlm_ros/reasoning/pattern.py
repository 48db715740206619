"""Sentence patterns: fixed words with gaps for phrases.

"how far is {a} from {b}"      {a} is a noun phrase
"where is {x:landmarked}"       a noun phrase like "the chair farthest from the window"
"what is {x:numbered}"         a number alone: "#7"
"what are {list:numbers}"      two or more of them: "#3, #7"
"the number of {x:single}"     what means one: "the chair", "#7"
"is {x} {y:kind}"              what something may be: "a chair"
"find {x:many}"                a noun phrase in the plural
"what is {where:clauses}"      one or more clauses of place
"which is closer {x:list}"     two or more phrases joined by commas, and, or
"how many {x:several}"         a noun phrase, or two or more taken together
"is {c} {way:sides}"            directions to choose from: "to my left or right"
"is {c} {way:side}"             one direction: "on my left"
"is {x} {way:relations} {y}"   relations to choose from: "on, under or beside"
"what is at {at:place}"        three coordinates
"taller than {n:length}"        a number with a unit, metres
"is {x} {red:colour}"          what a word table has for these words
"in the|this room"             either word; an underscore joins words: "how_many|number_of"
"away?"                        may be missing

Commas in the question may be anywhere between the parts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spatial_vlm_ros.reasoning.lexicon import Words
from spatial_vlm_ros.reasoning.phrase import NounPhrase
from spatial_vlm_ros.reasoning.sides import read_relations, read_side, read_sides
from spatial_vlm_ros.reasoning.units import read_length, read_place

if TYPE_CHECKING:  # the parser reads viewpoints with patterns
    from spatial_vlm_ros.reasoning.parser import Parser

Bindings = dict[str, Any]

_PHRASES: dict[str, Callable[[NounPhrase], bool]] = {
    "phrase": lambda phrase: True,
    "landmarked": lambda phrase: phrase.landmarked,
    "numbered": lambda phrase: phrase.numbered,
    "kind": lambda phrase: phrase.of_a_kind,
    "many": lambda phrase: phrase.many,
    "single": lambda phrase: (
        phrase.id is not None or (phrase.determiner, phrase.many) == ("the", False)
    ),
}
_BY_PARSER: dict[str, Callable[[Parser, int, int], Any]] = {
    "clauses": lambda parser, start, stop: parser.clauses(start, stop),
    "several": lambda parser, start, stop: parser.several(start, stop),
    "list": lambda parser, start, stop: parser.lists(start, stop),
    "numbers": lambda parser, start, stop: [
        found for found in parser.lists(start, stop) if all(phrase.numbered for phrase in found)
    ],
}
_BY_WORDS: dict[str, Callable[[Words], Any]] = {
    "length": read_length,
    "place": read_place,
    "sides": read_sides,
    "side": read_side,
    "relations": read_relations,
}


@dataclass(frozen=True)
class _Fixed:
    ways: tuple[Words, ...]
    optional: bool


@dataclass(frozen=True)
class _Gap:
    name: str
    kind: str


class Pattern:
    """A compiled pattern. ``tables`` are the word tables its gaps name."""

    def __init__(self, text: str, tables: Mapping[str, Mapping[str, Any]]) -> None:
        self._tables = tables
        self._parts = tuple(_part(word) for word in text.split())
        self._needed = [p.ways for p in self._parts if isinstance(p, _Fixed) and not p.optional]

    def matches(self, parser: Parser, start: int = 0, end: int | None = None) -> Iterator[Bindings]:
        """Every way to fit all of ``words[start:end]``: for each gap its readings (or its word)."""
        end = len(parser.words) if end is None else end
        present = set(parser.words[start:end])
        if all(any(present.issuperset(way) for way in ways) for ways in self._needed):
            yield from self._fit(parser, 0, start, end, {})

    def _fit(
        self, parser: Parser, part: int, at: int, end: int, bound: Bindings
    ) -> Iterator[Bindings]:
        words = parser.words
        while at < end and words[at] == ",":
            at += 1
        if part == len(self._parts):
            if at == end:
                yield bound
            return
        piece = self._parts[part]
        if isinstance(piece, _Fixed):
            for way in piece.ways:
                stop = at + len(way)
                if stop <= end and words[at:stop] == way:
                    yield from self._fit(parser, part + 1, stop, end, bound)
            if piece.optional:
                yield from self._fit(parser, part + 1, at, end, bound)
            return
        for stop in range(at + 1, end + 1):
            readings = self._readings(parser, piece, at, stop)
            if readings:
                yield from self._fit(parser, part + 1, stop, end, {**bound, piece.name: readings})

    def _readings(self, parser: Parser, gap: _Gap, start: int, stop: int) -> Any:
        if gap.kind in _PHRASES:
            fits = _PHRASES[gap.kind]
            return [phrase for phrase in parser.noun_phrases(start, stop) if fits(phrase)]
        if gap.kind in _BY_PARSER:
            return _BY_PARSER[gap.kind](parser, start, stop)
        if gap.kind in _BY_WORDS:
            return _BY_WORDS[gap.kind](parser.words[start:stop])
        return self._tables[gap.kind].get(" ".join(parser.words[start:stop]))


def _part(text: str) -> _Fixed | _Gap:
    gap = re.fullmatch(r"\{(\w+)(?::(\w+))?\}", text)
    if gap:
        return _Gap(gap[1], gap[2] or "phrase")
    ways = [tuple(way.split("_")) for way in text.rstrip("?").split("|")]
    ways += [(*way[:-1], "s") for way in ways if way[-1] == "is"]  # "the colour's"
    return _Fixed(tuple(sorted(ways, key=len, reverse=True)), text.endswith("?"))
