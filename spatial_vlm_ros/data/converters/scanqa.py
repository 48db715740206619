"""ScanQA: questions about ScanNet scenes with several answers each.

Layout: ATR-DBI/ScanQA (6ff5975), docs/dataset.md and lib/dataset.py. Each file is a list of
``{scene_id, question_id, question, object_ids, object_names, answers}``; ``object_ids`` are the
objects a question is about, as numbers from 0, and ``object_names`` their labels. The two test
files have neither objects nor answers, so that nothing of them can be learnt.

Answers need no coordinates: a scene that is not known leaves the objects without boxes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from spatial_vlm_ros.data.building import Unit
from spatial_vlm_ros.data.converters.converter import Converter, Scenes
from spatial_vlm_ros.data.converters.scannet_items import (
    answers_of,
    check_name,
    object_of,
    units_of_lists,
    words_of,
)
from spatial_vlm_ros.data.row import Reference, Row
from spatial_vlm_ros.data.unusable import Unusable
from spatial_vlm_ros.language.names import label_words

LICENSE = "CC BY-NC-SA 3.0"
LAYOUT = """\
ScanQA_v1.0_train.json
ScanQA_v1.0_val.json (optional)
ScanQA_v1.0_test_w_obj.json (optional; without answers)
ScanQA_v1.0_test_wo_obj.json (optional; without answers)"""
FILES = {
    split: (f"ScanQA_v1.0_{split}.json",) for split in ("train", "val", "test_w_obj", "test_wo_obj")
}


def units(root: Path, scenes: Scenes) -> Iterator[Unit]:
    """Of all splits that are there."""
    return units_of_lists("scanqa", LAYOUT, root, FILES, partial(_row, scenes))


def _row(scenes: Scenes, split: str, item: Mapping[str, Any]) -> Row:
    answer, accepted = answers_of(item.get("answers", []))
    scene = f"scannet/{words_of(item, 'scene_id')}"
    return Row(
        id=f"{split}/{words_of(item, 'question_id')}",
        dataset="scanqa",
        scene=scene,
        task="question",
        question=words_of(item, "question"),
        answer=answer,
        accepted=accepted,
        refs=tuple(_references(scene, item, scenes)),
        license=LICENSE,
    )


def _references(scene: str, item: Mapping[str, Any], scenes: Scenes) -> Iterator[Reference]:
    numbers, names = item.get("object_ids", []), item.get("object_names", [])
    if len(numbers) != len(names):
        raise Unusable("objects and names differ", f"{len(numbers)} objects, {len(names)} names")
    for number, name in dict(zip(map(int, numbers), names, strict=True)).items():
        box = None
        if scene in scenes:
            found = object_of(scenes[scene], number)
            check_name(name, [found])
            box = found.box
        yield Reference(number, label_words(name), box)


CONVERTER = Converter("scanqa", LICENSE, LAYOUT, False, units)
