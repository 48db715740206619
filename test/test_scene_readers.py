"""One small world written in the layout of each data set: every reader gives the same scene.

The first camera is that of the worked case of SSR section 3.3, turned against the world by a
quarter and tilted: at (2, 1, 1.5), along (0, 1, -0.2).
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from box_world import look
from scipy.spatial.transform import Rotation

from spatial_vlm_ros.data.readers import NAMES, reader
from spatial_vlm_ros.data.readers.arkitscenes import turned, upright_turns
from spatial_vlm_ros.data.readers.cameras import FAR, Cameras, Lens, evenly, first_shown, is_pose
from spatial_vlm_ros.data.readers.placing import box_of
from spatial_vlm_ros.data.readers.ply import read_vertices
from spatial_vlm_ros.data.row import Rejected
from spatial_vlm_ros.data.scenes import AnnotatedScene, read_scenes, write_scenes
from spatial_vlm_ros.data.unusable import Unusable
from spatial_vlm_ros.frame import Intrinsics
from spatial_vlm_ros.scene.box import Box
from spatial_vlm_ros.scene.nine_dof import in_first_frame
from spatial_vlm_ros.scene_frame import inverse, scene_frame
from spatial_vlm_ros.simulation.truth import TrueObject, TrueRoom, Truth, save_truth, scene_pose

#: Of the world: the first looks along y at the chair, the second back along x at the table.
CAMERAS = np.array([look((2, 1, 1.5), (2, 2, 1.3)), look((2, 1, 1.5), (-2, 1, 0.5))])
#: Category, least and greatest x, y, z in the world.
BOUNDS = {
    "floor": ((-4, -1, -0.02), (6, 6, 0.02)),
    "office chair": ((0.5, 3.5, 0.0), (2.5, 4.5, 1.0)),
    "table": ((-3.0, 0.5, 0.0), (-2.0, 1.5, 0.8)),
}
#: The same in the scene: x' = y - 1, y' = 2 - x, z' = z - 1.5.
SCENE = {
    "floor": (1.5, 1.0, -1.5, 10.0, 7.0, 0.04, -np.pi / 2),
    "office chair": (3.0, 0.5, -1.0, 2.0, 1.0, 1.0, -np.pi / 2),
    "table": (0.0, 4.5, -1.1, 1.0, 1.0, 0.8, None),
}
FIRST = {"floor": None, "office chair": 0, "table": 1}
FOCAL = (500.0, 500.0, 320.0, 240.0)


def boxes() -> list[tuple[str, list[float], list[float]]]:
    """Label, centre and size of each object."""
    return [
        (label, np.mean(both, axis=0).tolist(), np.subtract(both[1], both[0]).tolist())
        for label, both in BOUNDS.items()
    ]


def axes(turn: np.ndarray) -> list[float]:
    """A rotation as ``normalizedAxes``: one axis after another."""
    return turn.T.ravel().tolist()


def scenes(name: str, root: Path) -> list[AnnotatedScene]:
    made = list(reader(name).read(root))
    assert all(isinstance(item, AnnotatedScene) for item in made), made
    return made


def rejected(name: str, root: Path) -> Rejected:
    (made,) = reader(name).read(root)
    assert isinstance(made, Rejected), made
    return made


def assert_is_the_scene(scene: AnnotatedScene, first_seen: bool = True) -> None:
    found = {item.category: item for item in scene.objects}
    assert list(found) == list(BOUNDS)
    for category, expected in SCENE.items():
        *numbers, yaw = found[category].box.to_tuple()
        assert numbers == pytest.approx(expected[:6], abs=1e-4)
        if expected[6] is not None:  # not square; a box has no front
            assert np.sin(yaw - expected[6]) == pytest.approx(0.0, abs=1e-4)
    if first_seen:
        seen = {category: item.first_seen for category, item in found.items()}
        assert {**seen, "floor": None} == FIRST
    np.testing.assert_allclose(scene.T_world_first[:3, 3], CAMERAS[0, :3, 3], atol=1e-4)
    expected_views = inverse(scene_frame(CAMERAS[0])) @ CAMERAS
    np.testing.assert_allclose(scene.T_scene_views, expected_views, atol=1e-4)
    assert scene.T_scene_views[0, :3, 3] == pytest.approx((0, 0, 0), abs=1e-4)
    assert scene.floor_z == pytest.approx(-1.5, abs=1e-4)
    assert scene.license


# ScanNet --------------------------------------------------------------------------------------

#: From the scan as it was taken to the axis-aligned one.
T_ALIGNED_SCAN = np.eye(4)
T_ALIGNED_SCAN[:3, :3] = Rotation.from_euler("z", 0.5).as_matrix()
T_ALIGNED_SCAN[:3, 3] = (0.3, -0.7, 0.1)


def ply(vertices: np.ndarray, form: str) -> bytes:
    """As ScanNet's: x, y, z and colours of vertices, then faces."""
    header = (
        f"ply\nformat {form} 1.0\ncomment VCGLIB generated\nelement vertex {len(vertices)}\n"
        "property float x\nproperty float y\nproperty float z\nproperty uchar red\n"
        "property uchar green\nproperty uchar blue\nproperty uchar alpha\n"
        "element face 1\nproperty list uchar int vertex_indices\nend_header\n"
    ).encode()
    if form == "ascii":
        lines = [f"{x} {y} {z} 1 2 3 255\n" for x, y, z in vertices.tolist()]
        return header + "".join(lines).encode() + b"3 0 1 2\n"
    order = "<" if "little" in form else ">"
    rows = b"".join(struct.pack(f"{order}fff4B", *row, 1, 2, 3, 255) for row in vertices)
    return header + rows + struct.pack(f"{order}Biii", 3, 0, 1, 2)


