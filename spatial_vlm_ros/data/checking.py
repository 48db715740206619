"""Whether files of rows are good, and what is in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from spatial_vlm_ros.data.files import files_of, read_each, sha256
from spatial_vlm_ros.data.manifest import MANIFEST, Manifest
from spatial_vlm_ros.data.row import Row
from spatial_vlm_ros.data.scenes import AnnotatedScene

#: So many of the bad things are told one by one, all are counted.
MOST_TOLD = 20


@dataclass
class Checked:
    """rows: how many of each data set and task. bad: how many things are wrong, of which ``told``
    are the first, a line each. reasons: what builds rejected, and how often.
    """

    rows: Counter[tuple[str, str]] = field(default_factory=Counter)
    bad: int = 0
    told: list[str] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)

    def tell(self, what: str) -> None:
        """Something that is wrong."""
        self.bad += 1
        if len(self.told) < MOST_TOLD:
            self.told.append(what)


def check(
    *paths: Path, scenes: Mapping[str, AnnotatedScene] | None = None, progress: bool = True
) -> Checked:
    """Every row of files and folders, ids across all of them, and that builds are whole.

    With scenes, also that the rows' scenes are among them and have the objects that rows name.
    """
    checked = Checked()
    known: dict[tuple[str, str], str] = {}
    objects = {name: {item.id for item in scene.objects} for name, scene in (scenes or {}).items()}
    files = [file for path in paths for file in _files(path, checked)]
    for file in tqdm(files, "checking", unit="file", disable=None if progress else True):
        for where, row in read_each(file):
            if isinstance(row, ValueError):
                checked.tell(f"{where} is no row: {row}")
                continue
            checked.rows[row.dataset, row.task] += 1
            first = known.setdefault((row.dataset, row.id), where)
            if first is not where:
                checked.tell(f"{where} has the id of {first}: {row.id}")
            for wrong in _unlike(row, objects) if scenes is not None else ():
                checked.tell(f"{where}: {wrong}")
    return checked


def _files(path: Path, checked: Checked) -> list[Path]:
    if not (path / MANIFEST).exists():
        return files_of(path)
    manifest = Manifest.read(path)
    checked.reasons.update(manifest.reasons)
    if not manifest.finished:
        checked.tell(f"{path} is not finished: {manifest.done} of {manifest.units} units are done")
    there = []
    for shard in [*manifest.shards, *manifest.rejected]:
        file = path / shard.file
        if not file.exists():
            checked.tell(f"{file} is missing")
            continue
        if sha256(file) != shard.sha256:
            checked.tell(f"{file} is not as the build wrote it: its SHA-256 is another")
        if shard in manifest.shards:
            there.append(file)
    return there


def _unlike(row: Row, objects: Mapping[str, set[int]]) -> Iterator[str]:
    """What of it is not so in its scene, whose objects have these numbers."""
    if row.scene and row.scene not in objects:
        yield f"scene {row.scene} is not among the scenes"
    elif row.scene:
        named = {*row.targets, *(ref.object for ref in row.refs)}
        for number in sorted(named - objects[row.scene]):
            yield f"scene {row.scene} has no object {number}"
