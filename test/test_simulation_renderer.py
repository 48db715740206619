"""The renderer and the depth noise against geometry worked out by hand."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest

from spatial_vlm_ros.frame import Intrinsics
from spatial_vlm_ros.simulation.noise import (
    EDGE_LOSS,
    MAX_RANGE,
    MIN_RANGE,
    axial_sigma,
    measured_depth,
)
from spatial_vlm_ros.simulation.palette import COLOURS
from spatial_vlm_ros.simulation.renderer import Renderer
from spatial_vlm_ros.simulation.seen import exposed_surfels, visible
from spatial_vlm_ros.simulation.shapes import Texture, block
from spatial_vlm_ros.simulation.world import Mesh

LAMP = np.array([[0.0, 0.0, 0.0]])


def meshes(*blocks: tuple[tuple[float, ...], tuple[float, ...], str]) -> Mesh:
    parts = [block(size, center, COLOURS[colour]) for size, center, colour in blocks]
    pieces = [Mesh.of(part, part.vertices, k + 1, 0.0) for k, part in enumerate(parts)]
    return Mesh.joined(pieces)


UNIT_CUBE = meshes(((1, 1, 1), (0, 0, 3), "red"))  # its near face is at depth 2.5


@pytest.mark.parametrize(("cx", "width", "columns"), [(32.0, 65, 39), (31.5, 64, 40)])
def test_unit_cube_before_the_camera(cx: float, width: int, columns: int) -> None:
    """The near face reaches u - cx = 99 * 0.5 / 2.5 = 19.8 pixels to either side.

    With the centre on a pixel (cx = 32) that is 19 + 1 + 19 columns; between two, 20 + 20.
    """
    camera = Intrinsics(width, width, 99.0, 99.0, cx, cx)
    image = Renderer(UNIT_CUBE, LAMP, camera).render(np.eye(4))
    on_cube = image.ids == 1
    assert on_cube.sum() == columns**2
    assert np.ptp(np.flatnonzero(on_cube.any(axis=0))) == columns - 1
    np.testing.assert_allclose(image.depth[on_cube], 2.5, atol=1e-5)  # along the axis, not the ray
    assert not image.depth[~on_cube].any()
    assert not image.rgb[~on_cube][:100].any()
    assert image.depth.dtype == np.float32
    assert image.ids.dtype == np.int32


def test_depth_of_a_level_floor() -> None:
    """1.2 m under the camera, pixel row v sees the floor at 1.2 f / (v - cy)."""
    floor = meshes(((50, 0.2, 50), (0, 1.3, 25), "grey"))  # camera axes: y down
    image = Renderer(floor, LAMP, Intrinsics(3, 101, 100.0, 100.0, 1.0, 50.0)).render(np.eye(4))
    rows = np.arange(60, 101)
    np.testing.assert_allclose(image.depth[60:, 1], 1.2 * 100 / (rows - 50), rtol=1e-4)


def test_a_moved_camera_sees_the_cube_from_its_side() -> None:
    """From (3, 0, 3) looking along -x with image down = z, the cube is 2.5 m away again."""
    T_map_camera = np.eye(4)
    T_map_camera[:3, :3] = np.array([[0, 0, -1], [-1, 0, 0], [0, 1, 0]]).astype(float)
    T_map_camera[:3, 3] = (3.0, 0.0, 3.0)
    assert np.linalg.det(T_map_camera) == pytest.approx(1.0)
    image = Renderer(UNIT_CUBE, LAMP, Intrinsics(65, 65, 99.0, 99.0, 32.0, 32.0)).render(
        T_map_camera
    )
    assert image.depth[32, 32] == pytest.approx(2.5, abs=1e-5)
    assert (image.ids == 1).sum() == 39**2


def test_nearer_things_hide_farther_ones() -> None:
    both = meshes(((1, 1, 1), (0, 0, 3), "red"), ((0.2, 0.2, 0.2), (0.1, 0, 2), "blue"))
    image = Renderer(both, LAMP, Intrinsics(65, 65, 99.0, 99.0, 32.0, 32.0)).render(np.eye(4))
    assert image.ids[32, 32 + 5] == 2
    assert image.depth[32, 32 + 5] == pytest.approx(1.9, abs=1e-5)
    assert image.ids[32, 32 - 10] == 1


def test_colours_can_be_named_from_shaded_pixels() -> None:
    """Three faces of a cube of every colour, one of them in shadow: hue and value still tell."""
    T_map_camera = np.eye(4)
    forward = np.array([-1.0, -1.0, -0.8]) / np.linalg.norm([1, 1, 0.8])
    right = np.array([-1.0, 1.0, 0.0]) / np.sqrt(2)
    T_map_camera[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1)
    T_map_camera[:3, 3] = -2.5 * forward
    camera = Intrinsics(64, 64, 80.0, 80.0, 31.5, 31.5)
    for name, rgb in COLOURS.items():
        cube = block((1, 1, 1), (0, 0, 0), rgb, Texture.WOOD)
        mesh = Mesh.of(cube, cube.vertices, 1, 0.0)
        image = Renderer(mesh, np.array([[3.0, 0.5, 2.0]]), camera).render(T_map_camera)
        pixels = image.rgb[image.ids == 1]
        right_name = np.mean([_nearest_colour(pixel) == name for pixel in pixels[::5]])
        assert right_name > 0.9, (name, right_name)


def _nearest_colour(pixel: np.ndarray) -> str:
    """The palette colour of nearest hue and chroma, brightness counting half."""

    def place(rgb: np.ndarray) -> np.ndarray:
        hue, saturation, value = colorsys.rgb_to_hsv(*(np.asarray(rgb) / 255.0))
        chroma = saturation * value
        return np.array(
            [
                chroma * np.cos(2 * np.pi * hue),
                chroma * np.sin(2 * np.pi * hue),
                0.5 * value,
            ]
        )

    return min(COLOURS, key=lambda name: np.linalg.norm(place(COLOURS[name]) - place(pixel)))


# Depth noise --------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [0.8, 2.0, 4.0])
def test_axial_noise_has_the_published_spread(depth: float) -> None:
    exact = np.full((400, 400), depth, np.float32)
    rng = np.random.default_rng(1)
    noisy = measured_depth(exact, np.ones_like(exact), rng)
    assert noisy.dtype == np.uint16
    error = noisy[noisy > 0] / 1000 - depth
    expected = np.hypot(0.0012 + 0.0019 * (depth - 0.4) ** 2, 0.001 / np.sqrt(12))  # + rounding
    assert error.std() == pytest.approx(expected, rel=0.03)
    assert abs(error.mean()) < 5 * expected / np.sqrt(error.size)
    assert 0.001 < np.mean(noisy == 0) < 0.02  # speckle only
    assert axial_sigma(np.float32(0.4)) == pytest.approx(0.0012)


def test_no_depth_outside_the_range() -> None:
    exact = np.tile(np.array([0.0, 0.2, 0.31, 5.7, 6.4, 60.0], np.float32), (200, 20))
    noisy = measured_depth(exact, np.ones_like(exact), np.random.default_rng(0))
    assert not noisy[(exact < 0.25) | (exact > 6.3)].any()
    measured = noisy[noisy > 0]
    assert measured.min() >= 1000 * MIN_RANGE
    assert measured.max() <= 1000 * MAX_RANGE


def test_grazing_surfaces_and_edges_lose_depth() -> None:
    exact = np.full((100, 200), 2.0, np.float32)
    cosine = np.cos(np.radians([60.0, 88.0]))
    incidence = np.repeat(cosine, 100)[None].repeat(100, axis=0).astype(np.float32)
    noisy = measured_depth(exact, incidence, np.random.default_rng(0))
    assert np.mean(noisy[:, :100] > 0) > 0.98
    assert not noisy[:, 100:].any()

    step = exact.copy()
    step[:, 100:] = 3.0
    noisy = measured_depth(step, np.ones_like(step), np.random.default_rng(0))
    assert np.mean(noisy[:, 99:101] == 0) == pytest.approx(EDGE_LOSS, abs=0.1)
    assert np.mean(noisy[:, :98] == 0) < 0.02


# What has been seen -------------------------------------------------------------------------


def test_exposed_surface_of_a_cube_against_a_wall() -> None:
    """Of a cube's six faces, the underside and the one 1 cm before a wall do not count."""
    both = meshes(((1, 1, 1), (0, 0, 0.5), "red"), ((0.1, 4, 4), (-0.56, 0, 1), "grey"))
    surfels = exposed_surfels(both, 1, np.random.default_rng(0))
    assert set(surfels.ids) == {1}
    faces = {tuple(np.rint(normal).astype(int)) for normal in surfels.normals}
    assert faces == {(1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1)}


