"""Building a folder of rows: sharded, resumable, nothing dropped silently."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from spatial_vlm_ros.data.files import FORMATS
from spatial_vlm_ros.data.manifest import Manifest
from spatial_vlm_ros.data.row import Rejected, Row
from spatial_vlm_ros.data.shards import Shards, alone_in
from spatial_vlm_ros.errors import kind_and_line

SHARD_ROWS = 10_000


class Unit(NamedTuple):
    """A piece of work that gives the same rows each time; those of one source come in one order."""

    name: str
    rows: Callable[[], Iterable[Row | Rejected]]


class Report(NamedTuple):
    """What a folder holds. before: rows that were there already when the build began again."""

    folder: Path
    rows: int
    rejected: int
    datasets: Mapping[str, int]
    tasks: Mapping[str, int]
    reasons: Mapping[str, int]
    before: int


def build(
    folder: Path,
    units: Iterable[Unit],
    shard_rows: int = SHARD_ROWS,
    format: str = "jsonl",
    progress: bool = True,
    asked: Mapping[str, Any] | None = None,
    keep_going: bool = False,
) -> Report:
    """Rows of all units in files of ``shard_rows``, and what makes no row in files beside them.

    Called again after it was cut short, it goes on, and leaves the same bytes as a run that was
    not. asked: what tells this build from others, as JSON: another one in the same folder is
    refused. progress: a bar, on a terminal. keep_going: a unit that fails counts as rejected from
    there on, instead of ending the build.

    ``ValueError`` when the folder holds something else, when the source has changed, and when a
    unit fails; what is in files by then is kept.
    """
    if format not in FORMATS:
        raise ValueError(f"format {format!r} is not one of {', '.join(FORMATS)}")
    if shard_rows < 1:
        raise ValueError(f"shard_rows is {shard_rows}, not at least 1")
    units = list(units)
    wanted = Manifest(
        format, shard_rows, json.loads(json.dumps(asked or {})), len(units), _digest(units)
    )
    folder.mkdir(parents=True, exist_ok=True)
    with alone_in(folder):
        shards = Shards(folder, wanted)
        before = sum(shard.holds for shard in shards.manifest.shards)
        if not shards.manifest.finished:
            _fill(shards, units, keep_going, progress)
    manifest = shards.manifest
    return Report(
        folder=folder,
        rows=sum(shard.holds for shard in manifest.shards),
        rejected=sum(shard.holds for shard in manifest.rejected),
        datasets=manifest.datasets,
        tasks=manifest.tasks,
        reasons=manifest.reasons,
        before=before,
    )


def _fill(shards: Shards, units: Sequence[Unit], keep_going: bool, progress: bool) -> None:
    """A file may end within a unit: the next run makes its things again and passes them over."""
    begin, taken = shards.manifest.done, shards.manifest.taken
    with tqdm(
        desc=shards.folder.name,
        total=len(units),
        initial=begin,
        unit="unit",
        disable=None if progress else True,
    ) as bar:
        for index in range(begin, len(units)):
            unit, count = units[index], 0
            for count, made in enumerate(_things(unit, keep_going), 1):
                if index == begin and count <= taken:
                    if not shards.holds(made):
                        raise _changed(shards.folder, unit)
                elif shards.add(made, unit.name):
                    shards.close(index, count)
                    bar.set_postfix_str(f"{unit.name}, {count} rows", refresh=True)
            if index == begin and count < taken:
                raise _changed(shards.folder, unit)
            bar.update()
    shards.close(len(units), 0, finished=True)


def _things(unit: Unit, keep_going: bool) -> Iterator[Row | Rejected]:
    try:
        yield from unit.rows()
    except Exception as error:  # damaged files fail in any way
        if not keep_going:
            said = str(error) if isinstance(error, (ValueError, OSError)) else kind_and_line(error)
            raise ValueError(
                f"{unit.name} failed: {said}. What is in files is kept: give the same command "
                "again once this is mended, or keep going, and it counts as rejected"
            ) from error
        yield Rejected("unit failed", kind_and_line(error), unit.name)


def _changed(folder: Path, unit: Unit) -> ValueError:
    return ValueError(
        f"{unit.name} has changed since {folder} was begun: choose another folder or delete it"
    )


def _digest(units: Sequence[Unit]) -> str:
    names = Counter(unit.name for unit in units)
    if repeated := [name for name, number in names.items() if number > 1]:
        raise ValueError(f"units are called the same: {', '.join(repeated[:3])}")
    written = json.dumps([unit.name for unit in units])
    return hashlib.sha256(written.encode()).hexdigest()
