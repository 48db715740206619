"""The first, second, ..., last object of its kind to appear."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from spatial_vlm_ros.reasoning.vocabulary import ORDINALS
from spatial_vlm_ros.referring.expression import ReferringExpression
from spatial_vlm_ros.referring.naming import Naming
from spatial_vlm_ros.scene.graph import SceneGraph

#: Seconds by which the target must have appeared after the one before it and before the one after
#: it, more than that. From VLM-3R's data processing.
APART_S = 1.0

_WORDINGS = (
    "the {place} {noun} to appear",
    "the {noun} that appeared {place}",
    "the {place} {noun} that was seen",
    "the {noun} seen {place}",
)
_PLACES = {place: word for word, place in reversed(ORDINALS.items()) if word.isalpha()}


def propose(
    scene: SceneGraph, naming: Naming, rng: np.random.Generator
) -> Iterator[ReferringExpression]:
    """All that can be said, one wording of each, in random order."""
    places = []
    for noun, group in naming.several.items():
        order = sorted(group, key=lambda item: item.first_seen_ns)
        waits = [np.inf, *(np.diff([item.first_seen_ns for item in order]) / 1e9), np.inf]
        for k, item in enumerate(order):
            if min(waits[k], waits[k + 1]) > APART_S:
                places.append((noun, k + 1, item.id))
                if k + 1 == len(order):
                    places.append((noun, -1, item.id))
    for k in rng.permutation(len(places)):
        noun, place, target = places[k]
        if place in _PLACES:
            text = str(rng.choice(_WORDINGS)).format(noun=noun, place=_PLACES[place])
            yield ReferringExpression(text, "appearance", target)
