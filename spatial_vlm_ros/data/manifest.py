"""What a folder of rows says of itself: what was asked, how far it is, what is in it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from spatial_vlm_ros.data.row import VERSION
from spatial_vlm_ros.files import replaced

MANIFEST = "manifest.json"


class Shard(NamedTuple):
    """A file of the folder, how many things it holds, and its SHA-256."""

    file: str
    holds: int
    sha256: str


@dataclass
class Manifest:
    """Of a folder. What is in it counts; files that it does not name are of a build cut short.

    format: "jsonl" or "parquet". asked: what the build is of. units: how many, and the SHA-256 of
    their names. done: units before the present one, of which so many things are ``taken``. shards:
    files of rows; rejected: files of what makes none. datasets, tasks, reasons: how many of each.
    """

    format: str
    shard_rows: int
    asked: dict[str, Any]
    units: int
    units_sha256: str
    done: int = 0
    taken: int = 0
    finished: bool = False
    shards: list[Shard] = field(default_factory=list)
    rejected: list[Shard] = field(default_factory=list)
    datasets: dict[str, int] = field(default_factory=dict)
    tasks: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    version: int = VERSION

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """``ValueError`` where it is none, or one of another version."""
        path = folder / MANIFEST
        try:
            content = json.loads(path.read_bytes())
            version = content["version"]
            if version == VERSION:
                for name in ("shards", "rejected"):
                    content[name] = [Shard(**shard) for shard in content[name]]
                return cls(**content)
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is not the manifest of a build: {error}") from None
        raise ValueError(f"{path} is of version {version!r}, this program reads {VERSION}")

    def write(self, folder: Path) -> None:
        """In place of the one that is there."""
        content: dict[str, Any] = {"version": self.version, **dataclasses.asdict(self)}
        for name in ("shards", "rejected"):
            content[name] = [shard._asdict() for shard in getattr(self, name)]
        for name in ("datasets", "tasks", "reasons"):
            content[name] = dict(sorted(content[name].items()))
        with replaced(folder / MANIFEST) as file:
            file.write(json.dumps(content, indent=1, ensure_ascii=False).encode() + b"\n")

    def differs(self, other: Manifest) -> str:
        """What else was asked for, in words; "" where it is the same build."""
        mine, theirs = ({**build.asked, **_settings(build)} for build in (self, other))
        for name in {**mine, **theirs}:
            if mine.get(name) != theirs.get(name):
                return f"{name} {_shown(mine.get(name))}, not {_shown(theirs.get(name))}"
        return ""


def _settings(build: Manifest) -> Mapping[str, Any]:
    return {"format": build.format, "shard_rows": build.shard_rows}


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
