"""The memory as files: scene.json to read, points.npz for points, its proxies and keyframes."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.config import MemoryConfig
from spatial_vlm_ros.files import replaced
from spatial_vlm_ros.keyframes import Keyframe
from spatial_vlm_ros.keyframes import files as keyframe_files
from spatial_vlm_ros.perception.walls import Wall
from spatial_vlm_ros.scene.box import Box
from spatial_vlm_ros.scene.floor import Floor
from spatial_vlm_ros.scene.graph import ObjectState
from spatial_vlm_ros.scene.object_memory import ObjectMemory
from spatial_vlm_ros.scene.tracked import TrackedObject, extent_of
from spatial_vlm_ros.scene.voxel_points import VoxelPoints

_VOXEL_ARRAYS = ("keys", "means", "weights", "trust")
FORMAT = "spatial_vlm_ros scene"
VERSION = 1
SCENE = "scene.json"
PROXIES = "proxies.safetensors"


@dataclass
class State:
    """All that a memory keeps between frames. scale_spread: see :class:`SceneGraph`."""

    T_fixed_scene: NDArray[np.float64]
    stamp_ns: int
    revision: int
    T_scene_robot: NDArray[np.float64] | None
    objects: ObjectMemory
    floor: Floor
    walls: list[Wall]
    scale_spread: float = 0.0

    @property
    def name(self) -> str:
        """What tells it from other states, so that files of two are not mixed."""
        return f"{self.stamp_ns}-{self.revision}"


def save(
    folder: Path,
    state: State,
    fixed_frame: str,
    proxies: bytes | None = None,
    keyframes: Sequence[Keyframe] = (),
) -> None:
    """Write scene.json, points.npz, the content of a file of proxies and keyframes to ``folder``.

    It is made when absent. Without proxies or keyframes it has none then.

    ``OSError`` when they cannot be written; what was saved there before is then still there.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {
        "floor_cells": state.floor.cells,
        "floor_heights": state.floor.heights,
        "walls": np.array([_row(wall) for wall in state.walls]).reshape(-1, 9),
    }
    for item in state.objects.objects.values():
        arrays[f"surface_{item.id}"] = item.surface
        for name in _VOXEL_ARRAYS:
            arrays[f"{name}_{item.id}"] = getattr(item.voxels, name)
    metric = math.isfinite(state.scale_spread)
    lengths = "metres" if metric else "unknown lengths"
    content = {
        "format": FORMAT,
        "version": VERSION,
        "fixed_frame": fixed_frame,
        "units": f"{lengths}, radians, nanoseconds; boxes in the scene frame",
        "scale_spread": state.scale_spread if metric else None,
        "T_fixed_scene": state.T_fixed_scene.tolist(),
        "T_scene_robot": None if state.T_scene_robot is None else state.T_scene_robot.tolist(),
        "stamp_ns": state.stamp_ns,
        "revision": state.revision,
        "next_id": state.objects.next_id,
        "floor_height": state.floor.height,
        "objects": [_to_json(item) for item in state.objects.objects.values()],
    }
    with replaced(folder / "points.npz") as points, replaced(folder / SCENE) as scene:
        np.savez_compressed(points, **arrays)
        scene.write(json.dumps(content, indent=1).encode())
        if proxies is not None:
            with replaced(folder / PROXIES) as file:
                file.write(proxies)
        if keyframes:
            keyframe_files.save(folder, keyframes, state.name)
    if proxies is None:
        (folder / PROXIES).unlink(missing_ok=True)
    keyframe_files.clean(folder, keyframes)


def load(folder: Path, config: MemoryConfig, fixed_frame: str) -> State:
    """What :func:`save` wrote. ``ValueError`` says what is missing, damaged or does not agree."""
    folder = Path(folder)
    content = _read_json(folder / SCENE)
    if content["fixed_frame"] != fixed_frame:
        raise ValueError(
            f"{folder / SCENE} is a scene in frame {content['fixed_frame']!r}, the fixed "
            f"frame here is {fixed_frame!r}: set fixed_frame to the former or map anew"
        )
    try:
        with np.load(folder / "points.npz", allow_pickle=False) as arrays:
            return _state(content, dict(arrays), config)
    except FileNotFoundError:
        raise ValueError(f"{folder / 'points.npz'} is missing") from None
    except Exception as reason:
        raise ValueError(f"{folder} is damaged: {type(reason).__name__}: {reason}") from reason


