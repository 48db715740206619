"""A small simulated recording: the bag as a robot's, and its truth, seen through each other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rosbags.highlevel import AnyReader
from rosbags.interfaces import QosDurability, QosReliability

from spatial_vlm_ros.scene_frame import level_frame
from spatial_vlm_ros.simulation.noise import axial_sigma
from spatial_vlm_ros.simulation.record import simulate
from spatial_vlm_ros.simulation.truth import (
    TrueObject,
    Truth,
    load_questions,
    load_truth,
    scene_pose,
    well_seen,
)
from spatial_vlm_ros.tf.buffer import TransformBuffer

SMALL = {"seed": 3, "rooms": 1, "fps": 2.0, "width": 160, "height": 120, "progress": False}
OPTICAL = "camera_color_optical_frame"
COLOUR, INFO = "/camera/color/image_raw", "/camera/color/camera_info"
DEPTH, LABELS = "/camera/aligned_depth_to_color/image_raw", "/camera/labels/image_raw"


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recording")
    simulate(folder, **SMALL)
    return folder


@pytest.fixture(scope="module")
def truth(recording: Path) -> Truth:
    return load_truth(recording / "truth.json")


@pytest.fixture(scope="module")
def messages(recording: Path) -> dict[str, list]:
    """Log time and message of everything in the bag, by topic, read by the bag's own types."""
    found: dict[str, list] = {}
    with AnyReader([recording / "bag"]) as reader:
        log = 0
        for connection, time, data in reader.messages():
            assert time >= log
            log = time
            message = reader.deserialize(data, connection.msgtype)
            found.setdefault(connection.topic, []).append((time, message))
    return found


def stamp(message) -> int:
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


def pixels(message) -> np.ndarray:
    kind, channels = {"rgb8": (np.uint8, 3), "16UC1": ("<u2", 1)}[message.encoding]
    assert message.step == message.width * channels * np.dtype(kind).itemsize
    assert not message.is_bigendian
    image = np.frombuffer(message.data.tobytes(), kind)
    return image.reshape(message.height, message.width, channels).squeeze()


def test_topics_types_and_qos(recording: Path) -> None:
    latched = {"/tf_static", "/camera/labels/label_info"}
    with AnyReader([recording / "bag"]) as reader:
        types = {c.topic: c.msgtype for c in reader.connections}
        qos = {c.topic: c.ext.offered_qos_profiles for c in reader.connections}
    assert types == {
        COLOUR: "sensor_msgs/msg/Image",
        INFO: "sensor_msgs/msg/CameraInfo",
        DEPTH: "sensor_msgs/msg/Image",
        LABELS: "sensor_msgs/msg/Image",
        "/camera/labels/label_info": "vision_msgs/msg/LabelInfo",
        "/tf": "tf2_msgs/msg/TFMessage",
        "/tf_static": "tf2_msgs/msg/TFMessage",
    }
    for topic, (profile,) in qos.items():
        wanted = QosDurability.TRANSIENT_LOCAL if topic in latched else QosDurability.VOLATILE
        assert profile.durability == wanted
        assert profile.reliability == QosReliability.RELIABLE
    assert (recording / "bag" / "metadata.yaml").read_text().count("version: 9") == 1


def test_images_and_camera_info(messages: dict, truth: Truth) -> None:
    for topic, encoding in ((COLOUR, "rgb8"), (DEPTH, "16UC1"), (LABELS, "16UC1")):
        assert [stamp(m) for _, m in messages[topic]] == truth.stamps_ns.tolist()
        for log, message in messages[topic]:
            assert (message.width, message.height, message.encoding) == (160, 120, encoding)
            assert message.header.frame_id == OPTICAL
            assert 0 < log - stamp(message) < 100_000_000
    assert truth.stamps_ns[0] > 1_700_000_000 * 10**9
    assert np.diff(truth.stamps_ns) == pytest.approx(5e8)
    for _, info in messages[INFO]:
        assert info.header.frame_id == OPTICAL
        K = truth.intrinsics
        np.testing.assert_allclose(
            info.k.reshape(3, 3), [[K.fx, 0, K.cx], [0, K.fy, K.cy], [0, 0, 1]]
        )
        np.testing.assert_allclose(info.p.reshape(3, 4)[:, :3], info.k.reshape(3, 3))
        assert not info.d.any()
    assert [stamp(m) for _, m in messages[INFO]] == truth.stamps_ns.tolist()
    depths = np.stack([pixels(m) for _, m in messages[DEPTH]])
    assert 0.03 < np.mean(depths == 0) < 0.4
    assert depths.max() <= 6000
    assert np.unique(pixels(messages[COLOUR][0][1]).reshape(-1, 3), axis=0).shape[0] > 500


