"""ScanQA: questions about scanned rooms, answered in a few words (Azuma et al. 2022).

Layout: ATR-DBI/ScanQA 0a9f162. The validation part is what papers report; answers of the test parts
are secret.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from spatial_vlm_ros.benchmarks.answer_words import Matching, chatscene, leo, strict
from spatial_vlm_ros.benchmarks.captions import Captions, Words, caption_scores
from spatial_vlm_ros.benchmarks.item import (
    Item,
    Judged,
    Predictions,
    Scores,
    mean,
    text_of,
    words_judged,
)
from spatial_vlm_ros.benchmarks.tables import Benchmark, Part, Place
from spatial_vlm_ros.data.converters.scannet_items import words_of

SHORT = "Answer the question using a single word or phrase."
_MATCHES: dict[str, Matching] = {
    "strict": strict,
    "leo": leo,
    "chatscene": partial(chatscene, raw=True),
}


def item(place: Place, row: Mapping[str, Any]) -> Item:
    """Of a row of the published file."""
    answers = tuple(row["answers"])
    if not answers or not all(isinstance(each, str) for each in answers):
        raise ValueError(f"answers {row['answers']!r} are no texts")
    question = words_of(row, "question")
    return Item(
        id=words_of(row, "question_id"),
        task="question",
        prompt=f"{question} {SHORT}",
        right=answers,
        question=question,
        scene=f"scannet/{words_of(row, 'scene_id')}",
    )


def score(items: Sequence[Item], predictions: Predictions, protocol: str, words: Words) -> Scores:
    """Exact match, refined, and how alike the words are."""
    each = words_judged(items, predictions, _MATCHES[protocol])
    metrics = matched(each) | alike(items, predictions, words)
    return Scores("scanqa", protocol, metrics, each)


def matched(each: Sequence[Judged]) -> dict[str, float]:
    """Shares of exact and refined matches."""
    return {
        "EM": 100 * mean(one.right["right"] for one in each),
        "EM-R": 100 * mean(one.right["refined"] for one in each),
    }


def alike(items: Sequence[Item], predictions: Predictions, words: Words) -> dict[str, float]:
    """How alike what was answered and the right answers are, as captions."""
    given = [text_of(item, predictions) for item in items]
    return caption_scores(Captions.of(given, [item.right for item in items], words), words)


BENCHMARK = Benchmark(
    name="scanqa",
    title="ScanQA",
    protocols=tuple(_MATCHES),
    parts={"val": Part(("ScanQA_v1.0_val.json",), 4675)},
    layout="ScanQA_v1.0_val.json",
    item=item,
    score=score,
    max_tokens=64,
)
