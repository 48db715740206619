"""ViCA-322K: questions about videos of ScanNet, ScanNet++ and ARKitScenes, answered in sentences.

Layout of nkkbr/ViCA (96e8a61), ``sandbox/check_data_leak.ipynb``, which lists its 37 files and
prints an item: {"video": "arkitscenes/47115148.mp4", "conversations": [...]}. A file is of one
kind of question, which is its name; "base" was made from boxes, "complex" by a language model that
saw boxes or frames. Dialogues of several turns make a row for each question, with what was said
before it. The repository names no licence of the data. ViCA-Thinking-2.68K, whose answers have
thoughts before them, is another data set and not read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from spatial_vlm_ros.data.building import Unit
from spatial_vlm_ros.data.converters.conversations import (
    answered,
    asked,
    dialogue,
    exchanges,
    scene_of,
)
from spatial_vlm_ros.data.converters.converter import Converter, Scenes
from spatial_vlm_ros.data.converters.pieces import json_array
from spatial_vlm_ros.data.row import Row

LICENSE = "not stated (ViCA-322K)"

#: By file.
TASKS = {
    "base/object_count": "counting",
    "base/object_abs_distance": "distance",
    "base/object_relative_distance": "nearest",
    "base/object_size_estimation": "object_size",
    "base/room_size": "room_size",
    "base/obj_appearance_order": "order",
    "base/triangular_positional_relationship": "relation",
    "complex/conversation": "question",
    "complex/furniture": "question",
    "complex/important_daily_necessities": "question",
    "complex/spatial_description": "caption",
    "complex/usage": "question",
    "complex/wheelchair_user": "question",
}

SOURCES = ("arkitscenes", "scannet", "scannetpp")

LAYOUT = "{arkitscenes,scannet,scannetpp}/{base,complex}/<kind of question>.json"


def _units(root: Path, scenes: Scenes) -> Iterator[Unit]:
    paths = [path for name in SOURCES for path in sorted(root.glob(f"{name}/*/*.json"))]
    if not paths:
        raise ValueError(f"{root} has no {LAYOUT}; vica is read from\n{LAYOUT}")
    for path in paths:
        kind = path.relative_to(root).with_suffix("").as_posix().partition("/")[2]
        if kind not in TASKS:
            raise ValueError(f"{path}: its name is none of {', '.join(TASKS)}; {LAYOUT}")
        yield from json_array(path, root, "vica", LAYOUT, partial(_rows, kind))


def _rows(kind: str, source: str, item: Mapping[str, Any]) -> list[Row]:
    scene = scene_of(item["video"], {name: name for name in SOURCES})
    said = exchanges(item)
    turns = [text for exchange in said for text in exchange]
    rows = []
    for number, (question, answer) in enumerate(said):
        wanted = asked(question)
        before = dialogue([*turns[: 2 * number], wanted.question])
        rows.append(
            answered(
                wanted._replace(question=before),
                answer,
                id=source if len(said) == 1 else f"{source}.{number}",
                dataset="vica",
                scene=scene,
                task=TASKS[kind],
                subtask=kind.partition("/")[2],
                license=LICENSE,
            )
        )
    return rows


CONVERTER = Converter("vica", LICENSE, LAYOUT, False, _units)
