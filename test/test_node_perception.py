"""Every kind of network inside the mapper: the presets on a simulated bag, with small checkpoints.

Random weights find nothing that makes sense. What is shown is that each path runs from checkpoint
to topic, that what it lacks is told, and that the node lives on and ends well.
"""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("rclpy")
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from ros_rig import Rig
from small_depth_models import save_depth_anything
from small_detectors import save_clip, save_grounding_dino, save_owlv2
from small_trackers import save_small_edgetam, save_small_sam2
from small_vggt import save_small_vggt
from std_srvs.srv import Trigger
from tf2_msgs.msg import TFMessage

from spatial_vlm_ros import presets
from spatial_vlm_ros.nodes import background
from spatial_vlm_ros.simulation.record import simulate

TOPICS = {
    "image": "/camera/color/image_raw",
    "depth": "/camera/aligned_depth_to_color/image_raw",
    "camera_info": "/camera/color/camera_info",
}
REMAPS = [f"{name}:={topic}" for name, topic in TOPICS.items()]
#: So that little that a random network says is thrown away.
EAGER = {
    "detector__min_score": 0.0,
    "tracker__min_score": 0.0,
    "tracker__min_quality": 0.0,
    "tracker__min_stability": 0.0,
    "tracker__min_presence": 0.0,
    "tracker__max_area": 1.0,
    "segmentation__min_points": 3,
    "encoder__checkpoint": "none",
    "watchdog_period": 3.0,
}


