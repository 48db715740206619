"""Proxies beside the objects of a memory: keyframes, what follows what, saving and loading."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from box_world import Block, frame, look, orbit
from safetensors.torch import load_file, save_file

from spatial_vlm_ros.config import EncoderConfig, MemoryConfig, ProxyConfig
from spatial_vlm_ros.memory import SpatialMemory
from spatial_vlm_ros.perception.groups import FLOOR, STRUCTURE, UNKNOWN
from spatial_vlm_ros.proxies.keyframes import KeyframeGate
from spatial_vlm_ros.proxies.opening import open_proxies
from spatial_vlm_ros.proxies.storage import read_labels, read_sequence
from spatial_vlm_ros.scene.graph import ObjectState

CHAIR = Block(1, "chair", (2.0, 0.3, 0.3), (0.4, 0.5, 0.6), 0.3)
BIN = Block(2, "bin", (2.2, -0.8, 0.2), (0.3, 0.3, 0.4), 0.0, (35, 80, 205))
WALL = Block(3, "wall", (4.0, 0.0, 1.5), (0.1, 8.0, 3.0), 0.0, (240, 240, 235))
MIDDLE = (2.0, -0.2, 0.2)
POSES = orbit(MIDDLE, 1.8, 1.2, range(150, 215, 8))  # each step a keyframe
CONFIG = MemoryConfig(proxies=ProxyConfig(budget=60))


def memory_with_proxies(config: MemoryConfig = CONFIG) -> SpatialMemory:
    return SpatialMemory(config, open_proxies(config))


def show(memory: SpatialMemory, blocks, poses=POSES, first=0) -> None:
    for step, pose in enumerate(poses):
        memory.observe(frame(blocks, pose, first + step))
        memory.encode_keyframe()


def mapped(*blocks: Block) -> SpatialMemory:
    memory = memory_with_proxies()
    show(memory, blocks)
    return memory


def ids(memory: SpatialMemory) -> dict[str, int]:
    return {item.label: item.id for item in memory.graph().objects}


# -- what is in which group --------------------------------------------------------------------


def test_proxies_lie_where_their_objects_are():
    memory = mapped(CHAIR, BIN, WALL)
    sequence = memory.proxies.read().sequence
    assert len(sequence) == 60
    groups, points = sequence.groups.numpy(), sequence.points_scene.numpy()
    chair, bin_ = (ids(memory)[name] for name in ("chair", "bin"))
    assert set(groups.tolist()) == {chair, bin_, FLOOR, STRUCTURE}
    boxes = {item.id: item.box for item in memory.graph().objects}
    for group in (chair, bin_):
        assert boxes[group].contains(points[groups == group], 0.03).all()
    floor = memory.graph().floor.z
    assert np.abs(points[groups == FLOOR, 2] - floor).max() < 0.05
    # The wall's face is x = 3.95 of the fixed frame.
    T = memory.T_fixed_scene
    structure = points[groups == STRUCTURE] @ T[:3, :3].T + T[:3, 3]
    assert np.abs(structure[:, 0] - 3.95).max() < 0.05


def test_proxies_count_as_bytes_of_the_map():
    memory = mapped(CHAIR)
    both = memory.bytes_used
    memory.proxies.reset()
    assert both - memory.bytes_used > 60 * 4 * 126


def test_features_are_those_of_the_pixels():
    """The bin is blue and the chair red: the encoder's first colour channels (Lab) tell."""
    memory = mapped(CHAIR, BIN)
    sequence = memory.proxies.read().sequence
    b_of_lab = sequence.features[:, -9 + 2]  # mean b: blue is negative, red positive
    of = {name: b_of_lab[sequence.groups == i].mean() for name, i in ids(memory).items()}
    assert of["bin"] < -0.5 < 0.5 < of["chair"]


def test_what_is_neither_object_nor_surroundings_is_unknown():
    memory = memory_with_proxies(replace(CONFIG, instances="geometric"))
    too_long_for_an_object = Block(9, None, (3.5, 0.0, 0.25), (0.5, 6.0, 0.5))
    show(memory, [CHAIR, too_long_for_an_object])
    assert {UNKNOWN, FLOOR} <= set(memory.proxies.read().sequence.groups.tolist())


# -- keyframes ---------------------------------------------------------------------------------


