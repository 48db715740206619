"""Keyframes from a mapper of its own process to one who listens: the same on both sides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy")
from rclpy.node import Node
from ros_rig import Rig, Robot
from std_srvs.srv import Trigger

from spatial_vlm_msgs.srv import LoadScene, RemoveObject, SaveScene
from spatial_vlm_ros.keyframes import Keyframe
from spatial_vlm_ros.nodes.scene_inputs import SceneInputs
from spatial_vlm_ros.saved_scene import load_scene

REMAPS = [f"{name}:=/mapper/{name}" for name in ("scene_graph", "proxies", "keyframes")]


class Listener:
    """What a reasoner has of the mapper's scene."""

    def __init__(self, rig: Rig, name: str) -> None:
        arguments = ["--ros-args", *(part for remap in REMAPS for part in ("-r", remap))]
        self.node = Node(name, context=rig._context, cli_args=arguments)
        rig._executor.add_node(self.node)
        self.inputs = SceneInputs(self.node)
        self.inputs.subscribe(proxies=True, keyframes=True)

    def keyframes(self) -> tuple[Keyframe, ...]:
        scene = self.inputs.scene()
        return self.inputs.seen(scene).keyframes if scene is not None else ()


def of_the_mapper(rig: Rig, folder: Path) -> tuple[Keyframe, ...]:
    """What the mapper has now, by way of its files."""
    assert rig.call(SaveScene, "/mapper/save_scene", path=str(folder)).success
    return load_scene(folder, keyframes=True)[1].keyframes


def same(got: tuple[Keyframe, ...], want: tuple[Keyframe, ...]) -> bool:
    plain = ("stamp_ns", "frame", "jpeg", "visible")
    arrays = ("intrinsics", "T_scene_camera", "points_scene")
    return len(got) == len(want) and all(
        all(getattr(a, name) == getattr(b, name) for name in plain)
        and all(np.allclose(getattr(a, n), getattr(b, n), equal_nan=True) for n in arrays)
        for a, b in zip(got, want, strict=True)
    )


def assert_all_have(rig: Rig, listeners: list[Listener], folder: Path, number: int) -> None:
    want = of_the_mapper(rig, folder)
    assert len(want) == number
    for listener in listeners:
        rig.until(lambda it=listener: same(it.keyframes(), want), 15, "the mapper's keyframes")


def driven(rig: Rig, steps: range, **parameters) -> tuple[Robot, Listener]:
    robot = Robot(rig)
    rig.start_mapper(**parameters)
    robot.wait()
    listener = Listener(rig, "early")
    robot.drive(steps)
    rig.until(rig.cubes, 20, "the cube")
    return robot, listener


def settled(rig: Rig, robot: Robot, step: int) -> None:
    """Until the mapper's scene is as new as that step."""
    rig.until(lambda: rig.newest_ns() >= robot.stamp(step), 20, f"the scene of step {step}")


def test_the_late_have_what_the_mapper_has_also_after_thinning(rig, tmp_path):
    robot, early = driven(rig, range(20), keyframes__maximum=5)
    settled(rig, robot, 19)
    cube = rig.cubes()[0].id
    assert_all_have(rig, [early, Listener(rig, "late")], tmp_path / "scene", 5)
    first = early.keyframes()[0]
    assert first.stamp_ns == robot.stamp(0) and first.visible == (cube,)
    assert first.image().shape == (120, 160, 3) and first.frame == "camera_color_optical_frame"
    # Three times as many as DDS keeps: those that stay have been published again.
    robot.drive(range(20, 130), pause_s=0.04)
    settled(rig, robot, 129)
    assert rig.value("keyframes") == 5
    assert_all_have(rig, [early, Listener(rig, "later")], tmp_path / "scene", 5)
    assert early.keyframes()[0].id == first.id, "the first image stays"


def test_removing_resetting_loading(rig, tmp_path):
    robot, early = driven(rig, range(12))
    settled(rig, robot, 11)
    number = len(of_the_mapper(rig, tmp_path / "saved"))
    assert number >= 3
    assert rig.call(RemoveObject, "/mapper/remove_object", id=rig.cubes()[0].id).success
    rig.until(lambda: {k.visible for k in early.keyframes()} == {()}, 15, "the cube to be gone")
    assert_all_have(rig, [early, Listener(rig, "second")], tmp_path / "scene", number)

    assert rig.call(Trigger, "/mapper/reset").success
    rig.until(lambda: not early.keyframes(), 15, "no keyframes")
    late = Listener(rig, "third")
    robot.drive(range(20, 30))
    settled(rig, robot, 29)
    assert_all_have(rig, [early, late], tmp_path / "scene", len(early.keyframes()))
    assert early.keyframes()[0].stamp_ns >= robot.stamp(20)

    assert rig.call(LoadScene, "/mapper/load_scene", path=str(tmp_path / "saved")).success
    want = load_scene(tmp_path / "saved", keyframes=True)[1].keyframes
    for listener in (early, late, Listener(rig, "fourth")):
        rig.until(lambda it=listener: same(it.keyframes(), want), 15, "the loaded keyframes")


def test_proxies_come_as_core_data(rig, tmp_path):
    _, listener = driven(rig, range(15), proxies__budget=40, proxies_period=0.1)
    cube = rig.cubes()[0].id
    scene = rig.until(listener.inputs.scene, 10, "a scene")

    def reading():
        return listener.inputs.seen(scene).proxies

    rig.until(lambda: reading() is not None and cube in reading().sequence.groups, 20, "proxies")
    sequence = reading().sequence
    assert len(sequence) == 40 and sequence.features.shape == (40, 126)
    assert reading().encoder == "descriptors-1" and int(sequence.counts.min()) >= 1
    assert reading() is reading(), "converted once"


def test_what_is_not_wanted_is_not_received(rig):
    driven(rig, range(8))
    node = Node("modest", context=rig._context, cli_args=["--ros-args", "-r", REMAPS[0]])
    rig._executor.add_node(node)
    inputs = SceneInputs(node)
    inputs.subscribe()
    scene = rig.until(inputs.scene, 10, "the scene")
    assert inputs.seen(scene).keyframes == () and inputs.seen(scene).proxies is None
    assert scene.views, "what the images show is part of the scene"
    assert not node.get_subscriptions_info_by_topic("/keyframes")
    inputs.unsubscribe()
    assert inputs.scene() is None and not inputs.listening


def test_a_mapper_that_is_killed_and_restarted(rig, tmp_path):
    robot, early = driven(rig, range(10))
    settled(rig, robot, 9)
    before = rig.until(early.keyframes, 10, "keyframes")
    rig.end("mapper", 9)
    assert early.keyframes()[0].id == before[0].id
    rig.scenes.clear()
    rig.health.clear()
    rig.start_mapper(name="restarted")
    rig.until(lambda: rig.health.get("state") == "active", 20, "the new mapper")
    heard = robot.drive_until_heard(20)
    robot.drive(range(heard + 1, heard + 10))
    settled(rig, robot, heard + 9)
    assert_all_have(rig, [early], tmp_path / "scene", len(early.keyframes()))
    assert early.keyframes()[0].id > before[-1].id
