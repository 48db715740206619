"""Rows that can be learnt: what a plan needs of them in memory, the rows themselves in a file.

A million rows take gigabytes and minutes of tokenizing, so they are looked through once: a
machine's other processes, and a training that goes on, read what has been found.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, overload
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.data.files import files_of, read_rows
from spatial_vlm_ros.data.row import Row
from spatial_vlm_ros.files import replaced
from spatial_vlm_ros.training.config import Source
from spatial_vlm_ros.training.lessons import Unteachable

#: Reasons for which the settings leave rows out, not the model.
OTHER_TASK, OVER_LIMIT = "another task than asked for", "over the limit"

#: Rows between two messages.
_OFTEN = 100_000
_ROWS, _INDEX = "rows.jsonl", "index.npz"


@dataclass(frozen=True, eq=False)
class Collection:
    """rows: N of them, source after source. sizes: (N,) tokens of question and answer. groups: (N,)
    the same number for rows that can share a sequence. ends: (S,) row behind each source's last.
    weights: of the sources. left_out: how many could not be learnt, by reason.
    """

    rows: Sequence[Row]
    sizes: NDArray[np.int64]
    groups: NDArray[np.int64]
    ends: NDArray[np.int64]
    weights: tuple[float, ...]
    left_out: Counter[str]
    fingerprint: str = ""

    @classmethod
    def of(cls, rows: Sequence[Row], sizes: Sequence[int]) -> Collection:
        """Of one source."""
        numbers = _Groups()
        return cls(
            rows,
            np.array(sizes, np.int64),
            np.array([numbers.of(row) for row in rows], np.int64),
            np.array([len(rows)]),
            (1.0,),
            Counter(),
        )

    def __len__(self) -> int:
        return len(self.sizes)

    def only(self, kept: Sequence[int]) -> Collection:
        """Some of the rows, read now, as one source."""
        return Collection.of([self.rows[i] for i in kept], self.sizes[list(kept)].tolist())

    def report(self) -> str:
        """How many there are, and why not more."""
        told = [f"{number} {reason}" for reason, number in self.left_out.most_common()]
        return f"{len(self)} rows" + (f"; left out: {', '.join(told)}" if told else "")


def collect(
    sources: Sequence[Source],
    size: Callable[[Row], int],
    seed: int,
    folder: Path,
    found: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> Collection:
    """Rows of files, to be kept in a folder. found: what is there already serves, if it is of the
    same files. size: tokens of a row; raises :class:`Unteachable` for rows to leave out. say: is
    told how it goes.

    ``ValueError``: a source has no row that can be learnt.
    """
    if not sources:
        return Collection.of([], [])
    key, weights = _key(sources, seed), tuple(source.weight for source in sources)
    index = _read(folder / _INDEX) if found else None
    if index is None or index["key"] != key:
        folder.mkdir(parents=True, exist_ok=True)
        with replaced(folder / _ROWS) as file:
            index = {"key": key, **_look_through(sources, size, seed, file, say)}
        with replaced(folder / _INDEX) as file:
            np.savez(file, **index)
    digest = hashlib.sha256(repr(weights).encode())
    digest.update(index["ends"].tobytes() + index["digests"].tobytes())
    return Collection(
        StoredRows(folder / _ROWS, index["places"]),
        index["sizes"],
        index["groups"],
        index["ends"],
        weights,
        Counter(json.loads(str(index["left_out"]))),
        digest.hexdigest()[:12],
    )


class StoredRows(Sequence[Row]):
    """Rows of a file, each read when it is asked for. places: (N,) bytes before each."""

    def __init__(self, path: Path, places: NDArray[np.int64]) -> None:
        self._path, self._places = path, places

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        with self._path.open("rb") as file:  # opened anew: processes must not share a position
            file.seek(self._places[index])
            return Row(**json.loads(file.readline()))


class _Groups:
    """Numbers for what rows have in common that can be learnt in one sequence."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[Any, ...], int] = {}

    def of(self, row: Row) -> int:
        return self._numbers.setdefault(about(row), len(self._numbers))


def about(row: Row) -> tuple[Any, ...]:
    """What rows have in common that can be learnt in one sequence."""
    return row.scene, row.system, row.images, row.marks


def _look_through(
    sources: Sequence[Source],
    size: Callable[[Row], int],
    seed: int,
    file: BinaryIO,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Arrays of the rows that can be learnt, which are written to the file."""
    groups, left_out = _Groups(), Counter[str]()
    kept: list[NDArray[np.int64]] = []
    for number, source in enumerate(sources):
        found: list[tuple[int, int, int, int]] = []
        reasons = Counter[str]()
        for count, row in enumerate(_rows(source), 1):
            if count % _OFTEN == 0:
                say(f"{source.rows}: looked through {count} rows, {len(found)} can be learnt")
            if source.tasks and not {row.task, row.subtask} & {*source.tasks}:
                reasons[OTHER_TASK] += 1
                continue
            try:
                tokens = size(row)
            except Unteachable as reason:
                reasons[str(reason)] += 1
                continue
            line = json.dumps(row.to_json()).encode()
            digest = int.from_bytes(hashlib.sha256(line).digest()[:8], "big", signed=True)
            found.append((file.tell(), tokens, groups.of(row), digest))
            file.write(line + b"\n")
        if not found:
            told = ", ".join(f"{n} {reason}" for reason, n in reasons.items())
            told += f"; the last one is {row.id}, of scene {row.scene}" if told else "it is empty"
            raise ValueError(f"{source.rows} has no row to learn ({told})")
        rows = np.array(found, np.int64)
        if source.limit and len(rows) > source.limit:
            reasons[OVER_LIMIT] += len(rows) - source.limit
            random = np.random.default_rng([seed, number])
            rows = rows[np.sort(random.permutation(len(rows))[: source.limit])]
        kept.append(rows)
        left_out += reasons
    every = np.concatenate(kept).T
    return {
        **dict(zip(("places", "sizes", "groups", "digests"), every, strict=True)),
        "ends": np.cumsum([len(rows) for rows in kept]),
        "left_out": json.dumps(left_out),
    }


def _rows(source: Source) -> Iterator[Row]:
    """With the images where they are."""
    folder = Path(source.images).expanduser()
    for row in read_rows(Path(source.rows).expanduser()):
        if source.images and row.images:
            row = replace(row, images=tuple(str(folder / name) for name in row.images))
        yield row


def _key(sources: Sequence[Source], seed: int) -> str:
    """Other for other sources, and when a file of theirs has changed."""
    files = files_of(*(Path(source.rows).expanduser() for source in sources))
    states = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return json.dumps([[dataclasses.asdict(source) for source in sources], seed, states])


def _read(path: Path) -> dict[str, Any] | None:
    """None where it is not there, or damaged."""
    try:
        with np.load(path) as file:
            return dict(file)
    except (OSError, ValueError, BadZipFile):
        return None