def pose(x=0.0, degrees=0.0) -> np.ndarray:
    turn = np.radians(degrees)
    T = np.eye(4)
    T[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    T[0, 3] = x
    return T


def test_an_image_passes_when_the_camera_has_moved_or_turned():
    gate = KeyframeGate(ProxyConfig(keyframe_distance=0.2, keyframe_angle=15.0))
    assert gate.passes(pose(), 0, unknown=False)
    assert not gate.passes(pose(0.19), 10**9, unknown=False)
    assert gate.passes(pose(0.21), 10**9, unknown=False)
    assert not gate.passes(pose(0.40), 10**9, unknown=False)  # from the last that passed
    assert not gate.passes(pose(0.21, 14.9), 10**9, unknown=False)
    assert gate.passes(pose(0.21, 15.1), 10**9, unknown=False)


def test_something_unknown_passes_once_in_a_while():
    gate = KeyframeGate(ProxyConfig(keyframe_period=1.0))
    assert gate.passes(pose(), 0, unknown=True)
    assert not gate.passes(pose(), 999_999_999, unknown=True)
    assert not gate.passes(pose(), 10**9, unknown=False)
    assert gate.passes(pose(), 10**9, unknown=True)


def test_a_robot_that_stands_still_adds_nothing():
    memory = memory_with_proxies()
    show(memory, [CHAIR, BIN], [POSES[0]] * 30)
    first = memory.proxies.read().sequence.counts.sum()
    show(memory, [CHAIR, BIN], [POSES[0]] * 30, first=100)
    assert memory.proxies.read().sequence.counts.sum() == first


def test_an_object_put_before_a_standing_robot_gets_proxies():
    memory = memory_with_proxies()
    show(memory, [CHAIR], [POSES[0]] * 15)
    show(memory, [CHAIR, BIN], [POSES[0]] * 15, first=15)
    assert set(ids(memory).values()) <= set(memory.proxies.read().sequence.groups.tolist())


# -- what follows what -------------------------------------------------------------------------


def test_a_removed_object_has_no_proxies():
    memory = mapped(CHAIR, BIN)
    chair = ids(memory)["chair"]
    changes = memory.proxies.changes
    memory.remove(chair)
    assert memory.proxies.changes > changes
    assert chair not in memory.proxies.read().sequence.groups


def test_a_missing_object_has_no_proxies_until_it_is_back():
    memory = mapped(CHAIR, BIN)
    chair = ids(memory)["chair"]
    show(memory, [BIN], [POSES[-1]] * 8, first=50)
    state = {item.id: item.state for item in memory.graph().objects}
    assert state[chair] is ObjectState.MISSING
    assert chair not in memory.proxies.read().sequence.groups
    show(memory, [CHAIR, BIN], [POSES[-1]] * 15, first=100)
    assert chair in memory.proxies.read().sequence.groups


def test_proxies_of_merged_objects_are_one_group():
    memory = mapped(CHAIR, BIN)
    chair, bin_ = (ids(memory)[name] for name in ("chair", "bin"))
    counts = memory.proxies.read().sequence.counts.sum()
    memory.proxies.follow(lambda group: chair if group == bin_ else group)
    sequence = memory.proxies.read().sequence
    assert bin_ not in sequence.groups and chair in sequence.groups
    assert sequence.counts.sum() == counts


def test_a_frame_encoded_late_is_of_what_its_objects_have_become():
    memory = memory_with_proxies()
    memory.observe(frame([CHAIR, BIN], POSES[0], 0))
    view = memory.proxies.take()
    patches = memory.proxies.encode(view)
    chair, bin_ = (ids(memory)[name] for name in ("chair", "bin"))
    became = {chair: 77}  # merged into another; the bin is gone
    memory.proxies.absorb(view, patches, became.get)
    groups = set(memory.proxies.read().sequence.groups.tolist())
    assert 77 in groups and not {chair, bin_} & groups


def test_a_frame_encoded_after_a_reset_is_dropped():
    memory = memory_with_proxies()
    memory.observe(frame([CHAIR], POSES[0], 0))
    view = memory.proxies.take()
    patches = memory.proxies.encode(view)
    memory.reset()
    memory.proxies.absorb(view, patches, memory.became(patches.groups.tolist()).get)
    assert len(memory.proxies.read().sequence) == 0


def test_only_the_newest_keyframe_waits():
    memory = memory_with_proxies()
    for step, at in enumerate(POSES[:3]):
        memory.observe(frame([CHAIR], at, step))
    assert memory.proxies.take().stamp_ns == 200_000_000
    assert memory.proxies.take() is None


def test_the_revision_grows_over_a_reset():
    memory = mapped(CHAIR, BIN)
    before = memory.proxies.read().revision
    assert before > 0
    memory.reset()
    show(memory, [CHAIR])
    assert memory.proxies.read().revision > before


def test_a_map_finer_than_the_grid_of_points_is_refused():
    memory = memory_with_proxies(replace(CONFIG, proxies=ProxyConfig(upsample=4)))
    memory.observe(frame([CHAIR], POSES[0], 0))
    view = memory.proxies.take()
    coarse = replace(
        view, points=replace(view.points, depth=view.points.depth[::8, ::8],
                             rays=view.points.rays[::8, ::8]), groups=view.groups[::8, ::8],
    )  # fmt: skip
    with pytest.raises(ValueError, match="fewer pixels than the grid"):
        memory.proxies.encode(coarse)


# -- saving ------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    mapped(CHAIR, BIN).save(tmp_path, "odom")
    return tmp_path


def same(a, b) -> bool:
    return all(
        torch.equal(getattr(a, name), getattr(b, name))
        for name in ("features", "points_scene", "groups", "counts")
    )


def test_loaded_proxies_are_those_saved_and_go_on_alike(folder):
    saved = mapped(CHAIR, BIN)
    loaded = memory_with_proxies()
    assert loaded.load(folder, "odom") == ""
    assert same(loaded.proxies.read().sequence, saved.proxies.read().sequence)
    assert loaded.proxies.read().stamp_ns == saved.proxies.read().stamp_ns == 800_000_000
    for memory in (loaded, saved):
        show(memory, [CHAIR, BIN], [look((0.3, -1.5, 1.3), MIDDLE)], first=20)
    assert same(loaded.proxies.read().sequence, saved.proxies.read().sequence)


def test_the_file_holds_the_sequence_to_read(folder):
    expected = mapped(CHAIR, BIN).proxies.read().sequence
    read = read_sequence(folder / "proxies.safetensors")
    assert same(replace(expected, features=expected.features.half()), read)
    assert read_labels(folder / "proxies.safetensors")["encoder"] == "descriptors-1"


def test_other_settings_cluster_the_same_patches_anew(folder):
    memory = memory_with_proxies(replace(CONFIG, proxies=ProxyConfig(budget=20)))
    assert memory.load(folder, "odom") == ""
    sequence = memory.proxies.read().sequence
    assert len(sequence) == 20
    assert sequence.counts.sum() == mapped(CHAIR, BIN).proxies.read().sequence.counts.sum()


def test_a_scene_without_proxies_begins_anew_and_says_so(tmp_path):
    plain = SpatialMemory()
    for step, at in enumerate(POSES):
        plain.observe(frame([CHAIR], at, step))
    plain.save(tmp_path, "odom")
    memory = mapped(BIN)
    assert "without proxies" in memory.load(tmp_path, "odom")
    assert len(memory.proxies.read().sequence) == 0
    assert ids(memory).keys() == {"chair"}


def test_a_scene_saved_without_proxies_leaves_no_old_ones(folder):
    plain = SpatialMemory()
    plain.load(folder, "odom")
    plain.save(folder, "odom")
    assert not (folder / "proxies.safetensors").exists()


def test_proxies_of_another_encoder_are_left_and_it_is_said(folder):
    memory = memory_with_proxies()
    memory.proxies.encoder.name = "another"
    assert "features of descriptors-1, the encoder here is another" in memory.load(folder, "odom")
    assert len(memory.proxies.read().sequence) == 0


def test_proxies_of_another_scene_are_refused(folder, tmp_path):
    other = tmp_path / "other"
    longer = memory_with_proxies()
    show(longer, [CHAIR], POSES[:5])
    longer.save(other, "odom")
    (other / "proxies.safetensors").replace(folder / "proxies.safetensors")
    memory = mapped(BIN)
    before = memory.proxies.read().sequence
    with pytest.raises(ValueError, match="of another scene"):
        memory.load(folder, "odom")
    assert ids(memory).keys() == {"bin"} and same(memory.proxies.read().sequence, before)


def damage(path: Path, change) -> None:
    labels, tensors = read_labels(path), load_file(path)
    change(tensors)
    save_file(tensors, path, labels)


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors: tensors.pop("state.cells.points"),
        lambda tensors: tensors.update({"state.cells.counts": torch.ones(3)}),
        lambda tensors: tensors["state.cells.features"].fill_(torch.nan),
        lambda tensors: tensors["state.order"].fill_(0),
        lambda tensors: tensors.update({"state.given": torch.ones(4)}),
    ],
)
def test_a_damaged_file_is_refused_and_nothing_changes(folder, change):
    damage(folder / "proxies.safetensors", change)
    memory = mapped(BIN)
    before = memory.proxies.read().sequence
    with pytest.raises(ValueError, match=r"proxies\.safetensors is damaged"):
        memory.load(folder, "odom")
    assert same(memory.proxies.read().sequence, before)


@pytest.mark.parametrize("content", [b"", b"not a safetensors file at all"])
def test_what_is_no_safetensors_file_is_refused(folder, content):
    (folder / "proxies.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match="cannot be read"):
        memory_with_proxies().load(folder, "odom")


def test_another_safetensors_file_is_refused(folder):
    save_file({"a": torch.ones(1)}, folder / "proxies.safetensors")
    with pytest.raises(ValueError, match="is no file of proxies"):
        memory_with_proxies().load(folder, "odom")


# -- opening -----------------------------------------------------------------------------------


def test_no_encoder_no_proxies():
    config = MemoryConfig(encoder=EncoderConfig("none"))
    memory = SpatialMemory(config, open_proxies(config))
    assert memory.proxies is None
    memory.observe(frame([CHAIR], POSES[0], 0))
    memory.encode_keyframe()  # there is none, and nothing to do


def test_a_memory_without_proxies_does_not_import_torch():
    script = (
        "import sys; from spatial_vlm_ros.memory import SpatialMemory; SpatialMemory()\n"
        "from spatial_vlm_ros.proxies.opening import open_proxies\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