def write_scannet(root: Path, form: str = "binary_little_endian") -> Path:
    folder = root / "scans" / "scene0001_00"
    (folder / "pose").mkdir(parents=True)
    (folder / "color").mkdir()
    corners, segments, groups = [], [], []
    for number, (label, both) in enumerate(BOUNDS.items()):
        points = np.array(np.meshgrid(*np.transpose(both), indexing="ij")).reshape(3, -1).T
        corners.append(points)
        segments += [10 * number] * 4 + [10 * number + 1] * 4
        parts = [10 * number, 10 * number + 1]
        groups.append({"id": number, "objectId": number, "segments": parts, "label": label})
    points = np.concatenate(corners) @ inverse(T_ALIGNED_SCAN)[:3, :3].T
    points += inverse(T_ALIGNED_SCAN)[:3, 3]
    name = folder.name
    (folder / f"{name}_vh_clean_2.ply").write_bytes(ply(points, form))
    (folder / f"{name}_vh_clean_2.0.010000.segs.json").write_text(
        json.dumps({"params": {}, "sceneId": name, "segIndices": segments})
    )
    (folder / f"{name}.aggregation.json").write_text(
        json.dumps({"sceneId": f"scannet.{name}", "segGroups": groups})
    )
    (folder / f"{name}_vh_clean.aggregation.json").write_text("of another mesh")
    fx, fy, mx, my = FOCAL
    numbers = " ".join(f"{value:.6f}" for value in T_ALIGNED_SCAN.ravel())
    (folder / f"{name}.txt").write_text(
        f"axisAlignment = {numbers} \ncolorHeight = 480\ncolorWidth = 640\nfx_color = {fx}\n"
        f"fy_color = {fy}\nmx_color = {mx}\nmy_color = {my}\nsceneType = Living room / Lounge\n"
    )
    lost = np.full((4, 4), -np.inf)
    raw = inverse(T_ALIGNED_SCAN) @ CAMERAS
    for frame, pose in {0: lost, 2: raw[0], 5: lost, 10: raw[1]}.items():
        rows = [" ".join(f"{value:.6f}" for value in row) for row in pose]
        (folder / "pose" / f"{frame}.txt").write_text("\n".join(rows) + "\n")
        if frame != 10:
            (folder / "color" / f"{frame}.jpg").touch()
    return folder


