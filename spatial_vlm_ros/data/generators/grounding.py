"""Boxes of what a phrase means (SSR section 3.3, 7-DoF): of one, of several, of none.

One of several of a kind is told by what it is near to, by its direction for one who stands and
faces, or by when it appeared. The answer is JSON as ``language/box_text.py`` writes it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from spatial_vlm_ros.data.generators.draft import Draft, Kind, Pools, written
from spatial_vlm_ros.data.generators.subject import Subject, is_plural
from spatial_vlm_ros.data.generators.words import absent
from spatial_vlm_ros.data.row import Row
from spatial_vlm_ros.data.scenes import AnnotatedScene
from spatial_vlm_ros.language.box_text import NamedBox, write_boxes
from spatial_vlm_ros.reasoning.inflection import plural
from spatial_vlm_ros.reasoning.vocabulary import COLOURS
from spatial_vlm_ros.referring import STRATEGIES
from spatial_vlm_ros.referring.naming import Naming

#: More boxes are not asked for at once.
MOST_BOXES = 16

_ONE = (
    "Find {text}.",
    "Which object is meant: {text}?",
    "What is the 3D bounding box of this object: {text}?",
    "Give the bbox_3d of what is described: {text}.",
    "Locate with a 3D bounding box: {text}.",
)
_ALL = (
    "Find all {text}.",
    "Which objects are meant: all {text}?",
    "What are the 3D bounding boxes of all {text}?",
    "Give the bbox_3d of every one of the {text}.",
    "Locate with 3D bounding boxes: all {text}.",
)


def _meaning(
    subject: Subject, question: str, about: Sequence[int], targets: Sequence[int]
) -> Draft:
    """``about``: the objects that the meant ones are told from."""
    targets = tuple(sorted(targets))
    boxes = tuple(subject.box[n] for n in targets)
    named = [NamedBox(subject.box[n], subject.label[n]) for n in targets]
    return Draft(question, write_boxes(named), tuple(about), targets=targets, boxes=boxes)


def _by(strategy: str) -> Callable[[Subject, random.Random], Pools]:
    """Phrases of one strategy for one of several of a kind."""

    def propose(subject: Subject, rng: random.Random) -> Pools:
        seed = np.random.default_rng(rng.getrandbits(32))
        said = STRATEGIES[strategy](subject.graph, Naming(subject.graph), seed)
        drafts = (
            _meaning(subject, _asked(_ONE, e.text, rng), e.anchors, [e.target])
            for e in said
            if strategy != "appearance" or _known_to_appear(subject, e.target)
        )
        return [drafts]

    return propose


def _asked(wordings: tuple[str, ...], text: str, rng: random.Random) -> str:
    """After a verb only a noun can follow: "standing at the desk, the lamp ..." needs a colon."""
    fitting = wordings if not text.startswith("standing") else [w for w in wordings if ":" in w]
    return rng.choice(fitting).format(text=text)


def _known_to_appear(subject: Subject, number: int) -> bool:
    """Whether it is known of all that may be called the same when they were first seen."""
    noun = subject.label[number].split(" ")[-1]
    return all(
        item.first_seen is not None
        for item in subject.scene.objects
        if item.id in subject.label and subject.label[item.id].split(" ")[-1] == noun
    )


def unique(subject: Subject, rng: random.Random) -> Pools:
    """The only one of its category, or of its category and colour; these take turns."""

    def drafts(by_category: bool) -> Iterator[Draft]:
        for n in subject.shuffled(rng):
            if n in subject.phrase and bool(subject.alone(n)) is by_category:
                question = _asked(_ONE, f"the {subject.phrase[n]}", rng)
                yield _meaning(subject, question, (), [n])

    return [drafts(True), drafts(False)]


def several(subject: Subject, rng: random.Random) -> Pools:
    """All of a category, and all of a category and colour."""

    def drafts(groups: dict[str, list[int]]) -> Iterator[Draft]:
        for noun in rng.sample(sorted(groups), len(groups)):
            if 2 <= len(groups[noun]) <= MOST_BOXES:
                question = _asked(_ALL, plural(noun), rng)
                yield _meaning(subject, question, (), groups[noun])

    coloured: dict[str, list[int]] = {}
    for noun, members in _with_colours(subject).items():
        for n in members:
            coloured.setdefault(f"{subject.colour[n]} {noun}", []).append(n)
    return [drafts({noun: [*group] for noun, group in subject.several.items()}), drafts(coloured)]


def none(subject: Subject, rng: random.Random) -> Pools:
    """What the scene does not have: a category, or one in that colour."""

    def drafts(nouns: list[str]) -> Iterator[Draft]:
        for noun in nouns:
            one = rng.random() < 0.5
            wordings, text = (_ONE, f"the {noun}") if one else (_ALL, plural(noun))
            yield _meaning(subject, _asked(wordings, text, rng), (), ())

    colours = sorted(set(COLOURS.values()))
    coloured = [
        f"{colour} {noun}"
        for noun, members in _with_colours(subject).items()
        for colour in colours
        if all(subject.colour[n] != colour for n in members)
    ]
    return [drafts(absent(subject, rng)), drafts(rng.sample(coloured, len(coloured)))]


def _with_colours(subject: Subject) -> dict[str, tuple[int, ...]]:
    """Nouns of which every bearer's colour is known."""
    groups = dict(subject.several)
    groups |= {noun: (n,) for n in subject.numbers if (noun := subject.alone(n))}
    return {
        noun: group
        for noun, group in groups.items()
        if all(subject.colour[n] for n in group) and not is_plural(noun)
    }


KINDS = (
    *(Kind(strategy, "grounding", _by(strategy)) for strategy in STRATEGIES),
    Kind("unique", "grounding", unique),
    Kind("several", "grounding", several),
    Kind("none", "grounding", none),
)


def rows(scene: AnnotatedScene, seed: int, most: int) -> Iterator[Row]:
    """Rows of all ``KINDS``, at most ``most`` of each."""
    return written("grounding", KINDS, scene, seed, most)
