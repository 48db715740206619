"""Objects over time: association, life and death, merging, caps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from box_world import CAMERA, Block, frame, look, orbit

from spatial_vlm_ros.config import (
    AssociationConfig,
    BoxConfig,
    InstancesConfig,
    LifecycleConfig,
    MemoryConfig,
)
from spatial_vlm_ros.frame import Detection, Intrinsics, LabelImage
from spatial_vlm_ros.memory import SpatialMemory
from spatial_vlm_ros.scene.box import Box, iou
from spatial_vlm_ros.scene.box_fit import fit_box
from spatial_vlm_ros.scene.duplicates import same_surface
from spatial_vlm_ros.scene.graph import ObjectState
from spatial_vlm_ros.scene.tracked import TrackedObject, extent_of
from spatial_vlm_ros.scene.voxel_points import VoxelPoints
from spatial_vlm_ros.scene_frame import inverse

CHAIR = Block(1, "chair", (2.0, 0.0, 0.3), (0.4, 0.4, 0.6), 0.3)
EYE = look((0, 0, 1.2), (2, 0, 0.3))


def watch(memory: SpatialMemory, blocks, poses, start=0, **more) -> None:
    for step, pose in enumerate(poses):
        memory.observe(frame(blocks, pose, start + step, **more))


def true_box(memory: SpatialMemory, block: Block) -> Box:
    """The block's box in the scene frame."""
    T = inverse(memory.T_fixed_scene)
    center = T[:3, :3] @ block.center + T[:3, 3]
    turn = np.arctan2(T[1, 0], T[0, 0])
    return Box(*center, *block.size, block.yaw + turn).canonical()


@pytest.mark.parametrize("yaw", [0, 30, 45])
def test_a_cube_keeps_its_size_while_the_camera_moves(yaw):
    cube = Block(1, "cube", (2, 0, 0.2), (0.4, 0.4, 0.4), np.radians(yaw))
    memory = SpatialMemory()
    watch(memory, [cube], orbit(cube.center, 1.6, 1.2, np.arange(0, 300, 15)), noise=0.003)
    (item,) = memory.graph().present()
    assert item.box.size == pytest.approx([0.4, 0.4, 0.4], abs=0.02)
    assert iou(item.box, true_box(memory, cube)) > 0.85
    assert item.observations == 20


def test_ids_hold_over_camera_motion():
    blocks = [CHAIR, Block(2, "table", (2.6, 1.0, 0.35), (0.8, 0.6, 0.7))]
    memory = SpatialMemory()
    seen = []
    for step, pose in enumerate(orbit((2.3, 0.5, 0.3), 2.2, 1.3, np.arange(0, 360, 12))):
        memory.observe(frame(blocks, pose, step, noise=0.002))
        seen.append({item.id: item.label for item in memory.graph().objects})
    assert all(found == {1: "chair", 2: "table"} for found in seen)


def test_two_chairs_ten_centimetres_apart_remain_two():
    pair = [CHAIR, replace(CHAIR, id=2, center=(2.0, 0.5, 0.3), yaw=0.0)]
    pair[0] = replace(pair[0], yaw=0.0)
    memory = SpatialMemory()
    poses = orbit((2, 0.25, 0.3), 2.2, 1.3, np.arange(0, 360, 10))
    for poses_of_turn in (poses, poses):
        watch(memory, pair, poses_of_turn, noise=0.003)
    present = memory.graph().present()
    assert len(present) == 2
    for block in pair:
        assert max(iou(item.box, true_box(memory, block)) for item in present) > 0.8


def test_two_chairs_of_one_class_remain_two():
    """A class image without instances: the gap between them is found in depth."""
    pair = [replace(CHAIR, id=7), replace(CHAIR, id=7, center=(3.2, 0.2, 0.3))]
    memory = SpatialMemory()
    poses = orbit((2.6, 0.1, 0.3), 2.4, 1.3, np.arange(150, 215, 5))
    watch(memory, pair, poses, per_instance=False)
    assert len(memory.graph().present()) == 2


def test_confirmed_only_after_enough_frames():
    memory = SpatialMemory(MemoryConfig(lifecycle=LifecycleConfig(confirm_after=3)))
    for step, state in enumerate(["TENTATIVE", "TENTATIVE", "CONFIRMED", "CONFIRMED"]):
        memory.observe(frame([CHAIR], EYE, step))
        (item,) = memory.graph().objects
        assert item.state.name == state
    assert (item.first_seen_ns, item.last_seen_ns) == (0, 300_000_000)


