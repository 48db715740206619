"""Rooms that small models are examined in: simulated ones that none was trained on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from spatial_vlm_ros.data.generators import NAMES, generator
from spatial_vlm_ros.data.row import Row
from spatial_vlm_ros.data.scenes import AnnotatedScene, read_scenes
from spatial_vlm_ros.training.filling import SCENES, fill, plan_of
from spatial_vlm_ros.training.sources import HELD_OUT, Simulated


@dataclass(frozen=True)
class Rooms:
    """store: folder of what a model is shown. sources: of the images, by scene."""

    store: Path
    scenes: dict[str, AnnotatedScene]
    sources: dict[str, Simulated]


def prepare(folder: Path, checkpoint: str, rooms: int, workers: int = 1) -> Rooms:
    """Rooms as the model of a checkpoint is shown them; those that are there are kept."""
    sources = [Simulated(HELD_OUT + number) for number in range(rooms)]
    fill(folder, plan_of(checkpoint), sources, workers)
    scenes = read_scenes(folder / SCENES)
    wanted = {source.name: scenes[source.name] for source in sources}
    return Rooms(folder, wanted, {source.name: source for source in sources})


def questions(
    scenes: Iterable[AnnotatedScene],
    of_task: int,
    usable: Callable[[Row], bool] = lambda row: True,
    seed: int = 0,
    generators: Iterable[str] = NAMES,
) -> list[Row]:
    """Usable ones of these generators; of each task at most so many, spread over its kinds and the
    rooms.
    """
    scenes = list(scenes)
    found: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for name in generators:
        for scene in scenes:
            for row in filter(usable, generator(name)(scene, seed, 2)):
                found[row.task][row.subtask].append(row)
    return [row for kinds in found.values() for row in _spread(list(kinds.values()), of_task)]


def _spread(kinds: Sequence[list[Row]], most: int) -> list[Row]:
    """As many of each kind as there are, in a random order that is the same each time."""
    shuffled = [sorted(rows, key=lambda row: crc32(row.id.encode())) for rows in kinds]
    turns = [
        (turn, number, row) for number, rows in enumerate(shuffled) for turn, row in enumerate(rows)
    ]
    return [row for _, _, row in sorted(turns, key=lambda each: each[:2])[:most]]
