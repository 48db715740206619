"""Real recordings played through DDS into the mapper; skipped where they are not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("rclpy")
from real_data import DATA
from ros_rig import Rig

COLOR = "/camera/color/image_raw"
REMAPS = [
    f"image:={COLOR}",
    "depth:=/camera/aligned_depth_to_color/image_raw",
    "camera_info:=/camera/color/camera_info",
]
TRANSPORTS = {"image_transport": "compressed", "depth_transport": "compressedDepth"}

pytestmark = pytest.mark.skipif(not DATA.exists(), reason=f"no recordings at {DATA}")


@pytest.fixture
def rig(tmp_path):
    with Rig(tmp_path) as made:
        yield made


def play(rig: Rig, bag: Path, rate: float) -> None:
    rig.start("player", str(bag), "--rate", str(rate), "--clock")
    rig.until(lambda: rig.processes["player"].poll() is not None, 60, "the player to end")
    assert rig.processes["player"].returncode == 0, rig.log("player")


@pytest.mark.parametrize(
    ("name", "rate", "count"), [("tum_fr1_rpy", 2.0, 77), ("dvmvs_hololens_000", 40.0, 94)]
)
def test_recording_is_mapped_without_any_names(rig, name, rate, count):
    rig.start_mapper(*REMAPS, instances="geometric", fixed_frame="map", **TRANSPORTS)
    rig.until(lambda: rig.health.get("state") == "active", 30, "the mapper")
    play(rig, DATA / "bags" / name, rate)
    rig.until(lambda: rig.value("frames in") >= 0.9 * count, 20, "images")
    rig.until(lambda: rig.value("frames waiting") == 0, 60, "the queue to be worked off")
    # Without a model a frame may take longer than the camera needs for the next: then the oldest
    # waiting ones are dropped, and nothing else is.
    used, late = rig.value("frames used"), rig.value("dropped queue_full")
    assert used >= 10 and used + late >= 0.9 * count, rig.health
    assert rig.value("dropped bad_image") == rig.value("dropped no_transform") == 0, rig.health
    rig.until(rig.cubes, 20, "objects")
    print(name, rig.health)
    assert "Traceback" not in rig.log("mapper")


def test_any_detector_gives_the_objects_their_names(rig):
    weights = DATA / "weights" / "yolox_nano"
    if not weights.exists():
        pytest.skip(f"no detector at {weights}")
    pytest.importorskip("onnxruntime")
    slow = {"input.pair_wait": 5.0, "input.queue_size": 60}
    rig.start_mapper(*REMAPS, instances="detections", fixed_frame="map", **TRANSPORTS, **slow)
    script = Path(__file__).with_name("yolox_detector.py")
    with (rig.logs / "detector.log").open("wb") as log:
        rig.processes["detector"] = detector = subprocess.Popen(
            [sys.executable, str(script), str(weights), f"{COLOR}/compressed"],
            env={**os.environ, "ROS_DOMAIN_ID": str(rig.domain)},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    rig.until(lambda: rig.node.count_publishers("/detections"), 30, "the detector")
    rig.until(lambda: rig.health.get("state") == "active", 30, "the mapper")
    play(rig, DATA / "bags" / "tum_fr1_rpy", 1.0)
    rig.until(lambda: rig.value("frames used") >= 25, 20, "frames with detections")
    names = {item.label for item in rig.cubes()}
    print(sorted(names), rig.health)
    # The desk has monitors, a keyboard, a mouse, a cup and books; a nano model finds some.
    assert len(names & {"tv", "keyboard", "mouse", "cup", "book", "chair", "person"}) >= 3, names
    assert all(max(o.bbox.size.x, o.bbox.size.z) < 3 for o in rig.cubes())
    detector.send_signal(signal.SIGINT)
    assert detector.wait(15) == 0
