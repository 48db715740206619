"""ScanRefer: descriptions that each mean one object of a scanned room (Chen et al. 2020).

Layout and scores: daveredrum/ScanRefer 9d74830, ``lib/dataset.py`` and ``scripts/eval.py``. The
truth is the box of the object in the aligned scan. An object is unique where no other that the part
refers to is of its class, of eighteen classes of which the last is all others; evaluators with
other tables of classes divide otherwise.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from spatial_vlm_ros.benchmarks.captions import Words
from spatial_vlm_ros.benchmarks.item import Item, Predictions, Scores, answer_to, judged_of, mean
from spatial_vlm_ros.benchmarks.located import THRESHOLDS, overlaps
from spatial_vlm_ros.benchmarks.scannet_boxes import boxes_of, corners, meant
from spatial_vlm_ros.benchmarks.tables import Benchmark, Part, Place
from spatial_vlm_ros.data.converters.scannet_items import (
    check_name,
    object_of,
    scene_of,
    words_of,
)
from spatial_vlm_ros.data.converters.wordings import which_one

LABELS = "scannetv2-labels.combined.tsv"
CLASSES = (
    *("cabinet", "bed", "chair", "sofa", "table", "door", "window", "bookshelf", "picture"),
    *("counter", "desk", "curtain", "refrigerator", "shower curtain", "toilet", "sink", "bathtub"),
)
_OTHERS = "others"


def item(place: Place, row: Mapping[str, Any]) -> Item:
    """Of a row of the published file."""
    scene = scene_of(f"scannet/{words_of(row, 'scene_id')}", place.scenes)
    found = object_of(scene, int(row["object_id"]))
    name, description = words_of(row, "object_name"), words_of(row, "description")
    check_name(name, [found])
    return Item(
        id=f"{row['scene_id']}|{found.id}|{int(row['ann_id'])}",
        task="",
        prompt=f"Identify the object according to the following description.\n{description}",
        right=(),
        question=which_one(description),
        scene=scene.name,
        more={"object": found.id, "boxes": boxes_of(scene), "name": name.replace("_", " ")},
    )


def whole(root: Path, items: list[Item]) -> list[Item]:
    """Divided into unique and multiple: by all objects of a scene that any of the items means."""
    classes = read_classes(root / LABELS)

    def of(item: Item) -> str:
        return classes.get(item.more["name"], _OTHERS)

    meant_in: dict[str, dict[int, str]] = defaultdict(dict)
    for each in items:
        meant_in[each.scene].setdefault(each.more["object"], of(each))
    counts = {scene: Counter(own.values()) for scene, own in meant_in.items()}
    return [
        replace(each, task="unique" if counts[each.scene][of(each)] == 1 else "multiple")
        for each in items
    ]


def read_classes(path: Path) -> dict[str, str]:
    """Class of each of ScanNet's raw categories. ``ValueError``: there is no such table."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file, delimiter="\t"))
    except FileNotFoundError:
        raise ValueError(
            f"{path} is missing: ScanNet's table of labels, which divides unique from multiple"
        ) from None
    if not rows or [rows[0][n] for n in (1, 7)] != ["raw_category", "nyu40class"]:
        raise ValueError(f"{path} has no columns raw_category and nyu40class, second and eighth")
    return {row[1]: row[7] if row[7] in CLASSES else _OTHERS for row in rows[1:]}


def score(items: Sequence[Item], predictions: Predictions, protocol: str, words: Words) -> Scores:
    """Share of the descriptions whose first box overlaps by 0.25, and 0.5; none is wrong."""
    each = []
    for one in items:
        given, overlap = answer_to(one, predictions), 0.0
        boxes = meant(one, given)[:1]
        if len(boxes):
            right = corners([one.more["boxes"][one.more["object"]]])
            overlap = float(overlaps(boxes, right)[0, 0])
        hits = {f"@{least}": float(overlap >= least) for least in THRESHOLDS}
        read = f"IoU {overlap:.3f}" if len(boxes) else ""
        each.append(judged_of(one, given, read, {"right": hits["@0.5"], **hits}))
    metrics = {
        f"{name}{at}": 100
        * mean(one.right[at] for one in each if name in ("Acc", one.task.title()))
        for name in ("Unique", "Multiple", "Acc")
        for at in ("@0.25", "@0.5")
    }
    return Scores("scanrefer", protocol, metrics, each)


BENCHMARK = Benchmark(
    name="scanrefer",
    title="ScanRefer",
    protocols=("original",),
    parts={"val": Part(("ScanRefer_filtered_val.json",), 9508)},
    layout=f"ScanRefer_filtered_val.json\n{LABELS}",
    item=item,
    score=score,
    max_tokens=64,
    whole=whole,
    needs_scenes=True,
)