@pytest.mark.parametrize("form", ["ascii", "binary_little_endian", "binary_big_endian"])
def test_scannet(tmp_path: Path, form: str) -> None:
    write_scannet(tmp_path, form)
    (scene,) = scenes("scannet", tmp_path)
    assert scene.name == "scannet/scene0001_00"
    assert_is_the_scene(scene)
    assert [item.id for item in scene.objects] == [0, 1, 2]
    assert scene.views == ("scans/scene0001_00/color/2.jpg", "")
    assert scene.floor_area is None


def test_scannet_object_without_surface_is_told(tmp_path: Path) -> None:
    folder = write_scannet(tmp_path)
    path = folder / "scene0001_00.aggregation.json"
    content = json.loads(path.read_text())
    group = {"id": 3, "objectId": 3, "segments": [99], "label": "lamp"}
    content["segGroups"].append(group)
    path.write_text(json.dumps(content))
    lamp, scene = reader("scannet").read(tmp_path)
    assert isinstance(lamp, Rejected) and lamp.reason == "object without surface"
    assert lamp.content == group
    assert isinstance(scene, AnnotatedScene)
    assert_is_the_scene(scene)


def test_scannet_that_does_not_fit_is_rejected_whole(tmp_path: Path) -> None:
    folder = write_scannet(tmp_path)
    path = folder / "scene0001_00_vh_clean_2.0.010000.segs.json"
    path.write_text(json.dumps({"segIndices": [0, 1]}))
    assert rejected("scannet", tmp_path).reason == "segments do not fit the mesh"
    path.unlink()
    assert rejected("scannet", tmp_path).reason == "file missing"


def test_scannet_without_a_pose_is_rejected(tmp_path: Path) -> None:
    folder = write_scannet(tmp_path)
    for frame in (2, 10):
        (folder / "pose" / f"{frame}.txt").unlink()
    assert rejected("scannet", tmp_path).reason == "no camera pose"


