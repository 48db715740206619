"""The only object of its kind on a side of one who stands at an object and faces another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, product

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.referring.expression import ReferringExpression
from spatial_vlm_ros.referring.naming import Naming
from spatial_vlm_ros.scene.box import as_array
from spatial_vlm_ros.scene.graph import SceneGraph, SceneObject

#: Metres between the centres of what one stands at and what one faces. From VLM-3R's data
#: processing, as the corners below. Nothing of the target's kind may be nearer than the least of
#: it either: from there it has no clear direction.
NEAREST_M, FARTHEST_M = 0.3, 5.0
#: Degrees between any object of the kind and the borders of the side, within and without. VLM-3R
#: asks for it within only.
MARGIN_DEG = 10.0
#: Of the eight corners of the target's box, so many may lie beyond the border.
CORNERS_BEYOND = 2
#: Places, headings and kinds tried at most: there are as many as the cube of a scene's objects.
MOST_TRIED = 5000

#: Side to the bearing of its middle and half its width, degrees, left positive.
SIDES = {
    "to the left": (90.0, 90.0),
    "to the right": (-90.0, 90.0),
    "in front": (0.0, 45.0),
    "behind": (180.0, 45.0),
    "to the front-left": (45.0, 45.0),
    "to the front-right": (-45.0, 45.0),
    "to the back-left": (135.0, 45.0),
    "to the back-right": (-135.0, 45.0),
}
_WORDINGS = (
    "the {noun} {side} when standing at the {stand} and facing the {face}",
    "the {noun} {side} if you stand by the {stand} and face the {face}",
    "the {noun} {side} when I am standing next to the {stand}, facing the {face}",
    "the {noun} {side}, as seen from the {stand} when facing the {face}",
    "standing by the {stand} and facing the {face}, the {noun} {side}",
    "standing at the {stand} facing the {face}, the {noun} that is {side}",
)


def propose(
    scene: SceneGraph, naming: Naming, rng: np.random.Generator
) -> Iterator[ReferringExpression]:
    """One side for each place, heading and kind of object that has one, in random order.

    Directions are between centres seen from above. Neither anchor is of the target's kind.
    """
    anchors = [anchor for anchor, _ in naming.named]
    names = [name for _, name in naming.named]
    centres = _centres(anchors)
    apart = np.linalg.norm(centres[:, None] - centres[None], axis=-1)
    pairs = rng.permutation(np.argwhere((apart >= NEAREST_M) & (apart <= FARTHEST_M)))
    tries = product(pairs, naming.several.items())
    for (stand, face), (noun, group) in islice(tries, MOST_TRIED):
        ids = (anchors[stand].id, anchors[face].id)
        if any(item.id in ids for item in group):
            continue
        found = _only_ones(group, centres[stand], centres[face])
        if found:
            side, target = found[rng.integers(len(found))]
            text = str(rng.choice(_WORDINGS)).format(
                noun=noun, side=side, stand=names[stand], face=names[face]
            )
            yield ReferringExpression(text, "direction", target.id, ids)


def _only_ones(
    group: Sequence[SceneObject], stand: NDArray[np.float64], face: NDArray[np.float64]
) -> list[tuple[str, SceneObject]]:
    """Sides that clearly have one of ``group`` only, and which."""
    centres = _centres(group)
    if np.linalg.norm(centres - stand, axis=1).min() < NEAREST_M:
        return []
    degrees = _bearings(stand, face, centres)
    found = []
    for side in SIDES:
        depths = _depths(degrees, side)
        if np.abs(depths).min() >= MARGIN_DEG and (depths > 0).sum() == 1:
            target = group[int(depths.argmax())]
            corners = _bearings(stand, face, target.box.corners()[:, :2])
            if (_depths(corners, side) < 0).sum() <= CORNERS_BEYOND:
                found.append((side, target))
    return found


def _centres(objects: Sequence[SceneObject]) -> NDArray[np.float64]:
    """(n, 2) seen from above."""
    return as_array([item.box for item in objects])[:, :2]


def _bearings(
    stand: NDArray[np.float64], face: NDArray[np.float64], places: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(n,) degrees by which places (n, 2) lie to the left of ``face`` (2,), seen from ``stand``."""
    there = (places - stand) @ (1, 1j)
    return np.degrees(np.angle(there / ((face - stand) @ (1, 1j))))


def _depths(degrees: NDArray[np.float64], side: str) -> NDArray[np.float64]:
    """(n,) degrees from the nearer border of a side, negative outside it."""
    middle, half = SIDES[side]
    return half - np.abs((degrees - middle + 180.0) % 360.0 - 180.0)
