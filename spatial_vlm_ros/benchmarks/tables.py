"""Benchmarks whose questions are the rows of a table: JSON, JSON lines or Parquet."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from spatial_vlm_ros.benchmarks.captions import Words
from spatial_vlm_ros.benchmarks.item import Item, Predictions, Scores
from spatial_vlm_ros.data import parquet
from spatial_vlm_ros.data.converters.converter import Scenes
from spatial_vlm_ros.data.files import sha256
from spatial_vlm_ros.data.unusable import WRONG, rejected


class Place(NamedTuple):
    """Where a row stands: number in the file, from 0; root: of the benchmark's files. scenes: those
    that are known, with the boxes of their objects.
    """

    root: Path
    file: Path
    number: int
    scenes: Scenes


@dataclass(frozen=True)
class Part:
    """Of a benchmark. files: names below the root, of which the first that is there is read; with a
    star all that match. rows: how many were published; 0: not known. key: under which the rows of
    a JSON file are; "" where it is a list.
    """

    files: tuple[str, ...]
    rows: int = 0
    key: str = ""


@dataclass(frozen=True)
class Benchmark:
    """name: on the command line. protocols: how its scores can be computed, the usual one first.
    parts: by name, the usual one first. layout: files below the user's root, one a line. item: of
    a row. max_tokens: of an answer, as published. whole: items of all rows as they are asked, where
    a row alone does not tell. needs_scenes: whether boxes of annotated scenes are the truth. hub:
    name of the data set on the hub; "" where it is not there.
    """

    name: str
    title: str
    protocols: tuple[str, ...]
    parts: Mapping[str, Part]
    layout: str
    item: Callable[[Place, Mapping[str, Any]], Item]
    score: Callable[[Sequence[Item], Predictions, str, Words], Scores]
    max_tokens: int
    whole: Callable[[Path, list[Item]], list[Item]] = lambda root, items: items
    needs_scenes: bool = False
    hub: str = ""

    def load(self, root: Path, part: str = "", scenes: Scenes | None = None) -> list[Item]:
        """All items. ``ValueError`` names the file, row and field that is not as published."""
        chosen = self.parts[part or next(iter(self.parts))]
        made = []
        for path in self._files(root, chosen):
            for number, (where, row) in enumerate(_rows(path, chosen.key)):
                try:
                    made.append(self.item(Place(root, path, number, scenes or {}), row))
                except WRONG as error:
                    found = rejected(error, where)
                    raise ValueError(f"{where}: {found.reason}: {found.detail}") from error
        items = self.whole(root, made)
        if not items:
            raise ValueError(f"{root} has no questions of {self.title}")
        for name, count in Counter(item.id for item in items).items():
            if count > 1:
                raise ValueError(f"{root}: {count} questions of {self.title} have the id {name}")
        return items

    def scenes(self, root: Path) -> Path | None:
        """A file of annotated scenes among its own: none has one."""
        return None

    def stamp(self, root: Path, part: str = "") -> dict[str, str]:
        """SHA-256 of its files by name, since published data change."""
        found = self._files(root, self.parts[part or next(iter(self.parts))])
        return {path.relative_to(root).as_posix(): sha256(path) for path in found}

    def _files(self, root: Path, part: Part) -> list[Path]:
        for name in part.files:
            if found := sorted(root.glob(name)):
                return found
        raise ValueError(
            f"{root} has no {' or '.join(part.files)}; {self.title} is read from\n{self.layout}"
        )


def check_answer(right: str, options: Sequence[str], number: bool) -> None:
    """``ValueError``: it is no number, or the letter of none of the options."""
    if number:
        float(right)  # says when it is none
    elif len(right) != 1 or not 0 <= ord(right.upper()) - ord("A") < len(options):
        raise ValueError(f"{right!r} is the letter of none of {len(options)} options")


def _rows(path: Path, key: str) -> Iterator[tuple[str, Any]]:
    """Each row with where it stands."""
    if path.suffix == ".parquet":
        with parquet.opened(path) as content:
            yield from ((f"{path}[{n}]", row) for n, row in enumerate(parquet.rows_of(content)))
        return
    with path.open(encoding="utf-8") as file:
        try:
            if path.suffix == ".jsonl":
                for number, line in enumerate(file, 1):
                    if line.strip():
                        yield f"{path}:{number}", json.loads(line)
                return
            content = json.load(file)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path} is no {path.suffix[1:].upper()}: {error}") from None
    if key and isinstance(content, dict):
        content = content.get(key)
    if not isinstance(content, list):
        where = f"{key} of {path}" if key else str(path)
        raise ValueError(f"{where} is no list but {type(content).__name__}")
    yield from ((f"{path}[{n}]", row) for n, row in enumerate(content))
