"""Recordings read without ROS: bags written here, and real ones where they are."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from real_data import DATA
from rosbag_messages import TYPES, camera_info, header, image
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from spatial_vlm_ros.sources import FolderSource, RosbagSource, open_source
from spatial_vlm_ros.sources.topics import choose_topics

CAMERA = "camera_color_optical_frame"
MS = 1_000_000
START = 1_700_000_000_000_000_000
real_data = pytest.mark.skipif(not DATA.exists(), reason=f"no recordings at {DATA}")

VISION_MSGS = {
    "vision_msgs/msg/VisionClass": "uint16 class_id\nstring class_name\n",
    "vision_msgs/msg/LabelInfo": "std_msgs/Header header\nvision_msgs/VisionClass[] class_map\n"
    "float32 threshold\n",
}


def typestore():
    store = get_typestore(Stores.ROS2_JAZZY)
    for name, text in VISION_MSGS.items():
        store.register(get_types_from_msg(text, name))
    return store


def transform(parent: str, child: str, stamp_ns: int, x: float):
    return TYPES["geometry_msgs/msg/TransformStamped"](
        header=header(stamp_ns, parent),
        child_frame_id=child,
        transform=TYPES["geometry_msgs/msg/Transform"](
            translation=TYPES["geometry_msgs/msg/Vector3"](x=x, y=0.0, z=0.0),
            rotation=TYPES["geometry_msgs/msg/Quaternion"](x=0.0, y=0.0, z=0.0, w=1.0),
        ),
    )


def write_bag(
    folder: Path,
    storage: StoragePlugin,
    *,
    frames: int = 5,
    odom: str = "odom",
    labels: bool = True,
) -> Path:
    """A robot driving 1 m/s along x; TF at 10 Hz comes 80 ms after the images it belongs to."""
    store = typestore()
    events = []

    def event(when_ms: float, topic: str, kind: str, message) -> None:
        events.append((START + round(when_ms * MS), topic, kind, message))

    static = TYPES["tf2_msgs/msg/TFMessage"]([transform("base_link", CAMERA, START, 0.25)])
    event(0, "/tf_static", "tf2_msgs/msg/TFMessage", static)
    if labels:
        vision_class = store.types["vision_msgs/msg/VisionClass"](class_id=4, class_name="cup")
        info = store.types["vision_msgs/msg/LabelInfo"](header(START), [vision_class], 0.0)
        event(0, "/camera/labels/label_info", "vision_msgs/msg/LabelInfo", info)
    for i in range(frames + 3):
        stamp = START + i * 100 * MS
        moving = TYPES["tf2_msgs/msg/TFMessage"]([transform(odom, "base_link", stamp, i * 0.1)])
        event(i * 100 + 80, "/tf", "tf2_msgs/msg/TFMessage", moving)
    for i in range(frames):
        when = i * 100 + 50  # between two transforms
        stamp = START + when * MS
        rgb = image(np.full((3, 4, 3), i, np.uint8), "rgb8", stamp_ns=stamp, frame_id=CAMERA)
        millimetres = image(np.full((3, 4), 1000 + i, np.uint16), "16UC1", stamp_ns=stamp)
        event(when, "/camera/color/image_raw", "sensor_msgs/msg/Image", rgb)
        event(
            when, "/camera/aligned_depth_to_color/image_raw", "sensor_msgs/msg/Image", millimetres
        )
        info = camera_info(4, 3, 5.0, stamp_ns=stamp)
        event(when, "/camera/color/camera_info", "sensor_msgs/msg/CameraInfo", info)
        event(
            when, "/camera/aligned_depth_to_color/camera_info", "sensor_msgs/msg/CameraInfo", info
        )
        if labels:
            ids = image(np.full((3, 4), 4, np.uint16), "16UC1", stamp_ns=stamp)
            event(when, "/camera/labels/image_raw", "sensor_msgs/msg/Image", ids)
    with Writer(folder, version=9, storage_plugin=storage) as writer:
        connections = {}
        for stamp, topic, kind, message in sorted(events, key=lambda e: e[0]):
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=store)
            writer.write(connections[topic], stamp, store.serialize_cdr(message, kind))
    return folder


@pytest.mark.parametrize("storage", [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
def test_bag_gives_every_frame_with_the_pose_at_its_stamp(tmp_path, storage):
    source = open_source(write_bag(tmp_path / "bag", storage))
    assert isinstance(source, RosbagSource) and len(source) == 5
    frames = list(source)
    assert [f.stamp_ns for f in frames] == [START + (i * 100 + 50) * MS for i in range(5)]
    for i, frame in enumerate(frames):
        assert frame.rgb[0, 0, 0] == i and frame.depth[0, 0] == pytest.approx(1 + i / 1000)
        assert frame.T_fixed_camera[0, 3] == pytest.approx(0.25 + i * 0.1 + 0.05)
        assert (frame.labels.ids == 4).all() and frame.labels.names == {4: "cup"}
    assert source.instances == "labels" and source.fixed_frame == "odom"
    assert not source.dropped
    assert len(list(source)) == 5, "a source can be read again"


def test_topics_chosen_are_reported(tmp_path):
    topics = RosbagSource(write_bag(tmp_path / "bag", StoragePlugin.MCAP)).topics
    assert topics.color == "/camera/color/image_raw"
    assert topics.depth == "/camera/aligned_depth_to_color/image_raw"
    assert topics.camera_info == "/camera/color/camera_info"
    assert topics.labels == "/camera/labels/image_raw"
    assert topics.label_info == "/camera/labels/label_info"
    assert topics.detections == ""


def test_fixed_frame_is_odom_else_the_root_else_what_was_asked(tmp_path):
    bag = write_bag(tmp_path / "bag", StoragePlugin.MCAP, odom="map")
    assert RosbagSource(bag).fixed_frame == "map"
    assert RosbagSource(bag, fixed_frame="base_link").fixed_frame == "base_link"
    with pytest.raises(ValueError, match=f"'world' is not in TF.*base_link, {CAMERA}, map"):
        RosbagSource(bag, fixed_frame="world")


def test_labels_are_left_out_when_not_wanted(tmp_path):
    bag = write_bag(tmp_path / "bag", StoragePlugin.MCAP)
    source = RosbagSource(bag, instances="geometric")
    assert all(frame.labels is None for frame in source)


def test_what_a_bag_lacks_is_said(tmp_path):
    bag = write_bag(tmp_path / "bag", StoragePlugin.MCAP, labels=False)
    assert RosbagSource(bag).instances == "geometric"
    with pytest.raises(ValueError, match="'labels' but the recording has no label image"):
        RosbagSource(bag, instances="labels")
    with pytest.raises(ValueError, match="'detections' but the recording has no Detection2DArray"):
        RosbagSource(bag, instances="detections")
    with pytest.raises(
        ValueError, match=r"depth topic /nope is not.*/camera/color/image_raw \[sens"
    ):
        RosbagSource(bag, depth="/nope")


def test_a_bag_need_not_have_what_is_not_needed(tmp_path):
    bag = write_bag(tmp_path / "bag", StoragePlugin.MCAP)
    frames = list(open_source(bag, streams=(), poses=False))
    assert len(frames) == 5
    assert all(f.depth is None and f.T_fixed_camera is None and f.labels is None for f in frames)
    source = open_source(bag, streams=("labels",))
    assert source.instances == "labels" and source.fixed_frame == "odom"
    for frame in source:
        assert frame.depth is None and frame.labels is not None
        assert frame.T_fixed_camera is not None
    with pytest.raises(ValueError, match="no Detection2DArray"):
        open_source(bag, streams=("depth", "detections"))


def test_a_folder_need_not_have_what_is_not_needed(tmp_path):
    folder = write_folder(tmp_path / "rgbd")
    for path in (*folder.glob("depth/*"), *folder.glob("pose/*")):
        path.unlink()
    first, second = open_source(folder, streams=(), poses=False)
    assert first.depth is None and first.T_fixed_camera is None
    assert (first.rgb == second.rgb).all() and first.rgb[0, 0].tolist() == [30, 20, 9]
    with pytest.raises(ValueError, match="a folder has no labels"):
        open_source(folder, streams=("depth", "labels"))


def test_colour_alone_is_enough_where_depth_is_not_needed():
    types = {"/cam/image_raw": IMAGE, "/cam/camera_info": "sensor_msgs/msg/CameraInfo"}
    assert choose_topics(types, needs_depth=False).depth == ""
    with pytest.raises(ValueError, match="no depth topic found"):
        choose_topics(types)


def test_missing_transforms_are_counted(tmp_path):
    bag = write_bag(tmp_path / "bag", StoragePlugin.MCAP)
    source = RosbagSource(bag)
    source._transforms.clear()
    assert list(source) == []
    assert source.dropped == {"no_transform": 5} and "odom" in source.details["no_transform"]


def test_path_that_is_nothing_is_refused(tmp_path):
    with pytest.raises(ValueError, match="does not exist"):
        open_source(tmp_path / "none")
    with pytest.raises(ValueError, match=r"no metadata.yaml.*no info.json"):
        open_source(tmp_path)
    (tmp_path / "lone.mcap").write_bytes(b"x")
    with pytest.raises(ValueError, match="cannot be read as a bag"):
        open_source(tmp_path / "lone.mcap")


def test_bag_file_stands_for_its_folder(tmp_path):
    bag = write_bag(tmp_path / "bag", StoragePlugin.MCAP)
    assert len(list(open_source(bag / "bag.mcap"))) == 5


IMAGE, PACKED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
INFO = "sensor_msgs/msg/CameraInfo"


def test_topics_of_usual_drivers():
    realsense = {
        "/camera/camera/color/image_raw": IMAGE,
        "/camera/camera/color/image_raw/compressed": PACKED,
        "/camera/camera/depth/image_rect_raw": IMAGE,
        "/camera/camera/aligned_depth_to_color/image_raw": IMAGE,
        "/camera/camera/infra1/image_rect_raw": IMAGE,
        "/camera/camera/color/camera_info": INFO,
        "/camera/camera/depth/camera_info": INFO,
    }
    chosen = choose_topics(realsense)
    assert chosen.color == "/camera/camera/color/image_raw"
    assert chosen.depth == "/camera/camera/aligned_depth_to_color/image_raw"
    assert chosen.camera_info == "/camera/camera/color/camera_info"
    kinect = {
        "/k4a/rgb/image_raw/compressed": PACKED,
        "/k4a/depth_to_rgb/image_raw/compressedDepth": PACKED,
        "/k4a/rgb/camera_info": INFO,
        "/k4a/ir/image_raw": IMAGE,
    }
    chosen = choose_topics(kinect)
    assert chosen.color == "/k4a/rgb/image_raw/compressed"
    assert chosen.depth == "/k4a/depth_to_rgb/image_raw/compressedDepth"
    assert chosen.camera_info == "/k4a/rgb/camera_info"


def test_two_equal_cameras_are_ambiguous_until_one_is_named():
    types = {}
    for side in ("front", "rear"):
        types[f"/{side}/color/image_raw"] = IMAGE
        types[f"/{side}/aligned_depth_to_color/image_raw"] = IMAGE
        types[f"/{side}/color/camera_info"] = INFO
    with pytest.raises(ValueError, match="several color topics: /front.*/rear"):
        choose_topics(types)
    chosen = choose_topics(types, color="/rear/color/image_raw")
    assert chosen.depth.startswith("/rear/") and chosen.camera_info.startswith("/rear/")


def test_no_colour_topic_lists_what_there_is():
    with pytest.raises(
        ValueError, match=r"no color topic found.*/scan \[sensor_msgs/msg/LaserScan\]"
    ):
        choose_topics({"/scan": "sensor_msgs/msg/LaserScan"})


def write_folder(folder: Path) -> Path:
    for name in ("color", "depth", "pose"):
        (folder / name).mkdir(parents=True)
    frames = []
    for i, stamp in enumerate((2.0, 1.0)):  # not in order of time
        cv2.imwrite(str(folder / f"color/{i}.png"), np.full((3, 4, 3), (9, 20, 30), np.uint8))
        cv2.imwrite(str(folder / f"depth/{i}.png"), np.full((3, 4), 5000, np.uint16))
        pose = np.eye(4)
        pose[0, 3] = i
        np.savetxt(folder / f"pose/{i}.txt", pose)
        frames.append(
            {
                "stamp": stamp,
                "color": f"color/{i}.png",
                "depth": f"depth/{i}.png",
                "pose": f"pose/{i}.txt",
            }
        )
    K = [[5.0, 0, 1.5], [0, 5.0, 1.0], [0, 0, 1]]
    info = {"width": 4, "height": 3, "K": K, "depth_unit_m": 0.0002, "frames": frames}
    (folder / "info.json").write_text(json.dumps(info))
    return folder


def test_folder_of_images(tmp_path):
    source = open_source(write_folder(tmp_path / "rgbd"))
    assert isinstance(source, FolderSource) and len(source) == 2
    first, second = source
    assert (first.stamp_ns, second.stamp_ns) == (1_000_000_000, 2_000_000_000)
    assert first.T_fixed_camera[0, 3] == 1 and second.T_fixed_camera[0, 3] == 0
    assert first.rgb[0, 0].tolist() == [30, 20, 9]
    assert first.depth[0, 0] == pytest.approx(1.0)
    assert first.intrinsics.cx == 1.5
    assert source.instances == "geometric" and source.fixed_frame == "world"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: (f / "depth/0.png").unlink(), "depth/0.png: does not exist"),
        (lambda f: (f / "color/1.png").write_bytes(b"x"), "color/1.png: cannot be decoded"),
        (lambda f: (f / "pose/0.txt").write_text("1 2 3"), "pose/0.txt"),
        (lambda f: (f / "pose/0.txt").write_text("1 0 0 0 " * 4), "pose/0.txt.*rigid"),
        (lambda f: (f / "info.json").write_text("{}"), "info.json: KeyError 'K'"),
        (lambda f: (f / "info.json").write_text("{"), "info.json: JSONDecodeError"),
        (
            lambda f: cv2.imwrite(str(f / "depth/0.png"), np.zeros((6, 8), np.uint16)),
            "depth.*aligned",
        ),
        (lambda f: cv2.imwrite(str(f / "depth/0.png"), np.zeros((3, 4), np.uint8)), "not a 16-bit"),
    ],
)
def test_folder_errors_name_the_file(tmp_path, spoil, said):
    folder = write_folder(tmp_path / "rgbd")
    spoil(folder)
    with pytest.raises(ValueError, match=said):
        list(open_source(folder))


def test_folder_has_no_labels(tmp_path):
    with pytest.raises(ValueError, match="has no labels"):
        open_source(write_folder(tmp_path / "rgbd"), instances="labels")


@real_data
@pytest.mark.parametrize(("name", "count"), [("tum_fr1_rpy", 77), ("dvmvs_hololens_000", 94)])
def test_real_recording_is_the_same_as_bag_and_as_folder(name, count):
    bag, folder = open_source(DATA / "bags" / name), open_source(DATA / "rgbd" / name)
    assert (len(bag), len(folder), bag.fixed_frame) == (count, count, "map")
    used = 0
    for recorded, stored in zip(bag, folder, strict=True):
        used += 1
        np.testing.assert_allclose(recorded.T_fixed_camera, stored.T_fixed_camera, atol=1e-5)
        seen = (recorded.depth > 0) & (stored.depth > 0)
        if name == "dvmvs_hololens_000":  # no distortion: pixel for pixel the same
            assert np.abs(recorded.depth - stored.depth)[seen].max() <= 0.00051
        assert seen.mean() > 0.005
    assert used == count and not bag.dropped
