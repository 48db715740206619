"""Starts mapper and reasoner on a camera or a bag.

ros2 launch spatial_vlm_ros spatial_vlm.launch.py camera:=/camera
ros2 launch spatial_vlm_ros spatial_vlm.launch.py camera:=/camera rosbag:=path/to/bag rviz:=true
"""

from __future__ import annotations

from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_prefix
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    LogInfo,
    OpaqueFunction,
    SetEnvironmentVariable,
)
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchContext, LaunchDescription
from spatial_vlm_ros import presets
from spatial_vlm_ros.nodes.dds import profile_environment
from spatial_vlm_ros.reasoners.config import NAMES, encoder_for

SHARE = Path(__file__).resolve().parents[1]
# input of the mapper -> what follows the camera's namespace, as realsense2_camera names it
TOPICS = {
    "image": "color/image_raw",
    "depth": "aligned_depth_to_color/image_raw",
    "camera_info": "color/camera_info",
    "labels": "labels/image_raw",
    "label_info": "labels/label_info",
    "detections": "detections",
}
BOOLEANS = ["true", "false"]


def generate_launch_description() -> LaunchDescription:
    def argument(name: str, default: str, description: str, choices: list[str] | None = None):
        return DeclareLaunchArgument(
            name, default_value=default, description=description, choices=choices
        )

    return LaunchDescription(
        [
            DeclareLaunchArgument("camera", description="namespace of the camera, e.g. /camera"),
            *(
                argument(f"{name}_topic", "", f"topic of {name}; empty: <camera>/{suffix}")
                for name, suffix in TOPICS.items()
            ),
            argument("image_transport", "raw", "of the colour image", ["raw", "compressed"]),
            argument("depth_transport", "raw", "of the depth image", ["raw", "compressedDepth"]),
            argument("fixed_frame", "odom", "TF frame, z up, in which the camera moves"),
            argument(
                "preset",
                "rgbd_labels",
                "what the camera gives, and what makes objects of it (config/<preset>.yaml)",
                presets.names(),
            ),
            argument(
                "encoder",
                "",
                "features of the proxies: descriptors, none, or a Qwen2.5-VL checkpoint; empty: "
                "that of reasoner:=proxy3d, else descriptors",
            ),
            argument("reasoner", "geometric", "who answers questions", list(NAMES)),
            argument(
                "checkpoint",
                "",
                "the reasoner's model: a folder, fetched from the hub, or one that ships; empty: "
                "the small one for reasoner:=proxy3d or ssr",
            ),
            argument("device", "auto", "where the reasoner's model runs: auto, cpu, cuda, ..."),
            argument("params_file", "", "YAML for /**/mapper and /**/reasoner, over the preset"),
            argument("namespace", "", "namespace of both nodes"),
            argument("rosbag", "", "bag to play; simulated time is used then"),
            argument("rviz", "false", "show boxes and camera in RViz", BOOLEANS),
            OpaqueFunction(function=start),
        ]
    )


def start(context: LaunchContext) -> list:
    given = {
        name: LaunchConfiguration(name).perform(context) for name in context.launch_configurations
    }
    camera = given["camera"].rstrip("/")
    topics = {
        name: given[f"{name}_topic"] or f"{camera}/{suffix}" for name, suffix in TOPICS.items()
    }
    for name in ("rosbag", "params_file"):
        if given[name] and not Path(given[name]).expanduser().exists():
            raise RuntimeError(f"{name}:={given[name]} does not exist")
    times = {"use_sim_time": bool(given["rosbag"])}
    extra = [str(Path(given["params_file"]).expanduser())] if given["params_file"] else []
    names = ("fixed_frame", "image_transport", "depth_transport")
    encoder = given["encoder"] or encoder_for(given["reasoner"], given["checkpoint"])
    mapper = Node(
        package="spatial_vlm_ros",
        executable="mapper",
        name="mapper",
        namespace=given["namespace"],
        parameters=[
            str(presets.preset_file(given["preset"])),
            {name: given[name] for name in names},
            {"encoder.checkpoint": encoder},
            times,
            *extra,
        ],
        remappings=list(topics.items()),
        output="screen",
    )
    reasoner = Node(
        package="spatial_vlm_ros",
        executable="reasoner",
        name="reasoner",
        namespace=given["namespace"],
        parameters=[
            {
                "reasoner": given["reasoner"],
                "model.checkpoint": given["checkpoint"],
                "model.device": given["device"],
            },
            times,
            *extra,
        ],
        remappings=[(name, f"mapper/{name}") for name in ("scene_graph", "proxies", "keyframes")],
        output="screen",
    )
    profile = [SetEnvironmentVariable(*item) for item in profile_environment().items()]
    shown = [rviz(given["namespace"], topics["image"], times)] if given["rviz"] == "true" else []
    played = [play(given["rosbag"])] if given["rosbag"] else []
    heard = ", ".join(topics[name] for name in ("image", "depth", "camera_info"))
    return [*profile, LogInfo(msg=f"mapper listens to {heard}"), mapper, reasoner, *shown, *played]


def play(bag: str) -> ExecuteProcess | Node:
    """The bag with /clock, by ``ros2 bag play`` where that is installed."""
    path = str(Path(bag).expanduser())
    try:
        get_package_prefix("ros2bag")
    except PackageNotFoundError:
        return Node(
            package="spatial_vlm_ros",
            executable="player",
            arguments=[path, "--clock"],
            output="screen",
        )
    qos = str(SHARE / "config" / "bag_qos.yaml")
    command = ["ros2", "bag", "play", path, "--clock", "--delay", "5.0"]
    return ExecuteProcess(cmd=[*command, "--qos-profile-overrides-path", qos], output="screen")


def rviz(namespace: str, image: str, times: dict) -> Node:
    prefix = f"/{namespace.strip('/')}".rstrip("/")
    seen = image if image.startswith("/") else f"{prefix}/{image}"
    topics = ("markers", "objects", "proxy_markers")
    shown = {f"/mapper/{name}": f"{prefix}/mapper/{name}" for name in topics}
    return Node(
        package="rviz2",
        executable="rviz2",
        arguments=["-d", str(SHARE / "rviz" / "spatial_vlm.rviz")],
        parameters=[times],
        remappings=[*shown.items(), ("/camera/color/image_raw", seen)],
    )
