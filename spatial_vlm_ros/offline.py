"""Maps a recording without ROS: a bag or folder in, scene, pictures and a table out."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from spatial_vlm_ros.drawing import Album, proxies_above, save_picture, top_down
from spatial_vlm_ros.frame import Frame
from spatial_vlm_ros.keyframes.files import PICTURES
from spatial_vlm_ros.memory import SpatialMemory
from spatial_vlm_ros.perception.opening import open_perception
from spatial_vlm_ros.perception.pipeline import Perception
from spatial_vlm_ros.perception_config import PerceptionConfig
from spatial_vlm_ros.proxies.opening import open_proxies
from spatial_vlm_ros.scene.graph import SceneGraph
from spatial_vlm_ros.scene_frame import inverse
from spatial_vlm_ros.sources import FolderSource, RosbagSource


def map_recording(
    source: RosbagSource | FolderSource,
    output: Path,
    config: PerceptionConfig,
    limit: int | None = None,
) -> None:
    """Map a recording, write the scene and pictures of it to ``output``, print the objects.

    At most ``limit`` frames are used. ``ValueError`` says why no frame could be used.
    """
    memory, perception = SpatialMemory(config, open_proxies(config)), open_perception(config)
    path_fixed: list[NDArray[np.float64]] = []
    times_ms: list[float] = []
    refused: Counter[str] = Counter()
    album = Album()
    count = len(source) if limit is None else min(limit, len(source))
    frames = tqdm(islice(source, limit), "mapping", count, unit="frame", disable=None)
    for frame in _completed(frames, perception, refused):
        start = time.perf_counter()
        try:
            memory.observe(frame)
            memory.encode_keyframe()
        except ValueError as reason:
            refused[str(reason)] += 1
            continue
        times_ms.append(1e3 * (time.perf_counter() - start))
        assert frame.T_fixed_camera is not None  # or the memory had refused it
        path_fixed.append(frame.T_fixed_camera[:3, 3])
        album.offer(frame)
    for cause, number in source.dropped.items():
        refused[f"{cause}: {source.details.get(cause, '')}"] += number
    for text, number in refused.most_common():
        print(f"{number} frames not used: {text}")
    if memory.T_fixed_scene is None:
        raise ValueError(f"no usable frame in {source.path}; {perception.problem}".rstrip("; "))
    scene, T_scene_fixed = memory.graph(), inverse(memory.T_fixed_scene)
    path_scene = np.array(path_fixed) @ T_scene_fixed[:3, :3].T + T_scene_fixed[:3, 3]
    output.mkdir(parents=True, exist_ok=True)
    memory.save(output, source.fixed_frame if config.geometry.poses == "tf" else "")
    save_picture(output / "scene.png", top_down(scene, path_scene))
    save_picture(output / "overlay.png", album.best_overlay(scene.present(), T_scene_fixed))
    print_objects(scene)
    if memory.proxies is not None:
        reading = memory.proxies.read()
        points = reading.sequence.points_scene.numpy(force=True)
        groups = reading.sequence.groups.numpy(force=True)
        save_picture(output / "proxies.png", proxies_above(scene, points, groups))
        number = len(set(groups.tolist()))
        print(f"{len(points)} proxies of {number} groups, features of {reading.encoder}")
    images, used = memory.keyframes.all(), memory.keyframes.bytes_used / 1e6
    print(f"{len(images)} keyframes, {used:.1f} MB, in {output / PICTURES}")
    median, p95 = np.percentile(times_ms, [50, 95]).tolist()
    print(
        f"{len(times_ms)} frames used, {median:.1f} ms a frame (median), {p95:.1f} ms (95 %), "
        f"instances from {config.instances}; written: {output}"
    )
    for what, said in perception.values().items():
        print(f"{what}: {said}")
    if perception.problem:
        print(f"warning: {perception.problem}")


def _completed(
    frames: Iterable[Frame], perception: Perception, refused: Counter[str]
) -> Iterator[Frame]:
    """Frames with depth, pose and instances; those without are counted by reason."""
    for frame in frames:
        try:
            perception.offer(frame)
        except (ValueError, RuntimeError) as reason:
            refused[str(reason)] += 1
        while perception.compute():
            pass
        yield from perception.ready()
    yield from perception.finish()


def print_objects(scene: SceneGraph) -> None:
    """A table of the confirmed objects: boxes in the scene frame, metres and degrees."""
    print(f"{'id':>4} {'label':16} {'colour':8} {'seen':>5}"
          f"   {'x':>6} {'y':>6} {'z':>6}   {'l':>5} {'w':>5} {'h':>5} {'yaw':>5}")  # fmt: skip
    for item in scene.present():
        box = item.box
        print(f"{item.id:4} {item.label:16.16} {item.colour:8}"
              f" {item.observations:5}   {box.x:6.2f} {box.y:6.2f} {box.z:6.2f}"
              f"   {box.length:5.2f} {box.width:5.2f} {box.height:5.2f}"
              f" {np.degrees(box.yaw):5.0f}")  # fmt: skip
