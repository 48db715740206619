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
from spatial_vlm_ros.data.unusable import Unusable, naming
from spatial_vlm_ros.language.names import label_words

Array = NDArray[np.float64]

#: Seconds between a pose and the name of its image, as ``tenFpsDataLoader.py`` there has it.
_APART = 0.005

LICENSE = "Apple ARKitScenes License"
LAYOUT = """\
3dod/<Training|Validation>/<video>/<video>_3dod_annotation.json
3dod/<Training|Validation>/<video>/<video>_frames/lowres_wide.traj
3dod/<Training|Validation>/<video>/<video>_frames/lowres_wide_intrinsics/<video>_<time>.pincam
3dod/<Training|Validation>/<video>/<video>_frames/lowres_wide/<video>_<time>.png (optional)
or raw/<Training|Validation>/<video>/ with the same files and no folder _frames"""


def annotation_files(root: Path) -> list[Path]:
    """Of every video: the file of its boxes. ``ValueError``: there is none."""
    return found_in(root, "*/*/*/*_3dod_annotation.json", "arkitscenes", LAYOUT)


def read(root: Path) -> Scenes:
    """Every annotated video."""
    return scenes_of(annotation_files(root), lambda path: read_one(root, path))


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
    T_views_turned[:, :3, :3] = Rotation.from_euler("z", -np.pi / 2 * turns[:, None]).as_matrix()
    return np.asarray(T_scene_views @ T_views_turned)


def read_one(root: Path, annotation: Path) -> Scenes:
    """The video of a file of boxes."""
    video = annotation.parent.name
    with naming(annotation), annotation.open(encoding="utf-8") as file:
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
    cameras = _cameras(root, images_folder(annotation), video)
    yield placed(f"arkitscenes/{video}", items, cameras, LICENSE)


def images_folder(annotation: Path) -> Path:
    """Where a video's trajectory and images are."""
    frames = annotation.parent / f"{annotation.parent.name}_frames"
    return frames if frames.is_dir() else annotation.parent


def read_trajectory(folder: Path) -> tuple[Array, Array]:
    """(n,) seconds, ascending, and (n, 4, 4) poses in the world.

    ``Unusable``: there are none.
    """
    path = folder / "lowres_wide.traj"
    with naming(path):
        lines = [line.split() for line in path.read_text().splitlines()]
        numbers = np.array([line for line in lines if line], float).reshape(-1, 7)
    numbers = numbers[np.isfinite(numbers).all(axis=1)]
    if not len(numbers):
        raise Unusable("no camera pose", f"{path} has no line")
    numbers = numbers[np.argsort(numbers[:, 0], kind="stable")]
    turns = Rotation.from_rotvec(numbers[:, 1:4]).as_matrix().swapaxes(1, 2)
    poses = np.tile(np.eye(4), (len(numbers), 1, 1))
    poses[:, :3, :3] = turns
    poses[:, :3, 3] = -np.einsum("nij,nj->ni", turns, numbers[:, 4:])
    return numbers[:, 0], poses


def _cameras(root: Path, folder: Path, video: str) -> Cameras:
    times, poses = read_trajectory(folder)
    kept = evenly(len(times))
    times, poses = times[kept], poses[kept]
    images = files_at(folder / "lowres_wide", video, times, ".png")
    names = tuple(str(path.relative_to(root)) if path else "" for path in images)
    return Cameras(poses, names, read_lens(folder, video, times)).kept()


def read_lens(folder: Path, video: str, times: Array) -> Lens | None:
    """Of the images at each time; where its own file is missing, that of another: they differ by a
    pixel. None where there is no file.
    """
    folder = folder / "lowres_wide_intrinsics"
    paths = files_at(folder, video, times, ".pincam")
    other = next((path for path in paths if path), None) or next(folder.glob("*.pincam"), None)
    if other is None:
        return None
    values = np.array([_pincam(path or other) for path in paths])
    return Lens(values[:, 2:6], values[:, :2])


def _pincam(path: Path) -> Array:
    """(6,) width, height, fx, fy, cx, cy."""
    with naming(path):
        return np.array(path.read_text().split(), float).reshape(6)


def files_at(folder: Path, video: str, times: Array, ending: str) -> list[Path | None]:
    """Of each time the file whose name is nearest to it, None where none is near."""
    paths = [*folder.glob(f"{video}_*{ending}")]
    names = np.array([path.stem.rpartition("_")[2] for path in paths], float)
    if not paths:
        return [None] * len(times)
    nearest = [int(np.abs(names - time).argmin()) for time in times]
    return [
        paths[index] if abs(names[index] - time) < _APART else None
        for index, time in zip(nearest, times, strict=True)
    ]


READER = Reader("arkitscenes", LICENSE, LAYOUT, read)
