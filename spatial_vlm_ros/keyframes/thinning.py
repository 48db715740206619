"""Which of too many images can be done without."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray


def dispensable(T_scene_camera: NDArray[np.float64], visible: Sequence[Collection[int]]) -> int:
    """Which of n > 1 images to drop, from their poses (n, 4, 4) and the objects they show.

    Never the first. Rather one whose objects are all shown by others; of those the one taken
    nearest to another, of such a pair the one that is nearer to a third, and so on. What stays of
    a long way is then spread evenly over it, however it grows.
    """
    distances = np.sort(_apart(T_scene_camera), axis=1).tolist()
    shown_by = Counter(number for shown in visible for number in shown)

    def worth(index: int) -> tuple[bool, list[float]]:
        return any(shown_by[number] == 1 for number in visible[index]), distances[index]

    return min(range(1, len(visible)), key=worth)


def _apart(T_scene_camera: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, n) how far apart poses are: metres between the places plus radians between the views."""
    places, turns = T_scene_camera[:, :3, 3], T_scene_camera[:, :3, :3].reshape(-1, 9)
    metres = np.linalg.norm(places[:, None] - places, axis=2)
    radians = np.arccos(np.clip((turns @ turns.T - 1) / 2, -1, 1))
    apart = np.round(metres + radians, 6)  # the same both ways
    np.fill_diagonal(apart, np.inf)
    return np.asarray(apart)
