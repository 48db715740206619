"""LocalCogMaps as a person can check them: each in its grid, and where it lies in the scene."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.drawing.above import GREY, GRID, PAPER, draw_scale_bar, ground
from spatial_vlm_ros.drawing.common import (
    INK,
    WHITE,
    Colour,
    draw_line,
    draw_names,
    object_colour,
    xy,
)
from spatial_vlm_ros.language.names import scene_names
from spatial_vlm_ros.scene.cogmap import CELLS, grid_coordinates
from spatial_vlm_ros.scene.graph import CELL_A, LocalCogMap, SceneGraph, SceneObject

Image = NDArray[np.uint8]
Things = Mapping[int, SceneObject]
Names = Mapping[int, str]

CELL_PX = 30
#: Round a grid: above it a title, left of it and below it the numbers of its cells, then a legend.
TOP_PX, LEFT_PX, RIGHT_PX, NUMBERS_PX, LEGEND_PX = 38, 40, 24, 30, 22
PANEL_WIDTH = LEFT_PX + CELLS * CELL_PX + RIGHT_PX
PANEL_HEIGHT = TOP_PX + CELLS * CELL_PX + NUMBERS_PX + 3 * LEGEND_PX + 8
FONT = cv2.FONT_HERSHEY_DUPLEX
LETTERS = "ABT"
BELOW = np.array([0, 17], np.int32)


def local_maps(scene: SceneGraph, only: Collection[int] = (), most: int = 12) -> Image:
    """The first ``most`` LocalCogMaps, and beside them the scene they are of: (H, W, 3) uint8 RGB.

    With ``only``, those that have one of these ids as target or anchor. Each grid has x to the
    right and y up, anchors A and B and target T in the colours of the objects, and a cross at the
    target's place before it was rounded to a cell. In the scene, seen from above, lines lead from
    a target to its two anchors, and the target has the numbers of its maps.
    """
    wanted = frozenset(only)
    chosen = [made for made in scene.cogmaps if not wanted or wanted.intersection(made.ids)]
    shown = chosen[:most]
    names, things = scene_names(scene), {item.id: item for item in scene.objects}
    panels = [_panel(made, f"{n}", names, things) for n, made in enumerate(shown, start=1)]
    above = _above(scene, shown, names, things)
    return _beside(_tiled(panels), above) if panels else above


def cell_px(x: float, y: float) -> NDArray[np.int32]:
    """(2,) pixel of a panel where the grid's [x, y] is; whole numbers are middles of cells."""
    column, row = LEFT_PX + (x + 0.5) * CELL_PX, TOP_PX + (CELLS - 0.5 - y) * CELL_PX
    return np.round([column, row]).astype(np.int32)


def _panel(made: LocalCogMap, title: str, names: Names, things: Things) -> Image:
    image = np.full((PANEL_HEIGHT, PANEL_WIDTH, 3), PAPER, np.uint8)
    if np.isfinite(made.metres_per_cell):
        title += f":  {made.metres_per_cell:.2f} m per cell"
    _write(image, title, (LEFT_PX, TOP_PX - 14))
    cells = (CELL_A, made.cell_b, made.cell_target)
    cv2.rectangle(image, xy(cell_px(-0.5, 9.5)), xy(cell_px(9.5, -0.5)), WHITE, -1)
    for index, (number, cell) in enumerate(zip(made.ids, cells, strict=True)):
        _fill(image, cell, object_colour(number), shared=cell in cells[:index])
    _draw_grid(image)
    draw_line(image, cell_px(*CELL_A), cell_px(*made.cell_b), GREY, 1)
    exact = _exact(made, things)
    # A letter in each cell, the target's in the corner that the cross is not in.
    east, north = (-1, -1) if exact is None else np.where(exact > made.cell_target, -1, 1)
    if made.cell_target in cells[:2]:
        east, north = 1, -1
    corners = ((-1, 1), (-1, 1), (east, north))
    for letter, number, cell, (right, up) in zip(LETTERS, made.ids, cells, corners, strict=True):
        middle = cell_px(cell[0] + 0.28 * right, cell[1] + 0.28 * up)
        place = int(middle[0]) - 4, int(middle[1]) + 5
        _write(image, letter, place, 0.4, _ink(object_colour(number)))
    if exact is not None:
        _cross(image, cell_px(*exact.tolist()))
    for row, (number, cell) in enumerate(zip(made.ids, cells, strict=True)):
        where = f"[{cell[0]}, {cell[1]}]"
        if row == 2 and exact is not None:
            where += f"  exactly {exact[0]:.2f}, {exact[1]:.2f}"
        _legend(image, row, object_colour(number), names[number], where)
    return image


def _exact(made: LocalCogMap, things: Things) -> NDArray[np.float64] | None:
    """(2,) where the target is in the grid, from the scene; None where the anchors coincide."""
    a, b, target = (things[number].box.center[:2] for number in made.ids)
    return None if (a == b).all() else grid_coordinates(a, b, target, made.spacing)


