"""The scene graph of an annotated scene: as the memory would have it that saw everything exactly.

What generators say of a scene, phrases that mean one object and the reasoner that checks them all
read this graph.
"""

from __future__ import annotations

import cv2
import numpy as np

from spatial_vlm_ros.data.scenes import AnnotatedObject, AnnotatedScene
from spatial_vlm_ros.reasoning.describe import label_words
from spatial_vlm_ros.reasoning.vocabulary import COLOURS
from spatial_vlm_ros.scene.cogmap_generation import local_cogmaps
from spatial_vlm_ros.scene.graph import FloorMap, ObjectState, SceneGraph, SceneObject
from spatial_vlm_ros.scene.relations import relations

#: Categories that are no objects to ask about: the room itself, and what nobody named.
SURROUNDINGS = frozenset(
    """wall, walls, floor, ceiling, room, object, objects, thing, unknown, unlabelled, unlabeled,
    unannotated, remove, misc, miscellaneous, other, others, split, void, otherprop, other prop,
    otherfurniture, other furniture, otherstructure, other structure""".replace("\n", " ")
    .replace("  ", "")
    .split(", ")
)
#: Thinner things [m] have no box that can be written.
THINNEST = 0.005
#: Seconds from one view to the next. Annotations have no stamps: only views that are not next to
#: each other are far enough apart for phrases like "the first chair to appear".
VIEW_S = 1.0
#: Of floors [m].
RESOLUTION = 0.05


def scene_graph(scene: AnnotatedScene) -> SceneGraph:
    """Its objects with exact boxes, basic names of colours and relations, LocalCogMaps of those
    that were seen, and the floor where its outline is known. The observer stands at the first
    camera.

    Left out are ``SURROUNDINGS`` and what is thinner than ``THINNEST``. Objects whose first view is
    not known have the stamp of the first; ask the scene before saying when they appeared.
    """
    objects = tuple(_object(item) for item in scene.objects if _is_object(item))
    shown = seen(scene)
    maps, unplaced = local_cogmaps([item for item in objects if item.id in shown])
    return SceneGraph(
        objects=objects,
        relations=relations(objects),
        cogmaps=maps,
        unplaced=unplaced,
        floor=_floor(scene),
        T_scene_robot=np.eye(4),
        stamp_ns=_stamp(len(scene.views)),
        revision=1,
    )


def seen(scene: AnnotatedScene) -> frozenset[int]:
    """Objects that can be asked about: those that views show well; all where that is not known."""
    shown = frozenset(item.id for item in scene.objects if item.first_seen is not None)
    return shown or frozenset(item.id for item in scene.objects)


def _is_object(item: AnnotatedObject) -> bool:
    named = label_words(item.category) not in SURROUNDINGS
    return named and float(item.box.size.min()) >= THINNEST


def _object(item: AnnotatedObject) -> SceneObject:
    stamp = _stamp(item.first_seen or 0)
    colour = COLOURS.get(item.colour.lower(), "")
    return SceneObject(
        id=item.id,
        label=label_words(item.category),
        label_score=1.0,
        box=item.box.canonical(),
        state=ObjectState.CONFIRMED,
        colour=colour,
        colour_score=1.0 if colour else 0.0,
        first_seen_ns=stamp,
        last_seen_ns=stamp,
        observations=1,
    )


def _stamp(view: int) -> int:
    return int(view * VIEW_S * 1e9)


def _floor(scene: AnnotatedScene) -> FloorMap | None:
    if scene.floor_z is None or len(scene.outline) < 3:
        return None
    low, high = scene.outline.min(axis=0), scene.outline.max(axis=0)
    columns, rows = np.ceil((high - low) / RESOLUTION).astype(int) + 1
    cells = np.zeros((rows, columns), np.uint8)
    corners = np.rint((scene.outline - low) / RESOLUTION - 0.5).astype(np.int32)
    cv2.fillPoly(cells, [corners], 1)
    return FloorMap(float(low[0]), float(low[1]), scene.floor_z, RESOLUTION, cells.astype(bool))
