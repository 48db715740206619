"""The scene seen from above."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.drawing.common import (
    INK,
    Colour,
    draw_names,
    object_colour,
    object_name,
    xy,
)
from spatial_vlm_ros.scene.graph import FloorMap, ObjectState, SceneGraph, SceneObject

PAPER: Colour = (250, 250, 250)
FLOOR: Colour = (226, 231, 236)
GRID: Colour = (208, 214, 220)
GREY: Colour = (150, 150, 150)
PATH: Colour = (235, 120, 40)
ROBOT: Colour = (200, 60, 30)
X_AXIS: Colour = (214, 39, 40)
Y_AXIS: Colour = (44, 160, 44)
MARGIN_PX = 60


class Sheet:
    """A picture seen from above: scene x to the right, y up, one scale for both."""

    def __init__(self, low: NDArray[np.float64], high: NDArray[np.float64], long_side: int) -> None:
        span = np.maximum(high - low, 1.0)
        self.scale = (long_side - 2 * MARGIN_PX) / span.max()
        self.width, self.height = (np.ceil(span * self.scale).astype(int) + 2 * MARGIN_PX).tolist()
        self.low = low
        self.image = np.full((self.height, self.width, 3), PAPER, np.uint8)

    def px(self, xy: NDArray[np.float64]) -> NDArray[np.int32]:
        """(..., 2) scene metres to (..., 2) pixels."""
        placed = (np.asarray(xy, float) - self.low) * self.scale + MARGIN_PX
        placed[..., 1] = self.height - placed[..., 1]
        return np.round(placed).astype(np.int32)


def ground(scene: SceneGraph, path: NDArray[np.float64], long_side: int = 1400) -> Sheet:
    """The sheet that holds the scene and a path (n, 2), with the floor seen and a grid on it."""
    sheet = Sheet(*_extent(scene, path), long_side)
    if scene.floor is not None:
        _draw_floor(sheet, scene.floor)
    _draw_grid(sheet)
    return sheet


def top_down(
    scene: SceneGraph, path_scene: NDArray[np.float64] | None = None, long_side: int = 1400
) -> NDArray[np.uint8]:
    """The scene from above, (H, W, 3) uint8 RGB: seen floor, boxes with names, path, robot, scale.

    ``path_scene`` is (N, 3) or (N, 2), the camera centres in scene coordinates, metres. Objects
    that are missing or tentative are outlined in grey.
    """
    path = np.zeros((0, 2)) if path_scene is None else np.asarray(path_scene, float)[:, :2]
    sheet = ground(scene, path, long_side)
    if len(path) > 1:
        cv2.polylines(sheet.image, [sheet.px(path)], False, PATH, 2, cv2.LINE_AA)
    by_height = sorted(scene.objects, key=lambda o: o.box.z + o.box.height / 2)
    for item in by_height:
        _draw_footprint(sheet, item)
    _draw_axes(sheet)
    if scene.T_scene_robot is not None:
        _draw_robot(sheet, scene.T_scene_robot)
    present = [o for o in by_height if o.state is ObjectState.CONFIRMED]
    draw_names(sheet.image, [(object_name(o), sheet.px(o.box.center[:2]), object_colour(o.id))
                              for o in present])  # fmt: skip
    draw_scale_bar(sheet, f"{len(present)} objects")
    return sheet.image


def _extent(
    scene: SceneGraph, path: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    parts = [np.zeros((1, 2)), path, *(o.box.corners_bev() for o in scene.objects)]
    floor = scene.floor
    if floor is not None and floor.seen.any():
        rows, columns = np.nonzero(floor.seen)
        for c, r in ((columns.min(), rows.min()), (columns.max() + 1, rows.max() + 1)):
            parts.append(
                np.array([[floor.x0 + c * floor.resolution, floor.y0 + r * floor.resolution]])
            )
    points = np.vstack(parts)
    return points.min(axis=0), points.max(axis=0)


def _draw_floor(sheet: Sheet, floor: FloorMap) -> None:
    columns, rows = np.meshgrid(np.arange(sheet.width), np.arange(sheet.height))
    x = (columns - MARGIN_PX) / sheet.scale + sheet.low[0]
    y = (sheet.height - rows - MARGIN_PX) / sheet.scale + sheet.low[1]
    column = np.floor((x - floor.x0) / floor.resolution).astype(int)
    row = np.floor((y - floor.y0) / floor.resolution).astype(int)
    height, width = floor.seen.shape
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    seen = np.zeros(inside.shape, bool)
    seen[inside] = floor.seen[row[inside], column[inside]]
    sheet.image[seen] = FLOOR


def _draw_grid(sheet: Sheet) -> None:
    """One line a metre."""
    last = sheet.low + np.array([sheet.width, sheet.height]) / sheet.scale
    for x in range(int(np.floor(sheet.low[0])) - 1, int(last[0]) + 1):
        column = int(sheet.px(np.array([x, 0.0]))[0])
        cv2.line(sheet.image, (column, 0), (column, sheet.height), GRID, 1)
    for y in range(int(np.floor(sheet.low[1])) - 1, int(last[1]) + 1):
        row = int(sheet.px(np.array([0.0, y]))[1])
        cv2.line(sheet.image, (0, row), (sheet.width, row), GRID, 1)


def _draw_footprint(sheet: Sheet, item: SceneObject) -> None:
    outline = sheet.px(item.box.corners_bev())
    if item.state is not ObjectState.CONFIRMED:
        cv2.polylines(sheet.image, [outline], True, GREY, 1, cv2.LINE_AA)
        return
    colour = object_colour(item.id)
    filled = cv2.fillPoly(sheet.image.copy(), [outline], colour, cv2.LINE_AA)
    sheet.image[:] = cv2.addWeighted(filled, 0.3, sheet.image, 0.7, 0)
    cv2.polylines(sheet.image, [outline], True, colour, 2, cv2.LINE_AA)


def _draw_axes(sheet: Sheet) -> None:
    """The scene frame's own axes, half a metre each, at its origin."""
    origin = sheet.px(np.zeros(2))
    for direction, colour, name in (((0.5, 0.0), X_AXIS, "x"), ((0.0, 0.5), Y_AXIS, "y")):
        tip = sheet.px(np.array(direction))
        cv2.arrowedLine(sheet.image, xy(origin), xy(tip), colour, 2, cv2.LINE_AA, tipLength=0.25)
        cv2.putText(sheet.image, name, xy(tip + 5), cv2.FONT_HERSHEY_DUPLEX, 0.5, colour, 1,
                    cv2.LINE_AA)  # fmt: skip


