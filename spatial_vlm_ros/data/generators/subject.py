"""A scene as questions speak of it: what its objects are called, and how they lie to each other."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import permutations
from math import perm

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.data.generators.graph import scene_graph, seen
from spatial_vlm_ros.data.scenes import AnnotatedScene
from spatial_vlm_ros.language.names import label_words
from spatial_vlm_ros.reasoning.inflection import singular
from spatial_vlm_ros.referring.naming import Naming
from spatial_vlm_ros.scene import box as boxes
from spatial_vlm_ros.scene import polygon

Array = NDArray[np.float64]
Pair = tuple[int, int]

#: Tuples of objects tried for one kind of question.
MOST_TRIED = 10_000


_ONLY_PLURAL = frozenset("blinds clothes scissors stairs".split())


class Subject:
    """numbers: of the objects to ask about, which were seen; all else is about all there are.

    label, box, colour: by number. phrase: number to what means this object alone, like "sofa" or
    "red chair"; not all have one. several: noun to the numbers of the two or more that bear it.
    related: predicate to (subject, object). middle, corners: of each, seen from above, as x + yi
    in metres: turns are quotients then.
    """

    def __init__(self, scene: AnnotatedScene) -> None:
        self.scene, self.graph = scene, scene_graph(scene)
        items = self.graph.objects
        shown = seen(scene)
        self.numbers = tuple(item.id for item in items if item.id in shown)
        self.label = {item.id: label_words(item.label) for item in items}
        self.box = {item.id: item.box for item in items}
        self.colour = {item.id: item.colour for item in items}
        self.middle = {item.id: complex(item.box.x, item.box.y) for item in items}
        outlines = boxes.footprints([item.box for item in items]) @ np.array([1, 1j])
        self.corners = dict(zip(self.box, outlines.tolist(), strict=True))
        naming = Naming(self.graph)
        self.phrase = {item.id: phrase for item, phrase in naming.named}
        self.several = {noun: tuple(o.id for o in group) for noun, group in naming.several.items()}
        self.related: dict[str, set[Pair]] = {}
        for said in self.graph.relations:
            self.related.setdefault(said.predicate, set()).add((said.subject, said.object))
        self._row = {item.id: k for k, item in enumerate(items)}

    def gap(self, a: int, b: int) -> float:
        """Metres between the nearest points of two boxes."""
        return float(self._gaps[self._row[a], self._row[b]])

    def level_gap(self, a: int, b: int) -> float:
        """The same, seen from above."""
        return float(self._level_gaps[self._row[a], self._row[b]])

    @cached_property
    def _gaps(self) -> Array:
        rows = list(self.box.values())
        return boxes.distances(rows, rows)

    @cached_property
    def _level_gaps(self) -> Array:
        corners = boxes.footprints(list(self.box.values()))
        return polygon.gaps(corners[:, None], corners[None])

    def alone(self, number: int) -> str:
        """Its category where no other object is of it, nor of one that ends so; else ""."""
        phrase = self.phrase.get(number, "")
        return phrase if phrase == self.label[number] else ""

    def called(self, numbers: Sequence[int], rng: random.Random) -> list[str]:
        """What a question calls objects, none of them mistakable: "the red chair", "the chair (#7)"
        or "#7". About half of the time all are without numbers, where that can be.
        """
        plain = all(number in self.phrase for number in numbers) and rng.random() < 0.4
        return [self.names(n)[-1] if plain else rng.choice(self.names(n)) for n in numbers]

    def names(self, number: int) -> tuple[str, ...]:
        """All that it may be called, at last without its number if that can be."""
        said = [f"#{number}", f"the {self.label[number]} (#{number})"]
        if number in self.phrase:
            said.append(f"the {self.phrase[number]}")
        return tuple(said)

    def shuffled(self, rng: random.Random) -> list[int]:
        """``numbers`` in random order."""
        return rng.sample(self.numbers, len(self.numbers))

    def tuples(self, size: int, rng: random.Random) -> Iterator[tuple[int, ...]]:
        """Different objects in random order: all there are, or ``MOST_TRIED`` of them."""
        if perm(len(self.numbers), size) <= MOST_TRIED:
            every = list(permutations(self.numbers, size))
            yield from rng.sample(every, len(every))
        else:
            yield from (tuple(rng.sample(self.numbers, size)) for _ in range(MOST_TRIED))


def is_plural(noun: str) -> bool:
    """Whether the name of one object is a plural: "stairs", "books"."""
    last = noun.split(" ")[-1]
    return singular(last) != last or last in _ONLY_PLURAL


def a(noun: str) -> str:
    """With its article: "a chair", "an oven"; a plural has none."""
    if is_plural(noun):
        return noun
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"
