"""ARKitScenes: oriented boxes of furniture, and the poses of a tablet.

The layout is that of apple/ARKitScenes (7283761), DATA.md and threedod/benchmark_scripts: lines of
``lowres_wide.traj`` are a time, a rotation vector and a translation from world to camera (x right,
y down, z forward), in a world whose z points up. Objects have no numbers there but unique texts;
their number is their place in the file, from 0. An annotation may be marked as skipped; it is
rejected.

The tablet was often held on its side or upside down, and images and poses are both as its sensor
had them: they fit each other, but a picture may lie on its side. :func:`upright_turns` tells by
how much, from the poses alone; who shows images to a model turns both.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from spatial_vlm_ros.data.readers.cameras import Cameras, Lens, evenly
from spatial_vlm_ros.data.readers.placing import WorldObject, box_of, placed
from spatial_vlm_ros.data.readers.reader import Reader, Scenes, found_in, scenes_of
from spatial_vlm_ros.data.unusable import Unusable
from spatial_vlm_ros.language.names import label_words

Array = NDArray[np.float64]

LICENSE = "Apple ARKitScenes License"
LAYOUT = """\
3dod/<Training|Validation>/<video>/<video>_3dod_annotation.json
3dod/<Training|Validation>/<video>/<video>_frames/lowres_wide.traj
3dod/<Training|Validation>/<video>/<video>_frames/lowres_wide_intrinsics/<video>_<time>.pincam
3dod/<Training|Validation>/<video>/<video>_frames/lowres_wide/<video>_<time>.png (optional)
or raw/<Training|Validation>/<video>/ with the same files and no folder _frames"""


def read(root: Path) -> Scenes:
    """Every annotated video."""
    found = found_in(root, "*/*/*/*_3dod_annotation.json", "arkitscenes", LAYOUT)
    return scenes_of(found, lambda path: _scene(root, path))


def upright_turns(T_scene_views: Array) -> NDArray[np.int64]:
    """(n,) clockwise quarter turns, 0 to 3, that set each view's image upright.

    T_scene_views: (n, 4, 4) poses of the images as they are, in a frame whose z points up.
    """
    right, down = T_scene_views[:, 2, 0], T_scene_views[:, 2, 1]
    # How far up the image's own top, left side, bottom and right side point.
    return np.asarray(np.argmax([-down, -right, down, right], axis=0), np.int64)


def turned(T_scene_views: Array, turns: NDArray[np.int64]) -> Array:
    """Poses (n, 4, 4) of the same cameras when their images are turned by ``turns`` (n,)."""
    T_views_turned = np.tile(np.eye(4), (len(turns), 1, 1))
    T_views_turned[:, :3, :3] = Rotation.from_euler("z", -np.pi / 2 * turns).as_matrix()
    return np.asarray(T_scene_views @ T_views_turned)


def _scene(root: Path, annotation: Path) -> Scenes:
    video, folder = annotation.parent.name, annotation.parent
    with annotation.open(encoding="utf-8") as file:
        content = json.load(file)
    if content.get("skipped"):
        raise Unusable("annotation skipped", f"{video} is marked as skipped")
    items = [
        WorldObject(
            number,
            label_words(item["label"]),
            box_of(item["segments"]["obbAligned"]),
        )
        for number, item in enumerate(content["data"])
    ]
    frames = folder / f"{video}_frames"
    cameras = _cameras(root, frames if frames.is_dir() else folder, video)
    yield placed(f"arkitscenes/{video}", items, cameras, LICENSE)


def _cameras(root: Path, folder: Path, video: str) -> Cameras:
    lines = [line.split() for line in (folder / "lowres_wide.traj").read_text().splitlines()]
    numbers = np.array([line for line in lines if line], float).reshape(-1, 7)
    numbers = numbers[np.isfinite(numbers).all(axis=1)]
    if not len(numbers):
        raise Unusable("no camera pose", "lowres_wide.traj has no line")
    numbers = numbers[np.argsort(numbers[:, 0], kind="stable")]
    numbers = numbers[evenly(len(numbers))]
    turns = Rotation.from_rotvec(numbers[:, 1:4]).as_matrix().swapaxes(1, 2)
    poses = np.tile(np.eye(4), (len(numbers), 1, 1))
    poses[:, :3, :3] = turns
    poses[:, :3, 3] = -np.einsum("nij,nj->ni", turns, numbers[:, 4:])
    images = [_at(folder / "lowres_wide", video, time, ".png") for time in numbers[:, 0]]
    names = tuple(str(path.relative_to(root)) if path else "" for path in images)
    return Cameras(poses, names, _lens(folder / "lowres_wide_intrinsics", video, numbers)).kept()


def _lens(folder: Path, video: str, numbers: Array) -> Lens | None:
    """Of each view; where its own file is missing, that of another: they differ by a pixel."""
    paths = [_at(folder, video, time, ".pincam") for time in numbers[:, 0]]
    other = next((path for path in paths if path), None) or next(folder.glob("*.pincam"), None)
    if other is None:
        return None
    values = np.array([np.loadtxt(path or other, ndmin=1) for path in paths])
    return Lens(values[:, 2:6], values[:, :2])


def _at(folder: Path, video: str, time: float, ending: str) -> Path | None:
    """The file of a time, whose name is rounded to a millisecond, one up or down."""
    for off in (0.0, -0.001, 0.001):
        path = folder / f"{video}_{time + off:.3f}{ending}"
        if path.exists():
            return path
    return None


READER = Reader("arkitscenes", LICENSE, LAYOUT, read)
