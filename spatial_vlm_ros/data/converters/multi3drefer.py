"""Multi3DRefer: descriptions that mean any number of objects of a ScanNet scene, or none.

Layout: 3dlg-hcvc/M3DRef-CLIP (0bfa441), evaluate.py, config/data/multi3drefer.yaml and
m3drefclip/data/dataset/multi3drefer.py. Each file is a list of ``{scene_id, ann_id, object_ids,
object_name, eval_type, description, token}``; ``object_ids`` are numbers from 0, and ``ann_id``
counts within a scene. ``eval_type``, the subtask of the rows, says how many objects are meant:
"zt_w_d" and "zt_wo_d" none (with distractors of their class, and without), "st_w_d" and "st_wo_d"
one, "mt" several.
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
from spatial_vlm_ros.data.converters.wordings import which
from spatial_vlm_ros.data.row import Row
from spatial_vlm_ros.data.unusable import Unusable
from spatial_vlm_ros.language.box_text import NamedBox, write_boxes

LICENSE = "CC BY-NC-SA 3.0, as ScanRefer, which it extends"
LAYOUT = """\
multi3drefer_train.json (or train.json)
multi3drefer_val.json (or val.json; optional)
multi3drefer_test.json (or test.json; optional)"""
FILES = {
    split: (f"multi3drefer_{split}.json", f"{split}.json") for split in ("train", "val", "test")
}
#: Least and greatest number of objects of an ``eval_type``, by how it begins.
MEANT = {"zt": (0, 0), "st": (1, 1), "mt": (2, 10_000)}


def units(root: Path, scenes: Scenes) -> Iterator[Unit]:
    """Of all splits that are there."""
    return units_of_lists("multi3drefer", LAYOUT, root, FILES, partial(_row, scenes))


def _row(scenes: Scenes, split: str, item: Mapping[str, Any]) -> Row:
    scene = scene_of(f"scannet/{words_of(item, 'scene_id')}", scenes)
    numbers, kind = sorted({int(number) for number in item["object_ids"]}), item["eval_type"]
    if kind[:2] not in MEANT:
        raise Unusable("kind not known", f"eval_type {kind!r}")
    least, most = MEANT[kind[:2]]
    if not least <= len(numbers) <= most:
        raise Unusable("objects contradict the kind", f"{len(numbers)} objects for {kind}")
    found = [object_of(scene, number) for number in numbers]
    check_name(words_of(item, "object_name"), found)
    return Row(
        id=f"{split}/{item['scene_id']}/{int(item['ann_id'])}",
        dataset="multi3drefer",
        scene=scene.name,
        task="grounding",
        subtask=kind,
        question=which(words_of(item, "description")),
        answer=write_boxes(NamedBox(each.box, each.category) for each in found),
        targets=tuple(numbers),
        boxes=tuple(each.box for each in found),
        license=LICENSE,
    )


CONVERTER = Converter("multi3drefer", LICENSE, LAYOUT, True, units)
