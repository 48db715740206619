"""Where the floor is, and which of its cells have been seen."""

from __future__ import annotations

import numpy as np
import pytest
from box_world import Block, frame, look

from spatial_vlm_ros.config import FloorConfig, PointsConfig
from spatial_vlm_ros.perception.points import unproject
from spatial_vlm_ros.scene.floor import Floor
from spatial_vlm_ros.scene.graph import FloorMap
from spatial_vlm_ros.scene_frame import inverse, level_frame

DOWN = look((0, 0, 1.2), (2, 0, 0))


def seen_from(pose, blocks=(), config=None, frames=1, **more) -> Floor:
    """The floor after ``frames`` frames of one camera pose."""
    floor = Floor(config or FloorConfig(), PointsConfig())
    T_scene_camera = inverse(level_frame(pose)) @ pose
    for step in range(frames):
        floor.update(unproject(frame(blocks, pose, step, **more), T_scene_camera, PointsConfig()))
    return floor


def is_seen(floor: FloorMap, x: float, y: float) -> bool:
    row = int(np.floor((y - floor.y0) / floor.resolution + 1e-9))
    column = int(np.floor((x - floor.x0) / floor.resolution + 1e-9))
    rows, columns = floor.seen.shape
    return 0 <= row < rows and 0 <= column < columns and bool(floor.seen[row, column])


@pytest.mark.parametrize("height", [0.613, 1.005, 1.21, 1.297, 1.683])
def test_height_within_a_centimetre(height):
    pose = look((0, 0, height), (1.8, 0, 0))
    floor = seen_from(pose, frames=10, noise=0.002)
    assert floor.height == pytest.approx(-height, abs=0.01)


def test_a_table_is_not_the_floor():
    table = Block(1, "table", (1.7, 0, 0.375), (0.8, 1.2, 0.75))
    assert seen_from(DOWN, [table]).height == pytest.approx(-1.2, abs=0.0101)


def test_nothing_level_seen_is_no_floor():
    wall = Block(1, "wall", (2.0, 0, 1.5), (0.1, 8.0, 3.0))
    nothing = Floor(FloorConfig(), PointsConfig())
    assert nothing.map() is None
    assert nothing.height is None
    pose = look((0, 0, 1.5), (2, 0, 1.8))  # at the wall, upwards: no floor in view
    floor = seen_from(pose, [wall])
    assert floor.map() is None
    assert floor.height is None


def test_seen_cells_by_hand():
    """1.2 m up, looking at (2, 0) on the floor: 31.0 degrees down, half the image 24.7 degrees,
    so the image's lower edge is 55.7 degrees down, which is 0.82 m ahead."""
    floor = seen_from(DOWN, frames=2).map()
    for x in (1.05, 1.55, 2.05, 2.55):
        assert is_seen(floor, x, 0.05)
    for x, y in ((0.55, 0.05), (-1.05, 0.05), (2.05, 2.55), (2.05, -2.55)):
        assert not is_seen(floor, x, y)
    # Half the image's width, 160 px, at the depth of (2, 0) (2.33 m) is 1.43 m to either side.
    assert is_seen(floor, 2.05, 1.25)
    assert is_seen(floor, 2.05, -1.25)


def test_floor_under_and_behind_things_is_not_seen():
    box = Block(1, "box", (2.0, 0, 0.3), (0.6, 0.8, 0.6))
    floor = seen_from(DOWN, [box]).map()
    assert is_seen(floor, 1.45, 0.05)
    for x in (1.85, 2.05, 2.25, 2.65):  # under the box, and in its shadow (to 4.6 m)
        assert not is_seen(floor, x, 0.05)


def test_the_radius_bounds_the_grid():
    floor = seen_from(DOWN, config=FloorConfig(radius=2.0)).map()
    assert floor.x0 + floor.seen.shape[1] * floor.resolution <= 2.0 + 1e-9
    assert is_seen(floor, 1.95, 0.05)


def test_revision_rests_when_the_same_floor_is_seen_again():
    floor = seen_from(DOWN, frames=3)
    rest, cells = floor.revision, len(floor.cells)
    T_scene_camera = inverse(level_frame(DOWN)) @ DOWN
    for step in range(10):
        floor.update(unproject(frame([], DOWN, step), T_scene_camera, PointsConfig()))
    assert (floor.revision, len(floor.cells)) == (rest, cells)
