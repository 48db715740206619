"""What the objects of a scene can be called: names of one, and nouns that several bear."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from spatial_vlm_ros.reasoning import vocabulary as v
from spatial_vlm_ros.reasoning.inflection import singular
from spatial_vlm_ros.reasoning.lexicon import base_form, split_words
from spatial_vlm_ros.reasoning.sides import read_side
from spatial_vlm_ros.scene.graph import SceneGraph, SceneObject

#: Words with a meaning of their own: a label that has one of them names nothing unmistakably.
_TAKEN = {word for way in (*v.ROBOT, *v.DETERMINERS, *v.GENERIC) for word in way.split()}
_TAKEN |= {*v.COLOURS, *v.SIZES, *v.SUPERLATIVES, *v.ORDINALS, *v.NUMBERS, *v.FUNCTION_WORDS}
_TAKEN |= {"unknown", "unlabelled", "unlabeled"}


class Naming:
    """``several``: nouns and the objects that bear them, two or more. ``named``: objects with a
    phrase that means them alone, without its article.

    A noun is borne by the objects it labels and those it is the head of their label: a coffee table
    is a table. Colour tells objects apart where all that bear the noun have one.
    """

    def __init__(self, scene: SceneGraph) -> None:
        objects = scene.present()
        self.several: dict[str, tuple[SceneObject, ...]] = {}
        self.named: list[tuple[SceneObject, str]] = []
        for label in sorted({item.label for item in objects}):
            words = split_words(label)
            if not _sayable(words):
                continue
            noun = " ".join(words)
            bearers = [item for item in objects if _bears(item, words)]
            if len(bearers) > 1 and singular(words[-1]) == words[-1]:
                self.several[noun] = tuple(bearers)
            self.named += _named(noun, [o for o in bearers if o.label == label], bearers)


def _sayable(words: Sequence[str]) -> bool:
    plain = all(word not in _TAKEN and not word.isdecimal() for word in words)
    return bool(words) and plain and not any(read_side([word]) for word in words)


def _bears(item: SceneObject, words: Sequence[str]) -> bool:
    """Whether the object's label is ``words`` or ends in them, whatever their number."""
    return base_form(split_words(item.label))[-len(words) :] == base_form(words)


def _named(
    noun: str, labelled: Sequence[SceneObject], bearers: Sequence[SceneObject]
) -> list[tuple[SceneObject, str]]:
    if len(bearers) == 1:
        return [(item, noun) for item in labelled]
    colours = Counter(_colour(item) for item in bearers)
    if colours[""]:
        return []
    alone = [item for item in labelled if colours[_colour(item)] == 1]
    return [(item, f"{_colour(item)} {noun}") for item in alone]


def _colour(item: SceneObject) -> str:
    """Its basic colour name, "" for none or for one that is no colour word."""
    return v.COLOURS.get(item.colour.lower(), "")
