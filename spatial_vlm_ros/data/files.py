"""Rows to and from files: JSONL, one row a line, and Parquet."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from spatial_vlm_ros.data import parquet
from spatial_vlm_ros.data.manifest import MANIFEST, Manifest
from spatial_vlm_ros.data.row import VERSION, Rejected, Row
from spatial_vlm_ros.files import replaced

FORMATS = ("jsonl", "parquet")


def write_rows(path: Path, rows: Iterable[Row]) -> int:
    """The number of them. The format is that of the name's ending."""
    write = {".jsonl": _write_lines, ".parquet": parquet.write}[_ending(path)]
    with replaced(path) as file:
        return write(file, rows)


def read_rows(*paths: Path) -> Iterator[Row]:
    """Of files, and of folders with such files, one after the other.

    ``ValueError`` names file, line and field where something is no row of this version, and a
    build that is not finished: its files can be named one by one.
    """
    for path in files_of(*paths):
        for where, row in read_each(path):
            if isinstance(row, ValueError):
                raise ValueError(f"{where} is no row: {row}")
            yield row


def read_each(path: Path) -> Iterator[tuple[str, Row | ValueError]]:
    """Where each row of a file stands, and the row or what makes it none."""
    contents = _lines(path) if _ending(path) == ".jsonl" else enumerate(parquet.read(path), 1)
    for number, content in contents:
        where = f"{path}:{number}"
        if isinstance(content, ValueError):
            yield where, content
            continue
        try:
            yield where, Row.from_json(content)
        except ValueError as error:
            yield where, error


def write_rejected(path: Path, rejected: Iterable[Rejected]) -> None:
    """A line of JSON each: reason, detail, source, content."""
    with replaced(path) as file:
        file.writelines(map(_rejected_line, rejected))


def files_of(*paths: Path) -> list[Path]:
    """Files themselves; of a folder those of its build, or else all with rows."""
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            path.stat()  # says when it is not there, whatever its ending
            _ending(path)
            found.append(path)
        elif (path / MANIFEST).exists():
            manifest = Manifest.read(path)
            if not manifest.finished:
                raise ValueError(f"{path} is not finished: run the command that began it again")
            found.extend(path / shard.file for shard in manifest.shards)
        else:
            inside = sorted(file for kind in FORMATS for file in path.glob(f"*.{kind}"))
            inside = [file for file in inside if not file.name.startswith((".", "rejected"))]
            if not inside:
                raise ValueError(f"{path} has no {MANIFEST} and no files *.jsonl or *.parquet")
            found.extend(inside)
    return found


def ids_of(path: Path) -> Iterator[tuple[str, str]]:
    """Data set and id of each row of a file that a build wrote; its rows are not looked at."""
    if _ending(path) == ".parquet":
        return parquet.ids(path)
    with path.open("rb") as file:
        return iter([(row["dataset"], row["id"]) for row in map(json.loads, file)])


def sha256(path: Path) -> str:
    """Of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()


def _ending(path: Path) -> str:
    if path.suffix[1:] not in FORMATS:
        raise ValueError(f"{path}: files of rows end in .jsonl or .parquet")
    return path.suffix


def _write_lines(file: BinaryIO, rows: Iterable[Row]) -> int:
    count = 0
    for row in rows:
        line = json.dumps({"version": VERSION, **row.to_json()}, ensure_ascii=False)
        file.write(line.encode() + b"\n")
        count += 1
    return count


def _rejected_line(rejected: Rejected) -> bytes:
    """In ASCII: what is rejected may hold text that UTF-8 cannot write, or be no JSON at all."""
    content = vars(rejected)
    try:
        line = json.dumps(content, default=repr)
    except (TypeError, ValueError, RecursionError):
        line = json.dumps({**content, "content": repr(content["content"])})
    return line.encode() + b"\n"


def _lines(path: Path) -> Iterator[tuple[int, object]]:
    """Number and content of each line that is not blank; a ``ValueError`` where it is no row's."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield number, _content(line)


def _content(line: bytes) -> object:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError) as error:
        return ValueError(f"it is no JSON: {error}")
    if not isinstance(content, dict):
        return content
    version = content.pop("version", 1)  # lines without one are of the first
    if version != VERSION:
        return ValueError(f"it is of version {version!r}, this program reads {VERSION}")
    return content
