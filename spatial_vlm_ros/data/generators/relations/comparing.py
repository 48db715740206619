"""Which is taller, longer, larger, higher, nearer; and whether two are of one kind or colour."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from spatial_vlm_ros.data.generators.draft import Draft, Kind, Pools
from spatial_vlm_ros.data.generators.relations.margins import (
    MARGIN_M,
    MARGIN_VOLUME,
    by_number,
    letters,
    yes_and_no,
)
from spatial_vlm_ros.data.generators.subject import Subject
from spatial_vlm_ros.data.generators.words import differ
from spatial_vlm_ros.referring.proximity import LARGE_M2, LARGE_MARGIN_M, room_size
from spatial_vlm_ros.scene.box import Box

#: Options of a choice.
OPTIONS = 4


@dataclass(frozen=True)
class Quality:
    """What objects are compared by. more, less: words for two, best, worst: for several; "" where
    there is none. beats: whether a box clearly has more of it than another.
    """

    more: str
    best: str
    less: str
    worst: str
    beats: Callable[[Box, Box], bool]


def _higher(a: Box, b: Box) -> bool:
    """By its lower edge, its middle and its top."""
    return min(a.bottom - b.bottom, a.z - b.z, a.top - b.top) >= MARGIN_M


QUALITIES = {
    "taller": Quality(
        *("taller", "tallest", "shorter", "shortest"), lambda a, b: a.height - b.height >= MARGIN_M
    ),
    "longer": Quality(*("longer", "longest", "", ""), lambda a, b: a.length - b.length >= MARGIN_M),
    "larger": Quality(
        *("larger", "largest", "smaller", "smallest"),
        lambda a, b: a.volume >= MARGIN_VOLUME * b.volume,
    ),
    "higher": Quality(*("higher", "highest", "lower", "lowest"), _higher),
}


def _than(quality: Quality) -> Callable[[Subject, random.Random], Pools]:
    """Whether one has more, or less, of it than another."""
    words = {quality.more: 1, quality.less: -1}
    words.pop("", None)

    def propose(subject: Subject, rng: random.Random) -> Pools:
        def drafts(so: bool) -> Iterator[Draft]:
            for pair in subject.tuples(2, rng):
                word, sign = rng.choice(list(words.items()))
                first, second = (subject.box[n] for n in pair[:: sign if so else -sign])
                if quality.beats(first, second):
                    named = letters(subject, pair, rng)
                    question = "Is {a} {word} than {b}?".format(word=word, **named)
                    yield Draft(question, "yes" if so else "no", pair)

        return [drafts(True), drafts(False)]

    return propose


def _most(quality: Quality) -> Callable[[Subject, random.Random], Pools]:
    """Which of several has most of it, or least; these take turns."""

    def propose(subject: Subject, rng: random.Random) -> Pools:
        def drafts(word: str, sign: int) -> Iterator[Draft]:
            size = min(OPTIONS, len(subject.numbers))
            for group in subject.tuples(size, rng) if size > 1 else ():
                right, *others = group
                pairs = ((right, other)[::sign] for other in others)
                if all(quality.beats(subject.box[a], subject.box[b]) for a, b in pairs):
                    named = tuple(subject.called(group, rng))
                    question = f"Which of these objects is the {word}?"
                    yield Draft(question, "", tuple(sorted(group)), named)

        words = ((quality.best, 1), (quality.worst, -1))
        return [drafts(word, sign) for word, sign in words if word]

    return propose


def _margin(subject: Subject) -> float:
    return LARGE_MARGIN_M if room_size(subject.graph) > LARGE_M2 else MARGIN_M


def nearer(subject: Subject, rng: random.Random) -> Pools:
    """Whether one is nearer to a third than another is, or farther."""
    margin = _margin(subject)

    def drafts(so: bool) -> Iterator[Draft]:
        for a, b, anchor in subject.tuples(3, rng):
            word, sign = rng.choice((("closer to", 1), ("nearer to", 1), ("farther from", -1)))
            ahead = subject.gap(b, anchor) - subject.gap(a, anchor)
            if (sign if so else -sign) * ahead >= margin:
                named = letters(subject, (a, b, anchor), rng)
                question = "Is {a} {word} {c} than {b}?".format(word=word, **named)
                yield Draft(question, "yes" if so else "no", (a, b, anchor))

    return [drafts(True), drafts(False)]


def nearest(subject: Subject, rng: random.Random) -> Pools:
    """Which of several is nearest to something, or farthest from it; these take turns."""
    margin = _margin(subject)

    def drafts(word: str, sign: int) -> Iterator[Draft]:
        size = min(OPTIONS + 1, len(subject.numbers))
        for group in subject.tuples(size, rng) if size > 2 else ():
            anchor, right, *others = group
            own = subject.gap(right, anchor)
            if all(sign * (subject.gap(other, anchor) - own) >= margin for other in others):
                first, *options = subject.called(group, rng)
                question = f"Which of these objects is the {word} {first}?"
                yield Draft(question, "", (anchor, *sorted(group[1:])), tuple(options))

    return [drafts("closest to", 1), drafts("farthest from", -1)]


def same_category(subject: Subject, pair: tuple[int, ...]) -> bool | None:
    """Of one category; words that can mean the same thing are neither."""
    one, other = (subject.label[n] for n in pair)
    return True if one == other else False if differ(one, other) else None


def same_colour(subject: Subject, pair: tuple[int, ...]) -> bool | None:
    """Of one basic colour, where both are known."""
    one, other = (subject.colour[n] for n in pair)
    return one == other if one and other else None


_SAME_CATEGORY = yes_and_no(
    ("Are {a} and {b} of the same category?", "Are {a} and {b} the same kind of object?"),
    *(2, same_category, by_number),
)
_SAME_COLOUR = yes_and_no(
    ("Do {a} and {b} have the same colour?", "Are {a} and {b} of the same colour?"),
    *(2, same_colour, by_number),
)

KINDS = (
    *(Kind(name, "relation", _than(quality), even=True) for name, quality in QUALITIES.items()),
    *(Kind(q.best, "relation", _most(q)) for q in QUALITIES.values()),
    Kind("nearer", "relation", nearer, even=True),
    Kind("nearest", "nearest", nearest),
    Kind("same_category", "relation", _SAME_CATEGORY, even=True),
    Kind("same_colour", "relation", _SAME_COLOUR, even=True),
)