def test_label_info_names_every_label(messages: dict, truth: Truth) -> None:
    ((_, info),) = messages["/camera/labels/label_info"]
    names = {entry.class_id: entry.class_name for entry in info.class_map}
    for item in truth.objects:
        assert names[item.id] == item.category
    assert {"floor", "wall", "ceiling"} <= set(names.values())
    used = {int(i) for _, m in messages[LABELS] for i in np.unique(pixels(m))}
    assert used <= set(names)
    assert len(used) > 10


def test_latched_messages_come_first(messages: dict) -> None:
    first = min(messages[topic][0][0] for topic in messages)
    assert messages["/tf_static"][0][0] == first
    assert len(messages["/tf_static"]) == 1


def test_transforms_give_the_camera_poses(messages: dict, truth: Truth) -> None:
    """map -> odom -> base_link -> camera_link -> optical, interpolated at image stamps."""
    buffer = TransformBuffer(cache_s=1e6)
    for topic in ("/tf_static", "/tf"):
        for _, message in messages[topic]:
            for t in message.transforms:
                p, q = t.transform.translation, t.transform.rotation
                buffer.set(
                    t.header.frame_id,
                    t.child_frame_id,
                    stamp(t),
                    (p.x, p.y, p.z),
                    (q.x, q.y, q.z, q.w),
                    static=topic == "/tf_static",
                )
    assert buffer.frames() == {"map", "odom", "base_link", "camera_link", OPTICAL}
    moving = [stamp(m.transforms[0]) for _, m in messages["/tf"]]
    assert np.diff(moving) == pytest.approx(2e7)
    assert not set(moving) & set(truth.stamps_ns.tolist())  # so that they must be interpolated
    for image, T_map_camera in zip(truth.stamps_ns, truth.T_map_camera, strict=True):
        found = buffer.lookup("map", OPTICAL, int(image))
        np.testing.assert_allclose(found, T_map_camera, atol=3e-4)
    np.testing.assert_allclose(buffer.lookup("map", "odom", moving[0]), truth.T_map_odom, atol=1e-8)
    start = buffer.lookup("odom", "base_link", moving[0])
    np.testing.assert_allclose(start, np.eye(4), atol=1e-6)  # odometry starts at zero


def test_camera_is_1_2_m_high_and_looks_15_degrees_down(truth: Truth) -> None:
    np.testing.assert_allclose(truth.T_map_camera[:, 2, 3], 1.2, atol=1e-6)
    np.testing.assert_allclose(truth.T_map_camera[:, 2, 2], -np.sin(np.radians(15)), atol=1e-6)
    np.testing.assert_allclose(truth.T_map_camera[:, 2, 0], 0.0, atol=1e-6)  # image rows are level


def test_scene_frame_agrees_with_the_memory(truth: Truth) -> None:
    np.testing.assert_allclose(truth.T_map_scene, level_frame(truth.T_map_camera[0]), atol=1e-9)
    steep = truth.T_map_camera[0].copy()
    steep[:3, :3] = np.diag([1.0, -1.0, -1.0])
    with pytest.raises(ValueError, match="straight"):
        scene_pose(steep)


def test_measured_points_lie_on_the_true_boxes(messages: dict, truth: Truth) -> None:
    """Depth, labels, poses and boxes agree: an object's points are in its box, but for noise."""
    camera = truth.intrinsics
    T_scene_map = np.linalg.inv(truth.T_map_scene)
    v, u = np.mgrid[: camera.height, : camera.width]
    reached: dict[int, list[np.ndarray]] = {}
    for k, T_map_camera in enumerate(truth.T_map_camera):
        z = pixels(messages[DEPTH][k][1]) / 1000.0
        ids = pixels(messages[LABELS][k][1])
        rays = np.stack([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, u * 0 + 1.0], -1)
        points_camera = rays * z[..., None]
        T = T_scene_map @ T_map_camera
        points_scene = points_camera @ T[:3, :3].T + T[:3, 3]
        for item in truth.objects:
            on = (ids == item.id) & (z > 0)
            if on.any():
                local = _in_box_axes(points_scene[on], item)
                beyond = (np.abs(local) - item.box.size / 2).max(axis=1)
                assert (beyond <= 6 * axial_sigma(z[on]) + 2e-3).all(), item
                assert (beyond >= -item.box.size.min() / 2 - 1e-3).all()
                reached.setdefault(item.id, []).append(local)
    seen = [item for item in truth.objects if well_seen(item)]
    assert len(seen) >= 8
    for item in seen:
        extent = np.ptp(np.concatenate(reached[item.id])[:, :2], axis=0)
        assert (extent > 0.6 * item.box.size[:2]).all(), item


