"""Where scenes to compute come from: a seed of the simulation, or a simulated recording."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from spatial_vlm_ros.data.readers.simulated import scene_of
from spatial_vlm_ros.data.scenes import AnnotatedScene
from spatial_vlm_ros.simulation.truth import load_truth
from spatial_vlm_ros.simulation.views import scene_name, take_views
from spatial_vlm_ros.sources import open_source
from spatial_vlm_ros.training.precompute import Scene

#: Seed of the first building to ask about; models that ship have learnt from those from 10,000 on.
HELD_OUT = 100_000


@dataclass(frozen=True)
class Simulated:
    """A building of the simulation, seen in at most ``views`` images of this size; None: all that
    a mapper would use.
    """

    seed: int
    rooms: int = 1
    views: int | None = 24
    width: int = 336
    height: int = 252

    @property
    def name(self) -> str:
        """``simulated/room-7``."""
        return scene_name(self.seed, self.rooms)

    def open(self) -> Scene:
        """Rendered now. ``ValueError``: nothing can drive through it."""
        taken = take_views(self.seed, self.rooms, self.views, self.width, self.height)
        return Scene(taken.scene, taken.frames)


@dataclass(frozen=True)
class Recorded:
    """A folder that ``spatial-vlm simulate`` wrote."""

    folder: Path

    @property
    def name(self) -> str:
        """``simulated/`` and the folder's name, as ``data/readers/simulated.py`` calls it among
        others of its kind.
        """
        return f"simulated/{self.folder.resolve().name}"

    def annotation(self) -> AnnotatedScene:
        """Its truth. ``ValueError``: it is no such recording."""
        truth = self.folder / "truth.json"
        if not truth.is_file():
            raise ValueError(f"{truth} is missing: {self.folder} is no simulated recording")
        return scene_of(self.name, load_truth(truth))

    def open(self) -> Scene:
        """``ValueError``: it is no such recording."""
        annotation = self.annotation()
        return Scene(annotation, open_source(self.folder / "bag", instances="labels"))
