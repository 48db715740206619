"""Sentence patterns: fixed words with gaps for phrases.

"how far is {a} from {b}"      {a} is a noun phrase
"where is {x:landmarked}"       a noun phrase like "the chair farthest from the window"
"what is {where:clauses}"      one or more clauses of place
"which is closer {x:list}"     two or more phrases joined by commas, and, or
"how many {x:several}"         a noun phrase, or two or more taken together
"is {c} {way:sides}"            directions to choose from: "to my left or right"
"is {c} {way:side}"             one direction: "on my left"
"taller than {n:length}"        a number with a unit, metres
"is {x} {red:colour}"          what a word table has for these words
"in the|this room"             either word; an underscore joins words: "how_many|number_of"
"away?"                        may be missing

Commas in the question may be anywhere between the parts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spatial_vlm_ros.reasoning.lexicon import Words
from spatial_vlm_ros.reasoning.sides import read_side, read_sides
from spatial_vlm_ros.reasoning.units import read_length

if TYPE_CHECKING:  # the parser reads viewpoints with patterns
    from spatial_vlm_ros.reasoning.parser import Parser

Bindings = dict[str, Any]


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
        if gap.kind == "phrase":
            return parser.noun_phrases(start, stop)
        if gap.kind == "landmarked":
            return [phrase for phrase in parser.noun_phrases(start, stop) if phrase.landmarked]
        if gap.kind == "clauses":
            return parser.clauses(start, stop)
        if gap.kind == "length":
            return read_length(parser.words[start:stop])
        if gap.kind == "several":
            return parser.several(start, stop)
        if gap.kind == "list":
            return parser.lists(start, stop)
        if gap.kind == "sides":
            return read_sides(parser.words[start:stop])
        if gap.kind == "side":
            return read_side(parser.words[start:stop])
        return self._tables[gap.kind].get(" ".join(parser.words[start:stop]))


def _part(text: str) -> _Fixed | _Gap:
    gap = re.fullmatch(r"\{(\w+)(?::(\w+))?\}", text)
    if gap:
        return _Gap(gap[1], gap[2] or "phrase")
    ways = [tuple(way.split("_")) for way in text.rstrip("?").split("|")]
    ways += [(*way[:-1], "s") for way in ways if way[-1] == "is"]  # "the colour's"
    return _Fixed(tuple(sorted(ways, key=len, reverse=True)), text.endswith("?"))
