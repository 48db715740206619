"""Rooms that a simulated robot films, and a mapper maps: what room-bench asks about."""

from __future__ import annotations

from contextlib import redirect_stdout
from pathlib import Path

from spatial_vlm_ros.data.scenes import write_scenes
from spatial_vlm_ros.offline import map_recording
from spatial_vlm_ros.perception_config import PerceptionConfig
from spatial_vlm_ros.scene.store import SCENE
from spatial_vlm_ros.simulation.record import simulate
from spatial_vlm_ros.sources import open_source
from spatial_vlm_ros.training.filling import SCENES
from spatial_vlm_ros.training.sources import HELD_OUT, Recorded

_FPS, _WIDTH, _HEIGHT = 5.0, 320, 240


def record(folder: Path, rooms: int) -> list[Recorded]:
    """Bags of so many rooms below ``folder``, whose scenes.jsonl has the boxes of all that are
    there; they are kept. ``ValueError``, ``FileExistsError``: one is of something else.
    """
    found = [Recorded(folder / f"room-{HELD_OUT + number}") for number in range(rooms)]
    for number, each in enumerate(found):
        simulate(each.folder, HELD_OUT + number, 1, _FPS, _WIDTH, _HEIGHT)
    there = [Recorded(path.parent) for path in sorted(folder.glob("room-*/truth.json"))]
    write_scenes(folder / SCENES, (each.annotation() for each in there))
    return found


def map_of(recording: Recorded, config: PerceptionConfig, folder: Path) -> Path:
    """Below ``folder``, the scene that a mapper with these settings makes of a bag, with what it
    says in mapper.txt; one that is there is kept.
    """
    own = folder / recording.folder.name
    if not (own / SCENE).is_file():
        own.mkdir(parents=True, exist_ok=True)
        poses = config.geometry.needs_poses
        source = open_source(recording.folder / "bag", streams=config.streams, poses=poses)
        with (own / "mapper.txt").open("w", encoding="utf-8") as said, redirect_stdout(said):
            map_recording(source, own, config)
    return own
