"""Keyframes as files beside a saved scene: pictures to look at, and keyframes.npz for the rest."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spatial_vlm_ros.files import replaced
from spatial_vlm_ros.keyframes.keyframe import Keyframe

PICTURES, INDEX = "keyframes", "keyframes.npz"


def save(folder: Path, keyframes: Sequence[Keyframe], scene: str) -> None:
    """Write them to ``folder``; ``scene`` says which scene they are of.

    A picture's name is of its content, so that what was saved before stays whole until
    :func:`clean` removes it.
    """
    arrays: dict[str, Any] = {
        "scene": np.array(scene),
        "pictures": np.array([_name(keyframe) for keyframe in keyframes], np.str_),
        "frames": np.array([keyframe.frame for keyframe in keyframes], np.str_),
        "stamps_ns": np.array([keyframe.stamp_ns for keyframe in keyframes], np.int64),
    }
    for index, keyframe in enumerate(keyframes):
        arrays[f"intrinsics_{index}"] = keyframe.intrinsics
        arrays[f"T_scene_camera_{index}"] = keyframe.T_scene_camera
        arrays[f"points_scene_{index}"] = keyframe.points_scene
        arrays[f"visible_{index}"] = np.array(keyframe.visible, np.int64)
    pictures = folder / PICTURES
    pictures.mkdir(exist_ok=True)
    for keyframe in keyframes:
        if not (pictures / _name(keyframe)).exists():
            with replaced(pictures / _name(keyframe)) as file:
                file.write(keyframe.jpeg)
    with replaced(folder / INDEX) as file:
        np.savez_compressed(file, **arrays)


def clean(folder: Path, keyframes: Sequence[Keyframe]) -> None:
    """Remove all pictures but those of ``keyframes``, and the index too when there are none."""
    needed = {_name(keyframe) for keyframe in keyframes}
    for path in (folder / PICTURES).glob("*.jpg"):
        if path.name not in needed:
            path.unlink()
    if not needed:
        (folder / INDEX).unlink(missing_ok=True)


def load(folder: Path, scene: str) -> list[Keyframe]:
    """What :func:`save` wrote, none when it wrote nothing; ids count from 0.

    ``ValueError`` says what is missing, damaged or of another scene.
    """
    index, pictures = folder / INDEX, folder / PICTURES
    if not index.exists():
        return []
    try:
        with np.load(index, allow_pickle=False) as file:
            arrays = dict(file)
        if str(arrays["scene"]) != scene:
            raise ValueError("it is of another scene than the files beside it: delete it")
        return [
            _keyframe(number, arrays, (pictures / str(name)).read_bytes())
            for number, name in enumerate(arrays["pictures"])
        ]
    except FileNotFoundError as reason:
        raise ValueError(f"{reason.filename} is missing") from None
    except Exception as reason:
        raise ValueError(f"{index} cannot be used: {reason}") from reason


def _keyframe(number: int, arrays: dict[str, Any], jpeg: bytes) -> Keyframe:
    intrinsics, pose = arrays[f"intrinsics_{number}"], arrays[f"T_scene_camera_{number}"]
    points = arrays[f"points_scene_{number}"]
    shapes = intrinsics.shape, pose.shape, points.shape[2:]
    if shapes != ((3, 3), (4, 4), (3,)) or not np.isfinite(pose).all():
        raise ValueError(f"the arrays of image {number} are not what they should be")
    return Keyframe(
        number,
        int(arrays["stamps_ns"][number]),
        str(arrays["frames"][number]),
        jpeg,
        intrinsics,
        pose,
        points,
        tuple(arrays[f"visible_{number}"].tolist()),
    )


def _name(keyframe: Keyframe) -> str:
    return f"{keyframe.stamp_ns}-{hashlib.sha256(keyframe.jpeg).hexdigest()[:12]}.jpg"
