"""A simulated room, published as scans are: its frames and proxies are those of the room itself."""

from __future__ import annotations

import json
import struct
import tracemalloc
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from scan_world import (
    LOST,
    SCENE,
    Room,
    depth_mm,
    first,
    room,
    save,
    write_arkitscenes,
    write_image,
    write_phone,
    write_photos,
    write_scannet,
    write_scannet_packed,
    write_scannetpp,
)

from spatial_vlm_ros.cli import main
from spatial_vlm_ros.config import EncoderConfig, MemoryConfig, ProxyConfig
from spatial_vlm_ros.data.row import Row
from spatial_vlm_ros.data.scans import scans
from spatial_vlm_ros.data.unusable import Unusable
from spatial_vlm_ros.frame import Frame
from spatial_vlm_ros.models.spatial_features import MetricPoints
from spatial_vlm_ros.perception.groups import FLOOR, STRUCTURE, UNKNOWN
from spatial_vlm_ros.reasoners.numbering import Numbering
from spatial_vlm_ros.training.filling import FramePlan, fill
from spatial_vlm_ros.training.lessons import drawn, lesson
from spatial_vlm_ros.training.precompute import FrameMaker, FrameSettings, ProxyMaker, Scene
from spatial_vlm_ros.training.scanned import Scanned, found_scans
from spatial_vlm_ros.training.scenes import ProxyScenes
from spatial_vlm_ros.training.store import ProxyStore, StoredProxies
from spatial_vlm_ros.vision.descriptors import Descriptors

#: So many that an object's proxies are all over it.
MEMORY = MemoryConfig(proxies=ProxyConfig(budget=2000))


def proxies(scene: Scene) -> StoredProxies:
    return ProxyMaker(Descriptors(EncoderConfig().pixels), MEMORY)(scene)


@cache
def of_the_room() -> StoredProxies:
    small = room().small
    return proxies(Scene(small.scene, small.frames))


def well_seen() -> set[int]:
    """Objects of the room with so many proxies that a few pixels less do not take all of them."""
    counts = Counter(of_the_room().groups.tolist())
    found = {group for group, count in counts.items() if group > UNKNOWN and count > 5}
    assert len(found) > 2
    return found


def only(kind: str, root: Path, labels: bool = True, views: int | None = None) -> Scanned:
    (found,) = found_scans(kind, root, [], views, labels)
    return found


def alike(stored: StoredProxies, number: Callable[[int], int]) -> None:
    """``number``: of the room, of an object of the scan."""
    truth = of_the_room()
    groups = stored.groups.clone()
    objects = groups > UNKNOWN
    groups[objects] = torch.tensor([number(g) for g in (groups[objects] - stored.shift).tolist()])
    ours, theirs = Counter(groups.tolist()), Counter(truth.groups.tolist())
    for some, others in ((ours, theirs), (theirs, ours)):
        assert {group for group, count in some.items() if count > 2} <= others.keys() | {UNKNOWN}
    both = {group for group in ours if group > UNKNOWN and min(ours[group], theirs[group]) > 5}
    assert len(both) > 2
    for group in both:
        mine, others = groups == group, truth.groups == group
        centre = stored.points_scene[mine].mean(0)
        assert (centre - truth.points_scene[others].mean(0)).norm() < 0.15, group
        seen, shown = stored.features[mine].float(), truth.features[others].float()
        assert torch.cosine_similarity(seen.mean(0), shown.mean(0), dim=0) > 0.9, group
    assert stored.floor_z == pytest.approx(truth.floor_z, abs=1e-3)


# ScanNet --------------------------------------------------------------------------------------


@pytest.mark.parametrize("write", [write_scannet, write_scannet_packed])
def test_proxies_of_scannet_are_those_of_the_room(
    tmp_path: Path, write: Callable[[Path, Room], Path]
) -> None:
    write(tmp_path, room())
    source = only("scannet", tmp_path)
    assert source.name == f"scannet/{SCENE}"
    scene = source.open()
    categories = {item.id: item.category for item in room().small.scene.objects}
    found = {item.id + first(room()): item.category for item in scene.annotation.objects}
    assert found.items() >= categories.items()
    alike(proxies(scene), lambda number: number + first(room()))


