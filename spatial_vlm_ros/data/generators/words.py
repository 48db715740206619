"""Nouns that a scene has nothing of, and whether two nouns can mean the same thing."""

from __future__ import annotations

import random
from functools import cache

from spatial_vlm_ros.data.generators.subject import Subject
from spatial_vlm_ros.language.names import label_words
from spatial_vlm_ros.reasoning.lexicon import Words, base_form, split_words
from spatial_vlm_ros.reasoning.vocabulary import SYNONYMS

#: Things too large or too striking to be overlooked by who annotates a scene, and what simulated
#: rooms have, so that what is asked for in vain is not told by its name.
_ASKED = (
    *("chair", "stool", "table", "desk", "sofa", "bed", "cabinet", "nightstand", "bookshelf"),
    *("fridge", "lamp", "bin", "box", "plant", "monitor", "tv", "keyboard", "laptop", "mug"),
    *("bowl", "book", "vase", "pillow", "window", "door", "picture", "piano", "bicycle"),
    *("bathtub", "washing machine", "toilet", "fireplace", "guitar", "ladder", "dishwasher"),
    *("whiteboard", "umbrella", "suitcase", "microwave", "oven", "printer", "sink", "radiator"),
)
_FORMS = [[base_form(split_words(name)) for name in group] for group in SYNONYMS]
#: What may be said of the same thing though neither is a word for the other.
_CLOSE = (
    *({"chair", "armchair", "stool", "sofa", "bench", "ottoman"}, {"monitor", "tv", "laptop"}),
    *({"table", "desk", "counter", "stand", "nightstand"}, {"bowl", "vase", "mug", "plant", "pot"}),
    *({"cabinet", "bookshelf", "nightstand", "shelf", "wardrobe", "dresser", "drawer"},),
    *({"oven", "microwave", "stove"}, {"box", "bin", "basket"}, {"picture", "mirror", "window"}),
    *({"sink", "basin"}, {"desk", "whiteboard", "board"}, {"dishwasher", "washing machine"}),
)


@cache
def differ(one: str, other: str) -> bool:
    """Whether neither noun is a word for the other, or a sort of it."""
    forms, heads = zip(*map(_meanings, (one, other)), strict=True)
    sort = any(x.endswith(y) or y.endswith(x) for x in heads[0] for y in heads[1])
    return not (forms[0] & forms[1] or sort)


@cache
def far_apart(one: str, other: str) -> bool:
    """Whether nobody would call the same object both."""
    _, heads = zip(*map(_meanings, (one, other)), strict=True)
    close = any(heads[0] & group and heads[1] & group for group in _CLOSE)
    return differ(one, other) and not close


@cache
def _meanings(noun: str) -> tuple[frozenset[Words], frozenset[str]]:
    """All words for it, and the last word of each."""
    form = base_form(split_words(noun)) or ("",)
    words = frozenset({form}.union(*(group for group in _FORMS if form in group)))
    return words, frozenset(each[-1] for each in words)


def absent(subject: Subject, rng: random.Random) -> list[str]:
    """Nouns for nothing in the scene, in random order."""
    present = {label_words(item.category) for item in subject.scene.objects}
    nouns = [noun for noun in _ASKED if all(far_apart(noun, label) for label in present)]
    return rng.sample(nouns, len(nouns))
