"""ReferIt3D: phrases for one object of a scan of ScanNet, by people (Nr3D) or templates (Sr3D).

Layout of referit3d/referit3d (725a5d3): columns as ``in_out/{nr3d,sr3d,neural_net_oriented}.py``
read them and ``data_generation/sr3d/create_sr3d.py`` writes them. ``target_id`` and ``anchor_ids``
count the objects of a scan's aggregation from 0 (ScanNet's ``objectId``); boxes are those of the
scenes. Phrases of Nr3D were tried on listeners: what they took for another object is refused, and
so is what does not say the kind of object, which listeners were told.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from spatial_vlm_ros.data.building import Unit
from spatial_vlm_ros.data.converters.converter import Converter, Scenes
from spatial_vlm_ros.data.converters.pieces import table
from spatial_vlm_ros.data.converters.scannet_items import (
    check_name,
    object_of,
    scene_of,
    words_of,
)
from spatial_vlm_ros.data.converters.wordings import which_one
from spatial_vlm_ros.data.row import Reference, Row
from spatial_vlm_ros.data.unusable import Unusable
from spatial_vlm_ros.language.box_text import NamedBox, write_boxes

LICENSE = "not stated (ReferIt3D; its code is MIT)"

LAYOUT = "nr3d.csv, sr3d.csv, sr3d+.csv: those that are there"

COLUMNS = ("scan_id", "target_id", "instance_type", "utterance", "mentions_target_class")
#: What else each has.
FILES = {
    "nr3d.csv": ("correct_guess",),
    "sr3d.csv": ("reference_type", "anchor_ids"),
    "sr3d+.csv": ("reference_type", "anchor_ids"),
}


def _units(root: Path, scenes: Scenes) -> Iterator[Unit]:
    there = [root / name for name in FILES if (root / name).is_file()]
    if not there:
        raise ValueError(f"{root} has no table; referit3d is read from\n{LAYOUT}")
    for path in there:
        columns = (*COLUMNS, *FILES[path.name])
        yield from table(path, root, columns, partial(_row, scenes))


def _row(scenes: Scenes, source: str, item: Mapping[str, Any]) -> Row:
    if not _true(item, "correct_guess"):
        raise Unusable("not understood by people")
    if not _true(item, "mentions_target_class"):
        raise Unusable("kind of object is not said")
    scene = scene_of(f"scannet/{words_of(item, 'scan_id')}", scenes)
    target = object_of(scene, int(item["target_id"]))
    check_name(words_of(item, "instance_type"), [target])
    anchors = [object_of(scene, number) for number in json.loads(item.get("anchor_ids") or "[]")]
    return Row(
        id=source,
        dataset="referit3d",
        scene=scene.name,
        task="grounding",
        subtask=item.get("reference_type") or "nr3d",
        question=which_one(words_of(item, "utterance")),
        answer=write_boxes([NamedBox(target.box, target.category)]),
        refs=tuple(Reference(each.id, each.category, each.box) for each in anchors),
        targets=(target.id,),
        boxes=(target.box,),
        license=LICENSE,
    )


def _true(item: Mapping[str, Any], column: str) -> bool:
    """Tables write booleans as words; a table without the column has no false ones."""
    said = item.get(column, "True") or ""
    if said.strip().lower() not in ("true", "false"):
        raise ValueError(f"{column} is {said!r}, neither True nor False")
    return bool(said.strip().lower() == "true")


CONVERTER = Converter("referit3d", LICENSE, LAYOUT, True, _units)
