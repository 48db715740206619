"""ScanRefer: descriptions that each mean one object of a ScanNet scene.

Layout: daveredrum/ScanRefer (9d74830), README.md. Each file is a list of ``{scene_id, object_id,
object_name, ann_id, description, token}``, numbers written as text; ``object_id`` counts from 0,
``object_name`` is ScanNet's label with underscores. The ground truth is the box of the scene, axis
aligned in the axis-aligned scan. The objects of the test file are secret.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from spatial_vlm_ros.data.building import Unit
from spatial_vlm_ros.data.converters.converter import Converter, Scenes
from spatial_vlm_ros.data.converters.scannet_items import (
    check_name,
    object_of,
    scene_of,
    units_of_lists,
    words_of,
)
from spatial_vlm_ros.data.converters.wordings import which_one
from spatial_vlm_ros.data.row import Row
from spatial_vlm_ros.data.scenes import AnnotatedObject
from spatial_vlm_ros.language.box_text import NamedBox, write_boxes

LICENSE = "CC BY-NC-SA 3.0"
LAYOUT = """\
ScanRefer_filtered_train.json
ScanRefer_filtered_val.json (optional)
ScanRefer_filtered_test.json (optional; without objects)"""
FILES = {split: (f"ScanRefer_filtered_{split}.json",) for split in ("train", "val", "test")}


def units(root: Path, scenes: Scenes) -> Iterator[Unit]:
    """Of all splits that are there."""
    return units_of_lists("scanrefer", LAYOUT, root, FILES, partial(_row, scenes))


def meant(item: Mapping[str, Any], scenes: Scenes) -> AnnotatedObject:
    """The object that a description is of."""
    scene = scene_of(f"scannet/{words_of(item, 'scene_id')}", scenes)
    found = object_of(scene, int(item["object_id"]))
    check_name(words_of(item, "object_name"), [found])
    return found


def name_of(split: str, item: Mapping[str, Any]) -> str:
    """What tells a description from all others."""
    return f"{split}/{item['scene_id']}/{int(item['object_id'])}/{int(item['ann_id'])}"


def _row(scenes: Scenes, split: str, item: Mapping[str, Any]) -> Row:
    found = meant(item, scenes)
    return Row(
        id=name_of(split, item),
        dataset="scanrefer",
        scene=f"scannet/{item['scene_id']}",
        task="grounding",
        question=which_one(words_of(item, "description")),
        answer=write_boxes([NamedBox(found.box, found.category)]),
        targets=(found.id,),
        boxes=(found.box,),
        license=LICENSE,
    )


CONVERTER = Converter("scanrefer", LICENSE, LAYOUT, True, units)
