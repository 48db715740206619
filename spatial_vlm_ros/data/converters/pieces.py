"""Large files in pieces: units of ten thousand items, each with where it stands."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from typing import Any

from spatial_vlm_ros.data.building import Unit
from spatial_vlm_ros.data.converters.converter import converted, read_json
from spatial_vlm_ros.data.row import Rejected, Row

#: Items of a unit: what is done again after a build was killed.
PIECE = 10_000

Rows = Iterator[Row | Rejected]
#: Rows of an item, which is given with where it stands: "train.json[7]", "train.jsonl:8".
Make = Callable[[str, Any], Row | Iterable[Row]]
#: Items from the one of this number on, at most PIECE.
Read = Callable[[int], Iterable[tuple[str, Any]]]


def units(
    count: int, name: Callable[[int], str], rows: Callable[[int, int], Rows]
) -> Iterator[Unit]:
    """Units of ``PIECE`` of so many items: their name by the first of them, and the rows of those
    from one up to another.
    """
    for start in range(0, count, PIECE):
        yield Unit(name(start), partial(rows, start, min(start + PIECE, count)))


def json_lines(path: Path, root: Path, make: Make) -> Iterator[Unit]:
    """One object of JSON a line; empty lines are none."""
    name = path.relative_to(root).as_posix()

    def read(start: int) -> Iterator[tuple[str, Any]]:
        # Bytes that are no UTF-8 become escapes that JSON does not know: the line is refused.
        with path.open(encoding="utf-8", errors="backslashreplace", newline="\n") as lines:
            for number, line in enumerate(islice(lines, start, start + PIECE), start + 1):
                if line.strip():
                    yield f"{name}:{number}", _parsed(line)

    with path.open("rb") as lines:
        count = sum(1 for _ in lines)
    yield from _units(name, count, read, make)


def json_array(path: Path, root: Path, converter: str, layout: str, make: Make) -> Iterator[Unit]:
    """A list of objects, which is held in memory whole. ``ValueError`` where it is no list."""
    name = path.relative_to(root).as_posix()

    def read(start: int) -> Iterator[tuple[str, Any]]:
        items = _array(path, converter, layout, _stamp(path))[start : start + PIECE]
        return ((f"{name}[{number}]", item) for number, item in enumerate(items, start))

    yield from _units(name, len(_array(path, converter, layout, _stamp(path))), read, make)


def table(path: Path, root: Path, columns: Iterable[str], make: Make) -> Iterator[Unit]:
    """CSV with a header. ``ValueError`` names the columns that are missing."""
    name = path.relative_to(root).as_posix()

    def read(start: int, most: int | None = PIECE) -> Iterator[tuple[str, Any]]:
        with path.open(encoding="utf-8", errors="backslashreplace", newline="") as lines:
            rows = csv.DictReader(lines, restkey="more than the header")
            stop = None if most is None else start + most
            try:
                for number, row in enumerate(islice(rows, start, stop), start):
                    yield f"{name}[{number}]", row
            except csv.Error as error:
                raise ValueError(f"{path} is no CSV after line {rows.line_num}: {error}") from None

    with path.open(encoding="utf-8", errors="backslashreplace", newline="") as lines:
        header = next(csv.reader(lines), [])
    if missing := [column for column in columns if column not in header]:
        raise ValueError(f"{path} has no column {', '.join(missing)}; it has {', '.join(header)}")
    yield from _units(name, sum(1 for _ in read(0, None)), read, make)


def _units(name: str, count: int, read: Read, make: Make) -> Iterator[Unit]:
    def rows(start: int, stop: int) -> Rows:
        for source, item in read(start):
            yield from converted([(source, item)], partial(make, source))

    return units(count, lambda start: f"{name}:{start}", rows)


def _parsed(line: str) -> Any:
    """What a line says, or the line where it says nothing."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return line.rstrip("\n")


def _stamp(path: Path) -> int:
    """Another one once the file was written again; 0 where there is none."""
    return path.stat().st_mtime_ns if path.exists() else 0


@lru_cache(maxsize=1)
def _array(path: Path, converter: str, layout: str, stamp: int) -> list[Any]:
    """Held for the pieces of one file."""
    items = read_json(path, converter, layout)
    if not isinstance(items, list):
        raise ValueError(f"{path} is no list but {type(items).__name__}; {layout}")
    return items
