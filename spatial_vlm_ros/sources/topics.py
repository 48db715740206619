"""Which topic of a recording is which input: by type and by the usual names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

IMAGES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
LABEL_INFO = "vision_msgs/msg/LabelInfo"
DETECTIONS = "vision_msgs/msg/Detection2DArray"

_LABELS = ("label", "instance", "semantic", "segment", "mask")
_NOT_COLOR = ("depth", "disparity", "infra", "/ir/", "confidence", "debug", *_LABELS)


@dataclass(frozen=True)
class Topics:
    """Topic of each input; empty where there is none."""

    color: str
    depth: str
    camera_info: str
    labels: str = ""
    label_info: str = ""
    detections: str = ""


def choose_topics(types: Mapping[str, str], needs_depth: bool = True, **given: str) -> Topics:
    """The inputs among ``types`` (topic -> type); ``given`` names override the choice.

    ``ValueError`` lists the topics when a needed one is missing, unknown or ambiguous.
    """
    for name, topic in given.items():
        if topic and topic not in types:
            raise ValueError(f"{name} topic {topic} is not in the recording; {_listing(types)}")
    color = given.get("color") or _best("color", _color_ranks(types), types)
    depth = given.get("depth") or _best(
        "depth", _depth_ranks(types, color) if needs_depth else {}, types, needs_depth
    )
    info = given.get("camera_info") or _camera_info(types, color)
    return Topics(
        color,
        depth,
        info,
        given.get("labels") or _best("labels", _label_ranks(types, color), types, needed=False),
        given.get("label_info") or _typed("label_info", types, LABEL_INFO, color),
        given.get("detections") or _typed("detections", types, DETECTIONS, color),
    )


def _color_ranks(types: Mapping[str, str]) -> dict[str, float]:
    ranks = {}
    for topic, kind in types.items():
        name = topic.lower()
        if kind in IMAGES and not any(word in name for word in _NOT_COLOR):
            ranks[topic] = 2 * ("color" in name or "rgb" in name) + 0.5 * (kind == IMAGES[0])
    return ranks


def _depth_ranks(types: Mapping[str, str], color: str) -> dict[str, float]:
    ranks = {}
    for topic, kind in types.items():
        name = topic.lower()
        if kind in IMAGES and "depth" in name and not any(word in name for word in _LABELS):
            aligned = "aligned" in name or "registered" in name
            ranks[topic] = _shared(topic, color) + 2 * aligned + 0.5 * (kind == IMAGES[0])
    return ranks


def _label_ranks(types: Mapping[str, str], color: str) -> dict[str, float]:
    return {
        topic: _shared(topic, color) + 2 * ("label" in topic) + 0.5 * (kind == IMAGES[0])
        for topic, kind in types.items()
        if kind in IMAGES and any(word in topic.lower() for word in _LABELS)
    }


def _camera_info(types: Mapping[str, str], color: str) -> str:
    expected = f"{image_base(color).rpartition('/')[0]}/camera_info"
    if expected in types:
        return expected
    return _best("camera_info", dict.fromkeys(_of_type(types, CAMERA_INFO), 0.0), types)


def _typed(what: str, types: Mapping[str, str], kind: str, color: str) -> str:
    ranks = {topic: float(_shared(topic, color)) for topic in _of_type(types, kind)}
    return _best(what, ranks, types, needed=False)


def _of_type(types: Mapping[str, str], kind: str) -> list[str]:
    return [topic for topic, its in types.items() if its == kind]


def image_base(topic: str) -> str:
    """The image topic without the suffix of its transport."""
    for suffix in ("/compressedDepth", "/compressed"):
        topic = topic.removesuffix(suffix)
    return topic


def _shared(a: str, b: str) -> int:
    """Number of leading name parts that two topics have in common: the same camera."""
    count = 0
    for one, other in zip(a.split("/")[1:], b.split("/")[1:], strict=False):
        if one != other:
            break
        count += 3  # the same camera outweighs a better name on another one
    return count


def _best(
    what: str, ranks: Mapping[str, float], types: Mapping[str, str], needed: bool = True
) -> str:
    if not ranks:
        if needed:
            raise ValueError(f"no {what} topic found; name it ({what}=...); {_listing(types)}")
        return ""
    top = max(ranks.values())
    equal = [topic for topic, rank in ranks.items() if rank == top]
    if len(equal) > 1:
        raise ValueError(f"several {what} topics: {', '.join(equal)}; name one ({what}=...)")
    return equal[0]


def _listing(types: Mapping[str, str]) -> str:
    return "topics there: " + ", ".join(
        f"{topic} [{kind}]" for topic, kind in sorted(types.items())
    )