def fixed_frame_of(folder: Path) -> str:
    """The fixed frame of a saved scene. ``ValueError`` when ``folder`` holds none."""
    return str(_read_json(Path(folder) / SCENE)["fixed_frame"])


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        raise ValueError(f"{path} is missing: no scene was saved there") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as reason:
        raise ValueError(f"{path} cannot be read: {reason}") from reason
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f"{path} is not a saved scene")
    if content.get("version") != VERSION:
        raise ValueError(f"{path} has version {content.get('version')}, this program {VERSION}")
    if "fixed_frame" not in content:
        raise ValueError(f"{path} names no fixed frame")
    return content


def _state(content: dict[str, Any], arrays: dict[str, Any], config: MemoryConfig) -> State:
    floor = Floor(config.floor, config.points)
    floor.cells, floor.heights = arrays["floor_cells"], arrays["floor_heights"]
    floor.height = content["floor_height"]
    objects = ObjectMemory(config)
    objects.next_id = content["next_id"]
    for row in content["objects"]:
        item = _from_json(row, arrays, config)
        if item.id in objects.objects or item.id >= objects.next_id:
            raise ValueError(f"object {item.id} is there twice or its id not below next_id")
        objects.objects[item.id] = item
    robot = content["T_scene_robot"]
    return State(
        _pose(content["T_fixed_scene"]),
        int(content["stamp_ns"]),
        int(content["revision"]),
        None if robot is None else _pose(robot),
        objects,
        floor,
        [
            Wall(row[:3], float(row[3]), row[4:6], row[6:8], float(row[8]))
            for row in arrays["walls"]
        ],
        _scale_spread(content),
    )


def _scale_spread(content: dict[str, Any]) -> float:
    """0 in files that are older than the key; null stands for inf, which JSON has not."""
    spread = content.get("scale_spread", 0.0)
    if spread is None:
        return math.inf
    if type(spread) not in (int, float) or not 0 <= spread < math.inf:
        raise ValueError(f"scale_spread is {spread!r}, neither null nor 0 or more")
    return float(spread)


def _row(wall: Wall) -> NDArray[np.float64]:
    return np.array([*wall.normal, wall.offset, *wall.along, *wall.up, wall.weight])


def _pose(rows: list[list[float]]) -> NDArray[np.float64]:
    pose = np.array(rows, dtype=np.float64)
    pose.setflags(write=False)
    if pose.shape != (4, 4) or not np.all(np.isfinite(pose)):
        raise ValueError("a pose is not a finite 4x4 matrix")
    turn = pose[:3, :3]
    if not np.allclose(turn @ turn.T, np.eye(3), atol=1e-6) or np.linalg.det(turn) < 0:
        raise ValueError("a pose has no rotation in it")
    return pose


#: Fields of an object that are written as they are, and their types.
_PLAIN: dict[str, type] = {
    "id": int,
    "label": str,
    "colour": str,
    "first_seen_ns": int,
    "last_seen_ns": int,
    "observations": int,
    "misses": int,
    "label_votes": dict,
    "colour_votes": dict,
    "fitted_voxels": int,
    "fitted_at": int,
}


def _to_json(item: TrackedObject) -> dict[str, Any]:
    row = {name: getattr(item, name) for name in _PLAIN}
    row["state"] = item.state.name
    row["box"] = dataclasses.asdict(item.box)
    row["voxel"] = item.voxels.size
    return row


def _from_json(row: dict[str, Any], arrays: dict[str, Any], config: MemoryConfig) -> TrackedObject:
    for name, kind in _PLAIN.items():
        if type(row[name]) is not kind or (kind is int and row[name] < 0):
            raise ValueError(f"object {row['id']}: {name} is {row[name]!r}")
    box = Box.from_tuple(row["box"][field.name] for field in dataclasses.fields(Box))
    voxels = VoxelPoints(float(row["voxel"]), config.box.max_voxels)
    for name in _VOXEL_ARRAYS:
        setattr(voxels, name, arrays[f"{name}_{row['id']}"])
    sizes = {len(getattr(voxels, name)) for name in _VOXEL_ARRAYS}
    if not np.all(np.isfinite(voxels.means)) or len(sizes) > 1:
        raise ValueError(f"object {row['id']}: its points are not finite or not complete")
    return TrackedObject(
        voxels=voxels,
        surface=arrays[f"surface_{row['id']}"],
        box=box,
        extent=extent_of(box),
        state=ObjectState[row["state"]],
        **{name: row[name] for name in _PLAIN},
    )
