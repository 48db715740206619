"""VLM-3R-DATA: questions of VSI-Bench's kinds, and of camera and time (VSTI-Bench), for training.

Layout of VITA-Group/VLM-3R (6dd1264), ``vlm_3r_data_process/src/format_qa.py``: lists of {"id",
"data_source": "scannet", "scene_name": "scene0191_00", "question_type", "video", "conversations"}.
Files are those that ``scripts/VLM_3R/vsibench_data.yaml`` and converters of others name. Where
``question_type`` is missing, as in some releases of ``vsibench_train``, the kind is told by the
wordings of ``question_templates.py``. "Frame 5 of 32" is of a video that was sampled evenly.

In the first release the camera of ``vstibench_train`` was at the wrong place, so displacements and
distances to the camera are wrong (2ad44e6, ``fix_vstibench_train_labels.py``). The corrected one
lists what it left out in ``erratum_dropped_items.json``: without that file, these are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from spatial_vlm_ros.data.building import Unit
from spatial_vlm_ros.data.converters.conversations import answered, asked, exchanges
from spatial_vlm_ros.data.converters.converter import Converter, Scenes, read_json
from spatial_vlm_ros.data.converters.pieces import json_array
from spatial_vlm_ros.data.row import Row
from spatial_vlm_ros.data.unusable import Unusable

LICENSE = "not stated (VLM-3R-DATA; its code is Apache-2.0)"

LAYOUT = """\
vsibench_train/merged_qa_{scannet,scannetpp,route_plan}_train.json
vstibench_train/qa_<kind of question>.json, and erratum_dropped_items.json"""

ERRATUM = "erratum_dropped_items.json"

#: Kind without its version, how its question is worded, its task, and whether it is a number.
KINDS = (
    ("object_counting", r"How many ", "counting", True),
    ("object_size_estimation", r"What is the length of the longest", "object_size", True),
    ("room_size_estimation", r"What is the size of this room", "room_size", True),
    ("object_abs_distance", r".*the direct distance between", "distance", True),
    ("camera_obj_rel_dist", r".* is the closest to the camera in", "nearest", False),
    ("object_rel_distance", r".* is the closest to the", "nearest", False),
    ("object_rel_direction", r"If I am standing by the", "direction", False),
    ("obj_appearance_order", r".*the first-time appearance order", "order", False),
    ("route_planning", r"You are a robot beginning at", "route", False),
    ("camera_obj_abs_dist", r"What is the approximate distance \(in meters\)", "distance", True),
    ("camera_obj_dist_change", r"(?!)", "distance", True),
    ("camera_displacement", r"Approximately how far \(in meters\) did the camera", "camera", True),
    ("camera_movement_direction", r"During the sequence between", "camera", False),
    ("obj_obj_relative_pos_nf", r".*\[Near/Far\]", "relation", False),
    ("obj_obj_relative_pos_lr", r".*\[Left/Right\]", "relation", False),
    ("obj_obj_relative_pos_ud", r".*\[Up/Down\]", "relation", False),
)

#: What the camera's place was wrong for.
WRONG = ("camera_displacement", "camera_obj_abs_dist", "camera_obj_rel_dist")

SOURCES = ("scannet", "scannetpp", "arkitscenes")


def _units(root: Path, scenes: Scenes) -> Iterator[Unit]:
    static = sorted(root.glob("vsibench_train/merged_qa_*_train.json"))
    moving = sorted(root.glob("vstibench_train/qa_*.json"))
    if not static and not moving:
        raise ValueError(f"{root} has no files of questions; vlm3r is read from\n{LAYOUT}")
    dropped = _dropped(root / "vstibench_train" / ERRATUM)
    for path in static:
        yield from json_array(path, root, "vlm3r", LAYOUT, partial(_row, frozenset()))
    for path in moving:
        yield from json_array(path, root, "vlm3r", LAYOUT, partial(_row, dropped))


def _dropped(path: Path) -> frozenset[str] | None:
    """Ids of what the correction left out; None where the data is not corrected."""
    if not path.is_file():
        return None
    return frozenset(item["id"] for item in read_json(path, "vlm3r", LAYOUT))


def _row(dropped: frozenset[str] | None, source: str, item: Mapping[str, Any]) -> Row:
    said = exchanges(item)
    if len(said) > 1:
        raise Unusable("more than one question", f"{len(said)} questions")
    question, answer = asked(said[0][0]), said[0][1]
    kind, task, numeric = _kind(item.get("question_type") or "", question.question)
    if dropped is None and kind in WRONG:
        raise Unusable("answer of the release whose camera was wrong", f"{ERRATUM} is missing")
    if dropped and item["id"] in dropped:
        raise Unusable("withdrawn by its authors", item["id"])
    if item["data_source"] not in SOURCES:
        raise Unusable("not a scene of a known data set", item["data_source"])
    if not item["scene_name"]:
        raise Unusable("not a scene of a known data set", "scene_name is empty")
    return answered(
        question,
        answer,
        numeric=numeric,
        id=source,
        dataset="vlm3r",
        scene=f"{item['data_source']}/{item['scene_name']}",
        task=task,
        subtask=item.get("question_type") or kind,
        license=LICENSE,
    )


def _kind(name: str, question: str) -> tuple[str, str, bool]:
    """Kind, task, and whether it is a number, by its name or else by its wording."""
    plain = re.sub(r"_v\d$", "", name)
    for kind, wording, task, numeric in KINDS:
        if plain == kind if name else re.match(wording, question, re.DOTALL):
            return kind, task, numeric
    raise Unusable("kind not known", name or question[:200])


CONVERTER = Converter("vlm3r", LICENSE, LAYOUT, False, _units)
