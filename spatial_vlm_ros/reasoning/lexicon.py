"""Which words mean which labels of the scene at hand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from spatial_vlm_ros.reasoning.inflection import singular
from spatial_vlm_ros.reasoning.vocabulary import (
    CATEGORIES,
    COLOURS,
    FLOOR,
    GENERIC,
    SYNONYMS,
)

Words = tuple[str, ...]

#: An object by its id in a text: "#7", in brackets behind its noun. Longer numbers are of none.
NUMBER = r"(?<![\w&#])#[0-9]{1,18}(?!\w)"
_NUMBER = re.compile(rf"\({NUMBER}\)|{NUMBER}")
_TEXT_WORD = re.compile(rf"{NUMBER}|[^\W_]+")


@dataclass(frozen=True)
class Noun:
    """A noun of a question. ``labels`` are the scene's labels it covers.

    ``generic`` covers every object ("thing"); ``known`` is False for a word of no list.
    """

    name: str
    labels: frozenset[str] = frozenset()
    generic: bool = False
    known: bool = True

    @property
    def floor(self) -> bool:
        """Whether it is the ground that all stands on, and no object is labelled so."""
        return self.name in FLOOR and not self.labels

    @property
    def said(self) -> str:
        """The noun in an answer: "object" for "anything"."""
        return "object" if self.generic else self.name


class Lexicon:
    """The nouns and colours that can be understood in a scene with these labels and colours.

    A noun covers the labels equal to it and those it is the head of ("table" covers
    "dining table"). Only where there is none, it covers those of its synonyms.
    """

    def __init__(self, labels: Iterable[str], colours: Iterable[str] = ()) -> None:
        self.labels = tuple(sorted(set(labels)))
        self.colours = {c.lower(): COLOURS.get(c.lower(), c.lower()) for c in colours if c}
        self.colours |= COLOURS
        self._covers: dict[Words, set[str]] = {}
        for label in self.labels:
            words = base_form(split_words(label))
            for start in range(len(words)):
                self._covers.setdefault(words[start:], set()).add(label)
        self._synonyms = dict(self._synonymous())
        known = {base_form(split_words(name)) for name in CATEGORIES | FLOOR} | set(self._covers)
        self._known = known | set(self._synonyms)
        self._longest = max((len(words) for words in self._known | _GENERIC), default=1)

    def _synonymous(self) -> Iterator[tuple[Words, set[str]]]:
        for group in SYNONYMS:
            forms = [base_form(split_words(name)) for name in group]
            labels = set().union(*(self._covers.get(form, set()) for form in forms))
            yield from ((form, labels) for form in forms if labels)

    def nouns(self, words: Sequence[str]) -> Iterator[tuple[int, Noun]]:
        """Nouns that ``words`` begin with and how many words each takes, the longest first."""
        for length in range(min(self._longest, len(words)), 0, -1):
            form = base_form(words[:length])
            name = " ".join(form)
            if form in _GENERIC:
                yield length, Noun(name, generic=True)
            elif form in self._known:
                labels = self._covers.get(form) or self._synonyms.get(form, set())
                yield length, Noun(name, frozenset(labels))


def object_number(word: str) -> int | None:
    """7 of "#7" and "(#7)"; None of any other word."""
    return int(word.strip("(#)")) if _NUMBER.fullmatch(word) else None


def text_words(text: str) -> Words:
    """Lower-case words of a text that may name objects by number, as "#7"."""
    return tuple(_TEXT_WORD.findall(text.lower()))


def split_words(text: str) -> Words:
    """Lower-case words of a label: "Coffee_table" and "coffee-table" are ("coffee", "table")."""
    return tuple(re.findall(r"[^\W_]+", text.lower()))


def base_form(words: Sequence[str]) -> Words:
    """The words of a noun with the last in the singular."""
    return (*words[:-1], singular(words[-1])) if words else ()


_GENERIC = {base_form(split_words(name)) for name in GENERIC}


@lru_cache(maxsize=8)
def lexicon_for(labels: frozenset[str], colours: frozenset[str]) -> Lexicon:
    """A lexicon, made once for each set of labels."""
    return Lexicon(labels, colours)