def test_object_zero_is_there_and_has_a_number(tmp_path: Path) -> None:
    write_scannet(tmp_path, room())
    scene = only("scannet", tmp_path).open()
    stored = proxies(scene)
    assert stored.shift == 1 and 1 in stored.groups
    store = ProxyStore.create(tmp_path / "store", "tower", {})
    store.put(scene.annotation.name, stored)
    identifiers = torch.nn.functional.normalize(torch.randn(3, stored.features.shape[1]), dim=1)
    told = {scene.annotation.name: scene.annotation}
    named = ProxyScenes(store, identifiers, 7, told).objects(scene.annotation.name)
    bare = ProxyScenes(store, identifiers, 7, {})
    there = bare.objects(scene.annotation.name)
    assert 0 in there and 0 in named and set(there) < set(named)
    numbering = Numbering.of([0], 3)
    shown = bare.shown(scene.annotation.name, numbering).inputs["proxy_features"]
    added = (shown - stored.features.float()).norm(dim=1) > 1e-4
    assert torch.equal(added, stored.groups == 1)


def test_a_row_about_object_zero_teaches_its_proxies(tmp_path: Path) -> None:
    """From the row's text to the proxies that carry the number which the answer says."""
    write_scannet(tmp_path, room())
    scene = only("scannet", tmp_path).open()
    name, stored = scene.annotation.name, proxies(scene)
    store = ProxyStore.create(tmp_path / "store", "tower", {})
    store.put(name, stored)
    draw = torch.Generator().manual_seed(0)
    identifiers = torch.nn.functional.normalize(
        torch.randn(40, stored.features.shape[1], generator=draw), dim=1
    )
    scenes = ProxyScenes(store, identifiers, 7, {name: scene.annotation})
    category = scene.annotation[0].category
    row = Row(
        id="any",
        dataset="any",
        scene=name,
        task="grounding",
        question=f"Which object is the {category}? Name it by number.",
        answer="#0",
        targets=(0,),
    )
    for seed in range(3):
        numbering = drawn(scenes.objects(name), 40, np.random.default_rng(seed))
        said = lesson(row, "proxy3d", numbering).answer
        number = int(said.removeprefix("<OBJ").removesuffix(">"))
        added = scenes.shown(name, numbering).inputs["proxy_features"] - stored.features.float()
        carry = torch.nn.functional.normalize(added, dim=1) @ identifiers[number] > 0.9
        assert torch.equal(carry, stored.groups == 1) and carry.any()


def test_frames_are_in_the_frame_of_the_annotation(tmp_path: Path) -> None:
    """Though the first of them was not unpacked, and the second was not projected."""
    folder = write_scannet(tmp_path, room())
    (folder / "color" / "3.jpg").unlink()
    (folder / "instance-filt" / "13.png").unlink()
    scene = only("scannet", tmp_path).open()
    truth = room().small
    assert len(list(scene.frames)) == len(truth.frames) - 2
    kept = Scene(truth.scene, truth.frames[2:], scene.T_scene_fixed)
    stored, wanted = proxies(scene), proxies(kept)
    shift = first(room()) - stored.shift
    both = {*stored.groups[stored.groups > 0].tolist()} & {*(wanted.groups - shift).tolist()}
    assert len(both) > 3
    for group in both:
        centre = stored.points_scene[stored.groups == group].mean(0)
        same = wanted.points_scene[wanted.groups == group + shift].mean(0)
        assert (centre - same).norm() < 0.1
    assert len(list(only("scannet", tmp_path, labels=False).open().frames)) == 3


