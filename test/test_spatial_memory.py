"""The spatial memory as a whole: unusable frames, revisions, snapshots, caps."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import numpy as np
import pytest
from box_world import FLOOR, Block, frame, look, orbit

from spatial_vlm_ros.config import LifecycleConfig, MemoryConfig, PointsConfig
from spatial_vlm_ros.memory import SpatialMemory
from spatial_vlm_ros.scene.graph import ObjectState

CHAIR = Block(1, "chair", (2.0, 0.0, 0.3), (0.4, 0.5, 0.6), 0.3)
EYE = look((0, 0, 1.2), (2, 0, 0.3))


def mapped(blocks=(CHAIR,), frames=4) -> SpatialMemory:
    memory = SpatialMemory()
    for step in range(frames):
        memory.observe(frame(blocks, EYE, step))
    return memory


def test_nothing_seen_yet():
    memory = SpatialMemory()
    graph = memory.graph()
    assert memory.T_fixed_scene is None
    assert (graph.objects, graph.relations, graph.floor, graph.T_scene_robot) == (
        (),
        (),
        None,
        None,
    )


def test_scene_frame_is_of_the_first_accepted_frame():
    """First camera 1.2 m above the origin, along x: the scene is the fixed frame, raised."""
    memory = mapped()
    raised = np.eye(4)
    raised[2, 3] = 1.2
    np.testing.assert_allclose(memory.T_fixed_scene, raised, atol=1e-12)
    memory.observe(frame([CHAIR], look((1, -1, 1.5), (2, 0, 0.3)), 9))
    np.testing.assert_allclose(memory.T_fixed_scene, raised, atol=1e-12)
    # The observer: level, at (1, -1, 0.3) of the scene, facing 45 degrees to the left.
    robot = memory.graph().T_scene_robot
    half = np.sqrt(0.5)
    np.testing.assert_allclose(robot[:3, 0], [half, half, 0], atol=1e-9)
    np.testing.assert_allclose(robot[:3, 3], [1, -1, 0.3], atol=1e-9)


def test_boxes_are_in_the_scene_frame():
    """From (2, 1, 1.5) looking along y a thing at (1, 4, 0.5) is at (3, 1, -1), turned by -90."""
    shelf = Block(1, "shelf", (1, 4, 0.5), (0.8, 0.4, 0.5), 0.0)
    memory = SpatialMemory()
    memory.observe(frame([shelf], look((2, 1, 1.5), (2, 2, 1.3)), 0))
    for step, pose in enumerate(orbit(shelf.center, 1.8, 1.4, np.arange(0, 360, 20))):
        memory.observe(frame([shelf], pose, 1 + step, noise=0.001))
    (item,) = memory.graph().present()
    assert item.box.center == pytest.approx([3, 1, -1], abs=0.02)
    assert item.box.size == pytest.approx([0.8, 0.4, 0.5], abs=0.02)
    assert abs(item.box.yaw) == pytest.approx(np.pi / 2, abs=0.05)


@pytest.mark.parametrize("depth", [0.0, np.nan, np.inf, -1.0, 5e4])
@pytest.mark.parametrize("first", [True, False])
def test_a_frame_without_usable_depth_is_refused(depth, first):
    memory = SpatialMemory() if first else mapped()
    before, pose = memory.graph(), memory.T_fixed_scene
    bad = replace(frame([CHAIR], EYE, 50), depth=np.full((240, 320), depth, np.float32))
    with pytest.raises(ValueError, match="depth"):
        memory.observe(bad)
    assert memory.graph() is before
    assert memory.T_fixed_scene is pose


@pytest.mark.parametrize("instances", ["labels", "detections"])
def test_a_frame_without_its_instances_is_refused(instances):
    memory = SpatialMemory(MemoryConfig(instances=instances))
    with pytest.raises(ValueError, match=f"instances = {instances}"):
        memory.observe(replace(frame([CHAIR], EYE), labels=None))
    assert memory.T_fixed_scene is None


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf, 5e4])
def test_holes_in_depth_leave_no_ghost(bad):
    """Half of the pixels, at random, tell nothing: the same one object, the same box."""
    rng = np.random.default_rng(3)
    memory = SpatialMemory()
    for step, pose in enumerate(orbit(CHAIR.center, 2.0, 1.2, np.arange(140, 221, 8))):
        seen = frame([CHAIR], pose, step, noise=0.001)
        holes = rng.random(seen.depth.shape) < 0.5
        memory.observe(replace(seen, depth=np.where(holes, bad, seen.depth).astype(np.float32)))
    (item,) = memory.graph().objects
    assert item.box.height == pytest.approx(0.6, abs=0.03)
    assert item.box.length == pytest.approx(0.5, abs=0.05)


def test_out_of_range_is_not_mapped():
    far = replace(CHAIR, center=(5.0, 0.0, 0.3))
    memory = SpatialMemory(MemoryConfig(points=PointsConfig(max_range=4.0)))
    for step in range(4):
        memory.observe(frame([far], EYE, step))
    assert memory.graph().objects == ()


def test_revision_settles_and_grows_with_change():
    memory = mapped(frames=12)
    settled = memory.revision
    for step in range(20):
        memory.observe(frame([CHAIR], EYE, 20 + step))
    assert memory.revision == settled == memory.graph().revision
    assert memory.graph().stamp_ns == 39 * 100_000_000  # stamps and counts do go on
    memory.observe(frame([CHAIR, Block(2, "bin", (2, 0.8, 0.2), (0.3, 0.3, 0.4))], EYE, 60))
    grown = memory.revision
    assert grown > settled
    memory.remove(memory.graph().objects[-1].id)
    assert memory.revision > grown


def test_a_noisy_static_scene_settles():
    memory = SpatialMemory()
    for step in range(40):
        memory.observe(frame([CHAIR], EYE, step, noise=0.002))
    settled, box = memory.revision, memory.graph()[1].box
    for step in range(40, 60):
        memory.observe(frame([CHAIR], EYE, step, noise=0.002))
    assert memory.revision <= settled + 1
    assert memory.graph()[1].box.center == pytest.approx(box.center, abs=0.02)


def test_graph_is_kept_while_nothing_changes():
    memory = mapped()
    first = memory.graph()
    assert memory.graph() is first
    memory.observe(frame([CHAIR], EYE, 9))
    assert memory.graph() is not first
    assert first.stamp_ns == 300_000_000  # the old snapshot stays as it was


def test_graph_is_immutable():
    graph = mapped().graph()
    with pytest.raises(dataclasses.FrozenInstanceError):
        graph.objects[0].label = "sofa"
    with pytest.raises(dataclasses.FrozenInstanceError):
        graph.objects[0].box.x = 0.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        graph.revision = 0
    for array in (graph.floor.seen, graph.T_scene_robot):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 0


def test_reset_forgets_the_scene_frame_too():
    memory = mapped()
    memory.reset()
    assert memory.T_fixed_scene is None
    assert memory.graph().objects == ()
    assert memory.bytes_used == 0
    memory.observe(frame([CHAIR], look((1, 0, 1.0), (2, 0, 0.3)), 0))
    assert memory.T_fixed_scene[:3, 3] == pytest.approx([1, 0, 1])


def test_the_missing_go_before_the_longest_unseen():
    """1 is behind the camera for long, 2 has gone lately; a new one comes: 2 is evicted, then 1."""
    rules = LifecycleConfig(max_objects=3, confirm_after=1, missing_after=3)
    memory = SpatialMemory(MemoryConfig(lifecycle=rules))
    behind = look((0, 0, 1.2), (-2, 0, 0.3))
    memory.observe(frame([replace(CHAIR, center=(-2.0, 0.0, 0.3))], behind, 0))
    left, right = replace(CHAIR, center=(2, 0.7, 0.3)), replace(CHAIR, id=2, center=(2, -0.7, 0.3))
    memory.observe(frame([left, right], EYE, 1))
    gone = 2 if memory.graph()[2].box.y < 0 else 3  # the scene's x axis points backwards
    for step in range(4):
        memory.observe(frame([right], EYE, 2 + step))
    states = {item.id: item.state.name for item in memory.graph().objects}
    assert states == {1: "CONFIRMED", gone: "MISSING", 5 - gone: "CONFIRMED"}
    near = Block(3, "bin", (1.4, 0.0, 0.15), (0.3, 0.3, 0.3))
    memory.observe(frame([right, near], EYE, 10))
    assert {item.id for item in memory.graph().objects} == {1, 5 - gone, 4}
    other = Block(4, "box", (1.6, 0.8, 0.15), (0.3, 0.3, 0.3))
    memory.observe(frame([right, near, other], EYE, 11))
    assert {item.id for item in memory.graph().objects} == {5 - gone, 4, 5}
    assert {item.state for item in memory.graph().objects} == {ObjectState.CONFIRMED}


def test_what_could_not_be_used_is_counted():
    memory = SpatialMemory()
    memory.observe(frame([replace(CHAIR, label=None)], EYE))
    assert memory.ignored["label id without a name"] == 1
    (item,) = memory.graph().objects
    assert item.label == "object"


def test_timings_name_the_parts():
    memory = mapped()
    assert set(memory.timings_ms) == {"points", "floor", "instances", "objects", "keyframe"}
    assert all(0 < value < 10_000 for value in memory.timings_ms.values())


def test_settings_are_checked():
    with pytest.raises(ValueError, match=r"points\.columns: 3 is below the minimum 40"):
        SpatialMemory(MemoryConfig(points=PointsConfig(columns=3)))


def test_a_fixed_frame_with_y_up():
    """The same scene recorded with y up: the same objects at the same places of the scene."""
    T_recorded_fixed = np.eye(4)
    T_recorded_fixed[:3, :3] = [[0, 1, 0], [0, 0, 1], [1, 0, 0]]  # x, y, z up -> y, z, x
    memory = SpatialMemory(MemoryConfig(up="y"))
    for step in range(4):
        seen = frame([CHAIR], EYE, step)
        memory.observe(replace(seen, T_fixed_camera=T_recorded_fixed @ seen.T_fixed_camera))
    plain = mapped()
    assert memory.graph()[1].box.center == pytest.approx(plain.graph()[1].box.center, abs=1e-4)
    assert memory.graph().floor.z == pytest.approx(plain.graph().floor.z, abs=1e-4)
    assert FLOOR not in [item.id for item in memory.graph().objects]
