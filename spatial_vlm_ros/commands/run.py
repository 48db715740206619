"""``spatial-vlm run``: a bag or a folder of images becomes a scene, without ROS."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spatial_vlm_ros.nodes.mapper_config import MapperConfig

_TOPICS = ("color", "depth", "camera_info", "labels", "label_info", "detections")


def add(commands: Any) -> None:
    """The command and its arguments."""
    run = commands.add_parser("run", help="map a bag or a folder of images, without ROS")
    run.set_defaults(command=map_path)
    run.add_argument("path", type=Path, help="bag (folder, .mcap, .db3) or folder of frames")
    run.add_argument(
        "--preset",
        help="what the camera gives and what makes objects of it, e.g. rgb_vggt, as for ros2 "
        "launch (default: rgbd_labels, rgbd_detections or rgbd_geometric, by what is recorded)",
    )
    run.add_argument(
        "--params-file",
        type=Path,
        metavar="YAML",
        help="for /**/mapper, over the preset; how messages come (input.*, transports, rectified) "
        "has no effect here",
    )
    run.add_argument("--output", type=Path, default=Path("scene"), help="folder (default scene)")
    run.add_argument("--frames", type=int, help="stop after this many frames")
    run.add_argument("--fixed-frame", help="TF frame of the poses (default odom, else TF's root)")
    run.add_argument(
        "--up", help="axis of the fixed frame that points up, e.g. --up=-y (default z)"
    )
    run.add_argument(
        "--encoder",
        help="features of the proxies: descriptors, none, or a Qwen2.5-VL checkpoint; for ask "
        "--reasoner proxy3d that of the reasoner (default descriptors)",
    )
    topics = run.add_argument_group("topics of a bag, where their names and types leave a doubt")
    for name in _TOPICS:
        topics.add_argument(f"--{name.replace('_', '-')}", metavar="TOPIC")


def map_path(arguments: argparse.Namespace) -> int:
    """Exit status 0; errors are ``ValueError``."""
    from spatial_vlm_ros.offline import map_recording
    from spatial_vlm_ros.sources import open_source

    names = {name: getattr(arguments, name) for name in ("fixed_frame", *_TOPICS)}
    preset, source, poses = arguments.preset, None, True
    if preset is None:
        source = open_source(arguments.path, **names)
        preset = f"rgbd_{source.instances}"
    config = _settings(arguments, preset)
    if names["fixed_frame"] is None and config.fixed_frame != type(config)().fixed_frame:
        names["fixed_frame"], source = config.fixed_frame, None
    if source is None or (source.streams, poses) != (config.streams, config.geometry.needs_poses):
        poses = config.geometry.needs_poses
        source = open_source(arguments.path, streams=config.streams, poses=poses, **names)
    map_recording(source, arguments.output, config, arguments.frames)
    return 0


def _settings(arguments: argparse.Namespace, preset: str) -> MapperConfig:
    from spatial_vlm_ros import presets
    from spatial_vlm_ros.nodes.mapper_config import MapperConfig  # the file is of its parameters

    given = {"up": arguments.up, "encoder.checkpoint": arguments.encoder}
    given = {name: value for name, value in given.items() if value is not None}
    files = [presets.preset_file(preset)]
    if arguments.params_file is not None:
        files.append(arguments.params_file.expanduser())
    return presets.load(MapperConfig, *files, given=given)
