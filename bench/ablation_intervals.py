"""Whether one model answers better than another: by the same questions, about the same rooms."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Answered(NamedTuple):
    """A question's id, the room it is about, its task, and how right the answer was, 0..1."""

    id: str
    room: str
    task: str
    right: float


class Difference(NamedTuple):
    """Of two means over tasks, and between what it lies in 95 of 100 draws of as many rooms.

    low, high: NaN with a single room, from which nothing can be told.
    """

    mean: float
    low: float
    high: float


def mean_over_tasks(answered: Sequence[Answered], tasks: Collection[str] = ()) -> float:
    """Each task counts alike. tasks: only these; empty: all. NaN where none was asked."""
    sums, counts = _by_room(answered, tasks)
    return float(_means(sums.sum(0), counts.sum(0)))


def difference(
    first: Sequence[Answered],
    second: Sequence[Answered],
    tasks: Collection[str] = (),
    draws: int = 4000,
) -> Difference:
    """How much better ``first`` is than ``second``, by a paired bootstrap over rooms.

    Rooms are drawn, not questions: those about one room are not independent. That another training
    would have come out otherwise is not in it. ``ValueError``: they were asked other questions.
    """
    right = {each.id: each.right for each in second}
    if [each.id for each in first] != list(right):
        raise ValueError("the two were not asked the same questions: examine both anew")
    paired = [each._replace(right=each.right - right[each.id]) for each in first]
    sums, counts = _by_room(paired, tasks)
    mean, rooms = float(_means(sums.sum(0), counts.sum(0))), len(sums)
    if rooms < 2:
        return Difference(mean, np.nan, np.nan)
    often = np.random.default_rng(0).multinomial(rooms, np.full(rooms, 1 / rooms), draws)
    low, high = np.nanpercentile(_means(often @ sums, often @ counts), [2.5, 97.5])
    return Difference(mean, float(low), float(high))


def _by_room(
    answered: Sequence[Answered], tasks: Collection[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(rooms, tasks) sums of how right, and numbers of questions."""
    counted = [each for each in answered if not tasks or each.task in tasks]
    rooms = {room: place for place, room in enumerate(sorted({each.room for each in counted}))}
    names = {task: place for place, task in enumerate(sorted({each.task for each in counted}))}
    sums, counts = np.zeros((len(rooms), len(names))), np.zeros((len(rooms), len(names)))
    for each in counted:
        sums[rooms[each.room], names[each.task]] += each.right
        counts[rooms[each.room], names[each.task]] += 1
    return sums, counts


def _means(sums: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """(...) over the tasks of (..., tasks) that have questions; NaN where none has."""
    asked = counts > 0
    shares = np.divide(sums, counts, out=np.zeros_like(sums, dtype=float), where=asked)
    number = asked.sum(-1)
    total = shares.sum(-1)
    return np.divide(total, number, out=np.full_like(total, np.nan, dtype=float), where=number > 0)