def _fill(image: Image, cell: tuple[int, int], colour: Colour, shared: bool) -> None:
    """A cell in one colour; only its lower right half where it is another's too."""
    x, y = cell
    corners = [(x - 0.5, y + 0.5), (x + 0.5, y + 0.5), (x + 0.5, y - 0.5), (x - 0.5, y - 0.5)]
    outline = np.array([cell_px(*corner) for corner in corners[shared:]])
    cv2.fillPoly(image, [outline], colour)


def _draw_grid(image: Image) -> None:
    for line in range(CELLS + 1):
        at = line - 0.5
        cv2.line(image, xy(cell_px(at, -0.5)), xy(cell_px(at, CELLS - 0.5)), GRID, 1)
        cv2.line(image, xy(cell_px(-0.5, at)), xy(cell_px(CELLS - 0.5, at)), GRID, 1)
    for number in range(CELLS):
        below, left = cell_px(number, -0.5), cell_px(-0.5, number)
        _write(image, f"{number}", (int(below[0]) - 4, int(below[1]) + 16), 0.4)
        _write(image, f"{number}", (int(left[0]) - 14, int(left[1]) + 5), 0.4)
    corner = cell_px(CELLS - 0.5, -0.5)
    _write(image, "x", (int(corner[0]) + 8, int(corner[1]) + 16), 0.4)
    _write(image, "y", (LEFT_PX - 15, TOP_PX - 8), 0.4)


def _cross(image: Image, place: NDArray[np.int32]) -> None:
    for colour, thickness, arm in ((WHITE, 3, 4), (INK, 1, 4)):
        for slope in (1, -1):
            reach = np.array([arm, slope * arm])
            draw_line(image, place - reach, place + reach, colour, thickness)


def _legend(image: Image, row: int, colour: Colour, name: str, where: str) -> None:
    top = TOP_PX + CELLS * CELL_PX + NUMBERS_PX + row * LEGEND_PX
    cv2.rectangle(image, (LEFT_PX, top), (LEFT_PX + 16, top + 16), colour, -1)
    _write(image, LETTERS[row], (LEFT_PX + 4, top + 13), 0.4, _ink(colour))
    room = PANEL_WIDTH - LEFT_PX - 24 - _width(f" {where}") - 6
    while _width(name) > room:
        name = name[:-3] + ".."
    _write(image, f"{name} {where}", (LEFT_PX + 24, top + 13))


def _ink(ground: Colour) -> Colour:
    """What can be read on that colour."""
    return INK if np.dot(ground, (0.3, 0.59, 0.11)) > 150 else WHITE


def _width(text: str) -> int:
    return cv2.getTextSize(text, FONT, 0.42, 1)[0][0]


def _write(
    image: Image, text: str, place: tuple[int, int], size: float = 0.42, colour: Colour = INK
) -> None:
    cv2.putText(image, text, place, FONT, size, colour, 1, cv2.LINE_AA)


def _above(scene: SceneGraph, shown: Sequence[LocalCogMap], names: Names, things: Things) -> Image:
    """The scene with the triplets in it: outlines of all objects, names of those in the maps."""
    sheet = ground(scene, np.zeros((0, 2)))
    titles: defaultdict[int, list[str]] = defaultdict(list)
    for n, made in enumerate(shown, start=1):
        titles[made.target].append(f"{n}")
    named = {number: things[number] for made in shown for number in made.ids}
    for item in scene.present():
        colour, width = (object_colour(item.id), 2) if item.id in named else (GREY, 1)
        cv2.polylines(
            sheet.image, [sheet.px(item.box.corners_bev())], True, colour, width, cv2.LINE_AA
        )
    places = {number: sheet.px(item.box.center[:2]) for number, item in named.items()}
    for made in shown:
        for anchor in (made.anchor_a, made.anchor_b):
            draw_line(
                sheet.image, places[made.target], places[anchor], object_colour(made.target), 2
            )
    plates = []
    for number, place in places.items():
        colour = object_colour(number)
        cv2.circle(sheet.image, xy(place), 5, colour, -1, cv2.LINE_AA)
        plates.append((_titled(names[number], titles[number]), place + BELOW, colour))
    draw_names(sheet.image, plates)
    draw_scale_bar(sheet, f"{len(shown)} of {len(scene.cogmaps)} local maps")
    return sheet.image


def _titled(name: str, titles: Iterable[str]) -> str:
    return " ".join([", ".join(titles) + ":", name]) if titles else name


def _tiled(panels: Sequence[Image]) -> Image:
    """Panels in rows of as many as there are rows, four at most."""
    columns = min(4, int(np.ceil(np.sqrt(len(panels)))))
    rows = -(-len(panels) // columns)
    sheet = np.full((rows * PANEL_HEIGHT, columns * PANEL_WIDTH, 3), PAPER, np.uint8)
    for index, panel in enumerate(panels):
        top, left = (index // columns) * PANEL_HEIGHT, (index % columns) * PANEL_WIDTH
        sheet[top : top + PANEL_HEIGHT, left : left + PANEL_WIDTH] = panel
    return sheet


def _beside(left: Image, right: Image) -> Image:
    height = max(len(left), len(right))
    sheet = np.full((height, left.shape[1] + right.shape[1], 3), PAPER, np.uint8)
    sheet[: len(left), : left.shape[1]] = left
    sheet[: len(right), left.shape[1] :] = right
    return sheet