def test_a_tentative_object_that_is_never_seen_again_goes():
    memory = SpatialMemory()
    memory.observe(frame([CHAIR], EYE, 0))
    watch(memory, [], [EYE] * 5, start=1)
    assert memory.graph().objects == ()


def test_a_tentative_object_out_of_view_is_forgotten_a_confirmed_one_is_not():
    memory = SpatialMemory(MemoryConfig(lifecycle=LifecycleConfig(forget_after=4)))
    table = Block(2, "table", (2.0, 1.0, 0.35), (0.6, 0.6, 0.7))
    watch(memory, [table], [EYE] * 3)
    memory.observe(frame([table, CHAIR], EYE, 3))
    away, found = look((0, 0, 1.2), (-2, 0, 0.3)), []
    for step in range(10):
        memory.observe(frame([table, CHAIR], away, 4 + step))
        found.append([item.label for item in memory.graph().objects])
    assert found == [["table", "chair"]] * 3 + [["table"]] * 7


def test_missing_when_seen_through_to_beyond_the_range():
    """Behind the chair's place, 2 m off, there is only a wall at 7 m: too far for points."""
    level, wall = look((0, 0, 0.3), (2, 0, 0.3)), Block(9, "wall", (7.05, 0, 5), (0.1, 30, 10))
    memory = SpatialMemory(MemoryConfig(lifecycle=LifecycleConfig(missing_after=5)))
    watch(memory, [CHAIR, wall], [level] * 4)
    states = []
    for step in range(6):
        memory.observe(frame([wall], level, 10 + step))
        states.append(memory.graph()[1].state.name)
    assert states == ["CONFIRMED"] * 4 + ["MISSING"] * 2


def test_not_missing_when_depth_is_too_large_to_be_one(with_chair):
    """Some cameras write 65.535 m where they see nothing."""
    for step in range(10):
        seen = frame([], EYE, 100 + step)
        depth = seen.depth.copy()
        depth[60:180, 100:220] = 65.535
        with_chair.observe(replace(seen, depth=depth))
    assert with_chair.graph()[1].state is ObjectState.CONFIRMED


def missing_after(memory, blocks, frames, **more) -> list[str]:
    """States of object 1 after each of ``frames`` further frames."""
    states = []
    for step in range(frames):
        memory.observe(frame(blocks, EYE, 100 + step, **more))
        states.append(memory.graph()[1].state.name)
    return states


@pytest.fixture
def with_chair() -> SpatialMemory:
    memory = SpatialMemory(MemoryConfig(lifecycle=LifecycleConfig(missing_after=5)))
    watch(memory, [CHAIR], [EYE] * 4)
    return memory


def test_missing_after_frames_that_see_through_and_back_when_seen(with_chair):
    states = missing_after(with_chair, [], 6)
    assert states == ["CONFIRMED"] * 4 + ["MISSING"] * 2
    with_chair.observe(frame([CHAIR], EYE, 200))
    (item,) = with_chair.graph().objects
    assert (item.id, item.state) == (1, ObjectState.CONFIRMED)


def test_not_missing_behind_something(with_chair):
    screen = Block(5, "screen", (1.0, 0, 0.6), (0.1, 2.0, 1.2))
    assert set(missing_after(with_chair, [screen], 10)) == {"CONFIRMED"}


@pytest.mark.parametrize("hole", [0.0, np.nan, np.inf])
def test_not_missing_without_depth(with_chair, hole):
    """A hole in the depth image where the chair was proves nothing."""
    whole = frame([CHAIR], EYE)
    there = whole.labels.ids == CHAIR.id
    for step in range(10):
        seen = frame([], EYE, 100 + step)
        depth = seen.depth.copy()
        depth[np.roll(there, 3, 1) | np.roll(there, -3, 1) | there] = hole
        with_chair.observe(replace(seen, depth=depth))
    assert with_chair.graph()[1].state is ObjectState.CONFIRMED


def test_not_missing_in_frames_with_little_depth(with_chair):
    for step in range(10):
        seen = frame([], EYE, 100 + step)
        depth = np.where(np.arange(320) % 10 == 0, seen.depth, 0).astype(np.float32)
        with_chair.observe(replace(seen, depth=depth))
    assert with_chair.graph()[1].state is ObjectState.CONFIRMED


