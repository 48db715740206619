"""The Fast DDS profile: found, well formed, and images arrive with it over best effort."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from spatial_vlm_ros.nodes.dds import VARIABLES, profile_environment

IMAGES = 60

SENDER = f"""
import time, rclpy
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image
rclpy.init()
node = rclpy.create_node("sender")
colour = node.create_publisher(Image, "colour", qos_profile_sensor_data)
depth = node.create_publisher(Image, "depth", qos_profile_sensor_data)
while not (colour.get_subscription_count() and depth.get_subscription_count()):
    time.sleep(0.05)
time.sleep(0.5)
for _ in range({IMAGES}):
    colour.publish(Image(height=480, width=640, step=1920, data=bytes(480 * 1920)))
    depth.publish(Image(height=480, width=640, step=1280, data=bytes(480 * 1280)))
    time.sleep(1 / 30)
time.sleep(1)
node.destroy_node()
rclpy.shutdown()
"""

RECEIVER = """
import sys, time, rclpy
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image
rclpy.init()
node = rclpy.create_node("receiver")
count = {"colour": 0, "depth": 0}
last = time.monotonic() + 15
def hear(topic):
    def take(image):
        global last
        count[topic] += 1
        last = time.monotonic()
    return take
for topic in count:
    node.create_subscription(Image, topic, hear(topic), qos_profile_sensor_data)
while time.monotonic() - last < 1.5:
    rclpy.spin_once(node, timeout_sec=0.1)
print(min(count.values()))
node.destroy_node()
rclpy.shutdown()
"""


@pytest.fixture
def no_profile(monkeypatch):
    for name in VARIABLES.values():
        monkeypatch.delenv(name, raising=False)


def test_names_the_shipped_profile(no_profile):
    (path,) = set(profile_environment().values())
    sizes = [e.text for e in ET.parse(path).iter() if e.tag.endswith("segment_size")]
    assert sizes == [str(64 * 1024 * 1024)]


@pytest.mark.parametrize(
    ("packages", "expected"),
    [
        (["fastrtps"], {"FASTRTPS_DEFAULT_PROFILES_FILE"}),
        (["fastdds"], {"FASTDDS_DEFAULT_PROFILES_FILE"}),
        (["fastrtps", "fastdds"], set(VARIABLES.values())),
        ([], set(VARIABLES.values())),
    ],
)
def test_sets_the_variable_that_is_read(packages, expected, no_profile, monkeypatch, tmp_path):
    for package in packages:
        (tmp_path / package / "share" / package).mkdir(parents=True)
    prefixes = [str(tmp_path / package) for package in packages]
    monkeypatch.setenv("AMENT_PREFIX_PATH", os.pathsep.join(prefixes))
    assert set(profile_environment()) == expected


@pytest.mark.parametrize("name", VARIABLES.values())
def test_leaves_a_profile_of_the_user_alone(name, no_profile, monkeypatch):
    monkeypatch.setenv(name, "/their/own.xml")
    assert profile_environment() == {}


def test_installed_beside_the_nodes():
    pytest.importorskip("rclpy")
    from ament_index_python.packages import get_package_share_directory

    share = Path(get_package_share_directory("spatial_vlm_ros"))
    assert (share / "config" / "fastdds.xml").is_file()


def test_best_effort_images_arrive_between_processes(no_profile):
    pytest.importorskip("rclpy")
    domain = {"ROS_DOMAIN_ID": str(1 + (os.getpid() + 50) % 100)}
    environment = {**os.environ, **profile_environment(), **domain}
    receiver = subprocess.Popen(
        [sys.executable, "-c", RECEIVER], env=environment, stdout=subprocess.PIPE, text=True
    )
    sender = subprocess.Popen([sys.executable, "-c", SENDER], env=environment)
    try:
        arrived = int(receiver.communicate(timeout=60)[0])
        assert sender.wait(timeout=30) == 0
    finally:
        receiver.kill()
        sender.kill()
    assert arrived >= 0.9 * IMAGES, f"{arrived} of {IMAGES} pairs arrived"
