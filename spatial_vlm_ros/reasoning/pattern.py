"""Sentence patterns: fixed words with gaps for phrases.

"how far is {a} from {b}"      {a} is a noun phrase
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
from typing import Any

from spatial_vlm_ros.reasoning.lexicon import Words
from spatial_vlm_ros.reasoning.parser import Parser
from spatial_vlm_ros.reasoning.sides import read_side, read_sides
from spatial_vlm_ros.reasoning.units import read_length

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

    def matches(self, parser: Parser) -> Iterator[Bindings]:
        """Every way to fit all the words: for each gap its readings (or its word)."""
        present = set(parser.words)
        if all(any(present.issuperset(way) for way in ways) for ways in self._needed):
            yield from self._fit(parser, 0, 0, {})

    def _fit(self, parser: Parser, part: int, at: int, bound: Bindings) -> Iterator[Bindings]:
        words, end = parser.words, len(parser.words)
        while at < end and words[at] == ",":
            at += 1
        if part == len(self._parts):
            if at == end:
                yield bound
            return
        piece = self._parts[part]
        if isinstance(piece, _Fixed):
            for way in piece.ways:
                if words[at : at + len(way)] == way:
                    yield from self._fit(parser, part + 1, at + len(way), bound)
            if piece.optional:
                yield from self._fit(parser, part + 1, at, bound)
            return
        for stop in range(at + 1, end + 1):
            readings = self._readings(parser, piece, at, stop)
            if readings:
                yield from self._fit(parser, part + 1, stop, {**bound, piece.name: readings})

    def _readings(self, parser: Parser, gap: _Gap, start: int, stop: int) -> Any:
        if gap.kind == "phrase":
            return parser.noun_phrases(start, stop)
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
