"""The launch file under the real launch system, where it can be imported."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("launch")
pytest.importorskip("launch_ros")
from launch.actions import DeclareLaunchArgument
from launch.utilities import perform_substitutions
from launch_ros.actions import Node
from launch_ros.utilities import evaluate_parameters
from rcl_interfaces.srv import GetParameters
from ros_rig import Rig

from launch import LaunchContext
from spatial_vlm_ros.simulation.record import simulate

LAUNCH_FILE = Path(__file__).parents[1] / "launch" / "spatial_vlm.launch.py"
# What `ros2 launch <file> a:=b` does, without ros2cli.
ROS2_LAUNCH = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import AnyLaunchDescriptionSource
arguments = [tuple(argument.split(":=", 1)) for argument in sys.argv[2:]]
service = LaunchService(noninteractive=True)
source = AnyLaunchDescriptionSource(sys.argv[1])
service.include_launch_description(
    LaunchDescription([IncludeLaunchDescription(source, launch_arguments=arguments)])
)
sys.exit(service.run())
"""


def description(**given: str):
    """(arguments, started actions) of the launch file with ``given`` arguments."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("launch_file", LAUNCH_FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    entities = module.generate_launch_description().entities
    context = LaunchContext()
    context.launch_configurations.update(given)
    arguments = {e.name: e for e in entities if isinstance(e, DeclareLaunchArgument)}
    for argument in arguments.values():
        argument.execute(context)
    return arguments, module.start(context)


def test_camera_is_the_only_thing_to_give_and_all_is_described():
    arguments, _ = description(camera="/camera")
    needed = [name for name, argument in arguments.items() if argument.default_value is None]
    assert needed == ["camera"]
    assert all(len(argument.description) > 8 for argument in arguments.values())


def test_wrong_choice_is_refused():
    with pytest.raises(RuntimeError, match="preset"):
        description(camera="/camera", preset="psychic")


@pytest.mark.parametrize("argument", ["rosbag", "params_file"])
def test_missing_file_is_refused_before_anything_starts(argument):
    with pytest.raises(RuntimeError, match=f"{argument}:=/no/where does not exist"):
        description(camera="/camera", **{argument: "/no/where"})


def test_without_bag_and_rviz_two_nodes_start(tmp_path):
    _, actions = description(camera="/camera")
    nodes = [action.node_executable for action in actions if isinstance(action, Node)]
    assert nodes == ["mapper", "reasoner"]
    _, actions = description(camera="/camera", rviz="true", rosbag=str(tmp_path))
    nodes = [action.node_executable for action in actions if isinstance(action, Node)]
    assert nodes[:3] == ["mapper", "reasoner", "rviz2"]


def parameters_of(**given: str) -> dict[str, dict[str, object]]:
    """Node to its parameters, those of files left out."""
    context = LaunchContext()
    _, actions = description(camera="/camera", **given)
    found: dict[str, dict[str, object]] = {}
    for node in (action for action in actions if isinstance(action, Node)):
        evaluated = evaluate_parameters(context, node._Node__parameters)
        parts = [part for part in evaluated if isinstance(part, dict)]
        found[node.node_executable] = {name: part[name] for part in parts for name in part}
    return found


def test_the_reasoner_gets_its_model_and_the_mapper_the_encoder_that_fits():
    given = parameters_of()
    assert given["reasoner"]["reasoner"] == "geometric"
    assert given["mapper"]["encoder.checkpoint"] == "descriptors"
    given = parameters_of(reasoner="proxy3d", checkpoint="/models/a", device="cuda:1")
    assert given["reasoner"]["model.checkpoint"] == "/models/a"
    assert given["reasoner"]["model.device"] == "cuda:1"
    assert given["mapper"]["encoder.checkpoint"] == "/models/a"
    given = parameters_of(reasoner="proxy3d", checkpoint="/models/a", encoder="Qwen/base")
    assert given["mapper"]["encoder.checkpoint"] == "Qwen/base"
    given = parameters_of(reasoner="chat", checkpoint="/models/a")
    assert given["mapper"]["encoder.checkpoint"] == "descriptors"


def test_without_a_checkpoint_both_get_the_model_that_ships(small_ship):
    given = parameters_of(reasoner="proxy3d")
    assert given["mapper"]["encoder.checkpoint"] == "proxy3d-small"
    assert given["reasoner"]["model.checkpoint"] == ""  # opens the same
    given = parameters_of(reasoner="proxy3d", encoder="none")
    assert given["mapper"]["encoder.checkpoint"] == "none"
    given = parameters_of(reasoner="ssr")
    assert given["mapper"]["encoder.checkpoint"] == "descriptors"


@pytest.mark.parametrize(
    ("camera", "namespace", "image"),
    [
        ("/head", "", "/head/color/image_raw"),
        ("head", "robot", "/robot/head/color/image_raw"),
    ],
)
def test_rviz_shows_the_camera_and_the_scene_that_the_mapper_has(camera, namespace, image):
    rviz_file = (LAUNCH_FILE.parents[1] / "rviz" / "spatial_vlm.rviz").read_text()
    _, actions = description(camera=camera, namespace=namespace, rviz="true")
    (rviz,) = [a for a in actions if isinstance(a, Node) and a.node_executable == "rviz2"]
    context = LaunchContext()
    remaps = dict(
        tuple(perform_substitutions(context, side) for side in pair)
        for pair in rviz._Node__remappings
    )
    assert remaps["/camera/color/image_raw"] == image
    prefix = f"/{namespace}".rstrip("/")
    for name in ("markers", "proxy_markers"):
        assert remaps[f"/mapper/{name}"] == f"{prefix}/mapper/{name}"
    for topic in ("/camera/color/image_raw", "/mapper/markers", "/mapper/proxy_markers"):
        assert f"Value: {topic}\n" in rviz_file, "what is remapped is what RViz shows"


def test_bag_players_keep_the_static_transforms_of_all_publishers():
    from types import SimpleNamespace

    from spatial_vlm_ros.nodes.player import qos_of

    overrides = (LAUNCH_FILE.parents[1] / "config" / "bag_qos.yaml").read_text()
    static = overrides.partition("/tf_static:")[2].partition("\n/")[0]
    assert "depth: 100" in static and "transient_local" in static
    connection = SimpleNamespace(
        topic="/tf_static",
        msgtype="tf2_msgs/msg/TFMessage",
        ext=SimpleNamespace(offered_qos_profiles=()),
    )
    assert qos_of(connection, best_effort=True).depth == 100


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated")
    simulate(folder, seed=3, rooms=1, fps=10, width=320, height=240, seconds=3, progress=False)
    return folder / "bag"


@pytest.mark.parametrize("preset", ["rgbd_labels", "rgbd_geometric"])
def test_bag_is_played_mapped_and_ended(tmp_path, bag, preset):
    with Rig(tmp_path) as rig:
        domain = {"ROS_DOMAIN_ID": str(rig.domain), "ROS_LOG_DIR": str(tmp_path)}
        environment = {**os.environ, **domain}
        for name in ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE"):
            environment.pop(name, None)
        arguments = ["camera:=/camera", f"rosbag:={bag}", f"preset:={preset}"]
        with (tmp_path / "launch.log").open("wb") as log:
            rig.processes["launch"] = launched = subprocess.Popen(
                [sys.executable, "-c", ROS2_LAUNCH, str(LAUNCH_FILE), *arguments],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        rig.until(lambda: rig.health.get("state") == "active", 30, "the mapper")
        rig.until(lambda: rig.value("frames in") >= 25, 30, "images")
        rig.until(lambda: rig.value("frames used") >= 8, 30, "frames")
        rig.until(rig.cubes, 20, "objects")
        if preset == "rgbd_labels":
            assert {o.label for o in rig.cubes()} - {"object"}, "names from the label image"
        assert "reasoner" in rig.node.get_node_names()
        waits = rig.call(GetParameters, "/mapper/get_parameters", names=["input.pair_wait"])
        assert waits.values[0].double_value == (2.0 if preset == "rgbd_labels" else 1.0)
        rig.until(lambda: "finished cleanly" in rig.log("launch"), 20, "the player to end")
        time.sleep(0.5)
        launched.send_signal(signal.SIGINT)
        launched.wait(20)
        log = rig.log("launch")
        assert "Traceback" not in log and "process has died" not in log, log
        assert log.count("process has finished cleanly") == 3, log