def _draw_robot(sheet: Sheet, T_scene_robot: NDArray[np.float64]) -> None:
    """A dart that points where the camera looks."""
    dart = np.array([[0.28, 0.0], [-0.16, 0.15], [-0.08, 0.0], [-0.16, -0.15]])
    placed = dart @ T_scene_robot[:2, :2].T + T_scene_robot[:2, 3]
    cv2.fillPoly(sheet.image, [sheet.px(placed)], ROBOT, cv2.LINE_AA)
    cv2.polylines(sheet.image, [sheet.px(placed)], True, PAPER, 1, cv2.LINE_AA)


def draw_scale_bar(sheet: Sheet, note: str) -> None:
    """How long a metre is, and a note beside it."""
    left, row = 20, sheet.height - 20
    right = left + round(sheet.scale)
    cv2.line(sheet.image, (left, row), (right, row), INK, 2)
    for column in (left, right):
        cv2.line(sheet.image, (column, row - 5), (column, row + 5), INK, 2)
    for text, column in (("1 m", left), (note, right + 15)):
        cv2.putText(sheet.image, text, (column, row - 9 if text == "1 m" else row + 5),
                    cv2.FONT_HERSHEY_DUPLEX, 0.5, INK, 1, cv2.LINE_AA)  # fmt: skip
