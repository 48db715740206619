"""In what order rows are learnt: the same for the same seed, wherever it runs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.training.collection import Collection


@dataclass(frozen=True)
class Entry:
    """Questions about one scene that are learnt in one sequence. rows: their indices in the
    collection. seed: of what is drawn for it.
    """

    rows: tuple[int, ...]
    seed: tuple[int, ...]


def plan(
    collection: Collection,
    seed: int,
    *,
    questions: int,
    tokens: int,
    epochs: float,
    entries: int = 0,
    whole: int = 1,
) -> tuple[list[Entry], float]:
    """Everything that is learnt, in order, and how many epochs that is.

    questions, tokens: at most, in a sequence. entries: so many, whatever the epochs. whole: the
    number of entries is a multiple of this: the last update is as large as the others.
    """
    found: list[Entry] = []
    ends = [0]
    for epoch in count():
        found.extend(_epoch(collection, seed, epoch, questions, tokens))
        ends.append(len(found))
        if len(found) == ends[-2]:
            raise ValueError("all rows have weights of 0: nothing is learnt")
        if entries:
            wanted = entries
        elif epoch + 1 >= epochs:
            share = epochs - epoch
            wanted = math.ceil((ends[-2] + share * (ends[-1] - ends[-2])) / whole - 1e-9) * whole
        else:
            continue
        if len(found) >= wanted:
            begun = epoch + (wanted - ends[-2]) / (ends[-1] - ends[-2])
            return found[:wanted], begun
    raise AssertionError


def _epoch(
    collection: Collection, seed: int, epoch: int, questions: int, tokens: int
) -> Iterator[Entry]:
    """All rows as often as their weights say, each sequence's of one scene, in random order."""
    random = np.random.default_rng([seed, 1, epoch])
    parts, begin = [], 0
    for end, weight in zip(collection.ends.tolist(), collection.weights, strict=True):
        parts.append(begin + _drawn(end - begin, weight, random))
        begin = end
    drawn = random.permutation(np.concatenate(parts))
    drawn = drawn[np.argsort(collection.groups[drawn], kind="stable")]
    packs: list[list[int]] = []
    group, room = -1, 0
    for i, own, size in zip(
        drawn.tolist(),
        collection.groups[drawn].tolist(),
        collection.sizes[drawn].tolist(),
        strict=True,
    ):
        if own != group or len(packs[-1]) == questions or size > room:
            packs.append([])
            group, room = own, tokens
        packs[-1].append(i)
        room -= size
    for n in random.permutation(len(packs)):
        yield Entry(tuple(packs[n]), (seed, 2, epoch, int(n)))


def _drawn(number: int, weight: float, random: np.random.Generator) -> NDArray[np.int64]:
    """Each index as often as the whole part of the weight, and a share of them once more."""
    often, share = divmod(weight, 1)
    more = random.permutation(number)[: round(share * number)]
    return np.concatenate([np.tile(np.arange(number), int(often)), more])
