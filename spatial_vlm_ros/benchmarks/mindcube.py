"""MindCube: spaces that a few views show in part (Yin et al. 2025).

Layout, prompt and scores: mll-lab-nu/MindCube 6d8fd9a, ``src/evaluation/core``. The data were
corrected in March 2026: scores of older copies differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from spatial_vlm_ros.benchmarks import letters_said
from spatial_vlm_ros.benchmarks.captions import Words
from spatial_vlm_ros.benchmarks.item import (
    ImageFile,
    Item,
    Predictions,
    Scores,
    judged,
    mean,
    means,
)
from spatial_vlm_ros.benchmarks.tables import Benchmark, Part, Place

#: A question's setting is the first of these that is in its id.
SETTINGS = ("around", "rotation", "translation", "among")
_IMAGES = "other_all_image"
_PROMPT = """\
[Task]
Your task is to analyze the spatial arrangement of objects in the scene by examining the provided \
images, which show the scene from different viewpoints.
[Answer Instruction]
You only need to provide *ONE* correct answer selecting from the options listed below. For \
example, if you think the correct answer is 'A. Above' from 'A. Above B. Under C. Front D. \
Behind', your response should **only** be '<answer>A. Above</answer>'.

[Question]
"""


def item(place: Place, row: Mapping[str, Any]) -> Item:
    """Of a row of the published file. Options stand in the question."""
    name, right = str(row["id"]), row["gt_answer"]
    if right not in tuple("ABCDE"):
        raise ValueError(f"gt_answer {right!r} is not one letter of A to E")
    images = [str(path).split(f"{_IMAGES}/")[-1] for path in row["images"]]
    return Item(
        id=name,
        task=next((setting for setting in SETTINGS if setting in name), "other"),
        prompt=_PROMPT + row["question"],
        right=(right,),
        question=row["question"],
        images=tuple(ImageFile(place.file.parents[1] / _IMAGES / path) for path in images),
    )


def score(items: Sequence[Item], predictions: Predictions, protocol: str, words: Words) -> Scores:
    """Of each setting, and over all questions but those of translation, as published."""
    each = judged(
        items,
        predictions,
        lambda item, text: letters_said.mindcube(text),
        lambda item, said: float(said == item.right[0]),
    )
    overall = 100 * mean(one.right["right"] for one in each if one.task != "translation")
    return Scores("mindcube", protocol, {"overall": overall, **means(each)}, each)


def _files(name: str) -> tuple[str, str]:
    """In the archive's folder data, or in the folder that holds it."""
    return f"raw/{name}.jsonl", f"data/raw/{name}.jsonl"


BENCHMARK = Benchmark(
    name="mindcube",
    title="MindCube",
    protocols=("mindcube-2025",),
    parts={
        "tiny": Part(_files("MindCube_tinybench"), 1050),
        "full": Part(_files("MindCube")),
    },
    layout="raw/MindCube_tinybench.jsonl (data.zip unpacked)\n"
    "raw/MindCube.jsonl (of --part full)\n"
    f"{_IMAGES}/<setting>/<scene>/<image>",
    item=item,
    score=score,
    max_tokens=4096,
    hub="MLL-Lab/MindCube",
)