def sens(poses: np.ndarray) -> bytes:
    """A recording, version 4, as SensReader/python reads it; images of 5 and 3 bytes."""
    fx, fy, cx, cy = FOCAL
    colour = np.array([[fx, 0, cx, 0], [0, fy, cy, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    matrices = [colour, np.eye(4), np.eye(4), np.eye(4)]
    name = b"StructureSensor"
    header = struct.pack("<IQ", 4, len(name)) + name
    header += b"".join(struct.pack("<16f", *matrix.ravel()) for matrix in matrices)
    header += struct.pack("<2i4IfQ", 2, 1, 640, 480, 320, 240, 1000.0, len(poses))
    frames = [
        struct.pack("<16f4Q", *pose.ravel(), 100 * n, 100 * n, 5, 3) + b"12345abc"
        for n, pose in enumerate(poses)
    ]
    return header + b"".join(frames) + struct.pack("<Q", 0)


def test_scannet_that_is_not_unpacked(tmp_path: Path) -> None:
    folder = write_scannet(tmp_path)
    (folder / "pose").rename(folder / "elsewhere")
    lost = np.full((1, 4, 4), -np.inf)
    raw = inverse(T_ALIGNED_SCAN) @ CAMERAS
    path = folder / "scene0001_00.sens"
    path.write_bytes(sens(np.concatenate([lost, raw[:1], lost, raw[1:]])))
    (scene,) = scenes("scannet", tmp_path)
    assert_is_the_scene(scene)
    assert scene.views == ("", "")
    path.write_bytes(path.read_bytes()[:500])
    assert "ends within" in rejected("scannet", tmp_path).detail
    path.write_bytes(struct.pack("<I", 3))
    assert "version 3" in rejected("scannet", tmp_path).detail


def test_scannet_without_alignment_or_lens(tmp_path: Path) -> None:
    """As scans of the test split are: taken as they are, and nobody knows what a view shows."""
    folder = write_scannet(tmp_path)
    (folder / "scene0001_00.txt").write_text("numDepthFrames = 4\n")
    (scene,) = scenes("scannet", tmp_path)
    raw = inverse(T_ALIGNED_SCAN) @ CAMERAS[0]
    np.testing.assert_allclose(scene.T_world_first, raw, atol=1e-5)
    assert {item.first_seen for item in scene.objects} == {None}


# ScanNet++ ------------------------------------------------------------------------------------


def write_scannetpp(root: Path) -> Path:
    folder = root / "data" / "036bce3393"
    (folder / "scans").mkdir(parents=True)
    groups = [
        {
            "id": number,
            "objectId": number,
            "label": label,
            "segments": [1, 2],
            "obb": {"centroid": centre, "axesLengths": size, "normalizedAxes": axes(np.eye(3))},
        }
        for number, (label, centre, size) in enumerate(boxes(), 1)
    ]
    (folder / "scans" / "segments_anno.json").write_text(json.dumps({"segGroups": groups}))
    return folder


def write_phone(folder: Path) -> None:
    (folder / "iphone" / "rgb").mkdir(parents=True)
    (folder / "iphone" / "rgb" / "frame_000001.jpg").touch()
    matrix = [[1500.0, 0, 960.0], [0, 1500.0, 720.0], [0, 0, 1]]
    frames = {
        f"frame_{number:06d}": {
            "timestamp": number / 60,
            "pose": np.eye(4).tolist(),
            "aligned_pose": pose.tolist(),
            "intrinsic": matrix,
        }
        for number, pose in enumerate(CAMERAS)
    }
    (folder / "iphone" / "pose_intrinsic_imu.json").write_text(json.dumps(frames))


def write_photos(folder: Path) -> None:
    """With nerfstudio's poses as common/utils/nerfstudio.py makes them of a camera to world."""
    frames = []
    for number, pose in reversed(list(enumerate(CAMERAS))):
        pose = pose.copy()
        pose[0:3, 1:3] *= -1
        pose = pose[np.array([1, 0, 2, 3]), :]
        pose[2, :] *= -1
        frames.append({"file_path": f"DSC0000{number}.JPG", "transform_matrix": pose.tolist()})
    lost = {"file_path": "DSC00009.JPG", "transform_matrix": np.eye(4).tolist(), "is_bad": True}
    content = {
        **dict(zip(("fl_x", "fl_y", "cx", "cy"), FOCAL, strict=True)),
        **dict(zip(("w", "h", "k1", "k2", "k3", "k4"), (640, 480, 0.02, -0.01, 0, 0), strict=True)),
        "camera_model": "OPENCV_FISHEYE",
        "frames": [frames[0], lost],
        "test_frames": [frames[1]],
    }
    path = folder / "dslr" / "nerfstudio" / "transforms.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("write", [write_phone, write_photos])
def test_scannetpp(tmp_path: Path, write: Callable[[Path], None]) -> None:
    write(write_scannetpp(tmp_path))
    (scene,) = scenes("scannetpp", tmp_path)
    assert scene.name == "scannetpp/036bce3393"
    assert_is_the_scene(scene)
    assert [item.id for item in scene.objects] == [1, 2, 3]
    phone = ("", "data/036bce3393/iphone/rgb/frame_000001.jpg")
    assert scene.views == (phone if write is write_phone else ("", ""))


def test_scannetpp_takes_the_phone_where_both_are(tmp_path: Path) -> None:
    folder = write_scannetpp(tmp_path)
    write_photos(folder)
    write_phone(folder)
    (scene,) = scenes("scannetpp", tmp_path)
    assert scene.views[1].endswith("frame_000001.jpg")


def test_scannetpp_without_poses_or_boxes(tmp_path: Path) -> None:
    folder = write_scannetpp(tmp_path)
    assert rejected("scannetpp", tmp_path).reason == "no camera pose"
    write_phone(folder)
    path = folder / "scans" / "segments_anno.json"
    content = json.loads(path.read_text())
    del content["segGroups"][1]["obb"]
    path.write_text(json.dumps(content))
    found = rejected("scannetpp", tmp_path)
    assert (found.reason, found.detail) == ("field missing", f"{path}: 'obb'")


# ARKitScenes ----------------------------------------------------------------------------------


def write_arkitscenes(root: Path, raw: bool = False) -> Path:
    folder = root / ("raw" if raw else "3dod") / "Training" / "41069021"
    frames = folder if raw else folder / "41069021_frames"
    for name in ("lowres_wide", "lowres_wide_intrinsics"):
        (frames / name).mkdir(parents=True)
    turn = Rotation.from_euler("z", np.pi / 2).as_matrix()
    data = [
        {
            "uid": f"u{number}",
            "label": label.replace(" ", "_"),
            "segments": {
                "obbAligned": {
                    "centroid": centre,
                    "axesLengths": [size[1], size[0], size[2]],
                    "normalizedAxes": axes(turn),
                }
            },
        }
        for number, (label, centre, size) in enumerate(boxes())
    ]
    (folder / "41069021_3dod_annotation.json").write_text(
        json.dumps({"data": data, "skipped": False, "stats": {}})
    )
    lines = []
    for time, pose in zip((1627.68140546, 1627.78140546), CAMERAS, strict=True):
        T_camera_world = inverse(pose)
        turned_by = Rotation.from_matrix(T_camera_world[:3, :3]).as_rotvec()
        numbers = [time, *turned_by, *T_camera_world[:3, 3]]
        lines.append(" ".join(repr(float(value)) for value in numbers))
    (frames / "lowres_wide.traj").write_text("\n".join(lines) + "\n")
    # One millisecond off, as they are at times; the second view has no file of its own.
    (frames / "lowres_wide_intrinsics" / "41069021_1627.682.pincam").write_text(
        "256 192 200.0 200.0 128.0 96.0"
    )
    (frames / "lowres_wide" / "41069021_1627.681.png").touch()
    return folder


@pytest.mark.parametrize("raw", [False, True])
def test_arkitscenes(tmp_path: Path, raw: bool) -> None:
    write_arkitscenes(tmp_path, raw)
    (scene,) = scenes("arkitscenes", tmp_path)
    assert scene.name == "arkitscenes/41069021"
    assert_is_the_scene(scene)
    assert [item.id for item in scene.objects] == [0, 1, 2]
    assert scene.views[0].endswith("lowres_wide/41069021_1627.681.png")
    assert scene.views[1] == ""


def test_arkitscenes_in_both_layouts_comes_once(tmp_path: Path) -> None:
    write_arkitscenes(tmp_path)
    write_arkitscenes(tmp_path, raw=True)
    first, second = reader("arkitscenes").read(tmp_path)
    assert isinstance(first, AnnotatedScene)
    assert isinstance(second, Rejected) and second.reason == "scene repeats"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"skipped": True}, "annotation skipped"),
        ({"data": [{"label": "sofa", "segments": {}}]}, "field missing"),
        ({"data": None}, "malformed"),
    ],
)
def test_arkitscenes_that_is_bad(tmp_path: Path, change: dict[str, object], reason: str) -> None:
    path = write_arkitscenes(tmp_path) / "41069021_3dod_annotation.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    assert rejected("arkitscenes", tmp_path).reason == reason


