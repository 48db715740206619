"""Scene inputs for training are what mapper and reasoner would make of the same images."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from small_vlm import save_small_vlm

from spatial_vlm_ros.cli import main
from spatial_vlm_ros.config import EncoderConfig, MemoryConfig, ProxyConfig
from spatial_vlm_ros.data.scenes import read_scenes
from spatial_vlm_ros.memory import SpatialMemory
from spatial_vlm_ros.models.spatial_branch import SpatialSettings
from spatial_vlm_ros.models.spatial_features import MetricPoints
from spatial_vlm_ros.perception.groups import FLOOR, STRUCTURE, UNKNOWN
from spatial_vlm_ros.proxies.opening import open_proxies
from spatial_vlm_ros.reasoners.config import AnsweringConfig
from spatial_vlm_ros.simulation.record import simulate
from spatial_vlm_ros.sources import open_source
from spatial_vlm_ros.training.filling import FramePlan, ProxyPlan, fill
from spatial_vlm_ros.training.precompute import (
    FrameMaker,
    FrameSettings,
    ProxyMaker,
    Scene,
)
from spatial_vlm_ros.training.sources import Recorded, Simulated
from spatial_vlm_ros.training.store import FrameStore, ProxyStore
from spatial_vlm_ros.vision.descriptors import Descriptors
from spatial_vlm_ros.vision.qwen import QwenTower

MEMORY = MemoryConfig(proxies=ProxyConfig(budget=60))


@dataclass(frozen=True)
class Small(Simulated):
    """So small that it is rendered at once."""

    views: int | None = 5
    width: int = 112
    height: int = 84


@cache
def small_scene() -> Scene:
    return Small(3).open()


def descriptors() -> Descriptors:
    return Descriptors(EncoderConfig().pixels)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small one that has learnt to see images of 112 x 84."""
    folder = tmp_path_factory.mktemp("checkpoints") / "small"
    save_small_vlm(folder)
    path = folder / "preprocessor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"max_pixels": 112 * 84}))
    return folder


def test_proxies_are_near_what_they_are_of() -> None:
    scene = small_scene()
    stored = ProxyMaker(descriptors(), MEMORY)(scene)
    assert 0 < len(stored.features) <= 60
    assert stored.floor_z == scene.annotation.floor_z
    known = {item.id for item in scene.annotation.objects}
    groups = set(stored.groups.tolist())
    assert groups <= known | {UNKNOWN, FLOOR, STRUCTURE}
    assert {FLOOR, STRUCTURE} < groups
    assert len(groups & known) > 5
    floor = stored.points_scene[stored.groups == FLOOR]
    assert (floor[:, 2] - stored.floor_z).abs().max() < 0.1
    for item in scene.annotation.objects:
        points = stored.points_scene[stored.groups == item.id]
        centre = torch.tensor([item.box.x, item.box.y, item.box.z])
        reach = np.linalg.norm([item.box.length, item.box.width, item.box.height]) / 2
        assert ((points - centre).norm(dim=1) < reach + 0.05).all(), item


def test_objects_that_the_annotation_leaves_out_have_no_proxies() -> None:
    scene = small_scene()
    gone = scene.annotation.objects[0].id
    fewer = replace(scene.annotation, objects=scene.annotation.objects[1:])
    with_all = ProxyMaker(descriptors(), MEMORY)(scene)
    without = ProxyMaker(descriptors(), MEMORY)(Scene(fewer, scene.frames))
    assert gone in with_all.groups
    kept = with_all.groups != gone
    assert torch.equal(without.groups, with_all.groups[kept])
    assert torch.equal(without.features, with_all.features[kept])


def test_a_mapper_of_the_same_recording_has_the_same_proxies(tmp_path: Path) -> None:
    """But for its ids of objects, and for what it has not yet confirmed or has in more images."""
    folder = tmp_path / "drive"
    simulate(folder, seed=2, rooms=1, fps=2.0, width=160, height=120, seconds=12, workers=1)
    source = Recorded(folder)
    config = MemoryConfig(proxies=ProxyConfig(budget=2000, keyframe_period=100.0))
    stored = ProxyMaker(descriptors(), config)(source.open())
    memory = SpatialMemory(config, proxies=open_proxies(config))
    for frame in open_source(folder / "bag"):
        memory.observe(frame)
        memory.encode_keyframe()
    read = memory.proxies.read().sequence
    apart = torch.cdist(stored.points_scene, read.points_scene).min(1)
    near = apart.values < 0.01
    same = torch.cosine_similarity(
        stored.features[near].float(), read.features[apart.indices[near]]
    )
    assert near.float().mean() > 0.8
    assert same.quantile(0.1) > 0.99
    assert source.name == "simulated/drive"


def test_frames_are_those_that_a_reasoner_shows() -> None:
    scene = small_scene()
    settings = FrameSettings(count=3, pixels=56 * 84)
    stored = FrameMaker(MetricPoints(), settings, MEMORY)(scene)
    assert stored.images.shape == (3, 3, 56, 56)  # 84 x 112 in cells of 28, less than asked for
    assert stored.spatial.shape == (3, 4, 4, 3)
    frames = [scene.frames[i] for i in (0, 2, 4)]
    for image, spatial, frame in zip(stored.images, stored.spatial, frames, strict=True):
        mean = torch.from_numpy(frame.rgb).float().mean((0, 1))
        torch.testing.assert_close(image.float().mean((1, 2)), mean, atol=2.0, rtol=0)
        heights = spatial[..., 2]
        assert heights[heights.isfinite()].min() > scene.annotation.floor_z - 0.1
    assert FrameMaker(None, settings, MEMORY)(scene).spatial is None


