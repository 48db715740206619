"""Benchmarks whose questions are generated from annotated scenes: the same ones each time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from spatial_vlm_ros.benchmarks.captions import Words
from spatial_vlm_ros.benchmarks.item import Item, Predictions, Scores
from spatial_vlm_ros.benchmarks.tables import Part
from spatial_vlm_ros.data.converters.converter import Scenes
from spatial_vlm_ros.data.files import sha256
from spatial_vlm_ros.data.scenes import AnnotatedScene, read_scenes

FILE = "scenes.jsonl"


@dataclass(frozen=True)
class GeneratedBenchmark:
    """As :class:`spatial_vlm_ros.benchmarks.tables.Benchmark`. items: of a scene."""

    name: str
    title: str
    protocols: tuple[str, ...]
    items: Callable[[AnnotatedScene], Iterable[Item]]
    score: Callable[[Sequence[Item], Predictions, str, Words], Scores]
    max_tokens: int
    parts: Mapping[str, Part] = field(default_factory=lambda: {"all": Part((FILE,))})
    layout: str = f"{FILE}, as data scenes or precompute has written it"
    needs_scenes: bool = False
    hub: str = ""

    def load(self, root: Path, part: str = "", scenes: Scenes | None = None) -> list[Item]:
        """All items. ``ValueError``: the scenes are not there."""
        path = root / FILE
        if not path.is_file():
            raise ValueError(f"{root} has no {FILE}; {self.title} is made from\n{self.layout}")
        found = [item for scene in read_scenes(path).values() for item in self.items(scene)]
        if not found:
            raise ValueError(f"{path}: nothing can be asked about its scenes")
        return found

    def scenes(self, root: Path) -> Path | None:
        """The file of the scenes that are asked about."""
        return root / FILE

    def stamp(self, root: Path, part: str = "") -> dict[str, str]:
        """SHA-256 of the scenes."""
        return {FILE: sha256(root / FILE)}
