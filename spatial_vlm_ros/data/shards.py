"""The files of a build's folder: written whole, then named in its manifest, or not there."""

from __future__ import annotations

import fcntl
import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import starmap
from pathlib import Path

from spatial_vlm_ros.data.files import ids_of, sha256, write_rejected, write_rows
from spatial_vlm_ros.data.manifest import MANIFEST, Manifest, Shard
from spatial_vlm_ros.data.row import Rejected, Row

#: Names that a build gives to its files, and to those that it is about to write.
_OURS = re.compile(r"(rows|rejected)-\d{5,}\.(jsonl|parquet)")
_PARTS = re.compile(r"\.(manifest\.json|(rows|rejected)-\d{5,}\.(jsonl|parquet))\.\d+\.part")


class Shards:
    """A folder to be filled: what its manifest names is done, the rest is yet to be written."""

    def __init__(self, folder: Path, wanted: Manifest) -> None:
        """``ValueError`` when the folder holds something else than what is wanted."""
        self.folder = folder
        self.manifest = _begun(folder, wanted)
        self._known: set[str] = set()  # of millions: texts take less memory than pairs
        self._rows: list[Row] = []
        self._rejected: list[Rejected] = []
        if not self.manifest.finished:
            for shard in self.manifest.shards:
                self._known.update(starmap(_key, ids_of(folder / shard.file)))

    def holds(self, made: Row | Rejected) -> bool:
        """Whether this may have been added by the run that was cut short."""
        return isinstance(made, Rejected) or _key(made.dataset, made.id) in self._known

    def add(self, made: Row | Rejected, source: str) -> bool:
        """Keeps it for the next file; whether that is full. A second row of an id is rejected."""
        if isinstance(made, Row):
            key = _key(made.dataset, made.id)
            if key in self._known:
                made = Rejected("duplicate id", made.id, source, made.to_json())
            else:
                self._known.add(key)
        if isinstance(made, Row):
            self._rows.append(made)
        else:
            self._rejected.append(made)
        return max(len(self._rows), len(self._rejected)) >= self.manifest.shard_rows

    def close(self, done: int, taken: int, finished: bool = False) -> None:
        """Writes what was added, and that so many units, and things of the next, are in files.

        ``ValueError`` names the folder when it cannot be written to, such as on a full disk.
        """
        try:
            self._write(done, taken, finished)
        except OSError as error:
            raise ValueError(
                f"{self.folder} cannot be written to: {error}. What is in files is kept: give the "
                "same command again once this is mended"
            ) from error

    def _write(self, done: int, taken: int, finished: bool) -> None:
        manifest = self.manifest
        number = max([0, *(_number(shard) + 1 for shard in manifest.shards + manifest.rejected)])
        if self._rows:
            path = self.folder / f"rows-{number:05d}.{manifest.format}"
            write_rows(path, self._rows)
            manifest.shards.append(Shard(path.name, len(self._rows), sha256(path)))
        if self._rejected:
            path = self.folder / f"rejected-{number:05d}.jsonl"
            write_rejected(path, self._rejected)
            manifest.rejected.append(Shard(path.name, len(self._rejected), sha256(path)))
        _count(manifest.datasets, [row.dataset for row in self._rows])
        _count(manifest.tasks, [row.task for row in self._rows])
        _count(manifest.reasons, [rejected.reason for rejected in self._rejected])
        manifest.done, manifest.taken, manifest.finished = done, taken, finished
        manifest.write(self.folder)
        self._rows, self._rejected = [], []


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """While no other process builds there; ``ValueError`` if one does."""
    held = os.open(folder, os.O_RDONLY)
    try:
        _lock(held, folder)
        yield
    finally:
        os.close(held)


def _lock(held: int, folder: Path) -> None:
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ValueError(f"another build is writing to {folder}") from None
    except OSError:
        pass  # network file systems may have no locks, which is no reason not to build


def _begun(folder: Path, wanted: Manifest) -> Manifest:
    """The manifest that is there, or a new one; what a killed run left half done is removed."""
    for path in list(folder.iterdir()):
        if _PARTS.fullmatch(path.name):
            path.unlink()
    if not (folder / MANIFEST).exists():
        if any(folder.iterdir()):
            raise ValueError(f"{folder} holds other files, and no build: choose another folder")
        wanted.write(folder)
        return wanted
    found = Manifest.read(folder)
    if difference := found.differs(wanted):
        raise ValueError(
            f"{folder} holds another build ({difference}): choose another folder or delete it"
        )
    if (found.units, found.units_sha256) != (wanted.units, wanted.units_sha256):
        raise ValueError(
            f"{folder} was begun from other files ({found.units} units, now {wanted.units}): "
            "choose another folder or delete it"
        )
    named = found.shards + found.rejected
    for shard in named:
        if not (folder / shard.file).exists() or sha256(folder / shard.file) != shard.sha256:
            raise ValueError(f"{folder / shard.file} is missing or changed: delete {folder}")
    for path in list(folder.iterdir()):
        if _OURS.fullmatch(path.name) and path.name not in {shard.file for shard in named}:
            path.unlink()
    return found


def _key(dataset: str, name: str) -> str:
    return f"{dataset}\n{name}"


def _number(shard: Shard) -> int:
    return int(shard.file.partition("-")[2].partition(".")[0])


def _count(counts: dict[str, int], new: list[str]) -> None:
    for name, number in Counter(new).items():
        counts[name] = counts.get(name, 0) + number
