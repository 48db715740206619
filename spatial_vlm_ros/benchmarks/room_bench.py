"""Room-bench: what is asked about simulated rooms that no small model has learnt from.

VSI-Bench's kinds of questions in its words, scored as VSI-Bench scores them (the three directions
are one task); phrases that mean one object (referring), several or none (grounding), answered with
3D boxes in the scene frame and scored by F1 at an IoU of 0.25. Any annotated scene can be asked
about; ``commands/room_bench.py`` makes the rooms, and asks the whole system about them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from spatial_vlm_ros.benchmarks import vsi_bench
from spatial_vlm_ros.benchmarks.captions import Words
from spatial_vlm_ros.benchmarks.generated import GeneratedBenchmark
from spatial_vlm_ros.benchmarks.global_grounding import answered_boxes
from spatial_vlm_ros.benchmarks.item import (
    Item,
    Judged,
    Predictions,
    Scores,
    answer_to,
    judged_of,
    mean,
    means,
)
from spatial_vlm_ros.data.generators import grounding, vsi
from spatial_vlm_ros.data.row import Row
from spatial_vlm_ros.data.scenes import AnnotatedScene
from spatial_vlm_ros.reasoners.question_form import Form, FormKind
from spatial_vlm_ros.scene.box import Box
from spatial_vlm_ros.training.lessons import lettered
from spatial_vlm_ros.training.scoring import boxes_f1

REFERRING, GROUNDING = "referring", "grounding"
TASKS = (*vsi_bench.TASKS, REFERRING, GROUNDING)
_OF_KIND = 3  # questions of a scene


def items(scene: AnnotatedScene) -> Iterator[Item]:
    """Some of each kind that the scene allows."""
    for row in vsi.rows(scene, 0, _OF_KIND):
        yield _vsi_item(row)
    boxes = {item.id: item.box.to_tuple() for item in scene.objects}
    for row in grounding.rows(scene, 0, _OF_KIND):
        yield Item(
            id=row.id,
            task=REFERRING if len(row.targets) == 1 else GROUNDING,
            prompt=f"{row.question}\n{Form(FormKind.BOXES).instruction}",
            right=(row.answer,),
            question=row.question,
            scene=scene.name,
            frame="scene",
            more={"objects": row.targets, "boxes": boxes},
        )


def _vsi_item(row: Row) -> Item:
    options = lettered(row.options)
    direction = row.subtask in vsi_bench.DIRECTIONS
    return Item(
        id=row.id,
        task=vsi_bench.DIRECTION if direction else row.subtask,
        prompt=vsi_bench.prompt(row.question, options),
        right=(row.answer,),
        question=row.question,
        options=options,
        number=not options,
        scene=row.scene,
    )


def score(items: Sequence[Item], predictions: Predictions, protocol: str, words: Words) -> Scores:
    """Of each task, and their mean."""
    by_boxes = [item for item in items if item.task in (REFERRING, GROUNDING)]
    others = [item for item in items if item.task not in (REFERRING, GROUNDING)]
    each = vsi_bench.judge(others, predictions, protocol)
    each += [_by_boxes(item, predictions) for item in by_boxes]
    found = means(each)
    tasks = {task: found[task] for task in TASKS if task in found}
    return Scores("room-bench", protocol, {"average": mean(tasks.values()), **tasks}, each)


def _by_boxes(item: Item, predictions: Predictions) -> Judged:
    given = answer_to(item, predictions)
    boxes = answered_boxes(item, given)
    if boxes is None:
        return judged_of(item, given, "", {"right": 0.0})
    wanted = [Box.from_tuple(item.more["boxes"][number]) for number in item.more["objects"]]
    read = f"{len(boxes)} boxes for {len(wanted)}"
    return judged_of(item, given, read, {"right": boxes_f1(boxes, wanted)})


BENCHMARK = GeneratedBenchmark("room-bench", "Room-bench", ("vsi-2025",), items, score, 256)
