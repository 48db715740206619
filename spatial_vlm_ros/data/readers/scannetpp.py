"""ScanNet++: oriented boxes of a laser scan, and the poses of a phone's video or a camera's photos.

The layout is that of scannetpp/scannetpp (f3b4712), common/scene_release.py. An object's number is
its ``objectId`` in segments_anno.json. The world is that of ``mesh_aligned_0.05.ply``: z up.
``aligned_pose`` of the phone is camera to world there (x right, y down, z forward), as VSI-Bench
projects with it, for images of 1920x1440. Poses of the photos are in nerfstudio's frame, made by
common/utils/nerfstudio.py from that same world, and are turned back; the photos are of a fisheye
and sorted by name, which is their order in time. The phone's video is used where it is there.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from spatial_vlm_ros.data.readers.cameras import Cameras, Lens
from spatial_vlm_ros.data.readers.placing import WorldObject, box_of, placed
from spatial_vlm_ros.data.readers.reader import Reader, Scenes, found_in, scenes_of
from spatial_vlm_ros.data.unusable import Unusable, naming
from spatial_vlm_ros.language.names import label_words

LICENSE = "ScanNet++ Terms of Use"
LAYOUT = """\
data/<scene>/scans/segments_anno.json
data/<scene>/iphone/pose_intrinsic_imu.json, or data/<scene>/dslr/nerfstudio/transforms.json
data/<scene>/iphone/rgb/<frame>.jpg, data/<scene>/dslr/resized_images/<photo> (optional)"""

_PHONE_SIZE = (1920.0, 1440.0)


def annotation_files(root: Path) -> list[Path]:
    """Of every scene: the file of its objects. ``ValueError``: there is none."""
    return found_in(root, "data/*/scans/segments_anno.json", "scannetpp", LAYOUT)


def read(root: Path) -> Scenes:
    """Every scene with annotations."""
    return scenes_of(annotation_files(root), lambda path: read_one(root, path))


def read_one(root: Path, annotation: Path) -> Scenes:
    """The scene of a file of objects."""
    folder = annotation.parents[1]
    with naming(annotation), annotation.open(encoding="utf-8") as file:
        items = [
            WorldObject(
                int(group["objectId"]),
                label_words(group["label"]),
                box_of(group["obb"]),
            )
            for group in json.load(file)["segGroups"]
        ]
    phone = folder / "iphone" / "pose_intrinsic_imu.json"
    photos = folder / "dslr" / "nerfstudio" / "transforms.json"
    if not (phone.exists() or photos.exists()):
        raise Unusable("no camera pose", f"neither {phone} nor {photos} is there")
    if phone.exists():
        cameras = phone_cameras(phone)
        images = [folder / "iphone" / "rgb" / f"{name}.jpg" for name in cameras.images]
    else:
        cameras = photo_cameras(photos)
        images = [folder / "dslr" / "resized_images" / name for name in cameras.images]
    cameras = replace(cameras, images=_there(root, images)).kept()
    yield placed(f"scannetpp/{folder.name}", items, cameras, LICENSE)


def phone_cameras(path: Path) -> Cameras:
    """Of ``pose_intrinsic_imu.json``, in the world of the aligned mesh; images: names of frames."""
    with naming(path), path.open(encoding="utf-8") as file:
        frames = sorted(json.load(file).items())
        poses = np.array([frame["aligned_pose"] for _, frame in frames], float).reshape(-1, 4, 4)
        matrices = np.array([frame["intrinsic"] for _, frame in frames], float).reshape(-1, 3, 3)
    focal = matrices[:, (0, 1, 0, 1), (0, 1, 2, 2)]
    lens = Lens(focal, np.tile(_PHONE_SIZE, (len(frames), 1)))
    return Cameras(poses, tuple(name for name, _ in frames), lens)


def photo_cameras(path: Path) -> Cameras:
    """Of ``transforms.json``, in that world too; images: names of photos, less the bad ones."""
    with naming(path), path.open(encoding="utf-8") as file:
        return _photos(json.load(file))


def _photos(content: dict[str, Any]) -> Cameras:
    frames = [*content["frames"], *content.get("test_frames", ())]
    frames = [frame for frame in frames if not frame.get("is_bad")]
    frames.sort(key=lambda frame: str(frame["file_path"]))
    poses = np.array([frame["transform_matrix"] for frame in frames], float).reshape(-1, 4, 4)
    poses[:, 2] *= -1
    poses = poses[:, (1, 0, 2, 3)]
    poses[:, :3, 1:3] *= -1
    fisheye = content.get("camera_model") == "OPENCV_FISHEYE"
    bend = np.array([content[key] for key in ("k1", "k2", "k3", "k4")], float) if fisheye else None
    focal = np.tile([content[key] for key in ("fl_x", "fl_y", "cx", "cy")], (len(frames), 1))
    lens = Lens(focal, np.tile([content["w"], content["h"]], (len(frames), 1)), bend)
    return Cameras(poses, tuple(str(frame["file_path"]) for frame in frames), lens)


def _there(root: Path, images: list[Path]) -> tuple[str, ...]:
    there = {path for folder in {path.parent for path in images} for path in folder.glob("*")}
    return tuple(str(path.relative_to(root)) if path in there else "" for path in images)


READER = Reader("scannetpp", LICENSE, LAYOUT, read)
