"""A simulated recording played in real time through DDS into the mapper."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

rclpy = pytest.importorskip("rclpy")
from ros_rig import Rig

from spatial_vlm_ros.simulation.record import simulate
from spatial_vlm_ros.sources import open_source

TOPICS = {
    "image": "/camera/color/image_raw",
    "depth": "/camera/aligned_depth_to_color/image_raw",
    "camera_info": "/camera/color/camera_info",
    "labels": "/camera/labels/image_raw",
    "label_info": "/camera/labels/label_info",
}
REMAPS = [f"{name}:={topic}" for name, topic in TOPICS.items()]


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated")
    simulate(folder, seed=3, rooms=1, fps=10, width=320, height=240, seconds=3, progress=False)
    return folder / "bag"


@pytest.fixture
def rig(tmp_path):
    with Rig(tmp_path) as made:
        yield made


def test_every_frame_of_the_recording_is_used_in_every_pass(rig, bag):
    count = len(open_source(bag))
    assert count >= 25
    rig.start_mapper(*REMAPS, use_sim_time=True)
    rig.until(lambda: rig.health.get("state") == "active", 20, "the mapper")
    rig.start("player", str(bag), "--clock", "--loop", "2")
    rig.until(lambda: rig.processes["player"].poll() is not None, 30, "the player to end")
    assert rig.processes["player"].returncode == 0, rig.log("player")
    rig.until(lambda: rig.value("frames in") >= 2 * count - 2, 20, "all images")
    time.sleep(1.2)
    assert rig.value("clock jumps") == 1
    late = rig.value("dropped queue_full")  # the machine may be busy
    assert rig.value("frames used") + late >= 2 * count - 4, rig.health
    assert rig.value("frames used") > count, rig.health
    assert rig.cubes(), "objects of the simulated room"
    assert "Traceback" not in rig.log("mapper") + rig.log("player")
    assert rig.end("mapper") == 0


def test_best_effort_playback_arrives_too(rig, bag):
    rig.start_mapper(*REMAPS, use_sim_time=True)
    rig.until(lambda: rig.health.get("state") == "active", 20, "the mapper")
    rig.start("player", str(bag), "--clock", "--best-effort", "--rate", "2")
    rig.until(lambda: rig.processes["player"].poll() is not None, 30, "the player to end")
    time.sleep(1.2)
    assert rig.value("frames in") >= 0.9 * len(open_source(bag)), rig.health
    assert rig.value("frames used") > 0


def player(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "spatial_vlm_ros.nodes.player", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, env=os.environ)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("waits", [True, False])
def test_signals_end_it_cleanly(rig, bag, number, waits):
    rig.start("player", str(bag), "--loop", "0", "--wait", "60" if waits else "0")
    rig.until(lambda: "player" in rig.node.get_node_names(), 20, "the player")
    time.sleep(0.5)
    assert rig.end("player", number) == 0, rig.log("player")
    assert "Traceback" not in rig.log("player")


def test_what_is_no_bag_is_refused_in_one_line(tmp_path):
    ended = player(str(tmp_path / "none"))
    assert ended.returncode == 1 and "cannot be read as a bag" in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1
    assert player(str(tmp_path), "--rate", "0").returncode == 2
