"""ScanNet++: images of a phone with its depth, or photos with depth rendered from the mesh.

The layout is that of scannetpp/scannetpp (f3b4712): the phone's images as
iphone/prepare_iphone_data.py extracts them, depth of photos as common/render.py renders it, which
is along the optical axis and bent as the photos are (liu115/renderpy). Photos are straightened
here. Both are in the world of the aligned mesh.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.data.readers.cameras import Cameras, is_pose
from spatial_vlm_ros.data.readers.scannetpp import (
    annotation_files,
    phone_cameras,
    photo_cameras,
    read_one,
)
from spatial_vlm_ros.data.scans.scan import Images, Scans, Views, read_depth_mm, read_rgb
from spatial_vlm_ros.data.unusable import Unusable
from spatial_vlm_ros.frame import Intrinsics

LAYOUT = """\
data/<scene>/iphone/rgb/<frame>.jpg, data/<scene>/iphone/depth/<frame>.png
  (of iphone/prepare_iphone_data.py), or
data/<scene>/dslr/resized_images/<photo>, data/<scene>/dslr/render_depth/<photo>.png
  (of common/render.py)"""

_FPS = 60  # of the phone; photos have no time, and are as far apart here


def views(annotation: Path, labels: bool) -> Views:
    """The phone's where it has images with depth, else the photos; see :class:`Scans`."""
    folder = annotation.parents[1]
    phone, photos = folder / "iphone", folder / "dslr"
    if (phone / "depth").is_dir():
        cameras = phone_cameras(phone / "pose_intrinsic_imu.json")
        return _views(cameras, phone / "rgb", ".jpg", phone / "depth")
    if (photos / "render_depth").is_dir():
        cameras = photo_cameras(photos / "nerfstudio" / "transforms.json")
        return _views(cameras, photos / "resized_images", "", photos / "render_depth")
    raise Unusable(
        "file missing", f"neither {phone / 'depth'} nor {photos / 'render_depth'} is there"
    )


def _views(cameras: Cameras, colours: Path, ending: str, depths: Path) -> Views:
    there = {path.name for path in colours.glob("*")}, {path.name for path in depths.glob("*")}
    images = [(f"{name}{ending}", f"{Path(name).stem}.png") for name in cameras.images]
    kept = [
        number
        for number, (colour, depth) in enumerate(images)
        if colour in there[0] and depth in there[1] and is_pose(cameras.T_world_cameras[number])
    ]
    if not kept:
        raise Unusable(
            "file missing", f"none of {len(images)} poses has images in {colours} and {depths}"
        )
    lens = cameras.lens
    assert lens is not None  # both kinds of cameras have one

    def read(view: int) -> Images:
        colour, depth = images[kept[view]]
        rgb, metres = read_rgb(colours / colour), read_depth_mm(depths / depth)
        (width, height), (fx, fy, cx, cy) = lens.size[kept[view]], lens.focal[kept[view]]
        camera = Intrinsics(int(width), int(height), fx, fy, cx, cy)
        if lens.bend is not None:
            rgb = _straight(rgb, camera, lens.bend, cv2.INTER_LINEAR)
            metres = _straight(metres, camera, lens.bend, cv2.INTER_NEAREST)
        return Images(rgb, metres, camera)

    stamps = np.array(kept, np.int64) * 1_000_000_000 // _FPS
    return Views(cameras.T_world_cameras[kept], stamps, read)


def _straight(
    image: NDArray[Any], camera: Intrinsics, bend: NDArray[np.float64], how: int
) -> NDArray[Any]:
    """What a camera without bend sees; 0 where this one saw nothing."""
    height, width = image.shape[:2]
    found = camera.resized(width, height)
    K = np.array([[found.fx, 0, found.cx], [0, found.fy, found.cy], [0, 0, 1]])
    maps = cv2.fisheye.initUndistortRectifyMap(K, bend, np.eye(3), K, (width, height), cv2.CV_32FC1)
    return cv2.remap(image, *maps, how)


SCANS = Scans(LAYOUT, False, annotation_files, lambda path: path.parents[1].name, read_one, views)