def test_images_are_as_large_as_the_checkpoint_says(checkpoint: Path) -> None:
    assert FrameSettings.of(str(checkpoint)) == FrameSettings(AnsweringConfig().frames, 112 * 84)
    features = QwenTower.open(EncoderConfig(str(checkpoint), "cpu")).encode(
        np.zeros((480, 640, 3), np.uint8)
    )
    assert features.shape[:2] == (3, 4)


def test_scenes_that_are_there_are_kept(tmp_path: Path) -> None:
    plan = FramePlan(FrameSettings(2, 56 * 84), SpatialSettings("points"))
    assert fill(tmp_path, plan, [Small(3)], progress=False).computed == 1
    before = (tmp_path / "simulated__room-3.safetensors").stat().st_mtime_ns
    assert fill(tmp_path, plan, [Small(3), Small(4)], progress=False).computed == 1
    assert (tmp_path / "simulated__room-3.safetensors").stat().st_mtime_ns == before
    names = ("simulated/room-3", "simulated/room-4")
    assert FrameStore.open(tmp_path).names == names
    scenes = read_scenes(tmp_path / "scenes.jsonl")
    assert tuple(scenes) == names
    for item, known in zip(
        scenes[names[0]].objects, Small(3).open().annotation.objects, strict=True
    ):
        assert (item.id, item.category) == (known.id, known.category)
        np.testing.assert_allclose(item.box.to_tuple(), known.box.to_tuple(), atol=1e-4)
    with pytest.raises(ValueError, match="choose another folder"):
        fill(tmp_path, FramePlan(FrameSettings(3, 56 * 84)), [Small(3)], progress=False)


def test_what_fails_leaves_what_was_done_before(tmp_path: Path) -> None:
    plan = FramePlan(FrameSettings(2, 56 * 84))
    with pytest.raises(ValueError, match=r"truth\.json is missing"):
        fill(tmp_path, plan, [Small(3), Recorded(tmp_path / "none")], progress=False)
    assert tuple(read_scenes(tmp_path / "scenes.jsonl")) == ("simulated/room-3",)
    assert "simulated/room-3" in FrameStore.open(tmp_path)


COMMAND = "from spatial_vlm_ros.cli import main; import sys; sys.exit(main(sys.argv[1:]))"


def test_the_command_goes_on_after_it_was_killed(tmp_path: Path, checkpoint: Path) -> None:
    folder = tmp_path / "proxies"
    asked = ["precompute", "proxies", str(folder), "--checkpoint", str(checkpoint)]
    asked += ["--budget", "40", "--views", "2", "--device", "cpu", "--simulated"]
    killed = subprocess.Popen([sys.executable, "-c", COMMAND, *asked, "0:500"])
    deadline = time.monotonic() + 60
    while len(list(folder.glob("*.safetensors"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    there = [path.name for path in folder.glob("*.safetensors")]
    assert len(there) >= 2
    last = len(there) + 1
    assert main([*asked, f"0:{last}"]) == 0
    store = ProxyStore.open(folder)
    assert len(store) == last
    assert set(store.names) == set(read_scenes(folder / "scenes.jsonl"))
    assert store["simulated/room-0"].features.shape == (40, 48)
    assert not list(folder.glob("*.part")) or len(list(folder.glob(".*.part"))) <= 1
    whole = tmp_path / "whole"
    assert main([*asked[:2], str(whole), *asked[3:], "0:2"]) == 0
    for name in ("simulated/room-0", "simulated/room-1"):
        one, other = store[name], ProxyStore.open(whole)[name]
        assert torch.equal(one.features, other.features)
        assert torch.equal(one.groups, other.groups)


def test_two_processes_compute_what_one_does(tmp_path: Path) -> None:
    plan = FramePlan(FrameSettings(2, 56 * 84), SpatialSettings("points"))
    for workers in (1, 2):
        assert (
            fill(tmp_path / str(workers), plan, [Small(3), Small(4)], workers, False).computed == 2
        )
    one, two = (FrameStore.open(tmp_path / str(workers)) for workers in (1, 2))
    assert one.names == two.names
    for name in one.names:
        assert torch.equal(one[name].images, two[name].images)
        torch.testing.assert_close(one[name].spatial, two[name].spatial, equal_nan=True)


@pytest.mark.parametrize("seeds", ["3", "5:3", "a:b", ":4"])
def test_wrong_seeds_are_named(tmp_path: Path, capsys, seeds: str) -> None:
    asked = ["precompute", "frames", str(tmp_path), "--checkpoint", "x", "--simulated", seeds]
    assert main(asked) == 2
    error = capsys.readouterr().err
    assert "is not FIRST:LAST" in error or "there is no folder x" in error


def test_the_defaults_of_frames_are_the_reasoners(checkpoint: Path, tmp_path: Path) -> None:
    asked = ["precompute", "frames", str(tmp_path), "--checkpoint", str(checkpoint)]
    assert main([*asked, "--views", "2", "--simulated", "3:4"]) == 0
    settings = FrameStore.open(tmp_path).settings
    assert settings["count"] == AnsweringConfig().frames
    assert settings["pixels"] == 112 * 84
    assert settings["spatial"] == "points"


def test_a_plan_travels_to_other_processes(checkpoint: Path) -> None:
    import pickle

    plan = ProxyPlan(str(checkpoint), "cpu", "float32", MEMORY)
    again = pickle.loads(pickle.dumps(plan))
    assert again == plan
    assert again.maker.encoder.name == plan.maker.encoder.name
