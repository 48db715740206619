"""SPAR-7M: questions about one to a few images, or frames, with points and rectangles in colours.

Layout of fudan-zvg/spar (1679885), ``readme.md`` and ``datasets/{toy_dataset,draw_marker}.py``. A
line has ``id``, ``conversations``, ``image``, ``type`` and, in brackets once more than needed,
``red_point`` [[u, v]], ``blue_bbox`` [[u, v, u, v]] and the like, or ``point_list``, ``bbox_list``.
u and v go from 0 to 1000 over width and height, whatever the size of the image (``scale_point``).
``point_img_idx`` and ``bbox_img_idx`` say which image each lies in, in an order of the colours that
the type decides. ``depth`` names files that are not read. Only the wordings of a few questions are
published there, so what tells the form of an answer is cut where it is worded like these.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from spatial_vlm_ros.data.building import Unit
from spatial_vlm_ros.data.converters.conversations import answered, asked, exchanges
from spatial_vlm_ros.data.converters.converter import Converter, Scenes
from spatial_vlm_ros.data.converters.pieces import json_lines
from spatial_vlm_ros.data.row import Mark, Row
from spatial_vlm_ros.data.unusable import Unusable

LICENSE = "MIT (SPAR-7M; until 2025 Apache-2.0)"

SOURCES = ("rxr", "scannet", "scannetpp", "structured3d")

LAYOUT = """\
{rxr,scannet,scannetpp,structured3d}/qa_jsonl/train/<type>/{fill,judge,select,sentence}/*.jsonl"""

#: By the start of a type; "_mv", "_video" and "_video_hard" may follow.
TASKS = {
    "depth_prediction_o": "depth",
    "distance_prediction_o": "distance",
    "distance_infer_center_o": "nearest",
    "obj_spatial_relation_o": "relation",
    "spatial_imagination_o": "relation",
    "spatial_imagination_map": "question",
    "spatial_volume_infer": "object_size",
    "position_matching": "question",
    "view_change_infer": "camera",
    "camera_motion_infer": "camera",
    "obj_frame_locate": "question",
    "obj_count": "counting",
    "room_size": "room_size",
    "appearance_order": "order",
    "nav": "route",
}

#: Types whose marks are not drawn, as their questions do not name them.
UNMARKED = re.compile(r"distance_infer_center_oc.*|.*_video_hard|view_change_infer|camera_motion.*")

#: Sentences at the end of a question that tell the form of its answer.
FORMS = (
    re.compile(r"\s*Your answer can only include one of options [A-Z, ]+or [A-Z]\.?\Z"),
    re.compile(r"\s*(?:Choose|Select|Pick)\b[^.?!\n]*\b(?:option|choice)s?\b[^.?!\n]*\.\Z"),
    re.compile(r"\s*Provide a numeric response with just one value\.\Z"),
)

PARTS = {"point": 2, "bbox": 4}


def _units(root: Path, scenes: Scenes) -> Iterator[Unit]:
    files = [
        (name, path)
        for name in SOURCES
        for path in sorted(root.glob(f"{name}/qa_jsonl/train/*/*/*.jsonl"))
    ]
    if not files:
        raise ValueError(f"{root} has no files of questions; spar7m is read from\n{LAYOUT}")
    for name, path in files:
        yield from json_lines(path, root, partial(_row, name))


def _row(folder: str, source: str, item: Mapping[str, Any]) -> Row:
    kind = item["type"]
    task = next((task for start, task in TASKS.items() if kind.startswith(start)), "")
    if not task:
        raise Unusable("kind not known", kind)
    said = exchanges(item)
    if len(said) > 1:
        raise Unusable("more than one question", f"{len(said)} questions")
    images = item["image"]
    if not images or not isinstance(images, list):
        raise Unusable("no images", str(images))
    question, answer = said[0]
    return answered(
        asked(question, FORMS),
        answer,
        id=source,
        dataset="spar7m",
        scene=f"{folder}/{images[0].split('/')[0]}",
        task=task,
        subtask=kind,
        images=tuple(f"{folder}/images/{image}" for image in images),
        marks=() if UNMARKED.fullmatch(kind) else tuple(_marks(kind, item, len(images))),
        license=LICENSE,
    )


def _marks(kind: str, item: Mapping[str, Any], images: int) -> Iterator[Mark]:
    for shape, parts in PARTS.items():
        named = [
            (name, item[f"{name}_{shape}"])
            for name in _colours(kind)
            if item.get(f"{name}_{shape}")
        ]
        listed = (item.get(f"{shape}_list") or [[]])[0]
        first = 1 if shape == "point" else 0  # of points, the first is "objectA"
        names = [f"object{n - first}" if n >= first else "objectA" for n in range(len(listed))]
        found = [(name, where[0]) for name, where in named] + list(zip(names, listed, strict=True))
        places = _images(kind, item.get(f"{shape}_img_idx"), len(found), images)
        for (name, where), image in zip(found, places, strict=True):
            if len(where) != parts:
                raise Unusable("mark not understood", f"{name}_{shape} {where}")
            u, v, *corner = (number / 1000 for number in where)
            yield Mark(image, name, u, v, tuple(corner) if corner else None)


def _colours(kind: str) -> tuple[str, ...]:
    """In the order in which a type counts the images that they lie in."""
    if kind.startswith("spatial_imagination"):
        return ("green", "blue", "red", "yellow")
    if kind == "distance_infer_center_oo_mv":
        return ("red", "green", "blue")
    return ("red", "blue", "green", "yellow")


def _images(kind: str, indices: Any, marks: int, images: int) -> list[int]:
    """Of each mark. A single index is for all; the image is the first where there is no other."""
    if indices is None and (not marks or images == 1 or kind == "position_matching"):
        return [0] * marks
    places = list(indices[0]) if indices else []
    if len(places) == 1 or kind == "obj_spatial_relation_oc_mv":
        places = places[:1] * marks
    if len(places) < marks:
        raise Unusable("marks without an image", f"{marks} marks, images {indices}")
    return places[:marks]


CONVERTER = Converter("spar7m", LICENSE, LAYOUT, False, _units)
