"""Scan2Cap: each object of a scanned room is found and described (Chen et al. 2021).

Layout and scores: daveredrum/Scan2Cap b9e9610, ``lib/eval_helper.py``; of the rows of ScanRefer,
whose descriptions of an object are its references. A description counts where its box overlaps the
object's by k; else, and where there is none, nothing was said. Evaluators differ:

- ``original``: overlap above k, references cut at 30 words, punctuation among them;
- ``chatscene`` (Chat-Scene 475e106): at least k, whole references, PTB's tokens of both;
- ``video3dllm`` (Video-3D-LLM 3ff70e8): at least k, full stops and commas are words; that it gives
  missed objects the references of another is not repeated.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from spatial_vlm_ros.benchmarks.captions import Captions, Words, caption_scores
from spatial_vlm_ros.benchmarks.item import Item, Predictions, Scores, answer_to, judged_of
from spatial_vlm_ros.benchmarks.located import THRESHOLDS, overlaps
from spatial_vlm_ros.benchmarks.scannet_boxes import boxes_of, corners, meant
from spatial_vlm_ros.benchmarks.tables import Benchmark, Part, Place
from spatial_vlm_ros.data.converters.scannet_items import (
    check_name,
    object_of,
    scene_of,
    words_of,
)
from spatial_vlm_ros.data.converters.wordings import describe

_LONGEST = 30  # words of a reference, originally
#: As ScanRefer's ``token``: punctuation too, each sign by itself.
_TOKEN = re.compile(r"\w+(?:[-']\w+)*|[^\w\s]")
_BEGIN, _END = "sos", "eos"


def item(place: Place, row: Mapping[str, Any]) -> Item:
    """Of a row: one description of an object, by words as published (``token``)."""
    scene = scene_of(f"scannet/{words_of(row, 'scene_id')}", place.scenes)
    found = object_of(scene, int(row["object_id"]))
    check_name(words_of(row, "object_name"), [found])
    return Item(
        id=f"{row['scene_id']}|{found.id}",
        task="caption",
        prompt="Describe the object in detail.",
        right=(words_of(row, "description"),),
        question=describe(found.id),
        scene=scene.name,
        more={
            "object": found.id,
            "described": True,
            "boxes": boxes_of(scene),
            "tokens": [list(row["token"])],
        },
    )


def whole(root: Path, items: list[Item]) -> list[Item]:
    """Each object once, with all its descriptions."""
    found: dict[str, Item] = {}
    for each in items:
        if each.id in found:
            before = found[each.id]
            tokens = [*before.more["tokens"], *each.more["tokens"]]
            each = replace(
                before, right=(*before.right, *each.right), more={**before.more, "tokens": tokens}
            )
        found[each.id] = each
    return list(found.values())


def score(items: Sequence[Item], predictions: Predictions, protocol: str, words: Words) -> Scores:
    """How alike descriptions are, over all objects, at both thresholds."""
    metrics: dict[str, float] = {}
    said, ious = [], []
    for one in items:
        given = answer_to(one, predictions)
        boxes = meant(one, given)[:1]
        right = corners([one.more["boxes"][one.more["object"]]])
        ious.append(float(overlaps(boxes, right)[0, 0]) if len(boxes) else 0.0)
        said.append(given.text if given else "")
    for least in THRESHOLDS:
        hit = [iou > least if protocol == "original" else iou >= least for iou in ious]
        texts = [text if good else "" for text, good in zip(said, hit, strict=True)]
        found = caption_scores(_CAPTIONS[protocol](items, texts, words), words)
        metrics |= {f"{name}@{least}": value for name, value in found.items()}
    each = [
        judged_of(one, answer_to(one, predictions), text.strip(), {"right": float(iou >= 0.5)})
        for one, text, iou in zip(items, said, ious, strict=True)
    ]
    return Scores("scan2cap", protocol, metrics, each)


def _original(items: Sequence[Item], texts: Sequence[str], words: Words) -> Captions:
    references = [[tokens[:_LONGEST] for tokens in one.more["tokens"]] for one in items]
    return Captions(
        [_closed(_TOKEN.findall(text.lower())) for text in texts],
        [[_closed(tokens) for tokens in own] for own in references],
    )


def _chatscene(items: Sequence[Item], texts: Sequence[str], words: Words) -> Captions:
    captions = Captions.of(texts, [one.right for one in items], words)
    return Captions(
        [_closed(tokens) for tokens in captions.given],
        [[_closed(tokens) for tokens in own] for own in captions.right],
    )


def _video3dllm(items: Sequence[Item], texts: Sequence[str], words: Words) -> Captions:
    def cut(text: str) -> list[str]:
        return _closed(text.replace(".", " . ").replace(",", " , ").lower().split())

    return Captions(
        [cut(text) for text in texts], [[cut(text) for text in one.right] for one in items]
    )


def _closed(tokens: Sequence[str]) -> list[str]:
    return [_BEGIN, *tokens, _END]


_CAPTIONS: dict[str, Callable[[Sequence[Item], Sequence[str], Words], Captions]] = {
    "original": _original,
    "chatscene": _chatscene,
    "video3dllm": _video3dllm,
}

BENCHMARK = Benchmark(
    name="scan2cap",
    title="Scan2Cap",
    protocols=tuple(_CAPTIONS),
    parts={"val": Part(("ScanRefer_filtered_val.json",), 2068)},
    layout="ScanRefer_filtered_val.json",
    item=item,
    score=score,
    max_tokens=128,
    whole=whole,
    needs_scenes=True,
)
