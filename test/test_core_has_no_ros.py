"""The core runs on a machine without ROS: all but nodes and demo imports with ROS blocked."""

from __future__ import annotations

import json
import subprocess
import sys

SCRIPT = """
import importlib, json, pkgutil, sys

ROS = ("rclpy", "ament_index_python", "launch", "launch_ros", "tf2_ros", "tf2_py", "rosidl_parser",
       "builtin_interfaces", "rcl_interfaces", "std_srvs")

class NoRos:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in ROS or top.endswith("_msgs"):
            raise ModuleNotFoundError(f"{name} is blocked", name=name)

sys.meta_path.insert(0, NoRos())
for name in ("rclpy", "sensor_msgs.msg"):
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        assert "blocked" in str(error)
    else:
        sys.exit(f"{name} could be imported: the test proves nothing")

import spatial_vlm_ros

ALLOWED = ("spatial_vlm_ros.nodes", "spatial_vlm_ros.tf.tf2", "spatial_vlm_ros.demo")
names = [
    module.name
    for module in pkgutil.walk_packages(spatial_vlm_ros.__path__, "spatial_vlm_ros.")
    if not module.name.startswith(ALLOWED)
]
for name in names:
    importlib.import_module(name)
print(json.dumps(names))
"""


def test_every_module_outside_the_nodes_imports_without_ros():
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=120, check=False
    )
    assert run.returncode == 0, run.stderr
    names = json.loads(run.stdout.splitlines()[-1])
    assert {
        "spatial_vlm_ros.assembler",
        "spatial_vlm_ros.cli",
        "spatial_vlm_ros.frame",
        "spatial_vlm_ros.memory",
        "spatial_vlm_ros.reasoning.geometric",
        "spatial_vlm_ros.simulation.record",
        "spatial_vlm_ros.tf.buffer",
    } <= set(names)
