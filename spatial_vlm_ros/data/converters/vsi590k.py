"""VSI-590K of Cambrian-S: questions of twelve kinds about videos and images of ten sources.

Layout as the public converters of its ``vsi_590k.jsonl`` (590,667 lines) read it, and as lines
quoted from it show: runchar/starVLA (68ecb4b, ``prepare_vsi590k_for_starvla.py``). A line has
``conversations``, ``question_type`` and a ``video`` ("scannet/scene0000_00.mp4") or an ``image``.
Prompts are worded as in VSI-Bench; multiple choice is answered "A" or "B. door, lamp". Numbers are
in the unit that the question names: metres, centimetres, feet or inches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from spatial_vlm_ros.data.building import Unit
from spatial_vlm_ros.data.converters.conversations import answered, asked, exchanges, scene_of
from spatial_vlm_ros.data.converters.converter import Converter, Scenes
from spatial_vlm_ros.data.converters.pieces import json_lines
from spatial_vlm_ros.data.row import Row
from spatial_vlm_ros.data.unusable import Unusable

LICENSE = "Apache-2.0"

LAYOUT = "vsi_590k.jsonl"

TASKS = {
    "absolute_count": "counting",
    "relative_count": "counting",
    "absolute_size_object": "object_size",
    "relative_size_object": "object_size",
    "absolute_size_room": "room_size",
    "absolute_distance_object": "distance",
    "relative_distance_object": "nearest",
    "relative_distance_camera": "nearest",
    "absolute_direction_object": "direction",
    "relative_direction_object": "direction",
    "relative_direction_camera": "direction",
    "appearance_order": "order",
}

#: Folders of videos, and what their data set is called here.
SOURCES = {
    **{name: name for name in ("scannet", "arkitscenes", "adt", "hypersim", "procthor")},
    **{name: name for name in ("robotics", "s3dis", "ytb_roomtour")},
    "scannetppv2": "scannetpp",
}


def _units(root: Path, scenes: Scenes) -> Iterator[Unit]:
    path = root / LAYOUT
    if not path.is_file():
        raise ValueError(f"{path} is missing; vsi590k is read from\n{LAYOUT}")
    yield from json_lines(path, root, _row)


def _row(source: str, item: Mapping[str, Any]) -> Row:
    kind = item["question_type"]
    if kind not in TASKS:
        raise Unusable("kind not known", kind)
    said = exchanges(item)
    if len(said) > 1:
        raise Unusable("more than one question", f"{len(said)} questions")
    video, image = item.get("video"), item.get("image")
    if (video is None) == (image is None):
        raise Unusable("not one of video and image", f"video {video}, image {image}")
    question, answer = said[0]
    return answered(
        asked(question),
        answer,
        numeric=kind.startswith("absolute_"),
        id=source,
        dataset="vsi590k",
        scene="" if video is None else scene_of(video, SOURCES),
        task=TASKS[kind],
        subtask=kind,
        images=() if image is None else (image,),
        license=LICENSE,
    )


CONVERTER = Converter("vsi590k", LICENSE, LAYOUT, False, _units)