def test_upright_turns() -> None:
    """The two lines of apple/ARKitScenes' rectify_im.py: upside down, and to be turned once."""
    found = []
    for vector in (
        (-1.5545600446434271, 1.532901960141653, 0.883467254271724),
        (1.6851560664954446, -1.7402208764128138, -0.8469396625258023),
    ):
        T_world_camera = np.eye(4)
        T_world_camera[:3, :3] = Rotation.from_rotvec(vector).as_matrix().T
        found.append(T_world_camera)
    assert upright_turns(np.array(found)).tolist() == [2, 1]


@pytest.mark.parametrize("turns", range(4))
def test_turned_cameras_are_those_of_turned_images(turns: int) -> None:
    """A point's pixel, carried along when its image is turned, is where the new camera sees it."""
    lens = Intrinsics(640, 480, 500, 500, 319.5, 239.5)
    T_upright = CAMERAS[:1]
    lying = turned(T_upright, np.array([-turns % 4]))
    assert upright_turns(lying).tolist() == [turns]
    np.testing.assert_allclose(turned(lying, np.array([turns])), T_upright, atol=1e-12)
    point = CAMERAS[0] @ (0.3, 0.2, 2.0, 1.0)
    image = np.zeros((480, 640) if turns % 2 == 0 else (640, 480))
    rows, columns = image.shape
    x, y, z, _ = inverse(lying[0]) @ point
    u, v = round(lens.fx * x / z + (columns - 1) / 2), round(lens.fy * y / z + (rows - 1) / 2)
    image[v, u] = 1.0
    upright = np.rot90(image, -turns)  # clockwise
    x, y, z, _ = inverse(T_upright[0]) @ point
    u, v = round(lens.fx * x / z + 319.5), round(lens.fy * y / z + 239.5)
    assert upright[v - 1 : v + 2, u - 1 : u + 2].any()


