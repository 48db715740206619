"""Pictures: boxes must land on the pixels that geometry says."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from spatial_vlm_ros.drawing import (
    Album,
    local_maps,
    overlay,
    proxies_above,
    save_picture,
    top_down,
)
from spatial_vlm_ros.drawing.above import FLOOR, MARGIN_PX, PAPER, ground
from spatial_vlm_ros.drawing.cogmaps import PANEL_HEIGHT, PANEL_WIDTH, cell_px
from spatial_vlm_ros.drawing.common import INK, WHITE, object_colour
from spatial_vlm_ros.drawing.overlay import NEAR_M, box_edges, shown_in
from spatial_vlm_ros.drawing.proxies import BACKGROUND, WALK
from spatial_vlm_ros.frame import Frame, Intrinsics
from spatial_vlm_ros.scene.box import Box
from spatial_vlm_ros.scene.graph import (
    FloorMap,
    LocalCogMap,
    ObjectState,
    SceneGraph,
    SceneObject,
)

CAMERA = Intrinsics(width=640, height=480, fx=500.0, fy=400.0, cx=320.0, cy=240.0)
# The camera looks along the scene's x axis: its right is -y, its down is -z.
T_SCENE_CAMERA = np.array(
    [[0.0, 0.0, 1.0, 0.0], [-1.0, 0.0, 0.0, 0.0], [0.0, -1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
)
T_CAMERA_SCENE = np.linalg.inv(T_SCENE_CAMERA)


def thing(object_id: int, box: Box, state: ObjectState = ObjectState.CONFIRMED) -> SceneObject:
    return SceneObject(object_id, "box", 1.0, box, state, "red", 1.0, 0, 0, 5)


def graph(*objects: SceneObject, floor: FloorMap | None = None) -> SceneGraph:
    return SceneGraph(objects, (), (), (), floor, None, 0, 1)


def frame(depth_m: float) -> Frame:
    rgb = np.full((480, 640, 3), 90, np.uint8)
    return Frame(0, rgb, np.full((480, 640), depth_m, np.float32), CAMERA, T_SCENE_CAMERA)


def holds(image: np.ndarray, colour: tuple[int, int, int], u: int, v: int) -> bool:
    """Whether a pixel within 2 px of (u, v) has the colour."""
    patch = image[max(v - 2, 0) : v + 3, max(u - 2, 0) : u + 3].astype(int)
    return bool((np.abs(patch - colour).max(axis=2) < 12).any())


def test_projection_of_a_known_box() -> None:
    # Front face at x = 2, back face at x = 4; y and z within +-1.
    edges = box_edges(Box(3.0, 0.0, 0.0, 2.0, 2.0, 2.0, 0.0), CAMERA, T_CAMERA_SCENE)
    assert len(edges) == 12
    ends = {tuple(np.round(end, 6).tolist()) for edge in edges for end in edge}
    front = {(320 + 500 * s / 2, 240 + 400 * t / 2) for s in (-1, 1) for t in (-1, 1)}
    back = {(320 + 500 * s / 4, 240 + 400 * t / 4) for s in (-1, 1) for t in (-1, 1)}
    assert ends == front | back


def test_box_around_the_camera_is_cut_at_the_near_plane() -> None:
    # x from -1 to 1: four edges behind are left out, four along x are cut, four ahead stay.
    edges = box_edges(Box(0.0, 0.0, 0.0, 2.0, 2.0, 2.0, 0.0), CAMERA, T_CAMERA_SCENE)
    assert len(edges) == 8
    far = sorted(np.abs(np.reshape(edges, (-1, 2)) - [320, 240]).max(axis=1))
    assert far[-1] == pytest.approx(500 / NEAR_M)  # the cut ends, |y| = 1 at the near plane
    assert far[0] == pytest.approx(500)  # the corners ahead, |y| = 1 at x = 1


def test_box_behind_the_camera_has_no_edges() -> None:
    assert box_edges(Box(-3.0, 0.0, 0.0, 2.0, 2.0, 2.0, 0.0), CAMERA, T_CAMERA_SCENE) == []


def test_overlay_draws_the_front_edge_and_leaves_the_rest() -> None:
    image = overlay(frame(3.0), [thing(3, Box(3.0, 0.0, 0.0, 2.0, 1.0, 1.0, 0.0))], T_SCENE_CAMERA)
    # front face at x = 2: half a metre is 125 px across and 100 px down
    for u, v in ((195, 240), (445, 240), (320, 340), (195, 340), (445, 140)):
        assert holds(image, object_colour(3), u, v), (u, v)
    assert (image[300, 320] == 90).all()
    assert (image[:, :190] == 90).all()


def test_overlay_leaves_out_what_is_behind_a_wall() -> None:
    hidden = thing(1, Box(5.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0))
    assert shown_in(frame(2.0), [hidden], T_SCENE_CAMERA) == []
    assert (overlay(frame(2.0), [hidden], T_SCENE_CAMERA) == 90).all()
    assert shown_in(frame(5.0), [hidden], T_SCENE_CAMERA) == [hidden]


def test_overlay_of_a_box_the_camera_is_in_does_not_fail() -> None:
    around = thing(1, Box(0.0, 0.0, 0.0, 2.0, 2.0, 2.0, 0.3))
    image = overlay(frame(0.5), [around], T_SCENE_CAMERA)
    assert (image != 90).any()


def test_top_down_places_a_box_to_scale() -> None:
    # The picture spans the origin and the box: x 0..4, y 0..2, 1400 px long with margins.
    image = top_down(graph(thing(2, Box(3.5, 1.0, 0.0, 2.0, 1.0, 1.0, np.pi / 2))))
    scale = (1400 - 2 * MARGIN_PX) / 4.0
    assert image.shape == (round(2 * scale) + 2 * MARGIN_PX, 1400, 3)
    bottom = image.shape[0] - MARGIN_PX
    left, right, top = MARGIN_PX + 3 * scale, MARGIN_PX + 4 * scale, bottom - 2 * scale
    for u, v in ((left, bottom - scale), (right, bottom - scale), ((left + right) / 2, top)):
        assert holds(image, object_colour(2), round(u), round(v)), (u, v)
    assert not holds(image, object_colour(2), round(left) - 30, round(bottom - scale))


def test_top_down_does_not_fill_what_is_missing() -> None:
    here = Box(3.5, 1.0, 0.0, 1.0, 1.0, 1.0, 0.0)
    image = top_down(graph(thing(2, here, ObjectState.MISSING)))
    assert not (np.abs(image.astype(int) - object_colour(2)).max(axis=2) < 12).any()


def test_top_down_shows_seen_floor_where_it_is() -> None:
    seen = np.zeros((20, 20), bool)
    seen[10:, :] = True  # y from 1 to 2
    floor = FloorMap(x0=0.0, y0=0.0, z=0.0, resolution=0.1, seen=seen)
    image = top_down(graph(floor=floor))
    scale = (1400 - 2 * MARGIN_PX) / 2.0
    bottom = image.shape[0] - MARGIN_PX
    u = round(MARGIN_PX + 0.63 * scale)
    assert tuple(image[round(bottom - 1.5 * scale), u]) == FLOOR
    assert tuple(image[round(bottom - 0.6 * scale), u]) == PAPER


def test_proxies_are_dots_where_they_are_in_the_colours_of_their_objects() -> None:
    points = np.array([[1.0, 0.0, 0.5], [4.0, 0.0, 0.2], [4.0, 2.0, 0.0]], np.float32)
    image = proxies_above(graph(), points, np.array([7, 12, 0]))
    scale = (1400 - 2 * MARGIN_PX) / 4.0
    bottom = image.shape[0] - MARGIN_PX
    for (x, y, _), colour in zip(points, (object_colour(7), object_colour(12), BACKGROUND),
                                 strict=True):  # fmt: skip
        assert holds(image, colour, round(MARGIN_PX + x * scale), round(bottom - y * scale))
    # The line from the first to the second, on which the ring of the first is; none from third.
    row = image[bottom - 1 : bottom + 2, round(MARGIN_PX + 2.5 * scale)]
    assert (np.abs(row.astype(int) - WALK).max(axis=1) < 12).any()
    assert holds(image, INK, round(MARGIN_PX + scale) + 11, bottom)
    assert not holds(image, INK, round(MARGIN_PX + 4 * scale) + 11, bottom)


def test_a_higher_proxy_hides_a_lower_one() -> None:
    points = np.array([[1.0, 1.0, 0.9], [1.0, 1.0, 0.1]], np.float32)
    image = proxies_above(graph(), points, np.array([3, 4]))
    assert (np.abs(image.astype(int) - object_colour(3)).max(axis=2) < 12).any()
    assert not (np.abs(image.astype(int) - object_colour(4)).max(axis=2) < 12).any()


def triplet(target: tuple[float, float], cell: tuple[int, int]) -> SceneGraph:
    """Anchors 1 at (0, 0) and 2 at (0, -1), two cells apart, and 3 at ``target``."""
    places = ((0.0, 0.0), (0.0, -1.0), target)
    objects = (thing(n, Box(x, y, 0.0, 0.2, 0.2, 0.2, 0.0)) for n, (x, y) in enumerate(places, 1))
    return replace(graph(*objects), cogmaps=(LocalCogMap(1, 2, 3, (5, 3), cell, 0.5),))


def in_cell(image: np.ndarray, x: float, y: float) -> tuple[int, ...]:
    """The colour low in a cell, where neither cross nor letter nor the line between anchors is."""
    return tuple(image[cell_px(x, y)[1] + 11, cell_px(x, y)[0] + 6].tolist())


def test_a_local_map_fills_the_cells_of_its_objects_x_right_y_up() -> None:
    assert (cell_px(9, 9) - cell_px(0, 0) > 0).tolist() == [True, False]
    image = local_maps(triplet((1.0, -1.0), (7, 3)))
    filled = {(x, y): in_cell(image, x, y) for x in range(10) for y in range(10)}
    known = {(5, 5): object_colour(1), (5, 3): object_colour(2), (7, 3): object_colour(3)}
    assert filled == {cell: known.get(cell, WHITE) for cell in filled}


@pytest.mark.parametrize("cell", [(7, 3), (3, 3)])
def test_a_cross_is_where_the_target_really_is(cell: tuple[int, int]) -> None:
    image = local_maps(triplet((1.15, -0.9), cell))  # 2.3 and -1.8 cells from anchor a
    column, row = cell_px(7.3, 3.2)
    for away in (-3, 0, 3):
        assert holds(image, INK, column + away, row + away)
        assert holds(image, INK, column + away, row - away)
    assert in_cell(image, *cell) == object_colour(3)


def test_a_cell_of_two_objects_is_shared() -> None:
    image = local_maps(triplet((0.1, 0.1), (5, 5)))
    column, row = cell_px(5, 5)
    assert holds(image, object_colour(1), column - 12, row)
    assert holds(image, object_colour(3), column + 12, row)
    assert not holds(image, object_colour(3), column - 12, row)


def test_local_maps_lie_in_the_scene_beside_them() -> None:
    scene = triplet((2.0, -1.0), (9, 3))
    image, sheet = local_maps(scene), ground(scene, np.zeros((0, 2)))
    assert image.shape == (max(sheet.height, PANEL_HEIGHT), PANEL_WIDTH + sheet.width, 3)
    for x, y in ((1.0, -0.5), (1.4, -1.0)):  # on the way from the target to each anchor
        column, row = sheet.px(np.array([x, y]))
        assert holds(image, object_colour(3), PANEL_WIDTH + column, row)
    column, row = sheet.px(np.array([0.0, -0.4]))  # none between the anchors
    assert not holds(image, object_colour(3), PANEL_WIDTH + column, row)


def test_only_some_local_maps() -> None:
    scene = triplet((1.0, -1.0), (7, 3))
    other = thing(4, Box(-1.0, 0.0, 0.0, 0.2, 0.2, 0.2, 0.0))
    maps = (*scene.cogmaps, LocalCogMap(1, 2, 4, (5, 3), (3, 5), 0.5))
    scene = replace(scene, objects=(*scene.objects, other), cogmaps=maps)
    above = local_maps(scene, only=[99]).shape[1]
    for options, cells in (
        ({}, {(7, 3): 3, (3, 5): None}),
        ({"most": 1}, {(7, 3): 3, (3, 5): None}),
        ({"only": [4]}, {(7, 3): None, (3, 5): 4}),
    ):
        image = local_maps(scene, **options)
        assert image.shape[1] == above + (PANEL_WIDTH if options else 2 * PANEL_WIDTH)
        for cell, number in cells.items():
            assert in_cell(image, *cell) == (WHITE if number is None else object_colour(number))


def test_local_maps_of_odd_scenes() -> None:
    scene = triplet((1.0, -1.0), (7, 3))
    long = replace(scene.objects[2], label="a very long name of some thing " * 4)
    same = replace(scene.objects[1], box=scene.objects[0].box)
    odd = replace(scene.cogmaps[0], metres_per_cell=float("nan"))
    image = local_maps(replace(scene, objects=(scene.objects[0], same, long), cogmaps=(odd,)))
    assert in_cell(image, 7, 3) == object_colour(3)
    # A long name is cut: what is written stays in its panel.
    assert (image[:PANEL_HEIGHT, PANEL_WIDTH - 3 : PANEL_WIDTH] == PAPER).all()


def test_empty_scene_gives_a_picture() -> None:
    assert top_down(graph()).shape[2] == 3
    assert local_maps(graph()).shape[2] == 3
    nothing = np.zeros((0, 3), np.float32), np.zeros(0, np.int64)
    assert proxies_above(graph(), *nothing).shape[2] == 3


def test_saved_picture_keeps_its_colours(tmp_path) -> None:
    rgb = np.zeros((8, 8, 3), np.uint8)
    rgb[..., 0] = 200
    save_picture(tmp_path / "a.png", rgb)
    assert (cv2.imread(str(tmp_path / "a.png"))[..., ::-1] == rgb).all()
    with pytest.raises(OSError, match="cannot write picture"):
        save_picture(tmp_path / "no such folder" / "a.png", rgb)


def test_album_stays_small_and_spread() -> None:
    album = Album(size=8)
    frames = [frame(1.0 + n / 1000) for n in range(100)]
    for item in frames:
        album.offer(item)
    kept = [round((float(f.depth[0, 0]) - 1.0) * 1000) for f, _ in album._kept]
    assert 4 <= len(kept) < 8
    assert kept[0] == 0
    assert kept[-1] >= 75
    assert len(set(np.diff(kept))) == 1


def test_album_chooses_the_frame_that_shows_most() -> None:
    album = Album()
    album.offer(frame(2.0))
    album.offer(frame(5.0))
    image = album.best_overlay([thing(1, Box(5.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0))], np.eye(4))
    assert (image != 90).any()
    with pytest.raises(ValueError, match="no frame"):
        Album().best_overlay([], np.eye(4))
