"""Scene graphs of a memory as it grows; what follows from its objects is found once a revision."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.scene.cogmap_graph import CogMapGraph
from spatial_vlm_ros.scene.floor import Floor
from spatial_vlm_ros.scene.graph import FloorMap, ObjectState, Relation, SceneGraph
from spatial_vlm_ros.scene.object_memory import ObjectMemory
from spatial_vlm_ros.scene.relations import relations


@dataclass(frozen=True)
class _Derived:
    """What follows from the objects and the floor of one revision."""

    revision: int
    relations: tuple[Relation, ...]
    floor: FloorMap | None


class Snapshots:
    """Takes scene graphs; local maps that are still right are kept from one to the next."""

    def __init__(self) -> None:
        self._cogmaps = CogMapGraph()
        self._derived: _Derived | None = None

    def take(
        self,
        objects: ObjectMemory,
        floor: Floor,
        T_scene_robot: NDArray[np.float64] | None,
        stamp_ns: int,
        revision: int,
        scale_spread: float = 0.0,
    ) -> SceneGraph:
        """The scene now; ``revision`` has grown when objects or floor have changed."""
        items = tuple(item.snapshot() for item in objects.objects.values())
        if self._derived is None or self._derived.revision != revision:
            present = [item for item in items if item.state is ObjectState.CONFIRMED]
            self._cogmaps.update(present)
            self._derived = _Derived(revision, relations(present), floor.map())
        return SceneGraph(
            items,
            self._derived.relations,
            self._cogmaps.maps,
            self._cogmaps.unplaced,
            self._derived.floor,
            T_scene_robot,
            stamp_ns,
            revision,
            scale_spread,
        )
