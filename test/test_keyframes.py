"""Images that are kept: which, how many, what they show, and their points."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from box_world import CAMERA, Block, frame, look, orbit

from spatial_vlm_ros.config import KeyframeConfig, LifecycleConfig, MemoryConfig, PointsConfig
from spatial_vlm_ros.frame import Frame, Intrinsics, LabelImage
from spatial_vlm_ros.keyframes import Keyframe, KeyframeStore
from spatial_vlm_ros.keyframes.keyframe import coarse_points
from spatial_vlm_ros.keyframes.thinning import dispensable
from spatial_vlm_ros.memory import SpatialMemory
from spatial_vlm_ros.perception.points import unproject
from spatial_vlm_ros.scene.graph import ObjectState

CHAIR = Block(1, "chair", (2.0, 0.3, 0.3), (0.4, 0.5, 0.6), 0.3)
BIN = Block(2, "bin", (2.2, -0.8, 0.2), (0.3, 0.3, 0.4), 0.0, (35, 80, 205))
MIDDLE = (2.0, -0.2, 0.2)
RING = orbit(MIDDLE, 1.8, 1.2, range(0, 360, 8))  # each step 0.25 m and 8 degrees


def mapped(blocks, poses, config: MemoryConfig | None = None) -> SpatialMemory:
    memory = SpatialMemory(config)
    for step, pose in enumerate(poses):
        memory.observe(frame(blocks, pose, step))
    return memory


def few(maximum: int) -> MemoryConfig:
    return MemoryConfig(keyframes=KeyframeConfig(maximum=maximum))


def ids(memory: SpatialMemory) -> dict[str, int]:
    return {item.label: item.id for item in memory.graph().objects}


# -- which are kept ----------------------------------------------------------------------------


def test_a_camera_that_stands_still_keeps_one_image():
    memory = mapped([CHAIR, BIN], RING[:1] * 8)
    (kept,) = memory.keyframes.all()
    assert kept.stamp_ns == 0 and kept.visible == (1, 2)


def test_a_new_thing_before_a_standing_camera_is_kept():
    memory = mapped([CHAIR], RING[22:23] * 15)
    for step in range(15):
        memory.observe(frame([CHAIR, BIN], RING[22], 15 + step))
    first, second = memory.keyframes.all()
    assert (first.visible, second.visible) == ((1,), (1, 2))
    assert second.stamp_ns - first.stamp_ns >= 1_000_000_000


def test_they_are_in_the_order_of_time_and_the_ids_grow():
    kept = mapped([CHAIR, BIN], RING[:20]).keyframes.all()
    assert len(kept) > 5
    assert [k.stamp_ns for k in kept] == sorted(k.stamp_ns for k in kept)
    assert [k.id for k in kept] == sorted({k.id for k in kept})


def test_the_number_is_bounded_and_the_first_one_stays():
    memory = SpatialMemory(few(6))
    for step, pose in enumerate(RING * 2):
        memory.observe(frame([CHAIR, BIN], pose, step))
        kept = memory.keyframes.all()
        assert len(kept) <= 6 and kept[0].stamp_ns == 0
        assert memory.keyframes.bytes_used == sum(len(k.jpeg) + k.points_scene.nbytes for k in kept)
    assert len(kept) == 6
    # Spread over the ring: no gap between neighbours is above twice the even one.
    places = np.array([k.T_scene_camera[:3, 3] for k in kept])
    middle = np.array([*(memory.graph()[1].box.center[:2]), 0.0])
    angles = np.sort(np.arctan2(*(places - middle).T[:2]))
    gaps = np.diff(np.append(angles, angles[0] + 2 * np.pi))
    assert gaps.max() < np.radians(2 * 60)


def test_what_only_one_image_shows_is_not_lost():
    """A bin seen on the way past it, then a hundred images of the chair from all round."""
    memory = SpatialMemory(few(5))
    bin_, start = replace(BIN, center=(-2.0, 0.0, 0.2)), orbit(CHAIR.center, 1.2, 1.0, [90])
    memory.observe(frame([bin_, CHAIR], start[0], 0))
    for step in range(4):
        memory.observe(frame([bin_, CHAIR], look((0, 0, 1.2), (-2, 0.0, 0.2)), 1 + step))
    there = next(item.id for item in memory.graph().present() if item.label == "bin")
    for step, pose in enumerate(orbit(CHAIR.center, 1.2, 1.0, range(-180, 180, 6)) * 2):
        memory.observe(frame([CHAIR], pose, 10 + step))
        if step % 10 == 0:  # as good a place, from which nothing is to be seen
            memory.observe(frame([CHAIR], look((0, 0.3, 1.2), (-2, 0.6, 0.2)), 10 + step))
    kept = memory.keyframes.all()
    assert len(kept) == 5
    (only,) = [k for k in kept if there in k.visible]
    assert only is not kept[0]


def poses(*places: float) -> np.ndarray:
    """Level cameras along x, metres."""
    made = np.tile(np.eye(4), (len(places), 1, 1))
    made[:, 0, 3] = places
    return made


@pytest.mark.parametrize(
    ("places", "visible", "gone"),
    [
        ((0, 0.1, 5, 9), [{1}, {1}, {1}, {1}], 1),  # nearest to another; the first stays
        ((0, 4, 4.2, 9), [{1}, {1}, {1}, {1}], 1),  # of a pair the one nearer to a third
        ((0, 6, 6.2, 9), [{1}, {1}, {1}, {1}], 2),
        ((0, 1, 2, 3), [{1}, {1}, {1}, {1}], 1),  # all the same: the older one
        ((0, 2, 3, 4), [{1}, {1}, {1}, {1}], 2),  # not next to the gap
        ((0, 4, 4.2, 9), [{1}, {1, 2}, {1, 3}, {1}], 3),  # not what they alone show
        ((0, 4, 4.2, 9), [{1}, {2}, {3}, {4}], 1),  # all show something alone
        ((0, 0), [{1}, {2}], 1),
    ],
)
def test_which_one_is_dispensable(places, visible, gone):
    assert dispensable(poses(*places), visible) == gone


def test_a_turn_counts_like_a_way():
    turned = poses(0, 3, 3.2, 6)
    turned[2, :3, :3] = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]  # 0.2 m and a quarter turn away
    turned[3, 0, 3] = 4.0
    assert dispensable(turned, [()] * 4) == 1


# -- what they show ----------------------------------------------------------------------------


def test_removed_objects_are_shown_no_more():
    memory = mapped([CHAIR, BIN], RING[:20])
    chair = ids(memory)["chair"]
    revision = memory.keyframes.revision
    assert all(chair in k.visible for k in memory.keyframes.all())
    memory.remove(chair)
    assert not any(chair in k.visible for k in memory.keyframes.all())
    assert memory.keyframes.revision > revision


def test_merged_objects_are_one():
    """A bench is cut in two by a column before it; then it is seen whole."""
    memory = SpatialMemory()
    pose = look((0, 0, 1.2), (2.5, 0, 0.3))
    bench = Block(1, "bench", (2.5, 0, 0.25), (0.4, 1.6, 0.5))
    halves = frame([bench], pose)
    cut = np.where(np.arange(CAMERA.width) < CAMERA.width // 2, 1, 5)
    labels = np.where(halves.labels.ids == 1, cut, halves.labels.ids).astype(np.int32)
    names = {**halves.labels.names, 5: "bench"}
    for step in range(5):
        parted = LabelImage(labels, names)
        memory.observe(replace(halves, labels=parted, stamp_ns=step * 100_000_000))
    first = memory.keyframes.all()[0]
    assert len(first.visible) == 2
    for step in range(12):
        memory.observe(frame([bench], pose, 10 + step))
    (whole,) = memory.graph().present()
    assert all(k.visible == (whole.id,) for k in memory.keyframes.all())


def test_the_missing_stay_and_the_forgotten_go():
    memory = SpatialMemory(MemoryConfig(lifecycle=LifecycleConfig(missing_after=3)))
    pose = RING[22]
    for step in range(5):
        memory.observe(frame([CHAIR, BIN], pose, step))
    for step in range(6):
        memory.observe(frame([CHAIR], pose, 5 + step))
    gone = ids(memory)["bin"]
    assert memory.graph()[gone].state is ObjectState.MISSING
    assert gone in memory.keyframes.all()[0].visible, "that image does show it"
    memory = SpatialMemory()
    memory.observe(frame([CHAIR, BIN], pose, 0))
    doubted = ids(memory)["bin"]
    for step in range(12):
        memory.observe(frame([CHAIR], pose, 1 + step))
    assert doubted not in {item.id for item in memory.graph().objects}
    assert doubted not in memory.keyframes.all()[0].visible


def test_all_visible_ids_are_of_objects_that_are_there():
    memory = mapped([CHAIR, BIN], RING)
    known = {item.id for item in memory.graph().objects}
    assert {number for k in memory.keyframes.all() for number in k.visible} <= known


# -- image and points --------------------------------------------------------------------------


def test_the_image_is_the_frame():
    seen = frame([CHAIR, BIN], RING[22])
    memory = SpatialMemory()
    memory.observe(replace(seen, camera_frame="optical"))
    (kept,) = memory.keyframes.all()
    image = kept.image()
    assert image.shape == seen.rgb.shape and image.dtype == np.uint8
    assert np.abs(image.astype(int) - seen.rgb).mean() < 2
    assert kept.frame == "optical"
    matrix = [[CAMERA.fx, 0, CAMERA.cx], [0, CAMERA.fy, CAMERA.cy], [0, 0, 1]]
    np.testing.assert_allclose(kept.intrinsics, matrix)
    with pytest.raises(ValueError, match="is no jpeg"):
        replace(kept, jpeg=b"nothing").image()


def test_wide_images_are_made_smaller_with_their_intrinsics():
    """Twice the camera, half the image: a point is seen in the same place of it."""
    twice = Intrinsics(640, 480, 520.0, 520.0, 319.5, 239.5)  # pixel 2i, 2i+1 are CAMERA's i
    config = MemoryConfig(keyframes=KeyframeConfig(width=320))
    memory = SpatialMemory(config)
    memory.observe(frame([CHAIR, BIN], RING[22], camera=twice))
    (kept,) = memory.keyframes.all()
    small = frame([CHAIR, BIN], RING[22]).rgb
    np.testing.assert_allclose(
        kept.intrinsics, [[260, 0, 159.5], [0, 260, 119.5], [0, 0, 1]], atol=1e-9
    )
    assert np.abs(kept.image().astype(int) - small).mean() < 3


def test_points_of_four_cells_by_hand():
    """A 4 x 4 image in 2 x 2 cells, focal length 1: means of (u - 1.5) z, (v - 1.5) z, z."""
    depth = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [2, 0, 1, 3], [0, 0, 0, 0]], np.float32)
    k = Intrinsics(4, 4, 1.0, 1.0, 1.5, 1.5)
    T = np.eye(4)
    T[:3, :3] = [[0, 0, 1], [-1, 0, 0], [0, -1, 0]]  # optical to x forward, y left, z up
    T[:3, 3] = 10, 20, 30
    seen = Frame(0, np.zeros((4, 4, 3), np.uint8), depth, k, np.eye(4))
    points = unproject(seen, T, PointsConfig(edge=1e3))
    got = coarse_points(points, 2)
    # Camera: top left x = (-1.5 - 0.5) / 2, y the same, z = 1; bottom left one point (-3, 1, 2);
    # bottom right (0.5, 0.5, 1) and (4.5, 1.5, 3).
    want = [[[11, 21, 31], [np.nan] * 3], [[12, 23, 29], [12, 17.5, 29]]]
    np.testing.assert_allclose(got, want, atol=1e-6)
    assert got.dtype == np.float32


@pytest.mark.parametrize(("columns", "shape"), [(64, (48, 64)), (50, (38, 50)), (640, (240, 320))])
def test_points_are_the_means_of_the_unprojected_depth(columns, shape):
    memory = SpatialMemory(MemoryConfig(keyframes=KeyframeConfig(columns=columns)))
    seen = frame([CHAIR, BIN], RING[22])
    memory.observe(seen)
    (kept,) = memory.keyframes.all()
    assert kept.points_scene.shape == (*shape, 3)
    points = unproject(seen, kept.T_scene_camera, PointsConfig())
    v, u = np.indices(points.depth.shape)
    i, j = v * shape[0] // 240, u * shape[1] // 320
    for row, column in [(shape[0] - 1, shape[1] // 2), (shape[0] // 2, 3), (shape[0] // 3, 9)]:
        own = (i == row) & (j == column) & points.valid
        if own.any():
            mean = points.points_scene[own].mean(axis=0)
            np.testing.assert_allclose(kept.points_scene[row, column], mean, atol=0.04)
    unknown = np.isnan(kept.points_scene).all(axis=2)
    assert unknown[0].all() and not unknown[-1].any(), "the sky has no points, the floor has"


def test_every_point_is_seen_in_its_cell():
    """Projected into the image with pose and intrinsics, points lie in the cells they are of."""
    memory = mapped([CHAIR, BIN], RING[:12])
    for kept in memory.keyframes.all():
        rows, columns = kept.points_scene.shape[:2]
        camera = (kept.points_scene - kept.T_scene_camera[:3, 3]) @ kept.T_scene_camera[:3, :3]
        u, v, z = np.moveaxis(camera @ kept.intrinsics.T, -1, 0)
        there = np.isfinite(z)
        column, row = (u / z + 0.5) / CAMERA.width * columns, (v / z + 0.5) / CAMERA.height * rows
        i, j = np.indices(z.shape)
        assert there.mean() > 0.4
        assert ((column - j)[there] > -0.2).all() and ((column - j)[there] < 1.2).all()
        assert ((row - i)[there] > -0.2).all() and ((row - i)[there] < 1.2).all()


# -- files and beginnings ----------------------------------------------------------------------


def same(a: Keyframe, b: Keyframe) -> bool:
    plain = ("stamp_ns", "frame", "jpeg", "visible")
    arrays = ("intrinsics", "T_scene_camera", "points_scene")
    return all(getattr(a, name) == getattr(b, name) for name in plain) and all(
        np.array_equal(getattr(a, name), getattr(b, name), equal_nan=True) for name in arrays
    )


def test_reset_forgets_them_and_the_ids_go_on():
    memory = mapped([CHAIR], RING[:10])
    last, revision = memory.keyframes.all()[-1].id, memory.keyframes.revision
    memory.reset()
    assert memory.keyframes.all() == () and memory.keyframes.revision > revision
    memory.observe(frame([CHAIR], RING[0], 50))
    (first,) = memory.keyframes.all()
    assert first.id > last


def test_ids_are_greater_than_those_of_an_earlier_run():
    before = KeyframeStore(KeyframeConfig(), MemoryConfig().proxies)
    ids = [before._next_id() for _ in range(1000)]
    assert len(set(ids)) == 1000
    time.sleep(0.001)
    assert KeyframeStore(KeyframeConfig(), MemoryConfig().proxies)._next_id() > ids[-1]


def test_saved_and_loaded_they_are_the_same(tmp_path):
    memory = mapped([CHAIR, BIN], RING[:15])
    memory.save(tmp_path, "odom")
    pictures = sorted(path.name for path in (tmp_path / "keyframes").iterdir())
    assert len(pictures) == len(memory.keyframes.all())
    other = SpatialMemory()
    other.load(tmp_path, "odom")
    pairs = zip(memory.keyframes.all(), other.keyframes.all(), strict=True)
    assert all(same(a, b) and b.id > a.id for a, b in pairs)
    assert other.bytes_used == memory.bytes_used
    other.save(tmp_path, "odom")  # the same pictures, not all anew
    assert pictures == sorted(path.name for path in (tmp_path / "keyframes").iterdir())
    # Mapping goes on: what is removed is gone from loaded images too.
    other.remove(ids(other)["bin"])
    assert not any(2 in k.visible for k in other.keyframes.all())


def test_saving_over_another_scene_leaves_only_its_own_pictures(tmp_path):
    mapped([CHAIR, BIN], RING[:15]).save(tmp_path, "odom")
    mapped([BIN], RING[20:23]).save(tmp_path, "odom")
    loaded = SpatialMemory()
    loaded.load(tmp_path, "odom")
    assert len(list((tmp_path / "keyframes").iterdir())) == len(loaded.keyframes.all()) > 0


def test_a_scene_without_keyframes_loads(tmp_path):
    mapped([CHAIR], RING[:5]).save(tmp_path, "odom")
    (tmp_path / "keyframes.npz").unlink()
    memory = mapped([BIN], RING[:5])
    memory.load(tmp_path, "odom")
    assert memory.keyframes.all() == ()
    memory.save(tmp_path, "odom")
    assert not list((tmp_path / "keyframes").iterdir())


def test_loading_into_less_room_keeps_the_first(tmp_path):
    memory = mapped([CHAIR, BIN], RING[:15])
    memory.save(tmp_path, "odom")
    small = SpatialMemory(few(3))
    small.load(tmp_path, "odom")
    kept = small.keyframes.all()
    assert len(kept) == 3 and kept[0].stamp_ns == 0


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "keyframes.npz").write_bytes(b"PK"), r"keyframes\.npz cannot be used"),
        (lambda f: next((f / "keyframes").iterdir()).unlink(), r"\.jpg is missing"),
        (lambda f: edit(f, scene=np.array("another")), "of another scene"),
        (lambda f: edit(f, intrinsics_0=np.eye(2)), "image 0 are not what they should be"),
        (lambda f: edit(f, T_scene_camera_0=np.full((4, 4), np.nan)), "image 0"),
    ],
)
def test_damage_is_named_and_changes_nothing(tmp_path, damage, message):
    mapped([CHAIR, BIN], RING[:5]).save(tmp_path, "odom")
    damage(tmp_path)
    memory = mapped([BIN], RING[:5])
    before, kept = memory.graph(), memory.keyframes.all()
    with pytest.raises(ValueError, match=message):
        memory.load(tmp_path, "odom")
    assert memory.graph() is before and memory.keyframes.all() == kept


def edit(folder, **changes) -> None:
    np.savez(folder / "keyframes.npz", **{**np.load(folder / "keyframes.npz"), **changes})
