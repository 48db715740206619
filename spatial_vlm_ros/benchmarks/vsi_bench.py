"""VSI-Bench: questions of eight kinds about videos of rooms (Yang et al. 2025).

Layout and scores: vision-x-nyu/thinking-in-space 51e089c, ``lmms_eval/tasks/vsibench/utils.py``;
the reading of numbers that lmms-eval has since July 2026 is the protocol ``lmms-2026``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from spatial_vlm_ros.benchmarks import letters_said, numbers_said
from spatial_vlm_ros.benchmarks.captions import Words
from spatial_vlm_ros.benchmarks.item import Item, Judged, Predictions, Scores, judged, mean, means
from spatial_vlm_ros.benchmarks.relative_accuracy import mean_relative_accuracy
from spatial_vlm_ros.benchmarks.tables import Benchmark, Part, Place, check_answer

#: By the published order of tasks; the three directions are one task.
NUMBERS = (
    *("object_counting", "object_abs_distance"),
    *("object_size_estimation", "room_size_estimation"),
)
DIRECTION = "object_rel_direction"
DIRECTIONS = tuple(f"{DIRECTION}_{level}" for level in ("easy", "medium", "hard"))
CHOICES = ("object_rel_distance", *DIRECTIONS, "route_planning", "obj_appearance_order")
TASKS = (*NUMBERS, "object_rel_distance", DIRECTION, "route_planning", "obj_appearance_order")

_READ = {"vsi-2025": numbers_said.vsi_2025, "lmms-2026": numbers_said.lmms_2026}
_ASKED = "These are frames of a video."
_LETTER = "Answer with the option's letter from the given choices directly."
_NUMBER = "Please answer the question using a single word or phrase."


def prompt(question: str, options: Sequence[str]) -> str:
    """As published, behind the frames."""
    if options:
        return "\n".join((_ASKED, question, "Options:", *options, _LETTER))
    return "\n".join((_ASKED, question, _NUMBER))


def item(place: Place, row: Mapping[str, Any]) -> Item:
    """Of a row of the published table."""
    kind = row["question_type"]
    if kind not in (*NUMBERS, *CHOICES):
        raise ValueError(f"question_type {kind!r} is not one of VSI-Bench")
    options = () if kind in NUMBERS else tuple(row["options"])
    right = str(row["ground_truth"])
    check_answer(right, options, kind in NUMBERS)
    return Item(
        id=str(row["id"]),
        task=kind,
        prompt=prompt(row["question"], options),
        right=(right,),
        question=row["question"],
        options=options,
        number=kind in NUMBERS,
        video=place.root / row["dataset"] / f"{row['scene_name']}.mp4",
    )


def judge(items: Sequence[Item], predictions: Predictions, protocol: str) -> list[Judged]:
    """Letters are right or wrong, numbers by mean relative accuracy."""
    number = _READ[protocol]

    def read(item: Item, text: str) -> str | float | None:
        return number(text) if item.number else letters_said.vsi(text)

    def right(item: Item, said: Any) -> float:
        if item.number:
            return mean_relative_accuracy(said, float(item.right[0]))
        return float(said == item.right[0].upper())

    return judged(items, predictions, read, right)


def score(items: Sequence[Item], predictions: Predictions, protocol: str, words: Words) -> Scores:
    """Of each task, their mean, and that over all items."""
    each = judge(items, predictions, protocol)
    found = means(each)
    directions = [found.pop(kind) for kind in DIRECTIONS if kind in found]
    if directions:
        found[DIRECTION] = mean(directions)
    tasks = {task: found[task] for task in TASKS if task in found}
    micro = 100 * mean(one.right["right"] for one in each)
    return Scores(
        "vsi-bench", protocol, {"average": mean(tasks.values()), **tasks, "micro": micro}, each
    )


BENCHMARK = Benchmark(
    name="vsi-bench",
    title="VSI-Bench",
    protocols=tuple(_READ),
    parts={
        "full": Part(("test.jsonl", "test-00000-of-00001.parquet"), 5130),
        "debiased": Part(("test_debiased.parquet",), 2362),
        "pruned": Part(("test_pruned.parquet",), 2768),
    },
    layout="test.jsonl, or test-00000-of-00001.parquet\n"
    "test_debiased.parquet (of --part debiased)\n"
    "<dataset>/<scene_name>.mp4 (arkitscenes.zip, scannet.zip and scannetpp.zip unpacked)",
    item=item,
    score=score,
    max_tokens=16,
    hub="nyu-visionx/VSI-Bench",
)