# VLM-3R ---------------------------------------------------------------------------------------


def write_vlm3r(root: Path, instances: bool = True) -> None:
    entry = {
        "video_path": "ScanNet/videos/train/scene0001_00.mp4",
        "dataset": "ScanNet",
        "room_size": 26.4,
        "room_center": [0, 0, 0],
        "object_counts": dict.fromkeys(BOUNDS, 1),
        "object_bboxes": {
            label: [
                {
                    "centroid": centre,
                    "axesLengths": size,
                    "normalizedAxes": axes(np.eye(3)),
                    **({"instance_id": 7 + number} if instances else {}),
                }
            ]
            for number, (label, centre, size) in enumerate(boxes())
        },
    }
    (root / "scannet_metadata_train.json").write_text(json.dumps({"scene0001_00": entry}))
    frames = [
        {
            "frame_id": 60 * number,
            "file_path_color": f"color/train/scene0001_00/{60 * number:06d}.jpg",
            "file_path_depth": "depth.png",
            "camera_pose_camera_to_world": pose.tolist(),
            # The chair (8) is but a glimpse in the first.
            "bboxes_2d": [{"instance_id": 8, "bbox_2d": [0, 0, 20 + 80 * number, 20]}],
        }
        for number, pose in enumerate(CAMERAS)
    ]
    seen = {
        "camera_intrinsics": dict(zip(("fx", "fy", "cx", "cy"), FOCAL, strict=True)),
        "img_width": 640,
        "img_height": 480,
        "frames": frames[::-1],
    }
    (root / "scannet_frame_metadata_train.json").write_text(json.dumps({"scene0001_00": seen}))


def test_vlm3r_metadata(tmp_path: Path) -> None:
    write_vlm3r(tmp_path)
    (scene,) = scenes("vlm3r_metadata", tmp_path)
    assert scene.name == "scannet/scene0001_00"
    assert_is_the_scene(scene, first_seen=False)
    assert [(item.id, item.first_seen) for item in scene.objects] == [(7, None), (8, 1), (9, None)]
    assert scene.views[0] == "color/train/scene0001_00/000000.jpg"
    assert scene.floor_area == 26.4


def test_vlm3r_metadata_without_instances_goes_by_projection(tmp_path: Path) -> None:
    write_vlm3r(tmp_path, instances=False)
    (scene,) = scenes("vlm3r_metadata", tmp_path)
    assert_is_the_scene(scene)
    assert [item.id for item in scene.objects] == [0, 1, 2]


