"""Reads noun phrases and clauses of place from words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from spatial_vlm_ros.reasoning import appearing, viewpoint
from spatial_vlm_ros.reasoning import vocabulary as v
from spatial_vlm_ros.reasoning.adjectives import adjective
from spatial_vlm_ros.reasoning.inflection import singular
from spatial_vlm_ros.reasoning.lexicon import Lexicon, Noun, Words, object_number
from spatial_vlm_ros.reasoning.phrase import ROBOT, Clause, Clauses, NounPhrase, Rank
from spatial_vlm_ros.reasoning.units import read_reaches

#: Readings kept of one stretch of words: their number grows exponentially with its clauses.
MOST_READINGS = 4
#: Words an unknown noun may have.
_UNKNOWN_WORDS = 3


def _table(phrases: dict[str, tuple[str, ...]]) -> list[tuple[Words, str]]:
    """(words, meaning) with the longest phrases first."""
    rows = [(tuple(p.split()), meaning) for meaning, ways in phrases.items() for p in ways]
    return sorted(rows, key=lambda row: -len(row[0]))


_RELATIONS = _table(v.RELATIONS)
_ROBOT_RELATIONS = _table(v.ROBOT_RELATIONS)
_POSTURES = sorted((tuple(p.split()) for p in v.POSTURE), key=len, reverse=True)
_DETERMINER_WORDS = sorted((tuple(d.split()) for d in v.DETERMINERS), key=len, reverse=True)
_ROBOT_WORDS = sorted((tuple(r.split()) for r in v.ROBOT), key=len, reverse=True)
_NO_NOUN, _ANY = NounPhrase("", Noun("")), Noun("object", generic=True)


@dataclass
class Parser:
    """All readings of stretches of ``words`` as noun phrases, clauses and lists of them.

    ``guess`` also accepts nouns of no list, so that they can be named in a refusal. Readings come
    in order of preference: a clause belongs to the nearest noun before it.
    """

    words: Words
    lexicon: Lexicon
    guess: bool = False
    _seen: dict[tuple[int, int], list[NounPhrase]] = field(default_factory=dict)
    _seen_clauses: dict[tuple[int, int], list[Clauses]] = field(default_factory=dict)

    def noun_phrases(self, start: int, end: int) -> list[NounPhrase]:
        """Readings of exactly ``words[start:end]`` as one noun phrase."""
        key = (start, end)
        if key not in self._seen:
            self._seen[key] = []  # a phrase cannot contain itself
            if 0 < end - start and "," not in self.words[start:end]:
                self._seen[key] = list(islice(self._read(start, end), MOST_READINGS))
        return self._seen[key]

    def clauses(self, start: int, end: int) -> list[Clauses]:
        """Readings of exactly ``words[start:end]`` as one or more clauses of place."""
        if "," in self.words[start:end]:
            return []
        return [found for found in self._clauses(start, end) if found]

    def lists(self, start: int, end: int) -> list[tuple[NounPhrase, ...]]:
        """Readings of ``words[start:end]`` as two or more phrases joined by commas, and, or."""
        return [found for found in self._lists(start, end) if len(found) > 1]

    def several(self, start: int, end: int) -> list[NounPhrase]:
        """Readings of ``words[start:end]`` as one phrase, else as a list taken as one."""
        return self.noun_phrases(start, end) or [
            NounPhrase(
                " ".join(self.words[start:end]),
                Noun(""),
                many=True,
                parts=parts,
                either="or" in self.words[start:end],
            )
            for parts in self.lists(start, end)
        ]

    def _lists(self, start: int, end: int) -> Iterator[tuple[NounPhrase, ...]]:
        for first in self.noun_phrases(start, end)[:1]:
            yield (first,)
        for cut in range(start + 1, end - 1):
            if self.words[cut] not in (",", "and", "or"):
                continue
            heads = self.noun_phrases(start, cut)
            if not heads:
                continue
            after = cut
            while after < end and self.words[after] in (",", "and", "or", "to", "from"):
                after += 1
            for rest in self._lists(after, end):
                yield (heads[0], *rest)
                break

    def _read(self, start: int, end: int) -> Iterator[NounPhrase]:
        for words in _ROBOT_WORDS:
            if self.words[start:end] == words:
                yield ROBOT
        determiner, at = self._determiner(start, end)
        yield from self._modified(start, at, end, replace(_NO_NOUN, determiner=determiner))
        for cut in range(start + 1, end - 1):
            if self.words[cut] == "s":  # "the mug's table"
                for owner in self.noun_phrases(start, cut):
                    for owned in self.noun_phrases(cut + 1, end):
                        yield owned.placed([Clause("of", (owner,))])

    def _determiner(self, start: int, end: int) -> tuple[str, int]:
        for words in _DETERMINER_WORDS:
            if self._has(words, start, end):
                return " ".join(words), start + len(words)
        return "", start

    def _modified(self, start: int, at: int, end: int, so_far: NounPhrase) -> Iterator[NounPhrase]:
        """Adjectives, then the noun, then clauses."""
        if at >= end:
            return
        word = self.words[at]
        for described in adjective(word, so_far, self.lexicon):
            yield from self._modified(start, at + 1, end, described)
        text = " ".join(self.words[start:end])
        for noun, many, item, after in self._nouns(at, end):
            many |= so_far.determiner in v.UNIVERSAL and item is None
            phrase = replace(so_far, text=text, noun=noun, many=many, id=item)
            stops = [after]
            if phrase.ordinal is not None:  # "the second chair" + "to appear"
                stops += appearing.stops_after_ordinal(self.words[:end], after)
            for stop in stops:
                for clauses in self._clauses(stop, end):
                    yield phrase.placed(clauses)
            yield from self._measured_from(phrase, after, end)

    def _measured_from(self, phrase: NounPhrase, at: int, end: int) -> Iterator[NounPhrase]:
        """Like "the nearest chair" + "to the window": the superlative came before the noun."""
        if at >= end or self.words[at] not in ("to", "from"):
            return
        for rank in phrase.ranks:
            if rank.measure == "distance" and not rank.anchors:
                for anchors, stop in self._anchors("", at + 1, end):
                    for rest in self._clauses(stop, end):
                        measured = replace(rank, anchors=anchors)
                        ranks = tuple(measured if r is rank else r for r in phrase.ranks)
                        yield replace(phrase, ranks=ranks).placed(rest)

    def _nouns(self, at: int, end: int) -> Iterator[tuple[Noun, bool, int | None, int]]:
        """What is named from ``at`` on, whether many are, the number of the one, and the stop."""
        if (item := object_number(self.words[at])) is not None:
            yield _ANY, False, item, at + 1
            return
        for length, noun in self._known_or_guessed(at, end):
            stop = at + length
            if stop < end and (item := object_number(self.words[stop])) is not None:
                yield noun, False, item, stop + 1
            else:
                many = singular(self.words[stop - 1]) != self.words[stop - 1]
                yield noun, many or noun.name == "everything", None, stop

    def _known_or_guessed(self, at: int, end: int) -> Iterator[tuple[int, Noun]]:
        found = False
        for length, noun in self.lexicon.nouns(self.words[at:end]):
            found = True
            yield length, noun
        if self.guess and not found:
            for length in range(1, min(_UNKNOWN_WORDS, end - at) + 1):
                words = self.words[at : at + length]
                known = words[-1] in v.FUNCTION_WORDS or object_number(words[-1]) is not None
                if known or any(adjective(words[-1], _NO_NOUN, self.lexicon)):
                    return
                yield length, Noun(" ".join(words), known=False)

    def _clauses(self, start: int, end: int) -> list[Clauses]:
        """Readings as any number of clauses; the longest first clause (deepest nesting) first."""
        key = (start, end)
        if key not in self._seen_clauses:
            self._seen_clauses[key] = list(islice(self._read_clauses(start, end), MOST_READINGS))
        return self._seen_clauses[key]

    def _read_clauses(self, start: int, end: int) -> Iterator[Clauses]:
        start = self._skip_posture(start, end)
        if start == end:
            yield ()
            return
        for first, stop in self._first_clauses(start, end):
            for rest in self._clauses(stop, end):
                yield (first, *rest)

    def _first_clauses(self, start: int, end: int) -> Iterator[tuple[Clause | Rank, int]]:
        """Readings of one clause from ``start`` on, and where it stops."""
        yield from viewpoint.seen_sides(self, start, end)
        for words, side in _ROBOT_RELATIONS:
            if self._has(words, start, end):
                yield Clause(side, (ROBOT,)), start + len(words)
        for reach, at in read_reaches(self.words[start:end]):
            for anchors, stop in self._anchors("near", start + at, end):
                yield Clause("near", anchors, reach), stop
        for words, relation in _RELATIONS:
            if self._has(words, start, end):
                for anchors, stop in self._anchors(relation, start + len(words), end):
                    yield Clause(relation, anchors), stop
        yield from appearing.ranks(self.words[:end], start)
        yield from self._rank(start, end)

    def _rank(self, start: int, end: int) -> Iterator[tuple[Rank, int]]:
        """Like "second nearest to the window", "the tallest"."""
        place, at = self._place(start, end)
        if at >= end or self.words[at] not in v.SUPERLATIVES:
            return
        measure, sign = v.SUPERLATIVES[self.words[at]]
        at += 1
        if measure == "distance":
            after = at + self._has(("away",), at, end)
            after += after < end and self.words[after] in ("to", "from")
            for anchors, stop in self._anchors("", after, end):
                yield Rank(measure, sign, place, anchors), stop
        yield Rank(measure, sign, place), at

    def _skip_posture(self, start: int, end: int) -> int:
        for words in (("here",), *_POSTURES):
            if self._has(words, start, end):
                return self._skip_posture(start + len(words), end)
        return start

    def _place(self, start: int, end: int) -> tuple[int, int]:
        """(2, next) for "second nearest", "the second nearest"; else (1, start)."""
        at, place = start + (start < end and self.words[start] == "the"), 1
        if at < end and v.ORDINALS.get(self.words[at], 0) > 0:
            at, place = at + 1, v.ORDINALS[self.words[at]]
        return place, at + (at < end and self.words[at] == "most")

    def _anchors(
        self, relation: str, start: int, end: int
    ) -> Iterator[tuple[tuple[NounPhrase, ...], int]]:
        """What follows a relation, and where it stops; the longest first."""
        for stop in range(end, start, -1):
            if relation == "between":
                for pair in self.lists(start, stop)[:1]:
                    if len(pair) == 2:
                        yield pair, stop
                for phrase in self.noun_phrases(start, stop)[:1]:
                    if phrase.many:
                        yield (phrase,), stop
            else:
                for phrase in self.noun_phrases(start, stop):
                    yield (phrase,), stop

    def _has(self, words: Sequence[str], start: int, end: int) -> bool:
        return start + len(words) <= end and self.words[start : start + len(words)] == words
