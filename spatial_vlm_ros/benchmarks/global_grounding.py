"""7-DoF grounding in first-frame coordinates: how far boxes are off (SSR section 5.2, figure 8a).

Referring expressions of the three kinds that SSR learns, each of one object, answered with a 3D box
or, where a model knows objects by number, with a number. Errors are distances of centres in metres;
of what is not answered there is none, and it overlaps nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from spatial_vlm_ros.benchmarks.captions import Words
from spatial_vlm_ros.benchmarks.generated import GeneratedBenchmark
from spatial_vlm_ros.benchmarks.item import (
    Item,
    Prediction,
    Predictions,
    Scores,
    answer_to,
    judged_of,
    mean,
)
from spatial_vlm_ros.benchmarks.located import THRESHOLDS
from spatial_vlm_ros.data.generators.grounding import rows
from spatial_vlm_ros.data.scenes import AnnotatedScene
from spatial_vlm_ros.scene.box import Box, iou

_OF_SCENE = 10
#: Upper ends [m] of the parts in which errors are counted; the last has no end.
EDGES = tuple(0.1 * n for n in range(1, 21))


def items(scene: AnnotatedScene) -> Iterator[Item]:
    """Those that mean one object, some of each kind."""
    boxes = {item.id: item.box.to_tuple() for item in scene.objects}
    for row in rows(scene, 0, _OF_SCENE):
        if len(row.targets) == 1:
            yield Item(
                id=row.id,
                task=row.subtask,
                prompt=row.question,
                right=(row.answer,),
                question=row.question,
                scene=scene.name,
                more={"object": row.targets[0], "boxes": boxes},
                frame="scene",
            )


def answered_boxes(item: Item, given: Prediction | None) -> list[Box] | None:
    """As such, else those of the objects that were named; None where it has neither."""
    if given is None or (given.boxes is None and given.objects is None):
        return None
    if given.boxes is not None:
        return [Box.from_tuple(numbers) for numbers in given.boxes]
    boxes = item.more["boxes"]
    named = dict.fromkeys(given.objects or ())
    return [Box.from_tuple(boxes[number]) for number in named if number in boxes]


def score(items: Sequence[Item], predictions: Predictions, protocol: str, words: Words) -> Scores:
    """Over all questions and of each kind, with the distribution of errors."""
    each, errors, overlaps = [], list[float](), list[float]()
    for item in items:
        given = answer_to(item, predictions)
        boxes = answered_boxes(item, given)
        right = Box.from_tuple(item.more["boxes"][item.more["object"]])
        overlap, read = 0.0, ""
        if boxes:
            error = float(np.linalg.norm(boxes[0].center - right.center))
            overlap, read = iou(boxes[0], right), f"{error:.3f} m"
            errors.append(error)
        overlaps.append(overlap)
        hits = {f"@{least}": float(overlap >= least) for least in THRESHOLDS}
        each.append(judged_of(item, given, read, {"right": hits["@0.25"], **hits}))
    metrics = {
        "Acc@0.25": 100 * mean(one.right["@0.25"] for one in each),
        "Acc@0.5": 100 * mean(one.right["@0.5"] for one in each),
        "mean IoU": 100 * mean(overlaps),
        "answered": 100 * len(errors) / len(items),
    }
    if errors:
        quarters = np.percentile(errors, (25, 50, 75, 90)).tolist()
        metrics["mean error, m"] = mean(errors)
        names = ("lower quartile, m", "median error, m", "upper quartile, m", "90 % below, m")
        metrics |= dict(zip(names, quarters, strict=True))
        counts = np.bincount(np.searchsorted(EDGES, errors), minlength=len(EDGES) + 1)
        ends = [*(f"error to {edge:.1f} m" for edge in EDGES), f"error over {EDGES[-1]:.1f} m"]
        metrics |= {end: 100 * int(n) / len(items) for end, n in zip(ends, counts, strict=True)}
    return Scores("global-grounding", protocol, metrics, each)


BENCHMARK = GeneratedBenchmark(
    "global-grounding", "7-DoF grounding", ("centre",), items, score, max_tokens=96
)
