"""The doctor and the asking client beside real nodes, well and sick."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

pytest.importorskip("rclpy")
from rclpy.qos import ReliabilityPolicy
from ros_rig import Rig, Robot
from sensor_msgs.msg import Image

from spatial_vlm_ros.cli import main
from spatial_vlm_ros.doctor import Finding, Level
from spatial_vlm_ros.nodes.ask_client import AskClient
from spatial_vlm_ros.nodes.checkup import checkup

TOPICS = ("tf", "info", "color", "depth", "labels")


@pytest.fixture
def rig(tmp_path, monkeypatch) -> Iterator[Rig]:
    with Rig(tmp_path) as made:
        monkeypatch.setenv("ROS_DOMAIN_ID", str(made.domain))
        yield made


@contextmanager
def driving(rig: Rig, robot: Robot, *topics: str) -> Iterator[None]:
    """The robot drives on, publishing ``topics``, until the block is left."""
    over = threading.Event()

    def drive() -> None:
        step = 0
        while not over.wait(0.08):
            robot.send(robot.messages(step), *topics)
            step += 1

    thread = threading.Thread(target=drive)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def findings(rig: Rig, robot: Robot, *topics: str) -> list[Finding]:
    """Of a mapper that has said something of itself."""
    with driving(rig, robot, *topics):
        rig.until(lambda: rig.health, 15, "the mapper's diagnostics")
        return list(checkup("/mapper", 3.0))


def findings_later(rig: Rig, robot: Robot, name: str) -> list[Finding]:
    """Of a mapper that has got over what it missed while the first topics were discovered."""
    with driving(rig, robot, *TOPICS):
        rig.until(lambda: rig.value("frames used") > 3, 30, "the first frames")
        time.sleep(2.5)  # two rounds of its watchdog: what was missed before has been told
        rig.until(lambda: rig.healthy, 15, "a well mapper")
        return list(checkup(name, 3.0))


def of_level(found: list[Finding], level: Level) -> str:
    return "\n".join(f"{f.subject}: {f.text} -> {f.remedy}" for f in found if f.level is level)


def test_a_healthy_mapper(rig: Rig) -> None:
    robot = Robot(rig)
    rig.start_mapper()
    found = findings_later(rig, robot, "/mapper")
    assert of_level(found, Level.FAIL) == of_level(found, Level.WARN) == ""
    well = of_level(found, Level.OK)
    assert "images became frames in odom" in well
    assert "messages/s on /depth" in well
    assert "frames used" in well  # the mapper's own words


def test_a_mapper_in_a_namespace_with_topics_of_odd_names(rig: Rig) -> None:
    robot = Robot(rig)
    for name, topic in (("color", "/kinect/picture"), ("depth", "/kinect/range")):
        setattr(robot, name, rig.node.create_publisher(Image, topic, 10))
    rig.start_mapper(
        "__ns:=/second",
        "image:=/kinect/picture",
        "depth:=/kinect/range",
        *(f"{name}:=/{name}" for name in ("camera_info", "labels", "label_info")),
        input__slop=0.2,
    )
    robot.wait()
    found = findings_later(rig, robot, "/second/mapper")
    assert of_level(found, Level.FAIL) == of_level(found, Level.WARN) == ""
    well = of_level(found, Level.OK)
    assert "depth: " in well and "messages/s on /kinect/range" in well
    assert "frames used" in well


def test_missing_topic_is_named_with_what_could_be_meant(rig: Rig) -> None:
    robot = Robot(rig)
    rig.start_mapper("depth:=/camera/depth_registered")
    bad = of_level(findings(rig, robot, *TOPICS), Level.FAIL)
    assert "no depth on /camera/depth_registered" in bad
    assert "/depth" in bad.partition("remap it to one of")[2]


def test_unconnected_transform_names_the_frames(rig: Rig) -> None:
    robot = Robot(rig)
    rig.start_mapper(fixed_frame="map")
    bad = of_level(findings(rig, robot, *TOPICS), Level.FAIL)
    assert "map <- camera_color_optical_frame" in bad


def test_qos_that_does_not_fit_is_told(rig: Rig) -> None:
    robot = Robot(rig, reliability=ReliabilityPolicy.BEST_EFFORT)
    rig.start_mapper(**{"qos_overrides./image.subscription.reliability": "reliable"})
    bad = of_level(findings(rig, robot, *TOPICS), Level.FAIL)
    assert "no color on /image" in bad
    assert "QoS" in bad
    assert "best_effort" in bad


def test_absent_mapper_is_a_warning_with_the_nodes_there_are(rig: Rig) -> None:
    rig.start_mapper("__node:=other_mapper")
    rig.until(lambda: rig.health, 15, "the other mapper")
    found = list(checkup("/mapper", 1.0))
    assert [f.level for f in found] == [Level.WARN]
    assert "/other_mapper" in found[0].text


def test_asking_nobody_says_who_was_expected_where(rig: Rig, capsys) -> None:
    with AskClient("/nobody") as client, pytest.raises(ConnectionError) as refusal:
        client.wait_for_reasoner(0.5)
    assert "/nobody/ask" in str(refusal.value)
    assert f"ROS_DOMAIN_ID={rig.domain}" in str(refusal.value)


def test_command_line_asks_the_running_reasoner(rig: Rig, capsys) -> None:
    robot = Robot(rig)
    rig.start_mapper()
    rig.start_reasoner()
    with driving(rig, robot, *TOPICS):
        rig.until(rig.cubes, 20, "a cube")
    assert main(["ask", "--ros", "How many cubes are there?"]) == 0
    assert "1" in capsys.readouterr().out
    assert main(["ask", "--ros", "Where is the piano?"]) == 1
    assert "piano" in capsys.readouterr().out
