"""ARKitScenes: images of a tablet's camera and its depth, both of 256 x 192 pixels.

The layout is that of apple/ARKitScenes (7283761), raw/README.md and threedod/README.md. Images are
set upright, all of a video by the turn that most of them need: see the reader.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.data.readers.arkitscenes import (
    annotation_files,
    files_at,
    images_folder,
    read_lens,
    read_one,
    read_trajectory,
    turned,
    upright_turns,
)
from spatial_vlm_ros.data.readers.cameras import is_pose
from spatial_vlm_ros.data.scans.scan import Images, Scans, Views, read_depth_mm, read_rgb
from spatial_vlm_ros.data.unusable import Unusable
from spatial_vlm_ros.frame import Intrinsics

LAYOUT = """\
<folder of lowres_wide.traj>/lowres_wide/<video>_<time>.png
<folder of lowres_wide.traj>/lowres_depth/<video>_<time>.png
<folder of lowres_wide.traj>/lowres_wide_intrinsics/<video>_<time>.pincam"""


def views(annotation: Path, labels: bool) -> Views:
    """Poses at whose time there is colour and depth; see :class:`Scans`."""
    folder, video = images_folder(annotation), annotation.parent.name
    times, poses = read_trajectory(folder)
    colours, depths = (
        files_at(folder / name, video, times, ".png") for name in ("lowres_wide", "lowres_depth")
    )
    found = [
        (number, colour, depth)
        for number, (colour, depth) in enumerate(zip(colours, depths, strict=True))
        if colour and depth and is_pose(poses[number])
    ]
    if not found:
        raise Unusable(
            "file missing",
            f"none of {len(times)} poses has images in {folder}/lowres_wide and lowres_depth",
        )
    kept = [number for number, _, _ in found]
    times, poses = times[kept], poses[kept]
    turns = int(np.bincount(upright_turns(poses), minlength=4).argmax())

    def read(view: int) -> Images:
        lens = read_lens(folder, video, times[view : view + 1])
        if lens is None:
            raise Unusable("no camera", f"{folder}/lowres_wide_intrinsics has no .pincam")
        (width, height), (fx, fy, cx, cy) = lens.size[0].astype(int).tolist(), lens.focal[0]
        camera = Intrinsics(width, height, fx, fy, cx, cy)
        for _ in range(turns):
            camera = _turned(camera)
        _, colour, depth = found[view]
        rgb, metres = read_rgb(colour), read_depth_mm(depth)
        return Images(_upright(rgb, turns), _upright(metres, turns), camera)

    stamps = np.round(times * 1e9).astype(np.int64)
    return Views(turned(poses, np.full(len(poses), turns)), stamps, read)


def _upright(image: NDArray[Any], turns: int) -> NDArray[Any]:
    return np.ascontiguousarray(np.rot90(image, -turns))


def _turned(camera: Intrinsics) -> Intrinsics:
    """Of the image turned by a clockwise quarter: (u, v) goes to (height - 1 - v, u)."""
    across = camera.height - 1 - camera.cy
    return Intrinsics(camera.height, camera.width, camera.fy, camera.fx, across, camera.cx)


SCANS = Scans(LAYOUT, False, annotation_files, lambda path: path.parent.name, read_one, views)
