"""VSTI-Bench: where cameras and objects are at moments of a video (Fan et al. 2025, VLM-3R).

Layout and scores: VITA-Group/VLM-3R 6dd1264, ``vstibench/utils.py``: VSI-Bench's prompts and
parsers. Its script averages over kinds of questions, its paper over five groups of them; both are
given. The test set was corrected in July 2026 (6042 rows before, 5736 since), and scores of the two
cannot be compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from spatial_vlm_ros.benchmarks import vsi_bench
from spatial_vlm_ros.benchmarks.captions import Words
from spatial_vlm_ros.benchmarks.item import Item, Predictions, Scores, mean, means
from spatial_vlm_ros.benchmarks.tables import Benchmark, Part, Place, check_answer

#: The paper's five kinds, and the questions of each.
KINDS = {
    "camera_obj_abs_dist": ("camera_obj_abs_dist",),
    "camera_displacement": ("camera_displacement",),
    "camera_movement_direction": ("camera_movement_direction",),
    "obj_obj_relative_pos": tuple(f"obj_obj_relative_pos_{part}" for part in ("nf", "ud", "lr")),
    "camera_obj_rel_dist": tuple(f"camera_obj_rel_dist_v{part}" for part in (1, 2, 3)),
}
_NUMBERS = ("camera_obj_abs_dist", "camera_displacement", "camera_obj_dist_change")
_KNOWN = {*_NUMBERS, *(task for tasks in KINDS.values() for task in tasks)}


def item(place: Place, row: Mapping[str, Any]) -> Item:
    """Of a row of the published table. Numeric questions have options there too."""
    kind = row["question_type"]
    if kind not in _KNOWN:
        raise ValueError(f"question_type {kind!r} is not one of VSTI-Bench")
    number = kind in _NUMBERS
    options = () if number else tuple(row["options"])
    right = str(row["ground_truth"] if number else row["mc_answer"])
    check_answer(right, options, number)
    return Item(
        id=str(row["id"]),
        task=kind,
        prompt=vsi_bench.prompt(row["question"], options),
        right=(right,),
        question=row["question"],
        options=options,
        number=number,
        video=place.root / row["video_path"],
    )


def score(items: Sequence[Item], predictions: Predictions, protocol: str, words: Words) -> Scores:
    """Of each kind, with both averages."""
    each = vsi_bench.judge(items, predictions, protocol)
    found = means(each)
    kinds = {
        kind: mean(found[task] for task in tasks if task in found)
        for kind, tasks in KINDS.items()
        if any(task in found for task in tasks)
    }
    averages = {"average": mean(found.values()), "average of 5 kinds": mean(kinds.values())}
    return Scores("vsti-bench", protocol, {**averages, **found, **kinds}, each)


BENCHMARK = Benchmark(
    name="vsti-bench",
    title="VSTI-Bench",
    protocols=("vsi-2025",),
    parts={"test": Part(("test.json",), 5736)},
    layout="test.json\n<video_path of its rows, such as ScanNet/videos/val/scene0568_00.mp4>",
    item=item,
    score=score,
    max_tokens=16,
    hub="Journey9ni/vstibench",
)
