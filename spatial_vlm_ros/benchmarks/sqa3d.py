"""SQA3D: questions of one who stands somewhere in a scanned room (Ma et al. 2023).

Layout: SilongYong/SQA3D a98da8f. Papers report the test part, Proxy3D's table the validation part.
The situation is told in its first wording.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from spatial_vlm_ros.benchmarks.answer_words import Matching, chatscene, leo, strict
from spatial_vlm_ros.benchmarks.captions import Words
from spatial_vlm_ros.benchmarks.item import (
    Item,
    Predictions,
    Scores,
    means,
    words_judged,
)
from spatial_vlm_ros.benchmarks.scanqa import SHORT, alike, matched
from spatial_vlm_ros.benchmarks.tables import Benchmark, Part, Place
from spatial_vlm_ros.data.converters.scannet_items import read_lists, words_of

#: How questions begin, by which scores are told apart; all others are "other".
KINDS = ("what", "is", "how", "can", "which")
_MATCHES: dict[str, Matching] = {
    "strict": strict,
    "leo": leo,
    "chatscene": partial(chatscene, raw=False),
}


def item(place: Place, row: Mapping[str, Any]) -> Item:
    """Of a question, and the annotation with its id."""
    number = row["question_id"]
    if number not in _notes(place.file):
        raise ValueError(f"question {number} has no annotation")
    note = _notes(place.file)[number]
    if note["scene_id"] != row["scene_id"]:
        raise ValueError(f"question {number} is about {row['scene_id']}, its annotation is not")
    question = words_of(row, "question")
    asked = f"{words_of(row, 'situation')} {question}"
    return Item(
        id=str(number),
        task=next((kind for kind in KINDS if question.lower().startswith(kind)), "other"),
        prompt=f"{asked} {SHORT}",
        right=tuple(each["answer"] for each in note["answers"]),
        question=asked,
        scene=f"scannet/{words_of(row, 'scene_id')}",
    )


@lru_cache(maxsize=1)
def _notes(questions: Path) -> dict[Any, Any]:
    """By the question's id."""
    path = questions.with_name(questions.name.replace("_questions_", "_sqa_annotations_"))
    notes = read_lists(path, "SQA3D", BENCHMARK.layout, "annotations")["annotations"]
    return {note["question_id"]: note for note in notes}


def score(items: Sequence[Item], predictions: Predictions, protocol: str, words: Words) -> Scores:
    """Exact match, refined, over all and of each kind, and how alike the words are."""
    each = words_judged(items, predictions, _MATCHES[protocol])
    found = means(each)
    kinds = {kind: found[kind] for kind in (*KINDS, "other") if kind in found}
    metrics = matched(each) | kinds | alike(items, predictions, words)
    return Scores("sqa3d", protocol, metrics, each)


BENCHMARK = Benchmark(
    name="sqa3d",
    title="SQA3D",
    protocols=tuple(_MATCHES),
    parts={
        split: Part((f"v1_balanced_questions_{split}_scannetv2.json",), rows, "questions")
        for split, rows in (("test", 3519), ("val", 3261))
    },
    layout="v1_balanced_questions_{test,val}_scannetv2.json\n"
    "v1_balanced_sqa_annotations_{test,val}_scannetv2.json",
    item=item,
    score=score,
    max_tokens=64,
)