def test_vlm3r_metadata_that_is_bad(tmp_path: Path) -> None:
    write_vlm3r(tmp_path)
    path = tmp_path / "scannet_metadata_train.json"
    content = json.loads(path.read_text())["scene0001_00"]
    spoilt = {**content, "object_bboxes": {"table": [{"centroid": [0, 0]}]}}
    path.write_text(json.dumps({"41069021": content, "scene0001_00": spoilt}))
    (tmp_path / "again.json").write_text(json.dumps({"scene0001_00": content}))
    (tmp_path / "notes.json").write_text("[")
    found = list(reader("vlm3r_metadata").read(tmp_path))
    reasons = [item.reason for item in found if isinstance(item, Rejected)]
    assert sorted(reasons) == ["no JSON", "no camera pose", "scene repeats"]
    assert [item.name for item in found if isinstance(item, AnnotatedScene)] == [
        "scannet/scene0001_00"
    ]
    (tmp_path / "again.json").unlink()
    found = list(reader("vlm3r_metadata").read(tmp_path))
    assert [item.reason for item in found if isinstance(item, Rejected)] == [
        "no JSON",
        "no camera pose",
        "field missing",
    ]


# Simulated ------------------------------------------------------------------------------------


def test_simulated(tmp_path: Path) -> None:
    T_map_scene = scene_pose(CAMERAS[0])
    boxed = {category: Box(*values[:6], values[6] or 0.0) for category, values in SCENE.items()}
    first = {"floor": 0, "office chair": 0, "table": 10}
    objects = tuple(
        TrueObject(number, category, "red", "room", None, box, first[category], frames, 0.9)
        for (number, (category, box)), frames in zip(
            enumerate(boxed.items(), 1), (0, 9, 9), strict=True
        )
    )
    outline = np.array([(0.0, 0.0), (4, 0), (4, 3), (0, 3)])
    truth = Truth(
        objects,
        (TrueRoom("room", outline, 12.0),),
        *(T_map_scene, np.eye(4), np.array([0, 10]), CAMERAS, Intrinsics(640, 480, *FOCAL), {}),
    )
    (tmp_path / "room-3").mkdir()
    save_truth(tmp_path / "room-3" / "truth.json", truth)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "truth.json").write_text('{"version": 0}')
    broken, scene = reader("simulated").read(tmp_path)
    assert isinstance(broken, Rejected) and broken.reason == "malformed"
    assert isinstance(scene, AnnotatedScene)
    assert scene.name == "simulated/room-3"
    assert_is_the_scene(scene)
    assert scene.objects[0].first_seen is None  # in view, but in too few images
    assert scene.floor_area == 12.0
    np.testing.assert_allclose(scene.outline, outline)
    assert scene.views == ("", "")
    assert scene.objects[1].colour == "red"


# What they share ------------------------------------------------------------------------------


