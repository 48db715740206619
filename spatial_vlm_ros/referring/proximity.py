"""The object of its kind that is nearest to a landmark, or farthest from it."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from spatial_vlm_ros.reasoning.measure import room_area
from spatial_vlm_ros.referring.expression import ReferringExpression
from spatial_vlm_ros.referring.naming import Naming
from spatial_vlm_ros.scene import box as boxes
from spatial_vlm_ros.scene.graph import SceneGraph

#: By how much the next best must be farther from the landmark, or nearer: metres between nearest
#: points, more in rooms larger than ``LARGE_M2``. From VLM-3R's data processing, which computes
#: them for its questions of relative distance.
MARGIN_M, LARGE_MARGIN_M = 0.15, 0.30
LARGE_M2 = 40.0

_NEAREST = (
    "the {noun} nearest to the {anchor}",
    "the {noun} closest to the {anchor}",
    "the nearest {noun} to the {anchor}",
    "the {noun} that is nearest the {anchor}",
)
_FARTHEST = (
    "the {noun} farthest from the {anchor}",
    "the {noun} furthest away from the {anchor}",
    "the {noun} that is farthest from the {anchor}",
)


def propose(
    scene: SceneGraph, naming: Naming, rng: np.random.Generator
) -> Iterator[ReferringExpression]:
    """All that can be said, in random order. The landmark is not of the target's kind."""
    margin = LARGE_MARGIN_M if room_size(scene) > LARGE_M2 else MARGIN_M
    pairs = [
        (noun, group, anchor, name)
        for noun, group in naming.several.items()
        for anchor, name in naming.named
        if anchor not in group
    ]
    for k in rng.permutation(len(pairs)):
        noun, group, anchor, name = pairs[k]
        gaps = boxes.distances([item.box for item in group], [anchor.box])[:, 0]
        order = np.argsort(gaps)
        for wordings, best, next_best in (
            (_NEAREST, order[0], order[1]),
            (_FARTHEST, order[-1], order[-2]),
        ):
            if abs(gaps[best] - gaps[next_best]) >= margin:
                text = str(rng.choice(wordings)).format(noun=noun, anchor=name)
                yield ReferringExpression(text, "proximity", group[best].id, (anchor.id,))


def room_size(scene: SceneGraph) -> float:
    """Square metres of the floor seen; where none is, of the convex outline of all objects.

    Rooms that are remembered together count as one, as everywhere: the map has no walls.
    """
    objects = scene.present()
    if scene.floor is not None:
        return room_area(scene.floor, objects)
    corners = boxes.footprints([item.box for item in objects]).reshape(-1, 2)
    return float(cv2.contourArea(cv2.convexHull(corners.astype(np.float32)))) if objects else 0.0
