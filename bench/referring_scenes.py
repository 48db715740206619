"""Scenes that referring expressions are about: true scene graphs, and what is perceived of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from spatial_vlm_ros.config import MemoryConfig
from spatial_vlm_ros.judge import stands_for
from spatial_vlm_ros.memory import SpatialMemory
from spatial_vlm_ros.scene.graph import FloorMap, ObjectState, SceneGraph, SceneObject
from spatial_vlm_ros.scene.relations import relations
from spatial_vlm_ros.simulation import robot
from spatial_vlm_ros.simulation.noise import MAX_RANGE, MIN_RANGE
from spatial_vlm_ros.simulation.record import (
    APPEARED_PIXELS,
    build,
    object_truth,
    room_truth,
    simulate,
)
from spatial_vlm_ros.simulation.renderer import Renderer
from spatial_vlm_ros.simulation.truth import TrueObject, TrueRoom, Truth, load_truth, scene_pose
from spatial_vlm_ros.sources import open_source

FOLDER = Path("build/bench")
# About 110 images. So few that the memory forgets what was in view for a moment only, and takes it
# for new when it comes again: the order of appearance suffers, and less so with more images.
DRIVE: dict[str, Any] = {"rooms": 2, "fps": 2.0}
GLANCE_FPS = 1.0  # of the small images that tell when a thing is first in view
GLANCE = robot.camera(160, 120)
RESOLUTION = 0.05  # of true floors [m]


def true_graph(
    objects: Sequence[TrueObject], rooms: Sequence[TrueRoom], floor_z: float
) -> SceneGraph:
    """The scene graph of one who knows all that was ever in view exactly."""
    seen = tuple(
        SceneObject(
            *(item.id, item.category, 1.0, item.box, ObjectState.CONFIRMED, item.colour, 1.0),
            *(item.first_visible_ns, item.first_visible_ns, 1),
        )
        for item in objects
        if item.first_visible_ns is not None
    )
    floor = _floor(rooms, floor_z)
    return SceneGraph(seen, relations(seen), (), (), floor, None, stamp_ns=0, revision=1)


def _floor(rooms: Sequence[TrueRoom], z: float) -> FloorMap:
    corners = np.concatenate([room.outline_scene for room in rooms])
    low, high = corners.min(axis=0), corners.max(axis=0)
    columns, rows = np.ceil((high - low) / RESOLUTION).astype(int) + 1
    cells = np.zeros((rows, columns), np.uint8)
    for room in rooms:
        outline = np.rint((room.outline_scene - low) / RESOLUTION - 0.5).astype(np.int32)
        cv2.fillPoly(cells, [outline], 1)
    return FloorMap(float(low[0]), float(low[1]), z, RESOLUTION, cells.astype(bool))


def furnished(seed: int, rooms: int) -> SceneGraph:
    """The true graph of a building that is driven through without being recorded.

    When a thing is first in view follows from small images of ids and depth along the drive, by the
    rule of recordings: enough pixels within the range of the camera.
    """
    world, drive = build(seed, rooms)
    seconds = np.arange(0.0, drive.duration, 1 / GLANCE_FPS)
    poses = [robot.camera_pose(robot.base_pose(*pose)) for pose in drive.pose(seconds)]
    renderer = Renderer(world.mesh(), world.room_lights(), GLANCE)
    least = APPEARED_PIXELS * GLANCE.width * GLANCE.height / (640 * 480)
    first: dict[int, int] = {}
    for second, pose in zip(seconds, poses, strict=True):
        image = renderer.render(pose)
        in_range = (image.depth > MIN_RANGE) & (image.depth < MAX_RANGE)
        for number in np.flatnonzero(np.bincount(image.ids[in_range]) >= least):
            first.setdefault(int(number), int(second * 1e9))
    T_map_scene = scene_pose(poses[0])
    objects = [
        object_truth(world, item, T_map_scene, first.get(item.id), 0, 0.0) for item in world.objects
    ]
    return true_graph(objects, room_truth(world, T_map_scene), -float(T_map_scene[2, 3]))


@dataclass(frozen=True)
class Drive:
    """What was there, and what was perceived of it."""

    truth: Truth
    graph: SceneGraph

    @cached_property
    def true_graph(self) -> SceneGraph:
        """Of all that was ever in view."""
        truth = self.truth
        return true_graph(truth.objects, truth.rooms, -float(truth.T_map_scene[2, 3]))

    @cached_property
    def stands_for(self) -> dict[int, int]:
        """The true object that each perceived one stands for, 0 for none."""
        return {item.id: stands_for(item.box, self.truth) for item in self.graph.present()}


def perceived(seed: int) -> Drive:
    """A simulated drive, recorded and mapped with true labels; the recording is kept."""
    folder = FOLDER / f"referring-{seed}"
    simulate(folder, seed=seed, **DRIVE)
    memory = SpatialMemory(MemoryConfig(instances="labels"))
    for frame in open_source(folder / "bag"):
        memory.observe(frame)
    return Drive(load_truth(folder / "truth.json"), memory.graph())