def test_views_are_spread_evenly(tmp_path: Path) -> None:
    write_scannet(tmp_path, room())
    stamps = [frame.stamp_ns for frame in only("scannet", tmp_path, views=2).open().frames]
    assert stamps == [3 * 10**9 // 30, 33 * 10**9 // 30]


def test_frames_of_a_scan_need_no_labels(tmp_path: Path) -> None:
    folder = write_scannet(tmp_path, room())
    for path in (folder / "instance-filt").iterdir():
        path.unlink()
    scene = only("scannet", tmp_path, labels=False).open()
    settings = FrameSettings(count=2, pixels=56 * 84)
    stored = FrameMaker(MetricPoints(), settings, MEMORY)(scene)
    small = room().small
    truth = FrameMaker(MetricPoints(), settings, MEMORY)(Scene(small.scene, small.frames))
    assert (stored.images.float() - truth.images.float()).abs().mean() < 8
    off = (stored.spatial - truth.spatial).norm(dim=-1)
    assert off[off.isfinite()].median() < 0.02
    with pytest.raises(Unusable, match=r"_2d-instance-filt\.zip has no image"):
        only("scannet", tmp_path).open()


def test_labels_of_other_objects_are_refused(tmp_path: Path) -> None:
    """As they would be if images counted otherwise than the annotation does."""
    folder = write_scannet(tmp_path, room())
    for path in (folder / "instance-filt").iterdir():
        ids = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        write_image(path, np.where(ids > 0, ids + 1, 0).astype(np.uint8))
    scene = only("scannet", tmp_path).open()
    with pytest.raises(Unusable, match="labels do not fit the boxes"):
        proxies(scene)


def cut(path: Path, kept: int = 20) -> None:
    path.write_bytes(path.read_bytes()[:kept])


SPOILT: dict[str, tuple[Callable[[Path], object], str]] = {
    "no depth": (lambda f: (f / "depth").rename(f / "gone"), r"file missing: .*depth has no image"),
    "no camera": (lambda f: (f / "intrinsic" / "intrinsic_depth.txt").unlink(), "intrinsic_depth"),
    "bad camera": (lambda f: save(f / "intrinsic" / "intrinsic_depth.txt", np.eye(3)), "no camera"),
    "large camera": (
        lambda f: save(f / "intrinsic" / "intrinsic_depth.txt", 4 * np.eye(4)),
        "sizes do not fit: .*160x120",
    ),
    "no pose": (
        lambda f: [save(path, np.full((4, 4), -np.inf)) for path in (f / "pose").iterdir()],
        "no camera pose",
    ),
    "no images": (
        lambda f: (f / "color").rename(f / "gone"),
        r"neither .*color nor .*\.sens is there; images of scannet are read from\nscans/<scene>/",
    ),
    "no focal length": (
        lambda f: save(f / "intrinsic" / "intrinsic_depth.txt", np.diag([0, 0, 1, 1.0])),
        r"no camera: .*intrinsic_depth\.txt",
    ),
    "cut about": (lambda f: cut(f / f"{SCENE}.txt"), "no alignment: axisAlignment of <scene>.txt"),
    "other about": (
        lambda f: (f / f"{SCENE}.txt").write_bytes(b"\xff\xfe"),
        rf"malformed: .*{SCENE}\.txt: UnicodeDecodeError",
    ),
    "cut objects": (lambda f: cut(f / f"{SCENE}.aggregation.json"), r"aggregation\.json: JSONDec"),
    "cut segments": (
        lambda f: cut(f / f"{SCENE}_vh_clean_2.0.010000.segs.json"),
        r"segs\.json: JSONDecodeError",
    ),
    "nothing labelled": (
        lambda f: [
            write_image(path, np.zeros((242, 324), np.uint8))
            for path in (f / "instance-filt").iterdir()
        ],
        f"nothing seen: no image of scannet/{SCENE} shows any of its objects",
    ),
    "half a colour": (
        lambda f: cut(f / "color" / "13.jpg", 4000),
        r"13\.jpg cannot be decoded",
    ),
    "cut colour": (lambda f: cut(f / "color" / "13.jpg"), r"13\.jpg cannot be decoded"),
    "cut labels": (lambda f: cut(f / "instance-filt" / "13.png"), "label image 13"),
    "8 bits of depth": (
        lambda f: write_image(f / "depth" / "13.png", np.zeros((120, 160), np.uint8)),
        r"13\.png is .* not 16 bits",
    ),
    "another shape": (
        lambda f: write_image(f / "color" / "13.jpg", np.zeros((200, 400, 3), np.uint8)),
        "sizes do not fit: colour is 400x200, depth 160x120",
    ),
}


@pytest.mark.parametrize("name", SPOILT)
def test_what_cannot_be_used_is_named(tmp_path: Path, name: str) -> None:
    spoil, message = SPOILT[name]
    spoil(write_scannet(tmp_path, room()))
    with pytest.raises(Unusable, match=message):
        list(only("scannet", tmp_path).open().frames)


def test_a_recording_that_is_damaged_is_named(tmp_path: Path) -> None:
    folder = write_scannet_packed(tmp_path, room())
    path = folder / f"{SCENE}.sens"
    content = bytearray(path.read_bytes())
    start = content.index(b"\xff\xd8\xff")  # of the first jpeg
    start = content.index(b"\xff\xd8\xff", start + 1)
    content[start : start + 3] = b"xxx"
    path.write_bytes(content)
    with pytest.raises(Unusable, match=r"\.sens: colour of frame 1 is no jpeg or png"):
        list(only("scannet", tmp_path).open().frames)


SPOILT_PACKED: dict[str, tuple[Callable[[bytearray], object], str]] = {
    # Behind version, name, four matrices, codecs, sizes and units: how many frames there are.
    "frames": (
        lambda content: content.__setitem__(slice(299, 307), (10**13).to_bytes(8, "little")),
        r"\.sens is shorter than its 10000000000000 frames",
    ),
    "an image": (
        lambda content: content.__setitem__(slice(387, 395), (2**63 + 1).to_bytes(8, "little")),
        r"\.sens ends within its frames",
    ),
    "the file": (lambda content: content.__delitem__(slice(1000, None)), r"\.sens ends within"),
}


@pytest.mark.parametrize("name", SPOILT_PACKED)
def test_a_recording_that_ends_too_early_is_named(tmp_path: Path, name: str) -> None:
    spoil, message = SPOILT_PACKED[name]
    path = write_scannet_packed(tmp_path, room()) / f"{SCENE}.sens"
    content = bytearray(path.read_bytes())
    spoil(content)
    path.write_bytes(content)
    with pytest.raises(Unusable, match=message):
        only("scannet", tmp_path).open()


def blank(path: Path) -> None:
    content = bytearray(path.read_bytes())
    start = len(content) // 3
    content[start : start + 200] = bytes(200)
    path.write_bytes(content)


@pytest.mark.parametrize("spoil", [cut, blank])
def test_other_scans_go_on_when_an_archive_is_damaged(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    folder = write_scannet_packed(tmp_path / "bad", room())
    spoil(folder / f"{SCENE}_2d-instance-filt.zip")
    write_arkitscenes(tmp_path / "good", room())
    sources = [only("scannet", tmp_path / "bad"), only("arkitscenes", tmp_path / "good")]
    done = fill(tmp_path / "store", FramePlan(FrameSettings(2, 56 * 84)), sources, progress=False)
    assert done.computed == 1
    (told,) = done.rejected
    assert told.reason == "archive damaged" and "_2d-instance-filt.zip: " in told.detail


def test_a_recording_is_not_read_whole(tmp_path: Path) -> None:
    """Two gigabytes of it are of frames that have no pose."""
    folder = write_scannet_packed(tmp_path, room())
    path = folder / f"{SCENE}.sens"
    large, content = 2 * 10**9, path.read_bytes()
    frame = struct.pack("<16f", *LOST.ravel()) + struct.pack("<4Q", 0, 0, large, 0)
    count = struct.pack("<Q", 9)
    with path.open("wb") as file:  # with a hole
        file.write(content[:299] + count + frame)
        file.seek(large, 1)
        file.write(content[307:])
    tracemalloc.start()
    frames = list(only("scannet", tmp_path, labels=False).open().frames)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(frames) == 4 and most < 50e6


def test_what_was_not_unpacked_comes_from_the_recording(tmp_path: Path) -> None:
    folder = write_scannet_packed(tmp_path, room())
    write_image(folder / "color" / "1.jpg", room().large.frames[0].rgb)
    assert len(list(only("scannet", tmp_path).open().frames)) == 4


def test_a_file_that_is_no_pose_is_passed_over(tmp_path: Path) -> None:
    folder = write_scannet(tmp_path, room())
    (folder / "pose" / "13.txt").write_text("none")
    stamps = [frame.stamp_ns * 30 // 10**9 for frame in only("scannet", tmp_path).open().frames]
    assert len(stamps) == 3 and 13 not in stamps


# The other two ----------------------------------------------------------------------------------


def shares(frames: list[Frame], truth: list[Frame], numbers: dict[int, int]) -> tuple[float, float]:
    """Of points labelled as objects: how many are; of objects' points: how many are labelled so.

    numbers: of the room, by label.
    """
    right = labelled = shown = 0
    number_of = np.zeros(2000, np.int64)
    number_of[[*numbers]] = [*numbers.values()]
    for frame, true in zip(frames, truth, strict=True):
        size = frame.rgb.shape[1::-1]
        ids = cv2.resize(
            true.labels.ids.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST_EXACT
        )
        there = frame.depth > 0
        found = number_of[frame.labels.ids]
        right += int((there & (found > 0) & (found == ids)).sum())
        labelled += int((there & (found > 0)).sum())
        shown += int((there & np.isin(ids, [*numbers.values()])).sum())
    return right / labelled, right / shown


@pytest.mark.parametrize("lying", [0, 1, 2, 3])
def test_arkitscenes_is_set_upright(tmp_path: Path, lying: int) -> None:
    write_arkitscenes(tmp_path, room(), lying)
    scene = only("arkitscenes", tmp_path, labels=False).open()
    for frame, truth in zip(scene.frames, room().small.frames, strict=True):
        np.testing.assert_array_equal(frame.rgb, truth.rgb)
        np.testing.assert_allclose(frame.depth, truth.depth, atol=1e-6)
        np.testing.assert_allclose(frame.T_fixed_camera, truth.T_fixed_camera, atol=1e-6)
        for name, value in vars(truth.intrinsics).items():
            assert getattr(frame.intrinsics, name) == pytest.approx(value), name


def test_names_of_arkitscenes_may_be_milliseconds_off(tmp_path: Path) -> None:
    folder = write_arkitscenes(tmp_path, room())
    for path in [*folder.rglob("lowres_depth/*.png")]:
        head, seconds = path.stem.split("_")
        path.rename(path.with_name(f"{head}_{float(seconds) + 0.004:.3f}.png"))
    assert len(list(only("arkitscenes", tmp_path, labels=False).open().frames)) == 4
    for path in [*folder.rglob("lowres_depth/*.png")]:
        head, seconds = path.stem.split("_")
        path.rename(path.with_name(f"{head}_{float(seconds) + 0.002:.3f}.png"))
    with pytest.raises(Unusable, match="none of 5 poses has images"):
        only("arkitscenes", tmp_path).open()


def test_files_of_arkitscenes_that_are_damaged_are_named(tmp_path: Path) -> None:
    folder = write_arkitscenes(tmp_path, room())
    for pattern, message in (
        ("*.pincam", r"malformed: .*\.pincam: ValueError"),
        ("*.traj", r"malformed: .*lowres_wide\.traj: ValueError"),
        ("*.json", r"malformed: .*_3dod_annotation\.json: JSONDecodeError"),
    ):
        cut(next(iter(sorted(folder.rglob(pattern))[1:] or folder.rglob(pattern))), 5)
        with pytest.raises(Unusable, match=message):
            only("arkitscenes", tmp_path).open()


def test_boxes_that_are_elsewhere_are_refused(tmp_path: Path) -> None:
    path = next(write_arkitscenes(tmp_path, room()).glob("*.json"))
    content = json.loads(path.read_text())
    for item in content["data"]:
        item["segments"]["obbAligned"]["centroid"][2] -= 50
    path.write_text(json.dumps(content))
    with pytest.raises(Unusable, match="nothing seen: no image of arkitscenes/.* shows any of its"):
        list(only("arkitscenes", tmp_path).open().frames)


def test_boxes_tell_what_pixels_of_arkitscenes_show(tmp_path: Path) -> None:
    write_arkitscenes(tmp_path, room())
    scene = only("arkitscenes", tmp_path).open()
    objects = room().small.scene.objects
    numbers = {place + 1: item.id for place, item in enumerate(objects)}
    precision, recall = shares(list(scene.frames), list(room().small.frames), numbers)
    assert precision > 0.95 and recall > 0.85
    stored, truth = proxies(scene), of_the_room()
    groups = {numbers[group] for group in stored.groups.tolist() if group > 0}
    assert {*map(int, truth.groups)} | {UNKNOWN} >= groups >= well_seen()
    assert FLOOR in stored.groups and STRUCTURE not in stored.groups
    assert stored.floor_z == pytest.approx(truth.floor_z, abs=0.02)


@pytest.mark.parametrize("write", [write_phone, write_photos])
def test_scannetpp(tmp_path: Path, write: Callable[[Path, Room], None]) -> None:
    write(write_scannetpp(tmp_path, room()), room())
    scene = only("scannetpp", tmp_path).open()
    frames, truth = list(scene.frames), list(room().small.frames)
    width = 640 if write is write_phone else 160  # a phone's depth is repeated
    assert {frame.rgb.shape for frame in frames} == {(width * 3 // 4, width, 3)}
    numbers = {item.id + 1: item.id for item in room().small.scene.objects}
    precision, recall = shares(frames, truth, numbers)
    assert precision > 0.93 and recall > 0.8
    for frame, true in zip(frames, truth, strict=True):
        small = cv2.resize(frame.rgb, (160, 120), interpolation=cv2.INTER_AREA)
        seen = small.any(-1)
        assert seen.mean() > 0.9
        assert np.abs(small.astype(float) - true.rgb)[seen].mean() < 6
        depth = cv2.resize(frame.depth, (160, 120), interpolation=cv2.INTER_NEAREST_EXACT)
        both = (depth > 0) & (true.depth > 0)
        assert np.median(np.abs(depth - true.depth)[both]) < 0.02
    stored = proxies(scene)
    assert STRUCTURE in stored.groups  # what is in no box but that of the wall
    assert {group - 1 for group in stored.groups.tolist()} >= well_seen()


def test_scannetpp_says_what_is_missing(tmp_path: Path) -> None:
    folder = write_scannetpp(tmp_path, room())
    write_phone(folder, room())
    for path in (folder / "iphone" / "rgb").iterdir():
        path.unlink()
    with pytest.raises(Unusable, match=r"none of 4 poses has images in .*rgb and .*depth"):
        only("scannetpp", tmp_path).open()
    poses = folder / "iphone" / "pose_intrinsic_imu.json"
    whole = poses.read_text()
    cut(poses)
    with pytest.raises(Unusable, match=r"malformed: .*pose_intrinsic_imu\.json: JSONDecodeError"):
        only("scannetpp", tmp_path).open()
    poses.write_text(whole)
    (folder / "iphone" / "depth").rename(folder / "gone")
    with pytest.raises(Unusable, match=r"neither .*depth nor .*render_depth is there"):
        only("scannetpp", tmp_path).open()


def test_other_data_sets_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="scannet, scannetpp, arkitscenes, not of 'replica'"):
        scans("replica")
    with pytest.raises(ValueError, match="scannet is read from"):
        found_scans("scannet", tmp_path, [], None, True)


# Filling a store --------------------------------------------------------------------------------


def test_scans_that_cannot_be_used_are_counted(tmp_path: Path) -> None:
    write_scannet(tmp_path, room())
    plan = FramePlan(FrameSettings(2, 56 * 84))
    good = only("scannet", tmp_path, labels=False, views=2)
    gone = replace(good, scan="scene0009_00", annotation=None)
    done = fill(tmp_path / "store", plan, [gone, good], progress=False)
    assert done.computed == 1
    (told,) = done.rejected
    assert (told.source, told.reason) == ("scannet/scene0009_00", "scan not there")
    with pytest.raises(ValueError, match=r"none of 1 scenes can be used; scannet/scene0009_00"):
        fill(tmp_path / "store", plan, [gone], progress=False)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from small_vlm import save_small_vlm

    save_small_vlm(tmp_path / "small")
    folder = write_scannet(tmp_path / "scannet", room())
    other = folder.parent / "scene0002_00"
    other.mkdir()
    (other / "scene0002_00.aggregation.json").write_text("{")
    (tmp_path / "train.txt").write_text(f"{SCENE}\nscene0002_00\nscene0003_00\n")
    store = tmp_path / "store"
    asked = ["precompute", "proxies", str(store), "--checkpoint", str(tmp_path / "small")]
    asked += ["--device", "cpu", "--budget", "40", "--views", "2"]
    asked += ["--scans", "scannet", str(tmp_path / "scannet")]
    assert main([*asked, "--names", str(tmp_path / "train.txt")]) == 0
    said = capsys.readouterr().out
    assert "1 scenes computed, 0 were there" in said and "rejected 2:" in said
    assert ProxyStore.open(store)[f"scannet/{SCENE}"].shift == 1
    lines = [json.loads(line) for line in (store / "rejected.jsonl").read_text().splitlines()]
    assert [line["source"] for line in lines] == ["scannet/scene0002_00", "scannet/scene0003_00"]
    assert main([*asked, "--names", SCENE]) == 0
    assert "0 scenes computed, 1 were there" in capsys.readouterr().out
    assert not (store / "rejected.jsonl").exists()
    assert main([*asked[:-3], "--simulated", "3:4", "--names", SCENE]) == 2
    assert "--names are of scans" in capsys.readouterr().err
    assert main([*asked[:-2], "replica", str(tmp_path)]) == 2
    assert "not of 'replica'" in capsys.readouterr().err


def test_depth_is_written_as_it_is_read(tmp_path: Path) -> None:
    """What the other tests rest on: a room's depth is of whole millimetres."""
    frame = room().small.frames[0]
    np.testing.assert_allclose(depth_mm(frame) / 1000, frame.depth, atol=1e-6)
