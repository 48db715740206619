"""The scene graph: what the memory knows, as plain immutable data in scene coordinates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.scene.box import Box


class ObjectState(IntEnum):
    """Life of an object: seen too rarely to be sure, sure, or seen to be gone."""

    TENTATIVE = 0
    CONFIRMED = 1
    MISSING = 2


@dataclass(frozen=True)
class SceneObject:
    """One physical object. ``id`` is never used again for another object.

    ``label`` is the category with most votes ("object" while nothing named it) and
    ``label_score`` its share of the votes; ``colour`` is a basic colour name or "" and
    ``colour_score`` the share of the surface that has it. Stamps are of images, nanoseconds.
    """

    id: int
    label: str
    label_score: float
    box: Box
    state: ObjectState
    colour: str
    colour_score: float
    first_seen_ns: int
    last_seen_ns: int
    observations: int


@dataclass(frozen=True)
class Relation:
    """``subject`` stands in ``predicate`` to ``object``: ids of objects.

    The predicate is "on", "under", "above", "below", "inside" or "beside".
    """

    subject: int
    predicate: str
    object: int


#: Where every LocalCogMap has its anchor a.
CELL_A = (5, 5)


@dataclass(frozen=True)
class LocalCogMap:
    """A triplet in its own 10x10 grid (SSR section 3.2): two anchors fix it, a target lies in it.

    Cells are [x, y], 0..9, x right and y up seen from above; anchor_a is at [5, 5] and anchor_b
    at [5, 5 - k]. ``metres_per_cell`` is the grid spacing in this scene, nan where not known.
    """

    anchor_a: int
    anchor_b: int
    target: int
    cell_b: tuple[int, int]
    cell_target: tuple[int, int]
    metres_per_cell: float

    @property
    def ids(self) -> tuple[int, int, int]:
        """Of anchor a, anchor b and the target."""
        return self.anchor_a, self.anchor_b, self.target

    @property
    def spacing(self) -> int:
        """Cells between the anchors, k."""
        return CELL_A[1] - self.cell_b[1]


@dataclass(frozen=True)
class FloorMap:
    """Where floor has been seen: a grid in scene coordinates at height ``z``.

    ``seen`` is (rows, columns) bool; cell (r, c) covers x from x0 + c * resolution and y from
    y0 + r * resolution. Metres.
    """

    x0: float
    y0: float
    z: float
    resolution: float
    seen: NDArray[np.bool_]


@dataclass(frozen=True)
class SceneGraph:
    """Everything known at ``stamp_ns``, in scene coordinates.

    ``T_scene_robot`` (4, 4) is the observer: x forward, y left, z up, at the camera's place, its
    x axis the optical axis projected to the ground. ``revision`` grows whenever anything but
    stamps and counts has changed. ``unplaced`` are ids of objects no LocalCogMap could place.
    ``scale_spread`` is the share (1 sigma) by which all lengths may be off together, all by the
    same factor; inf: they are in a unit of unknown length, not in metres.
    """

    objects: tuple[SceneObject, ...]
    relations: tuple[Relation, ...]
    cogmaps: tuple[LocalCogMap, ...]
    unplaced: tuple[int, ...]
    floor: FloorMap | None
    T_scene_robot: NDArray[np.float64] | None
    stamp_ns: int
    revision: int
    scale_spread: float = 0.0

    @property
    def metric(self) -> bool:
        """Whether lengths are metres, give or take ``scale_spread``."""
        return math.isfinite(self.scale_spread)

    def __getitem__(self, object_id: int) -> SceneObject:
        """The object with this id; ``KeyError`` when there is none."""
        for item in self.objects:
            if item.id == object_id:
                return item
        raise KeyError(object_id)

    def present(self) -> tuple[SceneObject, ...]:
        """Objects that are confirmed and not missing: what answers are about."""
        return tuple(o for o in self.objects if o.state is ObjectState.CONFIRMED)
