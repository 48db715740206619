"""Boxes and cameras of a data set's world as a scene in the frame of its first camera."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from spatial_vlm_ros.data.readers.cameras import Cameras, first_shown
from spatial_vlm_ros.data.scenes import AnnotatedObject, AnnotatedScene
from spatial_vlm_ros.scene.nine_dof import OrientedBox, in_first_frame
from spatial_vlm_ros.scene_frame import inverse, scene_frame


class WorldObject(NamedTuple):
    """An object as annotated: number, category, box in the data set's world."""

    id: int
    category: str
    box: OrientedBox


def placed(
    name: str,
    items: Sequence[WorldObject],
    cameras: Cameras,
    license: str,
    floor_z_world: float | None = None,
    floor_area: float | None = None,
    first_seen: Mapping[int, int | None] | None = None,
) -> AnnotatedScene:
    """The scene, in a world whose z points up. cameras: those that are kept.

    first_seen: view by object number where the data set tells it; else it is by projection, and
    None for all where the lens is not known. The floor, where its height is not given, is the
    middle of the lowest box called floor, else the lowest underside of any box.
    """
    T_world_first = cameras.T_world_cameras[0]
    T_scene_world = inverse(scene_frame(T_world_first))
    T_scene_views = T_scene_world @ cameras.T_world_cameras
    boxes = [in_first_frame(item.box, T_world_first) for item in items]
    if first_seen is None and cameras.lens is not None:
        shown = first_shown(boxes, T_scene_views, cameras.lens)
        first_seen = {item.id: view for item, view in zip(items, shown, strict=True)}
    objects = tuple(
        AnnotatedObject(item.id, item.category, box, first_seen=(first_seen or {}).get(item.id))
        for item, box in zip(items, boxes, strict=True)
    )
    floor_z = None
    if floor_z_world is not None:
        floor_z = floor_z_world + float(T_scene_world[2, 3])
    elif floors := [item.box.z for item in objects if item.category == "floor"]:
        floor_z = min(floors)
    elif objects:
        floor_z = min(item.box.bottom for item in objects)
    return AnnotatedScene(
        name=name,
        objects=objects,
        T_world_first=np.array(T_world_first),
        T_scene_views=T_scene_views,
        views=cameras.images,
        floor_z=floor_z,
        floor_area=floor_area,
        license=license,
    )


def box_of(record: Mapping[str, Any]) -> OrientedBox:
    """Of ``centroid``, ``axesLengths`` and ``normalizedAxes``, as several data sets write it.

    Left-handed axes are taken as well: a box reaches as far one way as the other.
    """
    axes = np.reshape(np.array(record["normalizedAxes"], float), (3, 3))
    if np.linalg.det(axes) < 0:
        axes[2] *= -1
    return OrientedBox.from_axes(record["centroid"], record["axesLengths"], axes)
