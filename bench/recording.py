"""The simulated recording that benchmarks run on; made once, kept under build/."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from bench.harness import Unavailable
from spatial_vlm_ros.frame import Frame
from spatial_vlm_ros.sources import open_source

FOLDER = Path("build/bench/recording")
SECONDS = 20.0
BACKGROUND = {"floor", "wall", "ceiling"}


@lru_cache(maxsize=1)
def folder() -> Path:
    """The recording's folder: 640x480, 10 images a second, one room."""
    try:
        from spatial_vlm_ros.simulation.record import simulate
    except ImportError as error:
        raise Unavailable(f"the simulation needs {error.name}") from error
    simulate(FOLDER, seed=3, rooms=1, seconds=SECONDS)
    return FOLDER


@lru_cache(maxsize=1)
def frames() -> tuple[Frame, ...]:
    """All its frames, decoded."""
    return tuple(open_source(folder() / "bag"))


def objects_in_view(frame: Frame, least_pixels: int = 400) -> int:
    """How many labelled objects cover at least ``least_pixels``."""
    if frame.labels is None:
        return 0
    ids, pixels = np.unique(frame.labels.ids, return_counts=True)
    return sum(
        count >= least_pixels and number != 0 and frame.labels.names.get(number) not in BACKGROUND
        for number, count in zip(ids.tolist(), pixels.tolist(), strict=True)
    )