def test_left_handed_axes_are_the_same_box() -> None:
    turn = Rotation.from_euler("z", 0.4).as_matrix()
    record = {"centroid": [1, 2, 3], "axesLengths": [3, 2, 1], "normalizedAxes": axes(turn)}
    right = in_first_frame(box_of(record), CAMERAS[0])
    for mirrored in (turn * [-1, 1, 1], turn * [1, -1, 1], -turn):
        left = box_of({**record, "normalizedAxes": axes(mirrored)})
        found = in_first_frame(left, CAMERAS[0])
        np.testing.assert_allclose(found.to_tuple(), right.to_tuple(), atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_root_says_how_it_should_look(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="is read from") as error:
        list(reader(name).read(tmp_path))
    assert reader(name).layout.splitlines()[0] in str(error.value)


def test_an_unknown_reader() -> None:
    with pytest.raises(ValueError, match="scannet, scannetpp, arkitscenes"):
        reader("replica")


def test_scenes_can_be_written_and_read(tmp_path: Path) -> None:
    write_scannet(tmp_path)
    (scene,) = scenes("scannet", tmp_path)
    write_scenes(tmp_path / "scenes.jsonl", [scene])
    assert_is_the_scene(read_scenes(tmp_path / "scenes.jsonl")[scene.name])


@pytest.mark.parametrize(("count", "most"), [(1, 5), (5, 5), (6, 5), (1000, 128)])
def test_evenly(count: int, most: int) -> None:
    found = evenly(count, most)
    assert len(found) == min(count, most)
    assert (found[0], found[-1]) == (0, count - 1)
    steps = np.diff(found)
    assert len(steps) == 0 or steps.max() - steps.min() <= 1


def test_lost_and_bent_poses_are_none() -> None:
    assert is_pose(CAMERAS[0])
    for spoilt in (np.full((4, 4), -np.inf), CAMERAS[0] * 1.01, np.diag([1.0, 1, -1, 1])):
        assert not is_pose(spoilt)


def test_the_first_usable_pose_is_kept_of_many() -> None:
    poses = np.concatenate([[np.full((4, 4), np.nan)], np.tile(CAMERAS[1], (300, 1, 1))])
    poses[1] = CAMERAS[0]
    kept = Cameras(poses, tuple(str(number) for number in range(301))).kept()
    assert len(kept.images) == 128
    assert (kept.images[0], kept.images[-1]) == ("1", "300")
    with pytest.raises(Unusable, match="no camera pose"):
        Cameras(poses[:1], ("0",)).kept()


def lens(bend: np.ndarray | None = None) -> Lens:
    return Lens(np.array([FOCAL]), np.array([[640.0, 480.0]]), bend)


def test_a_fisheye_sees_what_opencv_says() -> None:
    bend = np.array([0.05, -0.02, 0.01, -0.003])
    points = np.random.default_rng(0).uniform((-4, -4, 0.3), (4, 4, 3), (500, 3))
    fx, fy, cx, cy = FOCAL
    K = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    pixels, _ = cv2.fisheye.projectPoints(points[:, None], np.zeros(3), np.zeros(3), K, bend)
    inside = ((pixels[:, 0] >= 0) & (pixels[:, 0] < (640, 480))).all(axis=1)
    assert 20 < inside.sum() < 480
    np.testing.assert_array_equal(lens(bend).shows(points[None])[0], inside)
    assert (lens().shows(points[None])[0] != inside).any()


def test_behind_and_far_off_is_not_seen() -> None:
    points = np.array([(0, 0, 2.0), (0, 0, -2.0), (0, 0, FAR + 1), (3.0, 0, 2.0)])
    assert lens().shows(points[None])[0].tolist() == [True, False, False, False]


def test_first_shown_waits_for_half_of_a_box() -> None:
    """A camera that looks along x passes a box at its left: in, more than half in, gone."""
    T_scene_view = look((0, 0, 0), (1, 0, 0))
    views = np.tile(T_scene_view, (4, 1, 1))
    views[:, 1, 3] = (-2.6, -1.6, -1.2, -0.5)
    box = Box(2.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.3)
    seen = Lens(np.tile(FOCAL, (4, 1)), np.tile((640.0, 480.0), (4, 1)))
    assert first_shown([box], views, seen) == [2]
    assert first_shown([box], views[:1], Lens(seen.focal[:1], seen.size[:1])) == [None]


def test_a_ply_that_is_cut_off_or_no_mesh(tmp_path: Path) -> None:
    path = tmp_path / "mesh.ply"
    whole = ply(np.zeros((3, 3)), "binary_little_endian")
    for content, message in (
        (whole[:-30], "ends within"),
        (b"obj\n", "no PLY"),
        (whole[:60], "no complete PLY header"),
        (whole.replace(b"float x", b"float a"), "no x, y, z"),
    ):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=message):
            read_vertices(path)
