"""A scene with annotated boxes and camera poses, whichever data set it is from."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.data import checks
from spatial_vlm_ros.files import replaced
from spatial_vlm_ros.scene.box import Box
from spatial_vlm_ros.scene.nine_dof import OrientedBox, in_first_frame

Array = NDArray[np.float64]
T = TypeVar("T")

VERSION = 1


@dataclass(frozen=True)
class AnnotatedObject:
    """An object: number in its scene, as the data set counts; category; box in the scene frame.

    colour: "" where it is not known. first_seen: index of the first of the scene's views that shows
    it well, None where it is not known.
    """

    id: int
    category: str
    box: Box
    colour: str = ""
    first_seen: int | None = None


@dataclass(frozen=True, eq=False)
class AnnotatedScene:
    """A scene in the frame of its first camera: origin there, x forward, y left, z up, metres.

    name: "scannet/scene0000_00". T_world_first: (4, 4) pose of the first camera (x right, y down, z
    forward) in the data set's own world, whose ``up`` axis points up. T_scene_views: (n, 4, 4)
    poses of cameras, in order of time, views: their images, relative to the data set's folder, or
    as many "" where there are none. floor_area: m2, None where it is not known. outline: (k, 2)
    corners of the floor, or (0, 2). license: of the annotation.
    """

    name: str
    objects: tuple[AnnotatedObject, ...]
    T_world_first: Array
    up: str = "z"
    T_scene_views: Array = None  # type: ignore[assignment]
    views: tuple[str, ...] = ()
    floor_z: float | None = None
    floor_area: float | None = None
    outline: Array = None  # type: ignore[assignment]
    license: str = ""

    def __post_init__(self) -> None:
        poses = np.zeros((0, 4, 4)) if self.T_scene_views is None else self.T_scene_views
        outline = np.zeros((0, 2)) if self.outline is None else self.outline
        object.__setattr__(
            self, "T_world_first", _finite("T_world_first", self.T_world_first, 4, 4)
        )
        object.__setattr__(self, "T_scene_views", _finite("T_scene_views", poses, -1, 4, 4))
        object.__setattr__(self, "outline", _finite("outline", outline, -1, 2))
        checks.below("name", self.name)
        if len(self.views) != len(self.T_scene_views):
            raise ValueError(
                f"scene {self.name}: {len(self.views)} views, {len(self.T_scene_views)} poses"
            )
        numbers = [item.id for item in self.objects]
        if len(set(numbers)) < len(numbers):
            raise ValueError(f"scene {self.name}: object numbers repeat")

    def __getitem__(self, number: int) -> AnnotatedObject:
        """The object with this number; ``KeyError`` when there is none."""
        for item in self.objects:
            if item.id == number:
                return item
        raise KeyError(number)

    def box_from_world(self, box: OrientedBox) -> Box:
        """A box of the data set's world in the scene frame (7-DoF, canonical)."""
        return in_first_frame(box, self.T_world_first, self.up)


def write_scenes(path: Path, scenes: Iterable[AnnotatedScene]) -> int:
    """One line of JSON per scene; the number of them."""
    count = 0
    with replaced(path) as file:
        for scene in scenes:
            file.write(json.dumps(_to_json(scene), ensure_ascii=False).encode() + b"\n")
            count += 1
    return count


def read_scenes(path: Path) -> dict[str, AnnotatedScene]:
    """By name. ``ValueError`` names the line that is no scene of this version."""
    found: dict[str, AnnotatedScene] = {}
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                scene = _from_json(json.loads(line))
                if scene.name in found:
                    raise ValueError(f"{scene.name} was there before")
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                said = f"it has no {error}" if isinstance(error, KeyError) else error
                raise ValueError(f"{path}:{number} is no annotated scene: {said}") from None
            found[scene.name] = scene
    return found


def _to_json(scene: AnnotatedScene) -> dict[str, Any]:
    return {
        "version": VERSION,
        "name": scene.name,
        "license": scene.license,
        "T_world_first": np.round(scene.T_world_first, 6).tolist(),
        "up": scene.up,
        "floor_z": scene.floor_z,
        "floor_area": scene.floor_area,
        "outline": np.round(scene.outline, 4).tolist(),
        "objects": [
            {
                "id": item.id,
                "category": item.category,
                "box": [round(part, 4) for part in item.box.to_tuple()],
                "colour": item.colour,
                "first_seen": item.first_seen,
            }
            for item in scene.objects
        ],
        "views": list(scene.views),
        "T_scene_views": np.round(scene.T_scene_views, 6).tolist(),
    }


def _from_json(content: Any) -> AnnotatedScene:
    if not isinstance(content, Mapping):
        raise ValueError("it is not an object with fields")
    if content.get("version") != VERSION:
        raise ValueError(f"version {content.get('version')}, this program reads {VERSION}")
    return AnnotatedScene(
        name=checks.text("name", content["name"]),
        objects=checks.each("objects", content["objects"], _object),
        T_world_first=content["T_world_first"],
        up=checks.text("up", content["up"]),
        T_scene_views=content["T_scene_views"],
        views=checks.each("views", content["views"], checks.text),
        floor_z=_or_none(checks.number, "floor_z", content["floor_z"]),
        floor_area=_or_none(checks.number, "floor_area", content["floor_area"]),
        outline=content["outline"],
        license=checks.text("license", content["license"]),
    )


def _object(name: str, content: Any) -> AnnotatedObject:
    item = checks.members(name, content, AnnotatedObject)
    return AnnotatedObject(
        id=checks.whole(f"{name}.id", item["id"]),
        category=checks.text(f"{name}.category", item["category"]),
        box=checks.box(f"{name}.box", item["box"]),
        colour=checks.text(f"{name}.colour", item["colour"]),
        first_seen=_or_none(checks.whole, f"{name}.first_seen", item["first_seen"]),
    )


def _or_none(check: Callable[[str, Any], T], name: str, value: Any) -> T | None:
    return None if value is None else check(name, value)


def _finite(name: str, values: Any, *shape: int) -> Array:
    try:
        array = np.asarray(values, float).reshape(shape)
    except (ValueError, TypeError):
        raise ValueError(f"{name} is not numbers of the shape {shape}") from None
    if not np.isfinite(array).all():
        raise ValueError(f"{name} is not finite")
    return array
