"""A furnished scene through the whole memory: objects, relations, floor, files."""

from __future__ import annotations

import numpy as np
import pytest
from box_world import Block, frame, orbit

from spatial_vlm_ros.memory import SpatialMemory
from spatial_vlm_ros.scene_frame import inverse

CHAIR = Block(1, "chair", (2.0, 0.0, 0.3), (0.4, 0.4, 0.6), 0.3)
TABLE = Block(2, "table", (2.6, 1.0, 0.35), (0.8, 0.6, 0.7), 0.0, (35, 80, 205))
LAMP = Block(3, "lamp", (2.6, 0.9, 0.85), (0.15, 0.15, 0.3), 0.0, (245, 215, 40))
ROOM = [CHAIR, TABLE, LAMP]
TURN = orbit((2.3, 0.5, 0.3), 2.2, 1.3, np.arange(100, 260, 10))


@pytest.fixture
def memory() -> SpatialMemory:
    memory = SpatialMemory()
    for step, pose in enumerate(TURN):
        memory.observe(frame(ROOM, pose, step, noise=0.002))
    return memory


def test_graph_holds_what_is_there(memory):
    graph = memory.graph()
    assert {item.label: item.colour for item in graph.present()} == {
        "chair": "red",
        "table": "blue",
        "lamp": "yellow",
    }
    by_label = {item.label: item.id for item in graph.present()}
    found = {(r.subject, r.predicate, r.object) for r in graph.relations}
    assert (by_label["lamp"], "on", by_label["table"]) in found
    assert len(graph.cogmaps) + len(graph.unplaced) >= 1
    assert graph.floor.z == pytest.approx(-1.3, abs=0.01)


def test_floor_cells_are_where_floor_was_seen(memory):
    floor = memory.graph().floor
    T_scene_fixed = inverse(memory.T_fixed_scene)

    def seen(x, y):
        x, y, _, _ = T_scene_fixed @ [x, y, 0, 1]
        row = int(np.floor((y - floor.y0) / floor.resolution))
        column = int(np.floor((x - floor.x0) / floor.resolution))
        inside = 0 <= row < floor.seen.shape[0] and 0 <= column < floor.seen.shape[1]
        return inside and bool(floor.seen[row, column])

    assert seen(1.5, 0.2)
    assert seen(2.0, 0.7)
    assert not seen(2.0, 0.0)  # under the chair
    assert not seen(-3.0, 0.5)  # behind the cameras


def test_nothing_is_computed_twice(memory):
    before = memory.graph()
    assert memory.graph() is before
    memory.observe(frame(ROOM, TURN[-1], 99, noise=0.002))
    after = memory.graph()
    assert after.stamp_ns == 99 * 100_000_000
    if after.revision == before.revision:
        assert after.relations is before.relations
        assert after.floor is before.floor


def test_save_and_load_give_the_same_memory(memory, tmp_path):
    memory.save(tmp_path, "odom")
    other = SpatialMemory()
    other.load(tmp_path, "odom")
    a, b = memory.graph(), other.graph()
    assert a.objects == b.objects
    assert (a.relations, a.cogmaps, a.unplaced) == (b.relations, b.cogmaps, b.unplaced)
    np.testing.assert_array_equal(a.T_scene_robot, b.T_scene_robot)
    np.testing.assert_array_equal(a.floor.seen, b.floor.seen)
    assert (a.floor.x0, a.floor.y0, a.floor.z) == (b.floor.x0, b.floor.y0, b.floor.z)
    np.testing.assert_array_equal(memory.T_fixed_scene, other.T_fixed_scene)
    assert a.stamp_ns == b.stamp_ns
    # And they go on the same way, ids included.
    new = Block(7, "bin", (1.5, 0.9, 0.2), (0.3, 0.3, 0.4))
    for step in range(5):
        seen = frame([*ROOM, new], TURN[step], 500 + step, noise=0.002)
        memory.observe(seen)
        other.observe(seen)
    assert memory.graph().objects == other.graph().objects
