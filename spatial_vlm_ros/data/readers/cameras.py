"""Cameras of a data set: where they were, what they see, and which of them are kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.data.unusable import Unusable
from spatial_vlm_ros.scene.box import Box
from spatial_vlm_ros.scene_frame import inverse

Array = NDArray[np.float64]

#: A scene keeps at most so many views, evenly spread over all of them.
VIEWS = 128
#: A view shows an object well when it has this share of it, or nearly the most that any view has.
SHOWN, NEARLY = 0.5, 0.9
#: But less than this share is not seen at all.
GLIMPSED = 0.1
#: Metres from the camera: what is nearer is behind it, what is further is likely behind a wall.
NEAR, FAR = 0.1, 6.0
#: A rotation whose axes are further from length 1 and right angles is no rotation.
_ROUNDED = 1e-3


@dataclass(frozen=True, eq=False)
class Lens:
    """How cameras see. focal: (n, 4) fx, fy, cx, cy in pixels. size: (n, 2) width, height.

    bend: (4,) k1 to k4 of a fisheye (OpenCV's model), or None for a pinhole.
    """

    focal: Array
    size: Array
    bend: Array | None = None

    def shows(self, points_cameras: Array) -> NDArray[np.bool_]:
        """(n, m): which points (n, m, 3) in camera coordinates fall into the image."""
        x, y, z = np.moveaxis(points_cameras, -1, 0)
        ahead = (z > NEAR) & (np.linalg.norm(points_cameras, axis=-1) < FAR)
        depth = np.where(ahead, z, 1.0)
        x, y = x / depth, y / depth
        if self.bend is not None:
            off = np.maximum(np.hypot(x, y), 1e-9)
            angle = np.arctan(off)
            powers = angle[..., None] ** (2, 4, 6, 8)
            stretch = angle * (1 + powers @ self.bend) / off
            x, y = x * stretch, y * stretch
        fx, fy, cx, cy = self.focal.T[..., None]
        width, height = self.size.T[..., None]
        u, v = fx * x + cx, fy * y + cy
        return np.asarray(ahead & (u >= 0) & (u < width) & (v >= 0) & (v < height))


@dataclass(frozen=True, eq=False)
class Cameras:
    """Poses (n, 4, 4) in order of time (x right, y down, z forward), their images, their lens.

    images are relative to the data set's folder, "" where there is none. lens: None: not known.
    """

    T_world_cameras: Array
    images: tuple[str, ...]
    lens: Lens | None = None

    def kept(self, most: int = VIEWS) -> Cameras:
        """Those with a usable pose, ``most`` of them evenly spread, the first one always.

        ``Unusable`` when there is none. Their rotations are made exact.
        """
        usable = np.flatnonzero([is_pose(pose) for pose in self.T_world_cameras])
        if not len(usable):
            raise Unusable("no camera pose", f"{len(self.T_world_cameras)} are there, none usable")
        chosen = usable[evenly(len(usable), most)]
        poses = np.array(self.T_world_cameras, float)[chosen]
        left, _, right = np.linalg.svd(poses[:, :3, :3])
        poses[:, :3, :3] = left @ right
        lens = self.lens and Lens(self.lens.focal[chosen], self.lens.size[chosen], self.lens.bend)
        return Cameras(poses, tuple(self.images[index] for index in chosen), lens)


def evenly(count: int, most: int = VIEWS) -> NDArray[np.int64]:
    """Indices of at most ``most`` of ``count`` things, evenly spread, first and last among them."""
    return np.unique(np.rint(np.linspace(0, count - 1, min(count, most))).astype(np.int64))


def is_pose(pose: Array) -> bool:
    """Whether (4, 4) numbers are a rigid pose; data sets write -inf where tracking was lost."""
    if pose.shape != (4, 4) or not np.isfinite(pose).all():
        return False
    turn = pose[:3, :3]
    rigid = np.abs(turn.T @ turn - np.eye(3)).max() < _ROUNDED and np.linalg.det(turn) > 0
    return bool(rigid and np.allclose(pose[3], (0, 0, 0, 1)))


def first_shown(boxes: list[Box], T_scene_views: Array, lens: Lens) -> list[int | None]:
    """The first view that shows each box well; None where none does.

    By projection of points inside of the box, so what stands before it does not hide it: a data
    set without depth does not tell. What is further than ``FAR`` counts as hidden.
    """
    steps = np.linspace(-0.4, 0.4, 4)
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(-1, 3)
    T_views_scene = np.array([inverse(pose) for pose in T_scene_views])
    first: list[int | None] = []
    for box in boxes:
        cos, sin = np.cos(box.yaw), np.sin(box.yaw)
        turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
        points_scene = (grid * box.size) @ turn.T + box.center
        points_views = points_scene @ T_views_scene[:, :3, :3].swapaxes(1, 2)
        share = lens.shows(points_views + T_views_scene[:, None, :3, 3]).mean(axis=1)
        enough = min(SHOWN, NEARLY * share.max())
        shown = np.flatnonzero(share >= max(enough, GLIMPSED))
        first.append(int(shown[0]) if len(shown) else None)
    return first
