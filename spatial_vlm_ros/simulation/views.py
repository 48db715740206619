"""Images of a simulated building with their truth, straight from the renderer: no bag between."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.config import ProxyConfig
from spatial_vlm_ros.data.scenes import AnnotatedObject, AnnotatedScene
from spatial_vlm_ros.frame import Frame, LabelImage
from spatial_vlm_ros.proxies.keyframes import KeyframeGate
from spatial_vlm_ros.simulation import robot
from spatial_vlm_ros.simulation.filming import Camera, Set, Shot
from spatial_vlm_ros.simulation.record import (
    APPEARED_PIXELS,
    EPOCH_NS,
    SEEN_PIXELS,
    build,
    object_truth,
)
from spatial_vlm_ros.simulation.seen import Surfels
from spatial_vlm_ros.simulation.trajectory import Drive
from spatial_vlm_ros.simulation.truth import scene_pose
from spatial_vlm_ros.simulation.world import World

FPS = 10.0
LICENSE = "Apache-2.0"


@dataclass(frozen=True, eq=False)
class Views:
    """What a drive through a building shows: images in the order of time, and what is true.

    frames: with depth, true instance ids and camera poses in the map. scene: ``simulated/room-7``;
    its objects are those that at least one image shows well, under the ids of the images; its
    views are the frames, its world is the map.
    """

    frames: tuple[Frame, ...]
    scene: AnnotatedScene


def scene_name(seed: int, rooms: int = 1) -> str:
    """Of the building of this seed."""
    return f"simulated/room-{seed}" if rooms == 1 else f"simulated/rooms{rooms}-{seed}"


def take_views(
    seed: int, rooms: int = 1, most: int | None = 24, width: int = 336, height: int = 252
) -> Views:
    """Views of the building of this seed; the same arguments give the same views.

    They are keyframes as a mapper takes them, at most ``most`` of them, spread evenly over the
    drive. ``ValueError``: no such building can be driven through.
    """
    world, drive = build(seed, rooms)
    times, T_map_camera = _keyframes(drive)
    if most is not None and len(times) > most:
        kept = np.linspace(0, len(times) - 1, most).round().astype(int)
        times, T_map_camera = times[kept], T_map_camera[kept]
    mesh, intrinsics = world.mesh(), robot.camera(width, height)
    nothing = Surfels(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0, np.int32))
    camera = Camera(Set(mesh, world.room_lights(), nothing, intrinsics, seed))
    shots = [camera.shoot(number, pose) for number, pose in enumerate(T_map_camera)]
    frames = [
        Frame(
            stamp_ns=EPOCH_NS + round(1e9 * time),
            rgb=shot.rgb,
            depth=shot.depth_mm.astype(np.float32) / np.float32(1000),
            intrinsics=intrinsics,
            T_fixed_camera=pose,
            labels=LabelImage(shot.ids.astype(np.int32), world.names),
        )
        for time, pose, shot in zip(times.tolist(), T_map_camera, shots, strict=True)
    ]
    return Views(tuple(frames), _scene(scene_name(seed, rooms), world, T_map_camera, shots))


def _keyframes(drive: Drive) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times (n,) and camera poses (n, 4, 4) of the images of a drive that a mapper would use."""
    times = np.arange(0.0, drive.duration, 1 / FPS)
    poses = [robot.camera_pose(robot.base_pose(*pose)) for pose in drive.pose(times)]
    gate = KeyframeGate(ProxyConfig())
    kept = [gate.passes(pose, 0, unknown=False) for pose in poses]
    return times[kept], np.array(poses)[kept]


def _scene(
    name: str, world: World, T_map_camera: NDArray[np.float64], shots: list[Shot]
) -> AnnotatedScene:
    T_map_scene = scene_pose(T_map_camera[0])
    T_scene_map = np.linalg.inv(T_map_scene)
    pixels = np.array([shot.pixels for shot in shots])  # (views, ids)
    area = shots[0].ids.size / (640 * 480)
    floor = np.array(world.plan.floor.exterior.coords)[:-1]
    objects = []
    for item in world.objects:
        if pixels[:, item.id].max() < SEEN_PIXELS * area:
            continue
        box = object_truth(world, item, T_map_scene, None, 0, 0.0).box
        first = int(np.argmax(pixels[:, item.id] >= APPEARED_PIXELS * area))
        objects.append(AnnotatedObject(item.id, item.category, box, item.colour, first))
    return AnnotatedScene(
        name=name,
        objects=tuple(objects),
        T_world_first=T_map_camera[0],
        T_scene_views=T_scene_map @ T_map_camera,
        views=("",) * len(shots),
        floor_z=float(T_scene_map[2, 3]),
        floor_area=float(sum(room.polygon.area for room in world.plan.rooms)),
        outline=floor @ T_scene_map[:2, :2].T + T_scene_map[:2, 3],
        license=LICENSE,
    )
