"""What is #7, and which is the lamp: numbers of objects and their categories (Proxy3D stage 1)."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

from spatial_vlm_ros.data.generators.draft import Draft, Kind, Pools, written
from spatial_vlm_ros.data.generators.subject import Subject, a, is_plural
from spatial_vlm_ros.data.generators.words import absent, differ
from spatial_vlm_ros.data.row import Row
from spatial_vlm_ros.data.scenes import AnnotatedScene
from spatial_vlm_ros.reasoning.inflection import plural

#: Longer lists are not asked for.
MOST_LISTED = 12

_WHAT = (
    "What is {n}?",
    "What kind of object is {n}?",
    "Which category does {n} belong to?",
    "What object has the number {n}?",
    "Say what {n} is.",
    "Identify {n}.",
)
_WHAT_EACH = ("What are {n}?", "Say what each of these is: {n}.", "Name these: {n}.")
_WHICH = (
    "Which object is the {noun}?",
    "Which number does the {noun} have?",
    "By which number is the {noun} known?",
)
_WHICH_OF_MANY = (
    "Which objects are {nouns}?",
    "What are the numbers of all {nouns}?",
    "Which numbers do the {nouns} have?",
    "List all {nouns} by number.",
)
_HOW_MANY = (
    "How many {nouns} are there?",
    "How many {nouns} are in this scene?",
    "Count the {nouns}.",
    "How many {nouns} can be found here?",
)


def category(subject: Subject, rng: random.Random) -> Pools:
    """What an object is."""
    drafts = (
        Draft(rng.choice(_WHAT).format(n=f"#{number}"), subject.label[number], (number,))
        for number in subject.shuffled(rng)
    )
    return [drafts]


def categories(subject: Subject, rng: random.Random) -> Pools:
    """What each of several objects is."""

    def drafts() -> Iterator[Draft]:
        for _ in subject.numbers:
            many = min(rng.randint(2, MOST_LISTED), len(subject.numbers))
            members = tuple(rng.sample(list(subject.numbers), many))
            asked = ", ".join(f"#{n}" for n in members)
            answer = ", ".join(f"#{n} {subject.label[n]}" for n in members)
            if many > 1:
                yield Draft(rng.choice(_WHAT_EACH).format(n=asked), answer, members)

    return [drafts()]


def category_choice(subject: Subject, rng: random.Random) -> Pools:
    """The same among four categories, those of other objects if there are enough."""
    labels = sorted(set(subject.label.values()))

    def drafts() -> Iterator[Draft]:
        for number in subject.shuffled(rng):
            options = [subject.label[number]]
            for other in [*rng.sample(labels, len(labels)), *absent(subject, rng)]:
                if len(options) < 4 and all(differ(other, known) for known in options):
                    options.append(other)
            yield Draft(_WHAT[0].format(n=f"#{number}"), "", (number,), tuple(options))

    return [drafts()]


def is_category(subject: Subject, rng: random.Random) -> Pools:
    """Whether an object is of its own category, or of another one's."""
    labels = Counter(subject.label.values())

    def drafts(so: bool) -> Iterator[Draft]:
        for number in subject.shuffled(rng):
            own = subject.label[number]
            others = [label for label in labels.elements() if differ(label, own)]
            if so or others:
                said = a(own if so else rng.choice(others))
                yield Draft(f"Is #{number} {said}?", "yes" if so else "no", (number,))

    return [drafts(True), drafts(False)]


def number(subject: Subject, rng: random.Random) -> Pools:
    """Which is the only one of its category; no colours, for simplified scenes show none."""
    drafts = (
        Draft(rng.choice(_WHICH).format(noun=noun), f"#{n}", (n,), targets=(n,))
        for n in subject.shuffled(rng)
        if (noun := subject.alone(n))
    )
    return [drafts]


def numbers(subject: Subject, rng: random.Random) -> Pools:
    """Which are all that bear a noun; none for some that the scene does not have."""
    nouns = [noun for noun, group in subject.several.items() if len(group) <= MOST_LISTED]

    def drafts(asked: list[str]) -> Iterator[Draft]:
        for noun in asked:
            members = tuple(sorted(subject.several.get(noun, ())))
            answer = ", ".join(f"#{n}" for n in members) or "none"
            question = rng.choice(_WHICH_OF_MANY).format(nouns=plural(noun))
            yield Draft(question, answer, members, targets=members)

    return [drafts(rng.sample(nouns, len(nouns))), drafts(absent(subject, rng)[: len(nouns) // 2])]


def count(subject: Subject, rng: random.Random) -> Pools:
    """How many bear a noun; the counts take turns, none among them."""
    members = dict(subject.several)
    members |= {noun: (n,) for n in subject.numbers if (noun := subject.alone(n))}
    members = {noun: group for noun, group in members.items() if not is_plural(noun)}
    missing = absent(subject, rng)[: max(len(members) // 3, 1)]
    members |= dict.fromkeys(missing, ())

    def drafts(many: int) -> Iterator[Draft]:
        nouns = [noun for noun, group in members.items() if len(group) == many]
        for noun in rng.sample(nouns, len(nouns)):
            question = rng.choice(_HOW_MANY).format(nouns=plural(noun))
            yield Draft(question, str(many), members[noun])

    return [drafts(many) for many in sorted({len(group) for group in members.values()})]


KINDS = (
    Kind("category", "identify", category),
    Kind("categories", "identify", categories),
    Kind("category_choice", "identify", category_choice),
    Kind("is_category", "identify", is_category, even=True),
    Kind("number", "identify", number),
    Kind("numbers", "identify", numbers),
    Kind("count", "counting", count),
)


def rows(scene: AnnotatedScene, seed: int, most: int) -> Iterator[Row]:
    """Rows of all ``KINDS``, at most ``most`` of each."""
    return written("identifiers", KINDS, scene, seed, most)
