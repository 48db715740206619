"""The proxies of a scene from above, in the order in which they are read."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.drawing.above import GREY, Sheet, draw_scale_bar, ground
from spatial_vlm_ros.drawing.common import INK, Colour, object_colour, xy
from spatial_vlm_ros.scene.graph import SceneGraph

WALK: Colour = (176, 182, 190)
BACKGROUND: Colour = (130, 136, 144)


def proxies_above(
    scene: SceneGraph, points_scene: NDArray[np.float32], groups: NDArray[np.int64]
) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB: each proxy a dot in the colour of its object, the order as a line.

    points_scene: (K, 3) metres, groups: (K,) ids, in that order; background is grey. The first
    proxy has a ring.
    """
    sheet = ground(scene, points_scene[:, :2].astype(float))
    for item in scene.present():
        outline = sheet.px(item.box.corners_bev())
        cv2.polylines(sheet.image, [outline], True, GREY, 1, cv2.LINE_AA)
    places = sheet.px(points_scene[:, :2].astype(float))
    if len(places):
        cv2.polylines(sheet.image, [places], False, WALK, 1, cv2.LINE_AA)
        cv2.circle(sheet.image, xy(places[0]), 11, INK, 2, cv2.LINE_AA)
    for index in np.argsort(points_scene[:, 2], kind="stable").tolist():  # the lowest first
        _draw_dot(sheet, places[index], int(groups[index]))
    draw_scale_bar(sheet, f"{len(places)} proxies")
    return sheet.image


def _draw_dot(sheet: Sheet, place: NDArray[np.int32], group: int) -> None:
    colour, radius = (object_colour(group), 6) if group > 0 else (BACKGROUND, 4)
    cv2.circle(sheet.image, xy(place), radius, colour, -1, cv2.LINE_AA)
