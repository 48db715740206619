"""VLM-3R's metadata of ScanNet, ScanNet++ and ARKitScenes: boxes, floor area, sampled frames.

The layout is that of VITA-Group/VLM-3R (6dd1264), vlm_3r_data_process/README.md: one file of scenes
and one of frames for each data set and split, under any names; which is which shows inside. The
world is the axis-aligned scan of ScanNet, whose poses its export_sampled_frames.py aligns as well,
and the aligned mesh of ScanNet++. ``room_size`` is the area of an alpha shape round all points of
the scan; a 0 there stands for a failure and is taken as not known. An object's number is its
``instance_id`` where all have one (ScanNet: its objectId), else its place in the file, from 0.

Where frames tell which instances their masks show, that tells when an object is first seen; else
it is by projection. VLM-3R has no frames of ARKitScenes: such scenes are rejected, as any without.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spatial_vlm_ros.data.readers.cameras import Cameras, Lens
from spatial_vlm_ros.data.readers.placing import WorldObject, box_of, placed
from spatial_vlm_ros.data.readers.reader import Reader, Scenes, found_in
from spatial_vlm_ros.data.row import Rejected
from spatial_vlm_ros.data.unusable import WRONG, Unusable, rejected
from spatial_vlm_ros.errors import kind_and_line
from spatial_vlm_ros.language.names import label_words

LICENSE = "Apache-2.0, on the terms of the scans"
LAYOUT = """\
<any>.json of scenes: {<scene>: {dataset, room_size, object_counts, object_bboxes, ...}}
<any>.json of their frames: {<scene>: {camera_intrinsics, img_width, img_height, frames}}"""

#: Share of an image's area that a mask's 2D box must have before the object is seen well.
SHOWN_AREA = 0.002


def read(root: Path) -> Scenes:
    """Every scene of every file of scenes."""
    scenes: dict[str, tuple[Path, Any]] = {}
    frames: dict[str, Any] = {}
    for path in found_in(root, "**/*.json", "vlm3r_metadata", LAYOUT):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError, OSError) as error:
            yield Rejected("no JSON", kind_and_line(error), str(path))
            continue
        for name, entry in content.items() if isinstance(content, dict) else ():
            if isinstance(entry, dict) and "object_bboxes" in entry:
                if name in scenes:
                    detail = f"{name} is in {scenes[name][0]} as well"
                    yield Rejected("scene repeats", detail, str(path))
                    continue
                scenes[name] = path, entry
            elif isinstance(entry, dict) and "frames" in entry:
                frames[name] = entry
    if not scenes:
        raise ValueError(
            f"{root} holds no metadata of scenes; vlm3r_metadata is read from\n{LAYOUT}"
        )
    for name, (path, entry) in sorted(scenes.items()):
        try:
            yield _scene(name, entry, frames.get(name))
        except WRONG as error:
            yield rejected(error, f"{path}: {name}")


def _scene(name: str, entry: Mapping[str, Any], seen: Mapping[str, Any] | None) -> Any:
    if not seen or not seen["frames"]:
        raise Unusable("no camera pose", f"no frames of {name} in any file")
    found = [(label, box) for label, boxes in entry["object_bboxes"].items() for box in boxes]
    numbered = all("instance_id" in box for _, box in found)
    items = [
        WorldObject(
            int(box["instance_id"]) if numbered else place,
            label_words(label),
            box_of(box),
        )
        for place, (label, box) in enumerate(found)
    ]
    kept = sorted(seen["frames"], key=lambda frame: frame["frame_id"])
    cameras = _cameras(kept, seen).kept()
    first = None
    if numbered and any(frame.get("bboxes_2d") for frame in kept):
        first = _first_seen(kept, cameras, seen["img_width"] * seen["img_height"])
    dataset = label_words(entry["dataset"])
    area = float(entry.get("room_size") or 0.0) or None
    return placed(f"{dataset}/{name}", items, cameras, LICENSE, floor_area=area, first_seen=first)


def _cameras(frames: list[dict[str, Any]], seen: Mapping[str, Any]) -> Cameras:
    poses = np.array([frame["camera_pose_camera_to_world"] for frame in frames], float)
    focal = [float(seen["camera_intrinsics"][key]) for key in ("fx", "fy", "cx", "cy")]
    size = [float(seen["img_width"]), float(seen["img_height"])]
    lens = Lens(np.tile(focal, (len(frames), 1)), np.tile(size, (len(frames), 1)))
    images = tuple(str(frame["file_path_color"]) for frame in frames)
    return Cameras(poses.reshape(-1, 4, 4), images, lens)


def _first_seen(
    frames: list[dict[str, Any]], cameras: Cameras, area: float
) -> dict[int, int | None]:
    """The first kept view in which an instance's 2D box is large enough."""
    view_of = {image: view for view, image in enumerate(cameras.images)}
    first: dict[int, int | None] = {}
    for frame in frames:
        view = view_of.get(str(frame["file_path_color"]))
        for shown in frame.get("bboxes_2d", ()) if view is not None else ():
            left, top, right, bottom = shown["bbox_2d"]
            if (right - left) * (bottom - top) >= SHOWN_AREA * area:
                first.setdefault(int(shown["instance_id"]), view)
    return first


READER = Reader("vlm3r_metadata", LICENSE, LAYOUT, read)
