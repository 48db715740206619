"""Proxies published by the mapper: a process of its own, fed over DDS with a cube on a floor."""

from __future__ import annotations

import time

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy")
from ros_rig import LATCHED, Rig, Robot
from small_qwen import save_small_qwen
from std_srvs.srv import Trigger
from visualization_msgs.msg import Marker, MarkerArray

from spatial_vlm_msgs.msg import ProxySequence
from spatial_vlm_msgs.srv import LoadScene, RemoveObject, SaveScene
from spatial_vlm_ros.config import EncoderConfig
from spatial_vlm_ros.nodes.image_conversions import proxy_places
from spatial_vlm_ros.proxies.opening import open_encoder
from spatial_vlm_ros.ros_image import stamp_ns


@pytest.fixture
def rig(tmp_path):
    with Rig(tmp_path) as made:
        made.proxies, made.dots = [], []
        node = made.node
        node.create_subscription(ProxySequence, "/mapper/proxies", made.proxies.append, LATCHED)
        node.create_subscription(MarkerArray, "/mapper/proxy_markers", made.dots.append, LATCHED)
        yield made
        made.end_all()


def driven(rig: Rig, steps: int = 25, **parameters) -> Robot:
    """A robot that has driven a quarter round the cube, a keyframe every few steps."""
    robot = Robot(rig)
    rig.start_mapper(**{"proxies_period": 0.1, "proxies__budget": 40, **parameters})
    robot.wait()
    robot.drive(range(steps))
    return robot


def newest(rig: Rig, what, reason: str) -> ProxySequence:
    """The newest message once it is as wanted."""
    rig.until(lambda: rig.proxies and what(rig.proxies[-1]), 20, reason)
    return rig.proxies[-1]


def cube_id(rig: Rig) -> int:
    rig.until(rig.cubes, 20, "the cube")
    return rig.cubes()[0].id


def test_proxies_of_cube_and_floor(rig):
    robot = driven(rig)
    cube = cube_id(rig)
    message = newest(rig, lambda m: cube in m.object_ids and m.count == 40, "proxies of the cube")
    assert message.header.frame_id == "spatial_scene"
    assert message.encoder == "descriptors-1" and message.dimension == 126
    features = np.frombuffer(message.features, "<f2").reshape(message.count, message.dimension)
    points, ids = proxy_places(message)
    assert np.isfinite(features).all() and set(ids.tolist()) == {0, cube}
    box = rig.cubes()[0].bbox
    place = np.array([box.center.position.x, box.center.position.y, box.center.position.z])
    assert np.abs(points[ids == cube] - place).max() < 0.4
    # The cube is red, the floor grey: mean a of Lab.
    assert features[ids == cube, -8].min() > 0.5 > np.abs(features[ids == 0, -8]).max()
    assert stamp_ns(message.header.stamp) in {robot.stamp(step) for step in range(25)}
    (dots,) = rig.dots[-1].markers
    assert dots.type == Marker.SPHERE_LIST and len(dots.points) == len(dots.colors) == 40
    grey = {(c.r, c.g, c.b) for c, i in zip(dots.colors, message.object_ids, strict=True) if not i}
    assert len(grey) == 1 and next(iter(grey))[0] == pytest.approx(0.6)
    rig.until(lambda: rig.value("keyframes encoded") > 3, 5, "the count on /diagnostics")


def test_a_late_subscriber_gets_them(rig):
    driven(rig)
    newest(rig, lambda m: m.count == 40, "proxies")
    late: list[ProxySequence] = []
    rig.node.create_subscription(ProxySequence, "/mapper/proxies", late.append, LATCHED)
    rig.until(lambda: late, 10, "the latched message")
    assert late[-1].count == 40


def test_they_come_no_more_often_than_asked(rig):
    driven(rig, steps=30, proxies_period=1.5)
    newest(rig, lambda m: m.count == 40, "proxies")
    time.sleep(2)
    assert 2 <= len(rig.proxies) <= 5


def test_removing_saving_loading_resetting(rig, tmp_path):
    driven(rig)
    cube = cube_id(rig)
    saved = newest(rig, lambda m: cube in m.object_ids, "proxies of the cube")
    time.sleep(0.5)
    saved = rig.proxies[-1]
    assert rig.call(SaveScene, "/mapper/save_scene", path=str(tmp_path / "scene")).success
    assert rig.call(RemoveObject, "/mapper/remove_object", id=cube).success
    after = newest(rig, lambda m: cube not in m.object_ids, "proxies without the cube")
    assert after.count == 40 and after.revision > saved.revision
    loaded = rig.call(LoadScene, "/mapper/load_scene", path=str(tmp_path / "scene"))
    assert loaded.success and "no proxies" not in loaded.message
    back = newest(rig, lambda m: cube in m.object_ids, "the cube's proxies loaded")
    assert back.revision > after.revision
    assert back.features == saved.features and back.points == saved.points
    assert rig.call(Trigger, "/mapper/reset").success
    newest(rig, lambda m: m.count == 0, "no proxies")


def test_features_of_a_checkpoint(rig, tmp_path):
    save_small_qwen(tmp_path / "qwen")
    driven(rig, encoder__checkpoint=tmp_path / "qwen")
    message = newest(rig, lambda m: m.count == 40, "proxies")
    tower = open_encoder(EncoderConfig(str(tmp_path / "qwen")))
    assert message.encoder == tower.name and message.dimension == tower.dimension
    rig.until(lambda: rig.health.get("encoder") == tower.name, 5, "its name on /diagnostics")


def test_no_encoder_no_proxies(rig):
    driven(rig, encoder__checkpoint="none")
    assert cube_id(rig) and not rig.proxies
    assert "encoder" not in rig.health


@pytest.mark.parametrize(
    ("checkpoint", "words"),
    [
        ("Qwen/Qwen2.5-VL-7B-Instruct", "spatial-vlm fetch-models Qwen/Qwen2.5-VL-7B-Instruct"),
        (".", "config"),
    ],
)
def test_a_checkpoint_that_is_not_there_is_named_with_what_to_do(rig, checkpoint, words):
    rig.start_mapper(encoder__checkpoint=checkpoint)
    assert rig.processes["mapper"].wait(60) == 1
    assert words in rig.log("mapper") and "Traceback" not in rig.log("mapper")


def test_keyframes_that_do_not_fit_in_do_not_stop_the_map(rig):
    driven(rig, proxies__max_megabytes=0.02)
    assert cube_id(rig)
    rig.until(lambda: "raise max_megabytes" in rig.problems, 10, "the problem on /diagnostics")
    assert not rig.proxies
