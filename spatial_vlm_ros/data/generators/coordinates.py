"""Where #7 is and how large: centres, sizes and boxes in metres (Proxy3D stage 2).

Numbers have two decimals. All is in the scene frame: from the first camera x is forward, y left, z
up.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator

import numpy as np

from spatial_vlm_ros.data.generators.draft import Draft, Kind, Pools, written
from spatial_vlm_ros.data.generators.subject import Subject
from spatial_vlm_ros.data.row import Row
from spatial_vlm_ros.data.scenes import AnnotatedScene
from spatial_vlm_ros.language.box_text import NamedBox, write_boxes
from spatial_vlm_ros.language.decimals import listed, two_decimals
from spatial_vlm_ros.scene.box import Box

#: Metres by which a place is nearer to one centre than to any other, and from the border of a cell.
MARGIN_M, CELL_MARGIN_M = 0.15, 0.05
#: Metres that a place asked about is off the centre it is nearest to, at most, along each axis.
OFF_M = 0.1

_CENTRE = (
    "At which x, y, z is the centre of {n}?",
    "Where is the centre of {n}, as [x, y, z] in metres?",
    "Give the position of {n} as [x, y, z].",
    "What is the place of {n} in the scene, as [x, y, z]?",
)
_SIZE = (
    "What are the dimensions of {n}, as [length, width, height] in metres?",
    "Give the length, width and height of {n} as [l, w, h].",
    "How large is {n}, as [length, width, height]?",
)
_BOX = (
    "What is the 3D bounding box of {n}?",
    "Give the bbox_3d of {n}.",
    "Give the 3D bounding box of {n}: centre, size and yaw.",
)
_SIDES = {
    "height": ("How tall is {n} in metres?", "What is the height of {n} in metres?"),
    "length": ("How long is {n} in metres?", "What is the length of {n} in metres?"),
    "width": ("How wide is {n} in metres?", "What is the width of {n} in metres?"),
}
_ABOVE = {
    "top": "How many metres above the floor is the top of {n}?",
    "bottom": "How many metres above the floor is the lower edge of {n}?",
    "z": "How many metres above the floor is the centre of {n}?",
}
_AWAY = (
    "How many metres is the centre of {n} from the first camera?",
    "How far is the centre of {n} from the origin, in metres?",
    "What is the distance in metres from [0, 0, 0] to the centre of {n}?",
)
_CELL = (
    "On a floor plan with cells of one metre, [0, 0] being at the first camera, in which cell "
    "[x, y] is the centre of {n}?",
    "To the nearest metre, at which [x, y] is the centre of {n}?",
)
_NEAREST = (
    "Which object has its centre nearest to {place}?",
    "Which object is at {place}?",
    "The centre of which object is closest to {place}?",
)


def _of_each(
    wordings: tuple[str, ...], answer: Callable[[Box], str]
) -> Callable[[Subject, random.Random], Pools]:
    """The same about every object, where there is an answer."""

    def propose(subject: Subject, rng: random.Random) -> Pools:
        drafts = (
            Draft(rng.choice(wordings).format(n=subject.called([n], rng)[0]), said, (n,))
            for n in subject.shuffled(rng)
            if (said := answer(subject.box[n]))
        )
        return [drafts]

    return propose


def bounding_box(subject: Subject, rng: random.Random) -> Pools:
    """The 7-DoF box as JSON."""

    def drafts() -> Iterator[Draft]:
        for n in subject.shuffled(rng):
            box = subject.box[n]
            question = rng.choice(_BOX).format(n=subject.called([n], rng)[0])
            answer = write_boxes([NamedBox(box, subject.label[n])])
            yield Draft(question, answer, (n,), boxes=(box,))

    return [drafts()]


def side(subject: Subject, rng: random.Random) -> Pools:
    """One side of a box; length, width and height take turns."""

    def drafts(name: str) -> Iterator[Draft]:
        for n in subject.shuffled(rng):
            question = rng.choice(_SIDES[name]).format(n=subject.called([n], rng)[0])
            yield Draft(question, two_decimals(getattr(subject.box[n], name)), (n,))

    return [drafts(name) for name in _SIDES]


def above_floor(subject: Subject, rng: random.Random) -> Pools:
    """Height of top, lower edge and centre over the floor."""
    floor = subject.scene.floor_z
    if floor is None:
        return []

    def drafts(name: str) -> Iterator[Draft]:
        for n in subject.shuffled(rng):
            height = getattr(subject.box[n], name) - floor
            if height > -CELL_MARGIN_M:
                question = _ABOVE[name].format(n=subject.called([n], rng)[0])
                yield Draft(question, two_decimals(max(height, 0.0)), (n,))

    return [drafts(name) for name in _ABOVE]


def _away(box: Box) -> str:
    return two_decimals(math.dist(box.center, (0, 0, 0)))


def _cell(box: Box) -> str:
    """The nearest whole metres; "" near a border."""
    cell = [round(value) for value in (box.x, box.y)]
    off = max(abs(box.x - cell[0]), abs(box.y - cell[1]))
    return str(cell) if off <= 0.5 - CELL_MARGIN_M else ""


def at_place(subject: Subject, rng: random.Random) -> Pools:
    """Which object is where: the converse of its centre."""
    centres = np.array([box.center for box in subject.box.values()])

    def drafts() -> Iterator[Draft]:
        for n in subject.shuffled(rng):
            centre = subject.box[n].center
            place = [round(float(v) + rng.uniform(-OFF_M, OFF_M), 2) for v in centre]
            away = np.linalg.norm(centres - place, axis=1)
            own = math.dist(centre, place)
            if np.count_nonzero(away < own + MARGIN_M) == 1:
                question = rng.choice(_NEAREST).format(place=listed(place))
                answer, *accepted = rng.sample(subject.names(n), len(subject.names(n)))
                yield Draft(question, answer, accepted=tuple(accepted), targets=(n,))

    return [drafts()]


KINDS = (
    Kind("centre", "coordinates", _of_each(_CENTRE, lambda box: listed(box.center))),
    Kind("size", "coordinates", _of_each(_SIZE, lambda box: listed(box.size))),
    Kind("bounding_box", "coordinates", bounding_box),
    Kind("side", "object_size", side),
    Kind("above_floor", "coordinates", above_floor),
    Kind("away", "coordinates", _of_each(_AWAY, _away)),
    Kind("cell", "coordinates", _of_each(_CELL, _cell)),
    Kind("at_place", "coordinates", at_place),
)


def rows(scene: AnnotatedScene, seed: int, most: int) -> Iterator[Row]:
    """Rows of all ``KINDS``, at most ``most`` of each."""
    return written("coordinates", KINDS, scene, seed, most)
