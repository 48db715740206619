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
from pathlib import Path

import numpy as np

from spatial_vlm_ros.data.readers.cameras import Cameras, Lens
from spatial_vlm_ros.data.readers.placing import WorldObject, box_of, placed
from spatial_vlm_ros.data.readers.reader import Reader, Scenes, found_in, scenes_of
from spatial_vlm_ros.data.unusable import Unusable
from spatial_vlm_ros.language.names import label_words

LICENSE = "ScanNet++ Terms of Use"
LAYOUT = """\
data/<scene>/scans/segments_anno.json
data/<scene>/iphone/pose_intrinsic_imu.json, or data/<scene>/dslr/nerfstudio/transforms.json
data/<scene>/iphone/rgb/<frame>.jpg, data/<scene>/dslr/resized_images/<photo> (optional)"""

_PHONE_SIZE = (1920.0, 1440.0)


def read(root: Path) -> Scenes:
    """Every scene with annotations."""
    found = found_in(root, "data/*/scans/segments_anno.json", "scannetpp", LAYOUT)
    return scenes_of(found, lambda path: _scene(root, path))


def _scene(root: Path, annotations: Path) -> Scenes:
    folder = annotations.parents[1]
    with annotations.open(encoding="utf-8") as file:
        groups = json.load(file)["segGroups"]
    items = [
        WorldObject(
            int(group["objectId"]),
            label_words(group["label"]),
            box_of(group["obb"]),
        )
        for group in groups
    ]
    phone = folder / "iphone" / "pose_intrinsic_imu.json"
    photos = folder / "dslr" / "nerfstudio" / "transforms.json"
    if not (phone.exists() or photos.exists()):
        raise Unusable("no camera pose", f"neither {phone} nor {photos} is there")
    cameras = _of_phone(root, phone) if phone.exists() else _of_photos(root, photos)
    yield placed(f"scannetpp/{folder.name}", items, cameras.kept(), LICENSE)


def _of_phone(root: Path, path: Path) -> Cameras:
    with path.open(encoding="utf-8") as file:
        frames = sorted(json.load(file).items())
    poses = np.array([frame["aligned_pose"] for _, frame in frames], float).reshape(-1, 4, 4)
    matrices = np.array([frame["intrinsic"] for _, frame in frames], float).reshape(-1, 3, 3)
    focal = matrices[:, (0, 1, 0, 1), (0, 1, 2, 2)]
    images = [path.parent / "rgb" / f"{name}.jpg" for name, _ in frames]
    lens = Lens(focal, np.tile(_PHONE_SIZE, (len(frames), 1)))
    return Cameras(poses, _names(root, images), lens)


def _of_photos(root: Path, path: Path) -> Cameras:
    with path.open(encoding="utf-8") as file:
        content = json.load(file)
    frames = [*content["frames"], *content.get("test_frames", ())]
    frames = [frame for frame in frames if not frame.get("is_bad")]
    frames.sort(key=lambda frame: str(frame["file_path"]))
    poses = np.array([frame["transform_matrix"] for frame in frames], float).reshape(-1, 4, 4)
    poses[:, 2] *= -1
    poses = poses[:, (1, 0, 2, 3)]
    poses[:, :3, 1:3] *= -1
    images = [path.parents[1] / "resized_images" / frame["file_path"] for frame in frames]
    fisheye = content.get("camera_model") == "OPENCV_FISHEYE"
    bend = np.array([content[key] for key in ("k1", "k2", "k3", "k4")], float) if fisheye else None
    focal = np.tile([content[key] for key in ("fl_x", "fl_y", "cx", "cy")], (len(frames), 1))
    lens = Lens(focal, np.tile([content["w"], content["h"]], (len(frames), 1)), bend)
    return Cameras(poses, _names(root, images), lens)


def _names(root: Path, images: list[Path]) -> tuple[str, ...]:
    there = {path for folder in {path.parent for path in images} for path in folder.glob("*")}
    return tuple(str(path.relative_to(root)) if path in there else "" for path in images)


READER = Reader("scannetpp", LICENSE, LAYOUT, read)
