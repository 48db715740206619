"""What is on, under, above and beside what."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import lru_cache

from spatial_vlm_ros.data.generators.draft import Draft, Kind, Pools
from spatial_vlm_ros.data.generators.relations.margins import MARGIN_M, letters, yes_and_no
from spatial_vlm_ros.data.generators.subject import Subject
from spatial_vlm_ros.reasoning.describe import joined
from spatial_vlm_ros.scene.relations import BESIDE_GAP, OVER_MARGIN, SURFACE

#: Metres between what rests on something and that, at most.
TOUCHING_M = 0.05

_ON = ("Is {a} on {b}?", "Does {a} stand on {b}?", "Is {a} on top of {b}?")
_UNDER = ("Is {a} under {b}?", "Is {a} beneath {b}?")
_ABOVE = ("Is {a} above {b}?", "Is {a} over {b}?")
_BESIDE = ("Is {a} beside {b}?", "Is {a} next to {b}?", "Does {a} stand next to {b}?")
_WHAT_ON = ("What is {a} on?", "What does {a} stand on?", "What does {a} rest on?")
_WHAT_CARRIED = ("What is on {a}?", "Which objects are on {a}?", "What stands on {a}?")
_HOW_MANY = ("How many objects are on {a}?", "How many things stand on {a}?")
_PLACES = ("on", "under", "above", "beside")
_WHICH_PLACE = (
    "Is {a} on, under, above or beside {b}?",
    "Where is {a}: on, under, above or beside {b}?",
)


def is_on(subject: Subject, pair: tuple[int, ...]) -> bool | None:
    """Resting on it directly; what something in between carries is neither. Asked in vain only of
    what rests on something else, and of what can carry something.
    """
    a, b = pair
    on = subject.related.get("on", set())
    if pair in on:
        return True if subject.gap(a, b) <= TOUCHING_M else None
    thinkable = any(a == carried for carried, _ in on) and b in _carrying(subject)
    return False if thinkable and _surely_off(subject, a, b) else None


def is_under(subject: Subject, pair: tuple[int, ...]) -> bool | None:
    """Beneath something with legs."""
    if pair in subject.related.get("under", ()):
        return True
    clear = subject.level_gap(*pair) >= MARGIN_M
    return False if clear and _shares_a_part(subject, "under", pair) else None


def is_above(subject: Subject, pair: tuple[int, ...]) -> bool | None:
    """Over it with air in between."""
    a, b = pair
    if pair in subject.related.get("above", ()):
        return True if subject.box[a].bottom - subject.box[b].top >= MARGIN_M else None
    clear = subject.level_gap(a, b) >= OVER_MARGIN + MARGIN_M
    return False if clear and _shares_a_part(subject, "above", pair) else None


def _shares_a_part(subject: Subject, predicate: str, pair: tuple[int, ...]) -> bool:
    """Whether one of the two is so to something else: other things nobody would ask about."""
    found = subject.related.get(predicate, ())
    return any(pair[0] == a or pair[1] == b for a, b in found)


def is_beside(subject: Subject, pair: tuple[int, ...]) -> bool | None:
    """Near, at the same height, and not partly over it."""
    a, b = pair
    if (a, b) in subject.related.get("beside", ()):
        near = subject.gap(a, b) <= BESIDE_GAP - MARGIN_M
        return True if near and subject.level_gap(a, b) > 0 else None
    return False if subject.gap(a, b) >= BESIDE_GAP + MARGIN_M else None


def carried(subject: Subject, b: int) -> tuple[int, ...] | None:
    """What rests on an object, directly or not; None where that is not clear of everything."""
    on = subject.related.get("on", set())
    found: set[int] = set()
    new = {b}
    while new:
        new = {x for x, below in on if below in new} - found
        found |= new
    others = (n for n in subject.box if n != b and n not in found)
    touching = all(is_on(subject, pair) for pair in on if pair[0] in found)
    clear = touching and all(_surely_off(subject, n, b) for n in others)
    return tuple(sorted(found - {b})) if clear else None


def _surely_off(subject: Subject, a: int, b: int) -> bool:
    """Whether nobody can think that a rests on b: it is away from it, or starts as low as it."""
    return subject.gap(a, b) >= MARGIN_M or (
        subject.box[a].bottom <= subject.box[b].bottom + TOUCHING_M
    )


@lru_cache(maxsize=1)
def _carrying(subject: Subject) -> set[int]:
    """What things can stand on, or do."""
    furniture = {n for n, label in subject.label.items() if label.split(" ")[-1] in SURFACE}
    return furniture | {b for _, b in subject.related.get("on", ())}


def on_floor(subject: Subject, a: int) -> bool:
    """Whether it clearly stands on the floor."""
    floor = subject.scene.floor_z
    held = {pair[0] for name in ("on", "inside") for pair in subject.related.get(name, ())}
    low = floor is not None and abs(subject.box[a].bottom - floor) <= TOUCHING_M
    return low and a not in held


def supporter(subject: Subject, rng: random.Random) -> Pools:
    """What an object rests on: another one, or the floor."""

    def drafts(on_other: bool) -> Iterator[Draft]:
        below = dict(subject.related.get("on", ()))
        for a in subject.shuffled(rng):
            named = subject.called([a, below[a]] if a in below else [a], rng)
            question = rng.choice(_WHAT_ON).format(a=named[0])
            if on_other and a in below and is_on(subject, (a, below[a])):
                others = tuple(name for name in subject.names(below[a]) if name != named[1])
                yield Draft(question, named[1], (a,), accepted=others, targets=(below[a],))
            if not on_other and on_floor(subject, a):
                yield Draft(question, "the floor", (a,), accepted=("floor",))

    known = subject.scene.floor_z is not None
    return [drafts(True), drafts(False)] if known else [drafts(True)]


def carried_things(subject: Subject, rng: random.Random) -> Pools:
    """What an object carries: something, or nothing."""

    def drafts(some: bool) -> Iterator[Draft]:
        for b in subject.shuffled(rng):
            things = carried(subject, b) if b in _carrying(subject) else None
            if things is not None and bool(things) is some:
                named = subject.called([b, *things], rng)
                question = rng.choice(_WHAT_CARRIED).format(a=named[0])
                yield Draft(question, joined(named[1:]) or "nothing", (b,), targets=things)

    return [drafts(True), drafts(False)]


def carried_count(subject: Subject, rng: random.Random) -> Pools:
    """How many things an object carries; the counts take turns."""
    found = {b: carried(subject, b) for b in subject.shuffled(rng) if b in _carrying(subject)}
    clear = {b: things for b, things in found.items() if things is not None}

    def drafts(many: int) -> Iterator[Draft]:
        for b, things in clear.items():
            if len(things) == many:
                named = subject.called([b], rng)[0]
                question = rng.choice(_HOW_MANY).format(a=named)
                yield Draft(question, str(many), (b,), targets=things)

    return [drafts(many) for many in sorted({len(things) for things in clear.values()})]


def place(subject: Subject, rng: random.Random) -> Pools:
    """On, under, above or beside, of which only one can be said."""

    def drafts(right: str) -> Iterator[Draft]:
        options = (right, *(name for name in _PLACES if name != right))
        for pair in subject.tuples(2, rng):
            if _where(subject, *pair) == right:
                question = rng.choice(_WHICH_PLACE).format(**letters(subject, pair, rng))
                yield Draft(question, "", pair, options)

    return [drafts(right) for right in _PLACES]


def _where(subject: Subject, a: int, b: int) -> str:
    """Under is also what carries, and what is below; "" where nothing is clear."""
    if is_on(subject, (a, b)):
        return "on"
    if is_under(subject, (a, b)) or is_on(subject, (b, a)) or is_above(subject, (b, a)):
        return "under"
    if is_above(subject, (a, b)):
        return "above"
    return "beside" if is_beside(subject, (a, b)) else ""


KINDS = (
    Kind("on", "relation", yes_and_no(_ON, 2, is_on), even=True),
    Kind("under", "relation", yes_and_no(_UNDER, 2, is_under), even=True),
    Kind("above", "relation", yes_and_no(_ABOVE, 2, is_above), even=True),
    Kind("beside", "relation", yes_and_no(_BESIDE, 2, is_beside), even=True),
    Kind("supporter", "relation", supporter, even=True),
    Kind("carried", "relation", carried_things, even=True),
    Kind("carried_count", "counting", carried_count),
    Kind("place", "relation", place),
)