def _in_box_axes(points_scene: np.ndarray, item: TrueObject) -> np.ndarray:
    cos, sin = np.cos(item.box.yaw), np.sin(item.box.yaw)
    return (points_scene - item.box.center) @ np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])


def test_truth_is_canonical_and_consistent(messages: dict, truth: Truth) -> None:
    floor = -truth.T_map_scene[2, 3]
    counts = {
        item.id: np.array(
            [
                ((pixels(labels) == item.id) & (pixels(depth) > 0)).sum()
                for (_, labels), (_, depth) in zip(messages[LABELS], messages[DEPTH], strict=True)
            ]
        )
        for item in truth.objects
    }
    area = 160 * 120 / (640 * 480)
    for item in truth.objects:
        assert item.box == item.box.canonical()
        bottom = item.box.z - item.box.height / 2
        assert floor - 1e-6 <= bottom < floor + 2.0
        appeared = np.flatnonzero(counts[item.id] >= 100 * area)
        first = int(truth.stamps_ns[appeared[0]]) if len(appeared) else None
        assert item.first_visible_ns == first
        assert item.frames_seen == (counts[item.id] >= 400 * area).sum()
        assert 0.0 <= item.surface_seen <= 1.0
        if item.support is not None:
            assert truth[item.support].room == item.room
    with pytest.raises(KeyError):
        truth[999]
    (room,) = truth.rooms
    x, y = room.outline_scene.T
    shoelace = 0.5 * abs(x @ np.roll(y, -1) - y @ np.roll(x, -1))
    assert room.area == pytest.approx(shoelace, rel=1e-5)


def test_well_seen_needs_surface_and_frames(truth: Truth) -> None:
    base = truth.objects[0]

    def seen(surface: float, frames: int) -> bool:
        fields = {**base.__dict__, "surface_seen": surface, "frames_seen": frames}
        return well_seen(TrueObject(**fields))

    assert seen(0.5, 5)
    assert not seen(0.49, 50)
    assert not seen(0.9, 4)


def test_questions_are_written(recording: Path, truth: Truth) -> None:
    questions = load_questions(recording / "questions.json")
    assert len(questions) >= 20
    ids = {item.id for item in truth.objects}
    for question in questions:
        assert set(question.objects) | set(question.about) | set(question.candidates) <= ids


# Files and arguments ------------------------------------------------------------------------


def test_same_images_whatever_the_number_of_processes(recording: Path, tmp_path: Path) -> None:
    simulate(tmp_path, **SMALL, seconds=4.0, workers=1)
    with AnyReader([recording / "bag"]) as long, AnyReader([tmp_path / "bag"]) as short:
        for topic in (COLOUR, DEPTH, LABELS):
            by_two = [
                d for c, _, d in long.messages([c for c in long.connections if c.topic == topic])
            ]
            by_one = [
                d for c, _, d in short.messages([c for c in short.connections if c.topic == topic])
            ]
            assert len(by_one) == 8
            assert by_one == by_two[:8]
    assert len(load_truth(tmp_path / "truth.json").stamps_ns) == 8


def test_a_complete_recording_is_kept(recording: Path) -> None:
    before = (recording / "bag" / "bag.mcap").stat().st_mtime_ns
    simulate(recording, **SMALL)
    assert (recording / "bag" / "bag.mcap").stat().st_mtime_ns == before


def test_another_recording_is_not_overwritten_unasked(tmp_path: Path) -> None:
    tiny = {**SMALL, "width": 32, "height": 24, "seconds": 1.0, "workers": 1}
    simulate(tmp_path, **tiny)
    with pytest.raises(FileExistsError, match="another recording"):
        simulate(tmp_path, **{**tiny, "seed": 4})
    simulate(tmp_path, **{**tiny, "seed": 4}, overwrite=True)
    assert load_truth(tmp_path / "truth.json").arguments["seed"] == 4
    (tmp_path / "truth.json").write_text('{"version": 0}')
    with pytest.raises(FileExistsError, match="version"):
        simulate(tmp_path, **tiny)


def test_an_interrupted_recording_is_made_again(tmp_path: Path) -> None:
    tiny = {**SMALL, "width": 32, "height": 24, "seconds": 1.0, "workers": 1}
    (tmp_path / "bag").mkdir()
    (tmp_path / "bag" / "bag.mcap").write_bytes(b"cut short")
    simulate(tmp_path, **tiny)
    with AnyReader([tmp_path / "bag"]) as reader:
        assert reader.message_count > 10


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("fps", 0.0),
        ("rooms", 4),
        ("width", 8),
        ("height", 0),
        ("seconds", -1.0),
        ("workers", 0),
        ("seed", -1),
    ],
)
def test_unusable_arguments_are_named(tmp_path: Path, name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        simulate(tmp_path, **{**SMALL, name: value})
    assert not list(tmp_path.iterdir())