@pytest.fixture(scope="module")
def bag(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("simulated")
    simulate(folder, seed=3, rooms=1, fps=10, width=320, height=240, seconds=3, progress=False)
    return folder / "bag"


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    """A folder with one small checkpoint of each kind."""
    folder = tmp_path_factory.mktemp("small")
    save_small_sam2(folder / "sam2")
    save_small_edgetam(folder / "edgetam")
    save_grounding_dino(folder / "dino")
    save_owlv2(folder / "owlv2")
    save_clip(folder / "clip")
    save_depth_anything(folder / "depth")
    return folder


def start(rig: Rig, preset: str, **parameters) -> None:
    """The mapper with a preset, and parameters over it."""
    given = {**EAGER, **parameters, "use_sim_time": True}
    rig.start_mapper(*REMAPS, preset=presets.preset_file(preset), **given)
    rig.until(lambda: rig.health.get("state") == "active", 60, "the networks to be loaded")


def play(rig: Rig, bag: Path, rate: float = 0.5) -> None:
    rig.start("player", str(bag), "--clock", "--rate", str(rate))
    rig.until(lambda: rig.processes["player"].poll() is not None, 60, "the player to end")


def test_words_masks_and_a_vocabulary_that_changes(rig, bag, small):
    names = {"detector__checkpoint": small / "dino", "tracker__checkpoint": small / "sam2"}
    start(rig, "rgbd_open_vocabulary", **names)
    play(rig, bag)
    rig.until(lambda: rig.value("frames accepted") >= 5, 60, "frames")
    assert int(rig.health["things found"]) > 0, rig.health
    assert int(rig.health["tracker bytes"]) > 0
    rig.until(lambda: rig.scenes and rig.scenes[-1].scale_spread == 0.0, 20, "the scene")

    assert set_words(rig, ["sofa", "fire extinguisher", "floor"]).successful
    refused = set_words(rig, ["sofa", "---"])
    assert not refused.successful and "'---' has no letter" in refused.reason
    assert rig.value("frames refused") == 0, rig.health
    assert set_words(rig, [400 * "very " + "long", "floor"]).successful, "only the network knows"
    accepted = rig.value("frames accepted")
    play(rig, bag)
    rig.until(lambda: rig.value("frames accepted") > accepted + 1, 60, "frames with other words")
    assert rig.value("frames refused") == 1 and "tokens long" in str(rig.health), rig.health


def set_words(rig: Rig, words: list[str]):
    value = ParameterValue(type=ParameterType.PARAMETER_STRING_ARRAY, string_array_value=words)
    parameters = [Parameter(name="vocabulary", value=value)]
    return rig.call(SetParameters, "/mapper/set_parameters", parameters=parameters).results[0]


def test_masks_of_edgetam_named_by_clip(rig, bag, small):
    names = {"tracker__checkpoint": small / "edgetam", "namer__checkpoint": small / "clip"}
    start(rig, "rgbd_open_vocabulary", **names, detector__checkpoint="''")
    play(rig, bag)
    rig.until(lambda: rig.value("frames accepted") >= 5, 60, "frames")
    assert int(rig.health["things found"]) > 0, rig.health
    assert rig.value("frames refused") == 0, rig.health


def test_a_detector_of_words_in_place_of_a_topic(rig, bag, small):
    few = {"vocabulary": ["chair", "table", "sofa"], "detector__period": 0.2}
    start(rig, "rgbd_detections", detector__checkpoint=small / "owlv2", **few)
    play(rig, bag)
    rig.until(lambda: rig.value("frames accepted") >= 5, 60, "frames")
    assert rig.value("frames accepted") < rig.value("frames used"), "it looks at some only"
    assert "input detections" not in rig.health


def test_depth_by_a_network_and_how_sure_the_scene_is_of_it(rig, bag, small):
    names = {
        "geometry.metric_depth.checkpoint": small / "depth",
        "tracker.checkpoint": small / "sam2",
        "detector.checkpoint": "''",
    }
    names = {name.replace(".", "__"): value for name, value in names.items()}
    start(rig, "rgb_metric_depth", **names, points__max_range=20.0)
    play(rig, bag)
    rig.until(lambda: rig.value("frames accepted") >= 3, 60, "frames with depth")
    assert "input depth" not in rig.health
    rig.until(lambda: rig.scenes, 20, "the scene")
    assert rig.scenes[-1].scale_spread == pytest.approx(0.1)


@pytest.mark.parametrize("poses", ["tf", "images"])
def test_geometry_of_images_alone(rig, bag, small, tmp_path, poses):
    checkpoint = save_small_vggt(tmp_path / "vggt")
    moving: list[TFMessage] = []
    rig.node.create_subscription(TFMessage, "/tf", moving.append, 100)
    names = {
        "geometry.vggt.checkpoint": checkpoint,
        "geometry.vggt.width": 56,
        "geometry.vggt.window": 4,
        "geometry.vggt.overlap": 2,
        "geometry.vggt.view_overlap": 1.0,
        "geometry.poses": poses,
        "geometry.scale.camera_height": 0.0 if poses == "images" else 0.6,
        "geometry.scale.sources": ["odometry"],
        "tracker.checkpoint": small / "sam2",
        "detector.checkpoint": "''",
        "points.max_range": 50.0,
    }
    start(rig, "rgb_vggt", **{name.replace(".", "__"): value for name, value in names.items()})
    play(rig, bag, 0.3)
    rig.until(lambda: "windows" in rig.health and rig.health["windows"][0] != "0", 60, "a window")
    if poses == "tf":  # random weights see no scale that odometry could agree with, or any
        assert rig.value("frames accepted") > 0 or "metres" in rig.problems, rig.health
        return
    rig.until(lambda: rig.value("frames accepted") >= 3, 30, "frames")
    rig.until(lambda: rig.scenes and rig.scenes[-1].fixed_frame == "", 20, "the scene")
    assert np.isinf(rig.scenes[-1].scale_spread)

    def hung() -> bool:
        sent = [transform for message in moving for transform in message.transforms]
        return any(
            item.child_frame_id == "spatial_scene" and "optical" in item.header.frame_id
            for item in sent
        )

    rig.until(hung, 20, "the scene to hang on the camera")
    assert rig.call(Trigger, "/mapper/reset").success
    rig.until(lambda: rig.health["windows"] == "0, 0 dropped", 10, "the way to be forgotten too")


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"tracker__checkpoint": "/nowhere/sam2"}, "there is no folder /nowhere/sam2"),
        ({"geometry__source": "vggt", "tracker__checkpoint": "SAM2"}, "vggt"),
    ],
)
def test_a_mapper_without_its_network_says_what_is_missing(tmp_path, small, parameters, says):
    given = {
        name: small / "sam2" if value == "SAM2" else value for name, value in parameters.items()
    }
    missing = {"geometry__vggt__checkpoint": "/nowhere/vggt", "detector__checkpoint": "''"}
    preset = presets.preset_file("rgbd_open_vocabulary")
    with Rig(tmp_path) as rig:
        rig.start_mapper(*REMAPS, preset=preset, **{**EAGER, **missing, **given})
        rig.until(lambda: says in rig.log("mapper"), 60, f"{says} in the log")
        assert rig.processes["mapper"].wait(20) == 1
        assert "Traceback" not in rig.log("mapper")


def test_a_thread_that_takes_too_long_is_given_up_and_remembered(monkeypatch):
    """The process must then end without it: native code stopped on the way out aborts it."""
    monkeypatch.setattr(background, "_PATIENCE_S", 0.2)
    node, begun, go_on = SimpleNamespace(given_up=[]), threading.Event(), threading.Event()
    done: list[bool] = []

    def step() -> bool:
        begun.set()
        return go_on.wait(10)

    slow = background.Background(node, "nothing", step, lambda: done.append(True))
    assert begun.wait(10)
    slow.close()
    (thread,) = node.given_up
    go_on.set()
    thread.join(10)
    assert not thread.is_alive() and done == [True]
    background.Background(node, "nothing", lambda: False).close()
    assert len(node.given_up) == 1