def test_not_missing_when_looking_elsewhere(with_chair):
    away = look((0, 0, 1.2), (-2, 0, 0.3))
    for step in range(10):
        with_chair.observe(frame([], away, 100 + step))
    assert with_chair.graph()[1].state is ObjectState.CONFIRMED


def test_not_missing_when_only_the_detector_misses(with_chair):
    """The chair is still there in depth, the label image shows nothing."""
    for step in range(10):
        seen = frame([CHAIR], EYE, 100 + step)
        nothing = LabelImage(np.zeros_like(seen.labels.ids), {})
        with_chair.observe(replace(seen, labels=nothing))
    assert with_chair.graph()[1].state is ObjectState.CONFIRMED


def test_moved_away_is_missing_there_and_new_here(with_chair):
    moved = replace(CHAIR, center=(2.2, 1.1, 0.3))
    for step in range(8):
        with_chair.observe(frame([moved], EYE, 100 + step))
    states = {item.id: item.state for item in with_chair.graph().objects}
    assert states == {1: ObjectState.MISSING, 2: ObjectState.CONFIRMED}
    assert iou(with_chair.graph()[2].box, true_box(with_chair, moved)) > 0.5


def test_duplicates_of_a_split_label_merge():
    """A sofa labelled as two halves at first, as one later, becomes one object."""
    sofa = Block(1, "sofa", (2.2, 0, 0.35), (0.8, 1.8, 0.7))
    halves = [
        replace(sofa, center=(2.2, -0.45, 0.35), size=(0.8, 0.9, 0.7)),
        replace(sofa, id=2, center=(2.2, 0.45, 0.35), size=(0.8, 0.9, 0.7)),
    ]
    memory = SpatialMemory(MemoryConfig(association=AssociationConfig(merge_after=4)))
    watch(memory, halves, [EYE] * 4)
    assert len(memory.graph().present()) == 2
    watch(memory, [sofa], orbit((2.2, 0, 0.35), 2.4, 1.4, np.arange(150, 211, 5)), start=10)
    (item,) = memory.graph().objects
    assert item.id == 1
    assert item.first_seen_ns == 0
    assert item.box.length == pytest.approx(1.8, abs=0.06)


def test_front_and_back_of_one_object_become_one():
    """Seen from the front, then from the back, then all round: one cabinet in the end."""
    cabinet = Block(1, "cabinet", (2.5, 0, 0.6), (0.6, 1.0, 1.2))
    memory = SpatialMemory()
    front, back = look((0, 0, 0.6), (2.5, 0, 0.6)), look((5, 0, 0.6), (2.5, 0, 0.6))
    watch(memory, [cabinet], [front] * 4)
    watch(memory, [cabinet], [back] * 4, start=4)
    watch(memory, [cabinet], orbit(cabinet.center, 2.5, 1.4, np.arange(0, 360, 15)), start=8)
    (item,) = memory.graph().objects
    assert iou(item.box, true_box(memory, cabinet)) > 0.85


def test_pieces_that_share_room_become_one_though_no_frame_shows_both():
    """A stool of which one corner is seen, and then from the other side what is high of it."""
    stool, memory = Block(1, "stool", (2.5, 0, 0.25), (0.36, 0.36, 0.5)), SpatialMemory()
    here, there = look((1, 1.5, 0.5), (2.5, 0, 0.3)), look((4, -1.5, 1.6), (2.5, 0, 0.4))
    for step in range(5):
        seen = frame([stool], here, step)
        x, y, z = np.moveaxis(points_of(seen), -1, 0)
        memory.observe(without(seen, (x > 2.44) | (y < 0.06) | (z > 0.47)))
    for step in range(5, 17):
        seen = frame([stool], there, step)
        memory.observe(without(seen, points_of(seen)[..., 2] < 0.33))
    (item,) = memory.graph().present()
    assert item.box.length == pytest.approx(0.36, abs=0.05)
    assert item.box.height > 0.4


def points_of(seen) -> np.ndarray:
    """(H, W, 3) in the fixed frame."""
    v, u = np.indices(seen.depth.shape)
    k = seen.intrinsics
    rays = np.stack([(u - k.cx) / k.fx, (v - k.cy) / k.fy, np.ones_like(u)], axis=-1)
    T = seen.T_fixed_camera
    return (seen.depth[..., None] * rays) @ T[:3, :3].T + T[:3, 3]


