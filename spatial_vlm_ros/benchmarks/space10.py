"""SpaCE-10: ten abilities that understanding a space is made of (Gong et al. 2025).

Layout, prompt and scores: VisionXLab/SpaCE-10 aea283c, ``lmms_eval/tasks/space_10``: its eight
parts of single choice. What its scorer would ask GPT counts as wrong here; as it ships, it asks
that for a plain "B" too, since it reads the text of a list ("['B']").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from spatial_vlm_ros.benchmarks import letters_said
from spatial_vlm_ros.benchmarks.captions import Words
from spatial_vlm_ros.benchmarks.item import Item, Predictions, Scores, judged, mean, means
from spatial_vlm_ros.benchmarks.tables import Benchmark, Part, Place
from spatial_vlm_ros.data.parquet import pyarrow

KINDS = ("eq", "sq", "sa", "oo", "os", "ep", "fr", "sp")
_PROMPT = (
    "Please use the letters provided as the answer. You only need to output one choice, not "
    "multiple choices."
)


@dataclass(frozen=True)
class Embedded:
    """An image in a row of a Parquet file."""

    file: Path
    row: int
    number: int
    missing: str = ""

    def read(self) -> bytes:
        """See :class:`spatial_vlm_ros.benchmarks.item.Picture`."""
        return images_of(_column(self.file)[self.row])[self.number]


def images_of(cell: Any) -> list[bytes]:
    """Of a cell: bytes, what ``datasets`` makes of an image, or a list of such."""
    cells = cell if isinstance(cell, list) else [cell]
    return [each["bytes"] if isinstance(each, dict) else bytes(each) for each in cells]


@lru_cache(maxsize=1)
def _column(file: Path) -> list[Any]:
    _, pq = pyarrow()
    found: list[Any] = pq.read_table(file, columns=["image"])["image"].to_pylist()
    return found


def item(place: Place, row: Mapping[str, Any]) -> Item:
    """Of a row of a file below ``single-choice/<kind>``."""
    kind = next((kind for kind in KINDS if kind in place.file.parts), "")
    options = {
        letter: str(row[letter])
        for letter in "ABCDEF"
        if row.get(letter) is not None and str(row[letter]) != "nan"
    }
    right = row["answer"]
    if right not in options:
        raise ValueError(f"answer {right!r} is not one of {', '.join(options)}")
    listed = "".join(f"{letter}. {text}\n" for letter, text in options.items())
    return Item(
        id=f"{kind}/{row['index']}",
        task=kind,
        prompt=f"{row['question']} There are several options:\n{listed}\n{_PROMPT}",
        right=(right,),
        question=row["question"],
        options=tuple(f"{letter}. {text}" for letter, text in options.items()),
        images=tuple(
            Embedded(place.file, place.number, n) for n in range(len(images_of(row["image"])))
        ),
        more={"options": options},
    )


def score(items: Sequence[Item], predictions: Predictions, protocol: str, words: Words) -> Scores:
    """Of each kind, their mean, and over all questions."""

    def read(item: Item, text: str) -> str | None:
        if protocol == "offline":
            return letters_said.space10_offline(text)
        texts = {
            letter: item.more["options"][letter]
            for letter in "ABCD"
            if letter in item.more["options"]
        }
        return letters_said.space10(text.strip(), texts)

    each = judged(items, predictions, read, lambda item, said: float(said == item.right[0]))
    found = means(each)
    micro = 100 * mean(one.right["right"] for one in each)
    metrics = {"average": mean(found.values()), **found, "micro": micro}
    return Scores("space-10", protocol, metrics, each)


BENCHMARK = Benchmark(
    name="space-10",
    title="SpaCE-10",
    protocols=("mmbench", "offline"),
    parts={"single-choice": Part(("single-choice/*/**/*.parquet",))},
    layout="\n".join(f"single-choice/{kind}/**/*.parquet" for kind in KINDS),
    item=item,
    score=score,
    max_tokens=256,
    hub="Cusyoung/SpaCE-10",
)
