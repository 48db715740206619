"""The part of a scene that lies in a region of the floor plan."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.scene.graph import SceneGraph


def within(scene: SceneGraph, corners: NDArray[np.float64]) -> SceneGraph:
    """``scene`` with only the objects whose centre lies in the polygon, or on its edge.

    ``corners`` (n, 2): x and y in scene coordinates, n >= 3, in order around the polygon.
    Relations and maps that name another object go too; floor and observer stay.
    """
    contour = corners.astype(np.float32)
    objects = tuple(
        item
        for item in scene.objects
        if cv2.pointPolygonTest(contour, (float(item.box.x), float(item.box.y)), False) >= 0
    )
    ids = {item.id for item in objects}
    return replace(
        scene,
        objects=objects,
        relations=tuple(r for r in scene.relations if {r.subject, r.object} <= ids),
        cogmaps=tuple(m for m in scene.cogmaps if ids.issuperset(m.ids)),
        unplaced=tuple(i for i in scene.unplaced if i in ids),
    )
