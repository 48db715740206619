"""What an object is like and where it is, and what a scene has: sentences from geometry.

They say only what is clear by the margins of ``relations``, of what was seen, in the order of
Scan2Cap's: what it is, how large, what it is on, what is near it.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import reduce

from spatial_vlm_ros.data.generators.draft import Draft, Kind, Pools, written
from spatial_vlm_ros.data.generators.relations import contact
from spatial_vlm_ros.data.generators.relations.margins import MARGIN_M
from spatial_vlm_ros.data.generators.subject import Subject, a, is_plural
from spatial_vlm_ros.data.row import Row
from spatial_vlm_ros.data.scenes import AnnotatedScene
from spatial_vlm_ros.language.decimals import two_decimals
from spatial_vlm_ros.reasoning.describe import bare, counted, joined

#: For what has a plural for its name.
_OF_MANY = {
    "This is": "These are",
    "It is": "They are",
    "It stands": "They stand",
    "Its ": "Their ",
    "On it": "On them",
    "thing to it": "thing to them",
}
#: Neighbours named at most, and how far away the nearest thing may be to be told [m].
MOST_BESIDE, FARTHEST_M = 2, 3.0

_OBJECT = (
    "Describe {n}.",
    "Describe {n} and where it is.",
    "Give a description of {n} in the scene.",
    "What is {n} like, and what is around it?",
)
_SCENE = (
    "Describe the scene.",
    "Describe this room.",
    "Give a description of what is here.",
    "What is in this scene?",
)


class _Speaker:
    """How a caption names other objects: with their numbers, or none with one."""

    def __init__(self, subject: Subject, numbered: bool) -> None:
        self._subject, self._numbered = subject, numbered

    def name(self, number: int) -> str:
        """Like "the table (#2)"; without numbers "the sofa", or "a chair" if there are others."""
        if self._numbered:
            return f"the {self._subject.label[number]} (#{number})"
        phrase = self._subject.phrase.get(number)
        return f"the {phrase}" if phrase else self.one(number)

    def one(self, number: int) -> str:
        """Like "a red chair"."""
        return a(bare(self._subject.graph[number]))

    def names(self, numbers: Sequence[int]) -> str:
        """All of them; what is called alike is counted, like "2 books"."""
        said = Counter(map(self.name, numbers))
        parts = []
        for name, count in said.items():
            noun = name.removeprefix("an ").removeprefix("a ")
            parts.append(name if count == 1 else counted(count, noun))
        return joined(parts)


def sentences(subject: Subject, number: int, numbered: bool) -> Iterator[str]:
    """All that is clear of an object."""
    speaker, box = _Speaker(subject, numbered), subject.box[number]
    length, width, height = map(two_decimals, (box.length, box.width, box.height))
    yield f"This is {speaker.one(number)}, {length} m long, {width} m wide and {height} m tall."
    yield from _standing(subject, speaker, number)
    things = _carried(subject, number)
    if things:
        yield f"On it {'is' if len(things) == 1 else 'are'} {speaker.names(things)}."
    yield from _neighbours(subject, speaker, number)


def _carried(subject: Subject, number: int) -> tuple[int, ...]:
    """What is on it; () where that is not clear, or not all of it was seen."""
    things = contact.carried(subject, number) or ()
    return things if set(things) <= set(subject.numbers) else ()


def _standing(subject: Subject, speaker: _Speaker, number: int) -> Iterator[str]:
    """What carries it, or how high it is."""
    below = dict(subject.related.get("on", ())).get(number)
    floor = subject.scene.floor_z
    if below is not None:
        if below in subject.numbers and contact.is_on(subject, (number, below)):
            yield f"It is on {speaker.name(below)}."
    elif contact.on_floor(subject, number):
        yield "It stands on the floor."
    elif floor is not None and subject.box[number].bottom - floor >= MARGIN_M:
        higher = two_decimals(subject.box[number].bottom - floor)
        yield f"Its lower edge is {higher} m above the floor."
    for predicate, clear in (("under", contact.is_under), ("above", contact.is_above)):
        others = [o for o in subject.numbers if (number, o) in subject.related.get(predicate, ())]
        for other in [o for o in others if clear(subject, (number, o))][:1]:
            yield f"It is {predicate} {speaker.name(other)}."


def _neighbours(subject: Subject, speaker: _Speaker, number: int) -> Iterator[str]:
    """What is beside it; else the nearest of all that is in no relation to it."""
    apart = {n: subject.gap(n, number) for n in subject.numbers if n != number}
    others = sorted(apart, key=lambda n: (apart[n], n))
    pairs = subject.related.get("beside", set())
    beside = [o for o in others if (number, o) in pairs and contact.is_beside(subject, (number, o))]
    if beside:
        yield f"It is beside {speaker.names(beside[:MOST_BESIDE])}."
        return
    near = [o for o in others if apart[o] < apart[others[0]] + MARGIN_M] if others else []
    if len(near) == 1 and MARGIN_M <= apart[near[0]] <= FARTHEST_M:
        away = two_decimals(apart[near[0]])
        yield f"The nearest thing to it is {speaker.name(near[0])}, {away} m away."


def of_object(subject: Subject, rng: random.Random) -> Pools:
    """An object asked for by its number, or by a phrase and described without numbers."""

    def drafts() -> Iterator[Draft]:
        for n in subject.shuffled(rng):
            (named,) = subject.called([n], rng)
            said = " ".join(sentences(subject, n, "#" in named))
            if is_plural(subject.label[n]):
                said = reduce(lambda text, words: text.replace(*words), _OF_MANY.items(), said)
            yield Draft(rng.choice(_OBJECT).format(n=named), said, (n,))

    return [drafts()]


def of_scene(subject: Subject, rng: random.Random) -> Pools:
    """What is there, how large it is, and what lies on what; one row."""
    if not subject.numbers:
        return []
    return [[Draft(rng.choice(_SCENE), " ".join(_scene_sentences(subject)))]]


def _scene_sentences(subject: Subject) -> Iterator[str]:
    speaker = _Speaker(subject, numbered=False)
    shown = set(subject.numbers)
    hidden = {label for n, label in subject.label.items() if n not in shown}
    kinds = Counter(label for label in subject.label.values() if label not in hidden)
    most_first = sorted(kinds.items(), key=lambda item: (-item[1], item[0]))
    listed = [a(noun) if count == 1 else counted(count, noun) for noun, count in most_first]
    yield f"Here {'is' if sum(kinds.values()) == 1 else 'are'} {joined(listed)}."
    if subject.scene.floor_area is not None:
        yield f"The floor has {subject.scene.floor_area:.1f} square metres."
    tallest = sorted(subject.box, key=lambda n: -subject.box[n].height)
    heights = [subject.box[n].height for n in tallest[:2]]
    if len(heights) == 2 and heights[0] - heights[1] >= MARGIN_M and tallest[0] in shown:
        yield f"The tallest thing is {speaker.name(tallest[0])}, {two_decimals(heights[0])} m."
    for n in subject.numbers:
        things = _carried(subject, n)
        if things and n in subject.phrase:
            said = speaker.names(things)
            yield f"On {speaker.name(n)} {'is' if len(things) == 1 else 'are'} {said}."


KINDS = (Kind("object", "caption", of_object), Kind("scene", "caption", of_scene))


def rows(scene: AnnotatedScene, seed: int, most: int) -> Iterator[Row]:
    """Rows of all ``KINDS``, at most ``most`` of each."""
    return written("captions", KINDS, scene, seed, most)
