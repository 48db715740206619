"""Simulated buildings: furniture that does not touch, true boxes, drives that do not collide."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import shapely

from spatial_vlm_ros.simulation.furniture import CATALOGUE, CATEGORIES
from spatial_vlm_ros.simulation.palette import COLOURS
from spatial_vlm_ros.simulation.record import build
from spatial_vlm_ros.simulation.rooms import DOORWAY_WIDTH, WALL_THICKNESS, make_plan
from spatial_vlm_ros.simulation.shell import surfaces
from spatial_vlm_ros.simulation.trajectory import ROBOT_RADIUS
from spatial_vlm_ros.simulation.world import Placed, World

CASES = [(seed, rooms) for rooms in (1, 2, 3) for seed in range(3)]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"seed{case[0]}-rooms{case[1]}")
def building(request: pytest.FixtureRequest):
    return build(*request.param)


def test_catalogue_has_many_categories_in_known_colours() -> None:
    assert len(CATEGORIES) >= 20
    for style in CATALOGUE.values():
        assert set(style.colours) <= set(COLOURS)
        assert len(style.build(COLOURS["red"]).parts) >= 1


def test_the_named_colour_covers_most_of_what_shows() -> None:
    for name, style in CATALOGUE.items():
        for colour in style.colours:
            own = shown = 0.0
            for part in style.build(COLOURS[colour]).parts:
                a, b, c = (part.vertices[part.faces[:, k]] for k in range(3))
                normals = np.cross(b - a, c - a) / 2
                areas = np.linalg.norm(normals, axis=1)
                area = areas[normals[:, 2] > -0.5 * areas].sum()  # undersides do not show
                shown += area
                like_it = np.abs(np.subtract(part.rgb, COLOURS[colour])).max() < 40
                own += area * like_it
            assert own / shown > 0.5, (name, colour)


def test_layouts_differ() -> None:
    outlines = {
        tuple(len(room.sides()) for room in make_plan(np.random.default_rng(seed), rooms).rooms)
        for rooms in (1, 2, 3)
        for seed in range(8)
    }
    assert len(outlines) >= 4
    with pytest.raises(ValueError, match="rooms: 4"):
        make_plan(np.random.default_rng(0), 4)


def test_rooms_are_connected_by_doorways_cut_out_of_both_walls() -> None:
    for seed in range(6):
        plan = make_plan(np.random.default_rng(seed), 3)
        assert plan.floor.geom_type == "Polygon"
        for a, b in combinations(plan.rooms, 2):
            assert a.polygon.disjoint(b.polygon)
        for x0, y0, x1, y1 in plan.doorways:
            assert sorted((x1 - x0, y1 - y0)) == pytest.approx([WALL_THICKNESS, DOORWAY_WIDTH])
            middle = ((x0 + x1) / 2, (y0 + y1) / 2)
            for room in range(3):
                for part in surfaces(plan, room)["wall"]:
                    low, high = part.vertices.min(axis=0), part.vertices.max(axis=0)
                    if low[2] == 0:  # a stretch of wall from the floor up: not across the middle
                        near = (low[:2] - 0.1 <= middle).all() and (middle <= high[:2] + 0.1).all()
                        assert not near


def test_same_seed_same_building() -> None:
    (one, drive_one), (two, drive_two), (other, _) = build(5, 2), build(5, 2), build(6, 2)
    assert [(o.category, o.colour, o.x, o.yaw) for o in one.objects] == [
        (o.category, o.colour, o.x, o.yaw) for o in two.objects
    ]
    np.testing.assert_array_equal(one.mesh().vertices, two.mesh().vertices)
    seconds = np.linspace(0, 60, 100)
    np.testing.assert_array_equal(drive_one.pose(seconds), drive_two.pose(seconds))
    assert [o.x for o in one.objects] != [o.x for o in other.objects]


def test_rooms_are_furnished(building) -> None:
    world, _ = building
    rooms = len(world.plan.rooms)
    assert len(world.objects) >= 13 * rooms
    assert [item.id for item in world.objects] == list(range(1, len(world.objects) + 1))
    categories = [item.category for item in world.objects]
    assert len(set(categories)) >= 11
    assert len(categories) - len(set(categories)) >= 3  # several instances of some
    assert any(item.support for item in world.objects)
    turned = [abs(np.sin(2 * item.yaw)) > 0.1 for item in world.objects if not item.support]
    assert sum(turned) >= 2  # not only along the walls


def test_nothing_interpenetrates(building) -> None:
    """No vertex of a part lies in a part of another object (all parts are convex)."""
    world, _ = building
    for a, b in combinations(world.objects, 2):
        low, high = max(a.z_range[0], b.z_range[0]), min(a.z_range[1], b.z_range[1])
        if low < high - 1e-6 and a.footprint.intersection(b.footprint).area > 1e-9:
            # Only what lies on a seat or board may share its supporter's box.
            assert b.support == a.id and a.category in ("sofa", "bookshelf")
            assert not _vertices_inside(a, b) and not _vertices_inside(b, a)


def _vertices_inside(a: Placed, b: Placed) -> bool:
    """Whether a vertex of ``a`` is more than 1 mm inside a part of ``b``."""
    vertices = np.concatenate([a.to_map(part.vertices) for part in a.parts])
    for part in b.parts:
        corners = b.to_map(part.vertices)[part.faces]
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        outside_by = np.einsum("vfk,fk->vf", vertices[:, None] - corners[None, :, 0], normals)
        if (outside_by < -1e-3).all(axis=1).any():
            return True
    return False


def test_parts_are_closed_with_outward_faces() -> None:
    for style in CATALOGUE.values():
        for part in style.build(COLOURS["red"]).parts:
            a, b, c = (part.vertices[part.faces[:, k]] for k in range(3))
            assert np.einsum("ij,ij->i", a, np.cross(b, c)).sum() > 0  # six times the volume


def test_everything_stands_in_its_room_and_on_something(building) -> None:
    world, _ = building
    for item in world.objects:
        assert world.plan.rooms[item.room].polygon.buffer(1e-6).contains(item.footprint)
        if item.support is not None:
            support = world.objects[item.support - 1]
            assert support.z_range[0] < item.z_range[0] <= support.z_range[1] + 1e-9
            assert support.footprint.contains(item.footprint)
        elif item.category not in ("window", "picture"):
            assert item.z_range[0] == pytest.approx(0.0, abs=1e-9)


def test_boxes_hold_their_meshes_tightly(building) -> None:
    world, _ = building
    mesh = world.mesh()
    for item in world.objects:
        own = mesh.vertices[np.unique(mesh.faces[mesh.ids == item.id])]
        cos, sin = np.cos(item.yaw), np.sin(item.yaw)
        local = (own - item.center_map) @ np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
        np.testing.assert_allclose(local.max(axis=0), item.size / 2, atol=1e-9)
        np.testing.assert_allclose(local.min(axis=0), -item.size / 2, atol=1e-9)


def test_the_drive_is_smooth_slow_and_free(building) -> None:
    world, drive = building
    seconds = np.arange(0.0, drive.duration, 0.02)
    poses = drive.pose(seconds)
    speed = np.linalg.norm(np.diff(poses[:, :2], axis=0), axis=1) / 0.02
    turning = np.abs(np.diff(poses[:, 2])) / 0.02
    assert speed.max() <= 0.6
    assert turning.max() <= np.radians(45)
    assert np.abs(np.diff(speed)).max() / 0.02 <= 1.5  # m/s2
    assert speed[:60].max() < 1e-6 and turning[:60].max() < 1e-6  # stands still at first
    assert _clearance(world, poses[:, :2]) >= ROBOT_RADIUS - 1e-9
    for room in world.plan.rooms:
        assert shapely.contains_xy(room.polygon, poses[:, :2]).mean() > 0.15


def _clearance(world: World, places: np.ndarray) -> float:
    """Least distance of the drive to walls and to what is as low as the robot."""
    points = shapely.points(places)
    walls = shapely.distance(points, world.plan.floor.exterior).min()
    low = [item.footprint for item in world.objects if item.z_range[0] < 1.4]
    return float(min(walls, *(shapely.distance(points, shape).min() for shape in low)))


def test_two_room_drives_take_about_a_minute() -> None:
    durations = [build(seed, 2)[1].duration for seed in range(6)]
    assert min(durations) >= 40 and max(durations) <= 65
