"""MultiQA (SSR section 3.2): each LocalCogMap is a question of its own, and answers make maps.

A sample says all that is needed to understand it, so samples can be shuffled, asked apart and
answered in part. What the answers leave open is listed, never guessed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from spatial_vlm_ros.language.cogmap_text import read_cell, write_cell
from spatial_vlm_ros.language.names import spelling
from spatial_vlm_ros.scene.graph import CELL_A, LocalCogMap

SYSTEM = (
    "A local cognitive map shows where three objects of a scene are, seen from above, in a grid of"
    " 10 x 10 cells. A cell is written [x, y], with integers from 0 to 9: x grows to the right and"
    " y grows upwards. Each object is in the cell nearest to its centre; size and height do not"
    " matter. The cells of two objects, the anchors, are given: they fix where the grid lies, how"
    " it is turned and how large a cell is. Standing at the first anchor and facing the second, a"
    " larger x is further to the left. A number as in 'chair (#7)' tells objects of the same kind"
    " apart. Find the cell of the third object, the target. Answer only with its cell, in the form"
    " [x, y]."
)


@dataclass(frozen=True)
class Sample:
    """A question about one map: for a model to be trained on, or to be asked."""

    system: str
    question: str
    answer: str
    cogmap: LocalCogMap


@dataclass(frozen=True)
class Unread:
    """An answer that gave no cell, and why. ``answer`` is None where there was none."""

    sample: Sample
    answer: str | None
    reason: str


@dataclass(frozen=True)
class AnsweredMaps:
    """What a model's answers say.

    ``maps`` are those of the samples with the answered cells, ``unread`` the other samples; both in
    the order of the samples. ``placed`` are the ids of objects that follow from ``start`` by chains
    of ``maps``, with ``start`` itself, ``unplaced`` the other objects of the samples; both sorted.
    """

    maps: tuple[LocalCogMap, ...]
    unread: tuple[Unread, ...]
    start: tuple[int, ...]
    placed: tuple[int, ...]
    unplaced: tuple[int, ...]


def samples(maps: Iterable[LocalCogMap], names: Mapping[int, str]) -> tuple[Sample, ...]:
    """One sample per map, in their order. ``names``: id to name, as ``unique_names`` gives them."""
    return tuple(_sample(made, names) for made in maps)


def read_answers(
    asked: Sequence[Sample],
    answers: Sequence[str | None],
    start: tuple[int, int] | None = None,
) -> AnsweredMaps:
    """The maps that ``answers`` give, one answer (None: missing) for each of ``asked``.

    The order is free. ``start`` are the two objects the chains begin with; without it, the two that
    no sample asks for. That is the first map's anchors for the maps of a whole scene; for some of
    its maps, or for more maps than there are objects to place, ``start`` must be given.
    """
    if len(answers) != len(asked):
        raise ValueError(f"{len(answers)} answers to {len(asked)} samples: expected one for each")
    ids = {i for s in asked for i in s.cogmap.ids}
    begin = _start(asked, ids, start)
    maps, unread = [], []
    for sample, answer in zip(asked, answers, strict=True):
        try:
            if answer is None:
                raise ValueError("no answer")
            maps.append(replace(sample.cogmap, cell_target=read_cell(answer)))
        except ValueError as error:
            unread.append(Unread(sample, answer, str(error)))
    placed = follow(maps, begin)
    return AnsweredMaps(
        tuple(maps), tuple(unread), begin, tuple(sorted(placed)), tuple(sorted(ids - placed))
    )


def follow(maps: Iterable[LocalCogMap], start: Iterable[int]) -> set[int]:
    """``start`` and the ids of all targets whose two anchors are in the answer: O(maps)."""
    anchoring = defaultdict(list)
    for made in maps:
        anchoring[made.anchor_a].append(made)
        anchoring[made.anchor_b].append(made)
    placed: set[int] = set()
    reached = list(start)
    while reached:
        new = reached.pop()
        if new in placed:
            continue
        placed.add(new)
        reached += [m.target for m in anchoring[new] if {m.anchor_a, m.anchor_b} <= placed]
    return placed


def _sample(made: LocalCogMap, names: Mapping[int, str]) -> Sample:
    for number in made.ids:
        if not names.get(number):
            raise ValueError(f"object {number} of {made} has no name")
    a, b, target = (spelling(names[i]) for i in made.ids)
    if len({a, b, target}) < 3:
        raise ValueError(f"{made}: its objects are called {a!r}, {b!r}, {target!r}")
    question = (
        f"The first anchor, the {a}, is at {write_cell(CELL_A)}. The second anchor, the {b}, is at"
        f" {write_cell(made.cell_b)}. In which cell is the {target}?"
    )
    return Sample(SYSTEM, question, write_cell(made.cell_target), made)


def _start(
    asked: Sequence[Sample], ids: set[int], start: tuple[int, int] | None
) -> tuple[int, ...]:
    if start is None:
        never_asked = tuple(sorted(ids - {sample.cogmap.target for sample in asked}))
        if asked and len(never_asked) != 2:
            raise ValueError(
                f"objects {list(never_asked)} are asked for by no sample: expected two, which the"
                " chains begin with; give `start`"
            )
        return never_asked
    if not set(start) <= ids or len(set(start)) != 2:
        raise ValueError(f"start {start}: expected two different objects of the samples")
    return start