def test_inner_faces_of_joined_solids_do_not_count() -> None:
    plank = block((1, 1, 0.1), (0, 0, 0.5), COLOURS["red"])
    post = block((0.1, 0.1, 0.55), (0, 0, 0.225), COLOURS["red"])  # 5 cm into the plank
    mesh = Mesh.joined([Mesh.of(part, part.vertices, 1, 0.0) for part in (plank, post)])
    surfels = exposed_surfels(mesh, 1, np.random.default_rng(0))
    in_plank = (np.abs(surfels.points[:, :2]) < 0.06).all(axis=1) & (surfels.points[:, 2] > 0.451)
    assert not (in_plank & (surfels.points[:, 2] < 0.549)).any()


def test_one_view_shows_one_face() -> None:
    camera = Intrinsics(65, 65, 99.0, 99.0, 32.0, 32.0)
    surfels = exposed_surfels(UNIT_CUBE, 1, np.random.default_rng(0))
    shown = visible(surfels, Renderer(UNIT_CUBE, LAMP, camera).render(np.eye(4)), np.eye(4), camera)
    near_face = surfels.normals[:, 2] < -0.5
    assert not near_face.any()  # z is up in the map: this face counts as an underside
    assert not shown.any()
    T_map_camera = np.eye(4)
    T_map_camera[:3, :3] = np.array([[0, 0, -1], [-1, 0, 0], [0, 1, 0]]).astype(float)
    T_map_camera[:3, 3] = (3.0, 0.0, 3.0)
    image = Renderer(UNIT_CUBE, LAMP, camera).render(T_map_camera)
    shown = visible(surfels, image, T_map_camera, camera)
    facing = surfels.normals[:, 0] > 0.5
    assert not shown[~facing].any()
    assert shown[facing].mean() > 0.9  # but for its very edge


def test_what_is_hidden_or_out_of_range_is_not_seen() -> None:
    camera = Intrinsics(65, 65, 99.0, 99.0, 32.0, 32.0)
    both = meshes(((1, 1, 1), (0, 0, 0), "red"), ((0.1, 3, 3), (1.5, 0, 0), "blue"))
    surfels = exposed_surfels(both, 1, np.random.default_rng(0))
    T_map_camera = np.eye(4)
    T_map_camera[:3, :3] = np.array([[0, 0, -1], [-1, 0, 0], [0, 1, 0]]).astype(float)
    for mesh, distance, expected in ((both, 3.0, False), (UNIT_AT_0, 3.0, True)):
        T_map_camera[:3, 3] = (distance, 0.0, 0.0)
        image = Renderer(mesh, LAMP, camera).render(T_map_camera)
        assert visible(surfels, image, T_map_camera, camera).any() == expected
    T_map_camera[:3, 3] = (7.0, 0.0, 0.0)
    image = Renderer(UNIT_AT_0, LAMP, camera).render(T_map_camera)
    assert not visible(surfels, image, T_map_camera, camera).any()


UNIT_AT_0 = meshes(((1, 1, 1), (0, 0, 0), "red"))