def without(seen, part: np.ndarray):
    """A frame that has no depth of object 1 in a part (H, W) of the image."""
    return replace(seen, depth=np.where(part & (seen.labels.ids == 1), 0, seen.depth))


def test_two_that_stand_side_by_side_are_seen_one_at_a_time_and_remain_two():
    left = Block(1, "stool", (2.5, -0.19, 0.25), (0.36, 0.36, 0.5))
    right, memory = replace(left, id=2, center=(2.5, 0.19, 0.25)), SpatialMemory()
    for step in range(24):
        shown = left if step % 12 < 6 else right
        memory.observe(frame([shown], EYE, step, noise=0.003))
        if step == 11:
            assert len(memory.graph().objects) == 2
    assert len(memory.graph().objects) == 2


def test_something_else_on_a_table_is_not_merged_with_it():
    table = Block(1, "table", (2.2, 0, 0.7), (0.8, 1.2, 0.05))
    mug = Block(2, "mug", (2.0, 0.1, 0.785), (0.12, 0.12, 0.12))
    memory = SpatialMemory()
    watch(memory, [table, mug], orbit(table.center, 1.8, 1.4, np.arange(90, 270, 6)), noise=0.002)
    present = {item.label: item for item in memory.graph().present()}
    assert set(present) == {"table", "mug"}
    assert iou(present["mug"].box, true_box(memory, mug)) > 0.5


@pytest.mark.parametrize("wrong_every", [4, 3])
def test_label_votes_do_not_flicker(wrong_every):
    """Every third frame calls the chair a sofa: the object stays one, and a chair."""
    memory = SpatialMemory()
    labels = []
    for step in range(30):
        wrong = step % wrong_every == 2
        memory.observe(frame([replace(CHAIR, label="sofa" if wrong else "chair")], EYE, step))
        labels += [item.label for item in memory.graph().objects]
    assert labels == ["chair"] * 30
    (item,) = memory.graph().objects
    assert item.label_score == pytest.approx(1 - 1 / wrong_every, abs=0.06)


def test_a_persistent_new_label_wins():
    memory = SpatialMemory()
    watch(memory, [replace(CHAIR, label="box")], [EYE] * 5)
    watch(memory, [CHAIR], [EYE] * 12, start=5)
    (item,) = memory.graph().objects
    assert (item.id, item.label) == (1, "chair")


def test_a_name_replaces_no_name():
    memory = SpatialMemory()
    watch(memory, [replace(CHAIR, label=None)], [EYE] * 3)
    assert memory.graph()[1].label == "object"
    watch(memory, [CHAIR], [EYE] * 1, start=3)
    (item,) = memory.graph().objects
    assert (item.id, item.label) == (1, "chair")


def test_border_truncation_extends_but_does_not_shrink():
    """A long bench swept by the camera: every view is cut off, the box becomes whole."""
    bench = Block(1, "bench", (1.6, 0, 0.25), (0.4, 3.0, 0.5))
    memory = SpatialMemory()
    sweep = [look((0, y, 1.0), (1.6, y, 0.25)) for y in np.arange(-1.2, 1.25, 0.2)]
    watch(memory, [bench], sweep, noise=0.002)
    (item,) = memory.graph().present()
    assert item.box.length == pytest.approx(3.0, abs=0.08)
    watch(memory, [bench], [look((0, 0, 0.6), (1.6, 0, 0.25))] * 10, start=50, noise=0.002)
    (item,) = memory.graph().present()
    assert item.box.length == pytest.approx(3.0, abs=0.08)


def test_intrinsics_that_change_between_frames():
    memory = SpatialMemory()
    large = Intrinsics(640, 480, 520.0, 520.0, 319.5, 239.5)
    zoomed = Intrinsics(320, 240, 400.0, 400.0, 159.5, 119.5)
    for step, camera in enumerate([CAMERA, large, zoomed] * 4):
        memory.observe(frame([CHAIR], EYE, step, camera=camera, noise=0.001))
    (item,) = memory.graph().objects
    assert (item.id, item.observations) == (1, 12)
    assert item.box.height == pytest.approx(0.6, abs=0.03)


