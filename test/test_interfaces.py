"""The interface packages built without a ROS distribution are the official ones on the wire.

A RIHS01 hash covers the names and types of a message and of all messages inside it, so equal
hashes mean equal encoding.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

pytest.importorskip("rclpy")
from ament_index_python.packages import get_package_share_directory

OFFICIAL = {
    "tf2_msgs/msg/TFMessage": "e369d0f05a23ae52508854b66f6aa0437f3449d652e8cbf22d5abe85d020f087",
    "vision_msgs/msg/BoundingBox3D": (
        "bbb73a65c163d7f9bb29009c7bde9f7faa576bd2d23299c4511d19230dab4698"
    ),
    "vision_msgs/msg/Detection2D": (
        "0d12b69df5c593b3455b7346fac8205437a7d4bcb09b9e0e0b2dde787ded38ea"
    ),
    "vision_msgs/msg/Detection2DArray": (
        "214274120007f4a683866481336b70310268cfa107aebe9d594a6acf75bda968"
    ),
    "vision_msgs/msg/Detection3D": (
        "ddd703be132ab0b69d33121f1bb034132bfbb3b0ac5f9fb1516005ba1c8a265b"
    ),
    "vision_msgs/msg/Detection3DArray": (
        "793f5eab9595ac1c0da07873cc859db42eae51f0ee76056db8562515d830e018"
    ),
    "vision_msgs/msg/ObjectHypothesis": (
        "51da43cec11c01957a64d1e05a24acd18aae7745ec30b74348ad5f6d634f7f90"
    ),
    "vision_msgs/msg/ObjectHypothesisWithPose": (
        "41c12344c0396c48b81df12467c192d99b2a0eb1463c5c37194e4223251c80bc"
    ),
}

# Messages of vision_msgs whose official hash is not at hand, by their published fields.
FIELDS = {
    "BoundingBox2D": {
        "center": "vision_msgs/Pose2D",
        "size_x": "double",
        "size_y": "double",
    },
    "BoundingBox2DArray": {
        "header": "std_msgs/Header",
        "boxes": "sequence<vision_msgs/BoundingBox2D>",
    },
    "BoundingBox3DArray": {
        "header": "std_msgs/Header",
        "boxes": "sequence<vision_msgs/BoundingBox3D>",
    },
    "Classification": {
        "header": "std_msgs/Header",
        "results": "sequence<vision_msgs/ObjectHypothesis>",
    },
    "LabelInfo": {
        "header": "std_msgs/Header",
        "class_map": "sequence<vision_msgs/VisionClass>",
        "threshold": "float",
    },
    "Point2D": {"x": "double", "y": "double"},
    "Pose2D": {"position": "vision_msgs/Point2D", "theta": "double"},
    "VisionClass": {"class_id": "uint16", "class_name": "string"},
    "VisionInfo": {
        "header": "std_msgs/Header",
        "method": "string",
        "database_location": "string",
        "database_version": "int32",
    },
}


@pytest.mark.parametrize("name", OFFICIAL)
def test_hash_is_the_official_one(name):
    package, kind, message = name.split("/")
    description = Path(get_package_share_directory(package)) / kind / f"{message}.json"
    hashes = {
        entry["type_name"]: entry["hash_string"]
        for entry in json.loads(description.read_text())["type_hashes"]
    }
    assert hashes[name] == f"RIHS01_{OFFICIAL[name]}"


@pytest.mark.parametrize("name", FIELDS)
def test_fields_are_the_published_ones(name):
    message = getattr(importlib.import_module("vision_msgs.msg"), name)
    assert list(message.get_fields_and_field_types().items()) == list(FIELDS[name].items())


def test_vision_msgs_has_all_published_messages_and_no_other():
    module = importlib.import_module("vision_msgs.msg")
    published = {name.rpartition("/")[2] for name in OFFICIAL if name.startswith("vision_msgs")}
    assert {name for name in dir(module) if name[0].isupper()} == published | set(FIELDS)


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (
            "msg",
            {
                "Keyframe",
                "LocalCogMap",
                "Object3D",
                "ProxySequence",
                "Relation",
                "SceneGraph",
                "View",
            },
        ),
        ("srv", {"LoadScene", "QueryObjects", "RemoveObject", "SaveScene"}),
        ("action", {"Ask"}),
    ],
)
def test_every_file_of_our_interfaces_is_built(kind, names):
    source = Path(__file__).parents[1] / "spatial_vlm_msgs" / kind
    assert {file.stem for file in source.glob(f"*.{kind}")} == names
    module = importlib.import_module(f"spatial_vlm_msgs.{kind}")
    for name in names:
        assert getattr(module, name)() if kind == "msg" else hasattr(module, name)


SELF_EVIDENT = {"success"}


def test_every_field_says_what_it_is():
    folder = Path(__file__).parents[1] / "spatial_vlm_msgs"
    seen = 0
    for file in [*folder.glob("msg/*"), *folder.glob("srv/*"), *folder.glob("action/*")]:
        above = ""
        for line in file.read_text().splitlines():
            code, _, comment = line.partition("#")
            name = code.strip().partition(" ")[2]
            if name and "=" not in name:
                seen += 1
                explained = comment or above.startswith("#") or name.strip() in SELF_EVIDENT
                assert explained, f"{file.name}: {name} has no comment"
            above = line
    assert seen > 75
