"""What is true of a simulated recording, and how to read it back."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from spatial_vlm_ros.frame import Intrinsics
from spatial_vlm_ros.scene.box import Box

VERSION = 1


@dataclass(frozen=True)
class TrueObject:
    """One object as it really is.

    ``box`` is the tight box of its mesh at the object's own yaw, canonical, scene frame.
    ``room`` names the room, ``support`` is the id of the object it stands on, or None.
    ``first_visible_ns`` is the stamp of the first image with depth on at least 100 of its pixels
    (at 640x480; scaled with image area), None when there is none. ``frames_seen`` counts images
    with depth on at least 400 of its pixels (scaled likewise). ``surface_seen`` is the share of
    its exposed surface shown within depth range by any image (see ``simulation/seen.py``).
    """

    id: int
    category: str
    colour: str
    room: str
    support: int | None
    box: Box
    first_visible_ns: int | None
    frames_seen: int
    surface_seen: float


@dataclass(frozen=True)
class TrueRoom:
    """A room: ``outline_scene`` (n, 2) corners of its floor, scene frame; ``area`` in m2."""

    name: str
    outline_scene: NDArray[np.float64]
    area: float


@dataclass(frozen=True)
class Truth:
    """A recording's truth. ``stamps_ns`` (n,) and ``T_map_camera`` (n, 4, 4) are of its images;
    ``T_map_odom`` is the static transform on /tf_static. ``arguments`` made the recording.
    """

    objects: tuple[TrueObject, ...]
    rooms: tuple[TrueRoom, ...]
    T_map_scene: NDArray[np.float64]
    T_map_odom: NDArray[np.float64]
    stamps_ns: NDArray[np.int64]
    T_map_camera: NDArray[np.float64]
    intrinsics: Intrinsics
    arguments: dict[str, Any]

    def __getitem__(self, object_id: int) -> TrueObject:
        """The object with this id; ``KeyError`` when there is none."""
        for item in self.objects:
            if item.id == object_id:
                return item
        raise KeyError(object_id)


@dataclass(frozen=True)
class TrueQuestion:
    """A question with its true answer.

    ``truth`` is a number in ``unit``, a word, or None where the answer is the objects themselves
    or no answer. ``tolerance`` is absolute, for numbers. ``objects`` are the true ids the answer
    must point at, for kinds that ask for objects; else empty. ``about`` are the true ids of all
    that the question names. ``answered`` is False where a reasoner must refuse; ``candidates`` are
    then the ids an ambiguous phrase could mean. For ``kind`` "command" the answer's goal pose must
    stand beside the object.
    """

    question: str
    kind: str
    truth: float | str | None
    unit: str = ""
    tolerance: float = 0.0
    choices: tuple[str, ...] = ()
    objects: tuple[int, ...] = ()
    about: tuple[int, ...] = ()
    candidates: tuple[int, ...] = ()
    answered: bool = True


def well_seen(item: TrueObject, share: float = 0.5, frames: int = 5) -> bool:
    """Whether an object was shown well enough that a box can fairly be asked for.

    At least ``share`` of its exposed surface was seen within depth range over the whole drive, and
    at least ``frames`` images have depth on 400 of its pixels (at 640x480). Exposed is what can be
    seen at all: not undersides, nor faces against a wall or another object.
    """
    return item.surface_seen >= share and item.frames_seen >= frames


def scene_pose(T_map_camera: NDArray[np.float64]) -> NDArray[np.float64]:
    """(4, 4) T_map_scene of the scene frame a first camera pose fixes (SSR section 3.3).

    Origin at the camera, x its optical axis projected to the ground, z up. ``ValueError`` for a
    camera looking within 10 degrees of straight up or down, which this robot never does.
    """
    axis = T_map_camera[:3, 2]
    level = np.hypot(axis[0], axis[1])
    if level < 0.17:
        raise ValueError("the first camera looks straight up or down")
    cos, sin = axis[0] / level, axis[1] / level
    pose = np.array([[cos, -sin, 0, 0], [sin, cos, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], float)
    pose[:3, 3] = T_map_camera[:3, 3]
    return pose


# Files --------------------------------------------------------------------------------------


def save_truth(path: Path, truth: Truth) -> None:
    """Write ``truth`` as JSON. Poses are x y z qx qy qz qw."""
    content = {
        "version": VERSION,
        "arguments": truth.arguments,
        "intrinsics": dataclasses.asdict(truth.intrinsics),
        "T_map_scene": _to_seven(truth.T_map_scene),
        "T_map_odom": _to_seven(truth.T_map_odom),
        "rooms": [
            {"name": r.name, "area": r.area, "outline_scene": np.round(r.outline_scene, 6).tolist()}
            for r in truth.rooms
        ],
        "objects": [dataclasses.asdict(item) for item in truth.objects],
        "images": [
            {"stamp_ns": int(stamp), "T_map_camera": _to_seven(pose)}
            for stamp, pose in zip(truth.stamps_ns, truth.T_map_camera, strict=True)
        ],
    }
    path.write_text(json.dumps(content, indent=1))


def load_truth(path: Path) -> Truth:
    """Read truth.json. ``ValueError`` when it is of another version."""
    content = _read(path)
    rooms = content["rooms"]
    return Truth(
        objects=tuple(
            TrueObject(**{**item, "box": Box(**item["box"])}) for item in content["objects"]
        ),
        rooms=tuple(TrueRoom(r["name"], np.array(r["outline_scene"]), r["area"]) for r in rooms),
        T_map_scene=_from_seven(content["T_map_scene"]),
        T_map_odom=_from_seven(content["T_map_odom"]),
        stamps_ns=np.array([image["stamp_ns"] for image in content["images"]], np.int64),
        T_map_camera=np.array([_from_seven(image["T_map_camera"]) for image in content["images"]]),
        intrinsics=Intrinsics(**content["intrinsics"]),
        arguments=content["arguments"],
    )


def save_questions(path: Path, questions: tuple[TrueQuestion, ...]) -> None:
    """Write the questions as JSON, one row each."""
    rows = [dataclasses.asdict(question) for question in questions]
    path.write_text(json.dumps({"version": VERSION, "questions": rows}, indent=1))


def load_questions(path: Path) -> tuple[TrueQuestion, ...]:
    """Read questions.json. ``ValueError`` when it is of another version."""
    lists = ("choices", "objects", "about", "candidates")
    return tuple(
        TrueQuestion(**{**row, **{name: tuple(row[name]) for name in lists}})
        for row in _read(path)["questions"]
    )


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(Path(path).read_text())
    if content.get("version") != VERSION:
        raise ValueError(f"{path} has version {content.get('version')}, this program {VERSION}")
    return content


def _to_seven(pose: NDArray[np.float64]) -> list[float]:
    rotation = Rotation.from_matrix(pose[:3, :3]).as_quat()
    return [float(value) for value in np.round([*pose[:3, 3], *rotation], 9)]


def _from_seven(values: list[float]) -> NDArray[np.float64]:
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_quat(values[3:]).as_matrix()
    pose[:3, 3] = values[:3]
    return pose
