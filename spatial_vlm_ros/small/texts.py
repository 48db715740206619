"""Texts that a model will read and write: what its tokenizer is made for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from spatial_vlm_ros.data.generators import NAMES, generator
from spatial_vlm_ros.data.row import Row
from spatial_vlm_ros.reasoners import proxy3d, ssr
from spatial_vlm_ros.reasoners.numbering import Numbering
from spatial_vlm_ros.simulation.views import take_views
from spatial_vlm_ros.training.lessons import Unteachable, lesson

_SYSTEM = {"proxy3d": proxy3d.SYSTEM, "ssr": ssr.SYSTEM}
_MOST = 1000  # object numbers


def room_rows(seeds: Iterable[int], most: int = 2) -> Iterator[Row]:
    """At most so many questions of each kind about simulated rooms, from all generators."""
    for seed in seeds:
        scene = take_views(seed, most=8, width=112, height=84).scene
        for name in NAMES:
            yield from generator(name)(scene, seed, most)


def texts(rows: Iterable[Row]) -> Iterator[str]:
    """Questions as each kind of model is asked them, with what tells their form, and answers; first
    what reasoners say themselves.
    """
    yield from [*_SYSTEM.values(), "system", "user", "assistant"] * 10
    numberings = {
        kind: Numbering.of(range(_MOST), _MOST if kind == "proxy3d" else 0) for kind in _SYSTEM
    }
    for row in rows:
        for kind, numbering in numberings.items():
            try:
                taught = lesson(row, kind, numbering)
            except Unteachable:
                continue
            yield taught.question
            yield taught.answer
