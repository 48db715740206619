"""A simulated room written in the layouts in which scans of real rooms are published."""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from spatial_vlm_ros.data.readers.arkitscenes import turned
from spatial_vlm_ros.frame import Frame
from spatial_vlm_ros.scene_frame import inverse, scene_frame
from spatial_vlm_ros.simulation.record import build
from spatial_vlm_ros.simulation.views import Views, take_views

#: From ScanNet's scan as it was taken to the axis-aligned one.
T_ALIGNED_SCAN = np.eye(4)
T_ALIGNED_SCAN[:3, :3] = Rotation.from_euler("z", 0.5).as_matrix()
T_ALIGNED_SCAN[:3, 3] = (0.3, -0.7, 0.1)
LOST = np.full((4, 4), -np.inf)
SCENE = "scene0001_00"
VIDEO = "41069021"
HOUSE = "036bce3393"


@dataclass(frozen=True)
class Room:
    """The same views at the size of depth and at that of colour."""

    seed: int
    small: Views
    large: Views


@cache
def room(
    seed: int = 3, views: int = 4, depth: int = 160, colour: tuple[int, int] = (324, 242)
) -> Room:
    """Depth of ``depth`` x 3/4 pixels; colour of about that shape, as ScanNet's is."""
    return Room(
        seed,
        take_views(seed, most=views, width=depth, height=depth * 3 // 4),
        take_views(seed, most=views, width=colour[0], height=colour[1]),
    )


def pairs(rooms: Room) -> list[tuple[Frame, Frame]]:
    return list(zip(rooms.small.frames, rooms.large.frames, strict=True))


def depth_mm(frame: Frame) -> NDArray[np.uint16]:
    return np.rint(np.asarray(frame.depth, float) * 1000).astype(np.uint16)


def write_image(path: Path, image: NDArray[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image if image.ndim == 2 else image[..., ::-1])


def encoded(ending: str, image: NDArray[Any]) -> bytes:
    found, content = cv2.imencode(ending, image if image.ndim == 2 else image[..., ::-1])
    assert found
    return bytes(content.tobytes())


def matrix(frame: Frame) -> NDArray[np.float64]:
    lens = frame.intrinsics
    return np.array(
        [[lens.fx, 0, lens.cx, 0], [0, lens.fy, lens.cy, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]
    )


def save(path: Path, numbers: NDArray[np.float64]) -> None:
    """As SensReader does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savetxt(path, numbers, fmt="%f")


# ScanNet --------------------------------------------------------------------------------------


def write_scannet_mesh(root: Path, rooms: Room) -> Path:
    """Everything but images: the objects that are seen are numbered from 0, see ``first``."""
    folder = root / "scans" / SCENE
    folder.mkdir(parents=True)
    world, _ = build(rooms.seed, 1)
    mesh = world.mesh()
    vertices = mesh.vertices[mesh.faces].reshape(-1, 3)
    T_scan_aligned = inverse(T_ALIGNED_SCAN)
    points = vertices @ T_scan_aligned[:3, :3].T + T_scan_aligned[:3, 3]
    header = (
        f"ply\nformat binary_little_endian 1.0\nelement vertex {len(points)}\n"
        "property float x\nproperty float y\nproperty float z\nend_header\n"
    )
    content = header.encode() + points.astype("<f4").tobytes()
    (folder / f"{SCENE}_vh_clean_2.ply").write_bytes(content)
    segments = {"segIndices": np.repeat(mesh.ids, 3).tolist()}
    (folder / f"{SCENE}_vh_clean_2.0.010000.segs.json").write_text(json.dumps(segments))
    seen = {item.id for item in rooms.small.scene.objects}
    seen |= {number for number, _, _ in world.structure}
    groups = [
        {"id": n, "objectId": number - first(rooms), "segments": [number], "label": label}
        for n, (number, label) in enumerate(world.names.items())
        if number in seen
    ]
    (folder / f"{SCENE}.aggregation.json").write_text(json.dumps({"segGroups": groups}))
    numbers = " ".join(f"{value:.6f}" for value in T_ALIGNED_SCAN.ravel())
    (folder / f"{SCENE}.txt").write_text(
        f"axisAlignment = {numbers} \nfx_depth = 1.0\nmx_depth = 1.0\n"
    )
    return folder


def first(rooms: Room) -> int:
    """The number in the world of what has number 0 in ScanNet's files."""
    return min(item.id for item in rooms.small.scene.objects)


def projected(rooms: Room, frame: Frame) -> NDArray[np.uint8]:
    """The label image of a frame."""
    return np.maximum(frame.labels.ids - first(rooms) + 1, 0).astype(np.uint8)


def write_scannet(root: Path, rooms: Room) -> Path:
    """As SensReader unpacks it, with frames 3, 13, ...; those before each lost their pose."""
    folder = write_scannet_mesh(root, rooms)
    for number, (small, large) in enumerate(pairs(rooms)):
        T_scan_camera = inverse(T_ALIGNED_SCAN) @ small.T_fixed_camera
        for frame, pose in ((10 * number + 2, LOST), (10 * number + 3, T_scan_camera)):
            save(folder / "pose" / f"{frame}.txt", pose)
            write_image(folder / "color" / f"{frame}.jpg", large.rgb)
            write_image(folder / "depth" / f"{frame}.png", depth_mm(small))
            shown = projected(rooms, large) * (pose is not LOST)
            write_image(folder / "instance-filt" / f"{frame}.png", shown.astype(np.uint8))
    save(folder / "intrinsic" / "intrinsic_color.txt", matrix(rooms.large.frames[0]))
    save(folder / "intrinsic" / "intrinsic_depth.txt", matrix(rooms.small.frames[0]))
    return folder


def write_scannet_packed(root: Path, rooms: Room) -> Path:
    """As it is published: the recording, and projections in an archive."""
    folder = write_scannet_mesh(root, rooms)
    small, large = rooms.small.frames[0], rooms.large.frames[0]
    header = struct.pack("<IQ", 4, 3) + b"any"
    for each in (matrix(large), np.eye(4), matrix(small), np.eye(4)):
        header += struct.pack("<16f", *each.ravel())
    sizes = [*large.rgb.shape[1::-1], *small.rgb.shape[1::-1]]
    frames, archive = b"", folder / f"{SCENE}_2d-instance-filt.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for number, (small, large) in enumerate(pairs(rooms)):
            colour = encoded(".jpg", large.rgb)
            depth = zlib.compress(depth_mm(small).tobytes())
            T_scan_camera = inverse(T_ALIGNED_SCAN) @ small.T_fixed_camera
            for at, pose in enumerate((LOST, T_scan_camera)):
                stamp = 33_000 * (2 * number + at)
                frames += struct.pack("<16f", *pose.ravel())
                frames += struct.pack("<4Q", stamp, stamp, len(colour), len(depth))
                frames += colour + depth
                shown = encoded(".png", projected(rooms, large) * np.uint8(at))
                packed.writestr(f"instance-filt/{2 * number + at}.png", shown)
    header += struct.pack("<2i4IfQ", 2, 1, *sizes, 1000.0, 2 * len(rooms.small.frames))
    (folder / f"{SCENE}.sens").write_bytes(header + frames + struct.pack("<Q", 0))
    return folder


# Boxes of the other two ------------------------------------------------------------------------


def obb(rooms: Room, number: int) -> dict[str, list[float]]:
    """The box of an object in the world, as both data sets write it."""
    scene = rooms.small.scene
    T_world_scene = scene_frame(scene.T_world_first)
    box = scene[number].box
    turn = T_world_scene[:3, :3] @ Rotation.from_euler("z", box.yaw).as_matrix()
    return {
        "centroid": (T_world_scene[:3, :3] @ box.center + T_world_scene[:3, 3]).tolist(),
        "axesLengths": box.size.tolist(),
        "normalizedAxes": turn.T.ravel().tolist(),
    }


def write_arkitscenes(root: Path, rooms: Room, lying: int = 0) -> Path:
    """Numbers are places in the file; images need ``lying`` clockwise turns to be upright."""
    folder = root / "3dod" / "Training" / VIDEO
    frames = folder / f"{VIDEO}_frames"
    data = [
        {
            "uid": f"u{item.id}",
            "label": item.category.replace(" ", "_"),
            "segments": {"obbAligned": obb(rooms, item.id)},
        }
        for item in rooms.small.scene.objects
    ]
    folder.mkdir(parents=True)
    (folder / f"{VIDEO}_3dod_annotation.json").write_text(
        json.dumps({"data": data, "skipped": False})
    )
    lines = []
    for number, frame in enumerate(rooms.small.frames):
        time = 1627.68140546 + 0.1 * number
        (T_world_camera,) = turned(frame.T_fixed_camera[None], np.array([-lying % 4]))
        T_camera_world = inverse(T_world_camera)
        rotation = Rotation.from_matrix(T_camera_world[:3, :3]).as_rotvec()
        lines.append(" ".join(repr(float(x)) for x in (time, *rotation, *T_camera_world[:3, 3])))
        name = f"{VIDEO}_{time:.3f}"
        write_image(frames / "lowres_wide" / f"{name}.png", np.rot90(frame.rgb, lying))
        write_image(frames / "lowres_depth" / f"{name}.png", np.rot90(depth_mm(frame), lying))
        lens = frame.intrinsics
        numbers = [lens.width, lens.height, lens.fx, lens.fy, lens.cx, lens.cy]
        for _ in range(lying):  # counter-clockwise: (u, v) goes to (v, width - 1 - u)
            wide, high, fx, fy, cx, cy = numbers
            numbers = [high, wide, fy, fx, cy, wide - 1 - cx]
        path = frames / "lowres_wide_intrinsics" / f"{name}.pincam"
        path.parent.mkdir(exist_ok=True)
        path.write_text(" ".join(map(str, numbers)))
    # Poses at whose time nothing was published.
    lines = [lines[0].replace("1627.68140546", "1627.58140546"), *lines]
    (frames / "lowres_wide.traj").write_text("\n".join(lines) + "\n")
    return folder


def write_scannetpp(root: Path, rooms: Room) -> Path:
    """Objects have the world's numbers; a wall has a box that all of the room is in."""
    folder = root / "data" / HOUSE
    (folder / "scans").mkdir(parents=True)
    groups = [
        {"id": item.id, "objectId": item.id, "label": item.category, "obb": obb(rooms, item.id)}
        for item in rooms.small.scene.objects
    ]
    for number, label, height in ((900, "wall", 99), (901, "floor", 0.04)):
        box = {"centroid": [0, 0, 0], "axesLengths": [99, 98, height]}
        box["normalizedAxes"] = np.eye(3).ravel().tolist()
        groups.append({"id": number, "objectId": number, "label": label, "obb": box})
    (folder / "scans" / "segments_anno.json").write_text(json.dumps({"segGroups": groups}))
    return folder


def write_phone(folder: Path, rooms: Room) -> None:
    """Colour of 1920 x 1440 pixels, depth of a phone's 256 x 192."""
    frames = {}
    for number, (small, large) in enumerate(pairs(rooms)):
        name = f"frame_{10 * number:06d}"
        rgb = cv2.resize(large.rgb, (1920, 1440), interpolation=cv2.INTER_LINEAR)
        lens = large.intrinsics.resized(1920, 1440)
        frames[name] = {
            "timestamp": number / 6,
            "pose": np.eye(4).tolist(),
            "aligned_pose": small.T_fixed_camera.tolist(),
            "intrinsic": [[lens.fx, 0, lens.cx], [0, lens.fy, lens.cy], [0, 0, 1]],
        }
        write_image(folder / "iphone" / "rgb" / f"{name}.jpg", rgb)
        write_image(folder / "iphone" / "depth" / f"{name}.png", depth_mm(small))
    (folder / "iphone" / "pose_intrinsic_imu.json").write_text(json.dumps(frames))


BEND = (0.03, -0.01, 0.002, -0.001)


def write_photos(folder: Path, rooms: Room) -> None:
    """Photos of a fisheye, with nerfstudio's poses, and depth bent alike."""
    frames = []
    lens = rooms.small.frames[0].intrinsics
    K = np.array([[lens.fx, 0, lens.cx], [0, lens.fy, lens.cy], [0, 0, 1]])
    u, v = np.meshgrid(np.arange(lens.width, dtype=float), np.arange(lens.height, dtype=float))
    pixels = np.stack([u, v], axis=-1).reshape(-1, 1, 2)
    seen = cv2.fisheye.undistortPoints(pixels, K, np.array(BEND), P=K)
    x, y = np.moveaxis(seen.reshape(lens.height, lens.width, 2).astype(np.float32), -1, 0)
    for number, frame in enumerate(rooms.small.frames):
        pose = np.array(frame.T_fixed_camera)
        pose[0:3, 1:3] *= -1
        pose = pose[np.array([1, 0, 2, 3]), :]
        pose[2, :] *= -1
        name = f"DSC{number:05d}"
        frames.append({"file_path": f"{name}.JPG", "transform_matrix": pose.tolist()})
        bent: Callable[[NDArray[Any], int], NDArray[Any]] = lambda image, how: cv2.remap(  # noqa: E731
            image, x, y, how
        )
        path = folder / "dslr" / "resized_images" / f"{name}.JPG"
        write_image(path, bent(frame.rgb, cv2.INTER_LINEAR))
        depth = bent(depth_mm(frame), cv2.INTER_NEAREST)
        write_image(folder / "dslr" / "render_depth" / f"{name}.png", depth)
    content = {
        "fl_x": lens.fx,
        "fl_y": lens.fy,
        "cx": lens.cx,
        "cy": lens.cy,
        "w": lens.width,
        "h": lens.height,
        **{f"k{number}": value for number, value in enumerate(BEND, 1)},
        "camera_model": "OPENCV_FISHEYE",
        "frames": frames,
    }
    path = folder / "dslr" / "nerfstudio" / "transforms.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(content))
