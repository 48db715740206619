"""A scene written to files and read back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from box_world import Block, frame, look

from spatial_vlm_ros.config import MemoryConfig
from spatial_vlm_ros.memory import SpatialMemory
from spatial_vlm_ros.scene.graph import SceneGraph
from spatial_vlm_ros.scene.store import fixed_frame_of

CHAIR = Block(1, "chair", (2.0, 0.3, 0.3), (0.4, 0.5, 0.6), 0.3)
BIN = Block(2, "bin", (2.2, -0.8, 0.2), (0.3, 0.3, 0.4), 0.0, (35, 80, 205))
POSES = [look((0, y, 1.2), (2, 0, 0.3)) for y in (-0.3, -0.1, 0.1, 0.3)]


def mapped(*blocks: Block) -> SpatialMemory:
    memory = SpatialMemory()
    for step, pose in enumerate(POSES):
        memory.observe(frame(blocks, pose, step, noise=0.002))
    return memory


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    mapped(CHAIR, BIN).save(tmp_path / "scene", "odom")
    return tmp_path / "scene"


def assert_same(a: SceneGraph, b: SceneGraph) -> None:
    """All but the revision is equal."""
    assert a.objects == b.objects
    assert (a.relations, a.cogmaps, a.unplaced) == (b.relations, b.cogmaps, b.unplaced)
    assert a.stamp_ns == b.stamp_ns
    np.testing.assert_array_equal(a.T_scene_robot, b.T_scene_robot)
    assert a.floor is not None
    assert b.floor is not None
    assert replace(a.floor, seen=None) == replace(b.floor, seen=None)
    np.testing.assert_array_equal(a.floor.seen, b.floor.seen)


def test_what_is_loaded_is_what_was_saved(tmp_path):
    saved = mapped(CHAIR, BIN)
    assert len(saved.graph().present()) == 2
    saved.save(tmp_path, "odom")
    loaded = SpatialMemory()
    loaded.load(tmp_path, "odom")
    assert_same(loaded.graph(), saved.graph())
    np.testing.assert_array_equal(loaded.T_fixed_scene, saved.T_fixed_scene)
    assert loaded.bytes_used == saved.bytes_used
    assert loaded.revision > saved.revision
    assert fixed_frame_of(tmp_path) == "odom"


def test_loading_replaces_everything_and_the_revision_grows(folder):
    memory = mapped(BIN)
    before = memory.graph()
    memory.load(folder, "odom")
    assert {item.label for item in memory.graph().objects} == {"chair", "bin"}
    assert memory.graph().revision > before.revision


def test_observing_goes_on_with_the_same_ids(folder):
    memory = SpatialMemory()
    memory.load(folder, "odom")
    ids = {item.label: item.id for item in memory.graph().objects}
    lamp = Block(3, "lamp", (2.6, 0.9, 0.5), (0.3, 0.3, 1.0))
    for step, pose in enumerate(POSES):
        memory.observe(frame([CHAIR, BIN, lamp], pose, 10 + step, noise=0.002))
    found = {item.label: item for item in memory.graph().present()}
    assert {label: found[label].id for label in ids} == ids
    assert found["lamp"].id == max(ids.values()) + 1
    assert found["chair"].observations == 2 * len(POSES)


def test_ids_removed_before_saving_are_not_used_again(tmp_path):
    memory = mapped(CHAIR, BIN)
    newest = max(item.id for item in memory.graph().objects)
    memory.remove(newest)
    memory.save(tmp_path, "odom")
    again = SpatialMemory()
    again.load(tmp_path, "odom")
    for step, pose in enumerate(POSES):
        again.observe(frame([CHAIR, BIN], pose, 10 + step, noise=0.002))
    assert {item.id for item in again.graph().objects} == {
        min(item.id for item in memory.graph().objects),
        newest + 1,
    }


def test_the_file_can_be_read_by_a_person(folder):
    content = json.loads((folder / "scene.json").read_text())
    chair = next(row for row in content["objects"] if row["label"] == "chair")
    assert chair["state"] == "CONFIRMED"
    assert chair["box"]["height"] == pytest.approx(0.6, abs=0.03)
    assert "metres" in content["units"]


def test_walls_are_remembered(tmp_path):
    wall = Block(9, None, (4.0, 0.0, 1.3), (0.1, 6.0, 2.6))
    config = MemoryConfig(instances="geometric")
    memory, loaded = SpatialMemory(config), SpatialMemory(config)
    for step in range(4):
        memory.observe(frame([wall], look((0, 0, 1.2), (4, 0.1 * step, 1.2)), step, noise=0.001))
    memory.save(tmp_path, "odom")
    loaded.load(tmp_path, "odom")
    (before,), (after,) = memory._geometric.walls.found, loaded._geometric.walls.found
    assert before.offset == pytest.approx(-3.95, abs=0.02)
    for name in ("normal", "offset", "along", "up", "weight"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))


def test_saving_again_never_leaves_half_a_scene(folder, monkeypatch):
    """The disk is full while the new points are written: the old scene can still be loaded."""

    def full(*_: object, **__: object) -> None:
        raise OSError("No space left on device")

    before = fixed_frame_of(folder), (folder / "scene.json").read_bytes()
    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(OSError, match="No space"):
        mapped(BIN).save(folder, "map")
    assert (fixed_frame_of(folder), (folder / "scene.json").read_bytes()) == before
    memory = SpatialMemory()
    memory.load(folder, "odom")
    assert len(memory.graph().objects) == 2
    assert sorted(path.name for path in folder.iterdir()) == [
        "keyframes",
        "keyframes.npz",
        "points.npz",
        "scene.json",
    ]


def test_nothing_to_save(tmp_path):
    with pytest.raises(ValueError, match="no frame"):
        SpatialMemory().save(tmp_path / "scene", "odom")
    assert not (tmp_path / "scene").exists()


def edit_json(folder: Path, **changes: object) -> None:
    path = folder / "scene.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


BOX = {"x": 1.0, "y": 0.0, "z": 0.0, "length": 1.0, "width": 1.0, "height": 1.0, "yaw": 0.0}


def edit_object(folder: Path, **changes: object) -> None:
    objects = json.loads((folder / "scene.json").read_text())["objects"]
    edit_json(folder, objects=[{**objects[0], **changes}, *objects[1:]])


def edit_points(folder: Path, **changes: np.ndarray) -> None:
    np.savez(folder / "points.npz", **{**np.load(folder / "points.npz"), **changes})


def drop(folder: Path, *keys: str) -> None:
    path = folder / "scene.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({key: content[key] for key in content if key not in keys}))


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: edit_json(f, version=99), r"scene\.json has version 99"),
        (lambda f: edit_json(f, format="recipe"), r"scene\.json is not a saved scene"),
        (lambda f: edit_json(f, fixed_frame="map"), r"scene\.json is a scene in frame 'map'"),
        (lambda f: edit_json(f, T_fixed_scene=[[1, 2]]), "scene is damaged"),
        (lambda f: edit_json(f, objects=[{"id": 1}]), "scene is damaged"),
        (lambda f: edit_json(f, T_fixed_scene=np.diag([2, 1, 1, 1]).tolist()), "no rotation"),
        (lambda f: edit_json(f, T_fixed_scene=np.diag([1, 1, -1, 1]).tolist()), "no rotation"),
        (lambda f: edit_json(f, stamp_ns="noon"), "scene is damaged.*noon"),
        (lambda f: edit_object(f, id=2), "object 2 is there twice"),
        (lambda f: edit_json(f, next_id=2), "object 2 .* not below next_id"),
        (lambda f: edit_object(f, label=3), "scene is damaged.*object 1: label is 3"),
        (lambda f: edit_object(f, observations=-1), "object 1: observations is -1"),
        (lambda f: edit_object(f, last_seen_ns="1"), "object 1: last_seen_ns is '1'"),
        (lambda f: edit_object(f, box={**BOX, "x": float("nan")}), "7 finite numbers"),
        (lambda f: edit_object(f, box={**BOX, "height": -1.0}), "negative size"),
        (lambda f: edit_points(f, means_1=np.full((1, 3), np.nan, np.float32)), "object 1: its po"),
        (lambda f: edit_points(f, weights_1=np.ones(1, np.float32)), "object 1: its points"),
        (lambda f: drop(f, "next_id"), "scene is damaged.*next_id"),
        (lambda f: drop(f, "fixed_frame"), r"scene\.json names no fixed frame"),
        (lambda f: cut_short(f / "scene.json"), r"scene\.json cannot be read"),
        (lambda f: (f / "scene.json").write_bytes(b"\xff\x00\xfe"), r"scene\.json cannot be read"),
        (lambda f: (f / "scene.json").write_text("[]"), r"scene\.json is not a saved scene"),
        (lambda f: (f / "scene.json").unlink(), r"scene\.json is missing"),
        (lambda f: cut_short(f / "points.npz"), "scene is damaged"),
        (lambda f: (f / "points.npz").unlink(), r"points\.npz is missing"),
        (lambda f: np.savez(f / "points.npz", floor_cells=np.zeros((0, 2))), "scene is damaged"),
    ],
)
def test_damage_is_named_and_changes_nothing(folder, damage, message):
    damage(folder)
    memory = mapped(BIN)
    before, pose, revision = memory.graph(), memory.T_fixed_scene, memory.revision
    with pytest.raises(ValueError, match=message):
        memory.load(folder, "odom")
    assert memory.graph() is before
    assert memory.T_fixed_scene is pose
    assert memory.revision == revision


def test_no_such_folder(tmp_path):
    with pytest.raises(ValueError, match=r"nowhere.*is missing"):
        SpatialMemory().load(tmp_path / "nowhere", "odom")


def test_objects_in_a_pickle_are_refused(folder):
    """A file from elsewhere must not run code: object arrays are pickles."""
    arrays = dict(np.load(folder / "points.npz"))
    arrays["floor_cells"] = np.array([{"a": 1}], dtype=object)
    np.savez(folder / "points.npz", **arrays)
    with pytest.raises(ValueError, match="damaged"):
        SpatialMemory().load(folder, "odom")
