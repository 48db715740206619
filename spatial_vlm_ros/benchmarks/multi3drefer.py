"""Multi3DRefer: descriptions that mean any number of objects, or none (Zhang et al. 2023).

Layout and scores: 3dlg-hcvc/M3DRef-CLIP babfcc4, ``multi3drefer_evaluator.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from spatial_vlm_ros.benchmarks.captions import Words
from spatial_vlm_ros.benchmarks.item import Item, Predictions, Scores, answer_to, judged_of, mean
from spatial_vlm_ros.benchmarks.located import THRESHOLDS, f1
from spatial_vlm_ros.benchmarks.scannet_boxes import boxes_of, corners, meant
from spatial_vlm_ros.benchmarks.tables import Benchmark, Part, Place
from spatial_vlm_ros.data.converters.multi3drefer import MEANT
from spatial_vlm_ros.data.converters.scannet_items import (
    check_name,
    object_of,
    scene_of,
    words_of,
)
from spatial_vlm_ros.data.converters.wordings import which

#: zt: nothing is meant, st: one object, mt: several; with or without others of its class.
KINDS = ("zt_w_d", "zt_wo_d", "st_w_d", "st_wo_d", "mt")


def item(place: Place, row: Mapping[str, Any]) -> Item:
    """Of a row of the published file."""
    scene = scene_of(f"scannet/{words_of(row, 'scene_id')}", place.scenes)
    kind, numbers = row["eval_type"], sorted({int(number) for number in row["object_ids"]})
    if kind not in KINDS:
        raise ValueError(f"eval_type {kind!r} is not one of {', '.join(KINDS)}")
    least, most = MEANT[kind[:2]]
    if not least <= len(numbers) <= most:
        raise ValueError(f"{len(numbers)} objects contradict eval_type {kind}")
    check_name(words_of(row, "object_name"), [object_of(scene, number) for number in numbers])
    description = words_of(row, "description")
    return Item(
        id=f"{row['scene_id']}|{int(row['ann_id'])}",
        task=kind,
        prompt="Identify the object according to the following description.\n"
        f"{description}\n"
        "There may be no corresponding object, or there may be one or more objects.",
        right=(),
        question=which(description),
        scene=scene.name,
        more={"objects": numbers, "boxes": boxes_of(scene)},
    )


def score(items: Sequence[Item], predictions: Predictions, protocol: str, words: Words) -> Scores:
    """F1 at both thresholds, over all descriptions and of each kind. No prediction at all is wrong,
    also where nothing is meant.
    """
    each = []
    for one in items:
        given = answer_to(one, predictions)
        boxes = meant(one, given)
        wanted = corners(one.more["boxes"][number] for number in one.more["objects"])
        found = f1(boxes, wanted) if given else dict.fromkeys(THRESHOLDS, 0.0)
        scored = {f"@{least}": value for least, value in found.items()}
        right = {"right": found[0.5], **scored}
        each.append(judged_of(one, given, f"{len(boxes)} boxes", right))
    metrics = {
        f"F1{at}{f' {kind}' if kind else ''}": 100
        * mean(one.right[at] for one in each if kind in ("", one.task))
        for at in ("@0.25", "@0.5")
        for kind in ("", *KINDS)
        if not kind or any(one.task == kind for one in each)
    }
    return Scores("multi3drefer", protocol, metrics, each)


BENCHMARK = Benchmark(
    name="multi3drefer",
    title="Multi3DRefer",
    protocols=("original",),
    parts={"val": Part(("multi3drefer_val.json", "val.json"), 11120)},
    layout="multi3drefer_val.json (or val.json)",
    item=item,
    score=score,
    max_tokens=64,
    needs_scenes=True,
)