def test_removed_ids_are_not_used_again():
    memory = SpatialMemory()
    watch(memory, [CHAIR], [EYE] * 3)
    memory.remove(1)
    assert memory.graph().objects == ()
    with pytest.raises(KeyError):
        memory.remove(1)
    watch(memory, [CHAIR], [EYE] * 3, start=3)
    assert [item.id for item in memory.graph().objects] == [2]


def many(count) -> list[Block]:
    """Small boxes in rows on the floor before the camera."""
    return [
        Block(i + 1, "box", (1.5 + 0.3 * (i // 6), 0.3 * (i % 6) - 0.75, 0.06), (0.12,) * 3)
        for i in range(count)
    ]


def test_the_cap_on_objects_evicts_the_tentative_first():
    memory = SpatialMemory(MemoryConfig(lifecycle=LifecycleConfig(max_objects=6)))
    watch(memory, many(6), [EYE] * 3)
    memory.observe(frame(many(12), EYE, 3))
    found = memory.graph().objects
    assert [item.id for item in found] == [1, 2, 3, 4, 5, 6]
    assert {item.state for item in found} == {ObjectState.CONFIRMED}


def test_a_full_map_still_learns():
    """Six are confirmed, then the camera turns to a seventh: it stays, never more than six do."""
    memory = SpatialMemory(MemoryConfig(lifecycle=LifecycleConfig(max_objects=6)))
    watch(memory, many(5), [EYE] * 3)
    watch(memory, many(6), [EYE] * 3, start=3)
    behind = Block(9, "bin", (-2.0, 0.0, 0.2), (0.3, 0.3, 0.4))
    for step in range(4):
        memory.observe(frame([behind], look((0, 0, 1.2), (-2, 0, 0.3)), 10 + step))
        assert len(memory.graph().objects) == 6
    # The sixth box was last seen with the others, but seen least.
    assert [item.id for item in memory.graph().present()] == [1, 2, 3, 4, 5, 7]


def test_what_was_told_apart_stays_two_when_a_frame_shows_it_as_one():
    """A mug on a table, each a segment at first, then both under one."""
    table = Block(1, None, (2.0, 0.0, 0.35), (0.8, 1.2, 0.7))
    mug = Block(2, None, (1.8, 0.1, 0.76), (0.1, 0.1, 0.12))
    memory, poses = SpatialMemory(), orbit((2, 0, 0.7), 1.8, 1.6, np.arange(140, 221, 4))
    for step, pose in enumerate([*poses, *poses[:12]]):
        seen = frame([table, mug], pose, step, noise=0.001, per_instance=False)
        if step >= len(poses):
            seen.labels.ids[seen.labels.ids == mug.id] = table.id
        memory.observe(seen)
    small, large = sorted(memory._objects.objects.values(), key=lambda item: item.box.volume)
    assert iou(small.box, true_box(memory, mug)) > 0.6
    assert iou(large.box, true_box(memory, table)) > 0.9
    on_table = large.voxels.means[:, 2] > true_box(memory, table).top + 0.03
    assert on_table.sum() < 5  # it did not take the mug's points for its own


def thing(number: int, points: np.ndarray) -> TrackedObject:
    """An unnamed object of these points (n, 3)."""
    points = points.astype(np.float32)
    ones, voxels = np.ones(len(points), np.float32), VoxelPoints(0.015, 5000)
    voxels.add(points, ones)
    box = fit_box(points, ones, BoxConfig())
    return TrackedObject(number, voxels, points, box, extent_of(box), 0, 0)


def sheet(x0, x1, y0, y1, z) -> np.ndarray:
    x, y = np.meshgrid(np.arange(x0, x1, 0.015), np.arange(y0, y1, 0.015))
    return np.stack([x, y, np.full_like(x, z)], axis=-1).reshape(-1, 3)


def test_a_part_of_a_surface_is_that_surface_but_what_lies_on_it_is_not():
    """Of a table top 1.2 x 0.8 m a piece 0.6 x 0.7 m is the same; a book 5 cm high on it is not."""
    rng = np.random.default_rng(0)
    top = sheet(0, 1.2, 0, 0.8, 0.7)
    hidden = (np.abs(top[:, :2] - [0.5, 0.4]) < [0.1, 0.13]).all(axis=1)
    table = thing(1, top[~hidden])
    part = sheet(0.05, 0.65, 0.05, 0.75, 0.7)
    part = thing(2, part + rng.normal(0, 0.005, part.shape))
    book = thing(3, sheet(0.4, 0.6, 0.27, 0.53, 0.75))
    assert same_surface(table, part)
    assert not same_surface(table, book)


def test_the_cap_on_bytes_holds():
    memory = SpatialMemory(MemoryConfig(lifecycle=LifecycleConfig(max_megabytes=0.04)))
    watch(memory, many(12), [EYE, look((0.3, 0.4, 1.2), (2, 0, 0))] * 4)
    others = memory._floor.cells.nbytes + memory.keyframes.bytes_used  # bounded by themselves
    assert memory.bytes_used - others <= 0.04e6
    assert 0 < len(memory.graph().objects) < 12


def test_detections_make_named_boxes():
    memory = SpatialMemory(MemoryConfig(instances="detections"))
    for step, pose in enumerate(orbit(CHAIR.center, 2.2, 1.2, np.arange(140, 221, 8))):
        seen = frame([CHAIR], pose, step, noise=0.002)
        v, u = np.nonzero(seen.labels.ids == 1)
        box = Detection("chair", 0.8, u.min() - 5, v.min() - 5, u.max() + 6, v.max() + 6)
        memory.observe(replace(seen, labels=None, detections=(box,)))
    (item,) = memory.graph().present()
    assert (item.label, item.colour) == ("chair", "red")
    assert iou(item.box, true_box(memory, CHAIR)) > 0.6


def test_geometric_objects_have_colour_and_size_but_no_name():
    bin_ = Block(2, "bin", (1.6, -0.9, 0.2), (0.3, 0.3, 0.4), 0.0, (35, 80, 205))
    memory = SpatialMemory(MemoryConfig(instances="geometric"))
    for step, pose in enumerate(orbit((1.9, -0.4, 0.3), 2.0, 1.3, np.arange(120, 241, 6))):
        memory.observe(replace(frame([CHAIR, bin_], pose, step, noise=0.0015), labels=None))
    present = memory.graph().present()
    assert sorted(item.colour for item in present) == ["blue", "red"]
    assert {item.label for item in present} == {"object"}
    for block in (CHAIR, bin_):
        assert max(iou(item.box, true_box(memory, block)) for item in present) > 0.7


def test_background_list_is_respected():
    config = MemoryConfig(segmentation=InstancesConfig(background=["chair", "floor"]))
    memory = SpatialMemory(config)
    watch(memory, [CHAIR], [EYE] * 3)
    assert memory.graph().objects == ()


SCREEN = Block(1, "tv", (2.0, 0.0, 0.5), (0.1, 0.8, 0.5))


def renamed(seen, label):
    return replace(seen, labels=replace(seen.labels, names={1: label, 900: "floor"}))


def test_one_thing_that_a_detector_gives_two_names_becomes_one():
    """At first the screen is two halves by two names, then the whole of it has one or the other."""
    halves = [
        replace(SCREEN, center=(2.0, 0.2, 0.5), size=(0.1, 0.4, 0.5)),
        Block(2, "laptop", (2.0, -0.2, 0.5), (0.1, 0.4, 0.5)),
    ]
    memory = SpatialMemory()
    watch(memory, halves, [EYE] * 4)
    assert {item.label for item in memory.graph().present()} == {"tv", "laptop"}
    for step in range(4, 24):
        seen = frame([SCREEN], EYE, step)
        memory.observe(renamed(seen, "laptop" if step % 3 == 0 else "tv"))
    (item,) = memory.graph().present()
    assert item.label == "tv"
    assert iou(item.box, true_box(memory, SCREEN)) > 0.5


def test_two_names_in_one_box_remain_two_while_both_are_seen():
    """A board that leans in a frame of another name: their boxes all but coincide."""
    frame_ = Block(1, "frame", (2.0, 0.0, 0.5), (0.1, 0.8, 0.5))
    board = Block(2, "board", (1.94, 0.0, 0.5), (0.02, 0.66, 0.42))
    memory = SpatialMemory(MemoryConfig(association=AssociationConfig(merge_after=2)))
    watch(memory, [frame_, board], orbit((2, 0, 0.5), 2.0, 1.2, np.arange(130, 230, 4)))
    assert {item.label for item in memory.graph().present()} == {"frame", "board"}
