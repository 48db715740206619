"""ViewSpatial-Bench: directions as a camera, or a person in the image, sees them (Li et al. 2025).

Layout and scores: ZJU-REAL/ViewSpatial-Bench 2e85a5e, ``evaluate.py``; the prompt is the paper's,
as lmms-eval and VLMEvalKit give it: until January 2026 that script did not show the choices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
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

KINDS = (
    "Camera perspective - Relative Direction",
    "Camera perspective - Object View Orientation",
    "Person perspective - Object View Orientation",
    "Person perspective - Relative Direction",
    "Person perspective - Scene Simulation Relative Direction",
)
_READ = {"repo": letters_said.view_spatial, "strict": letters_said.view_spatial_strict}


def item(place: Place, row: Mapping[str, Any]) -> Item:
    """Of a row of the published file, which has no id but its number."""
    kind, options = row["question_type"], tuple(row["choices"].split("\n"))
    if kind not in KINDS:
        raise ValueError(f"question_type {kind!r} is not one of ViewSpatial-Bench")
    if row["answer"] not in options:
        raise ValueError(f"answer {row['answer']!r} is not one of the choices")
    return Item(
        id=str(place.number),
        task=kind,
        prompt=f"Question: {row['question']}\nChoices: {row['choices']}\n"
        "Reply only to the corresponding option.\nAnswer:",
        right=(row["answer"][0],),
        question=row["question"],
        options=options,
        images=tuple(ImageFile(_placed(place.root, path)) for path in row["image_path"]),
    )


def _placed(root: Path, path: str) -> Path:
    """Paths begin with the folder that the root is, or that is in it."""
    inside = root / path
    return inside if inside.is_file() else root / path.partition("/")[2]


def score(items: Sequence[Item], predictions: Predictions, protocol: str, words: Words) -> Scores:
    """Of each kind, and over all questions."""
    read = _READ[protocol]
    each = judged(
        items,
        predictions,
        lambda item, text: read(text),
        lambda item, said: float(said == item.right[0]),
    )
    overall = 100 * mean(one.right["right"] for one in each)
    return Scores("view-spatial", protocol, {"overall": overall, **means(each)}, each)


BENCHMARK = Benchmark(
    name="view-spatial",
    title="ViewSpatial-Bench",
    protocols=tuple(_READ),
    parts={"test": Part(("ViewSpatial-Bench.json",), 5712)},
    layout="ViewSpatial-Bench.json\n"
    "scannetv2_val/<scene>/original_images/<image> (scannetv2_val.zip unpacked)\n"
    "val2017/<image> (val2017.zip unpacked)",
    item=item,
    score=score,
    max_tokens=128,
    hub="lidingm/ViewSpatial-Bench",
)
