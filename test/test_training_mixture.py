"""Which rows are learnt, how often, in which order, and in one sequence with which."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_lessons import write_rows

from spatial_vlm_ros.data.row import Mark, Reference, Row
from spatial_vlm_ros.scene.box import Box
from spatial_vlm_ros.training.collection import Collection, collect
from spatial_vlm_ros.training.config import Source
from spatial_vlm_ros.training.exam import sample
from spatial_vlm_ros.training.lessons import Unteachable
from spatial_vlm_ros.training.mixture import Entry, plan

PACKING = {"questions": 4, "tokens": 100}


def row(number: int, scene: int = 0, task: str = "question", **more: str) -> Row:
    return Row(str(number), "small", f"simulated/room-{scene}", task, "Which?", "this", **more)


def collection(*sizes: int, weights: tuple[float, ...] = (), scenes: int = 3) -> Collection:
    """Of so many rows each, ten tokens long."""
    rows = [row(n, n % scenes) for n in range(sum(sizes))]
    return replace(
        Collection.of(rows, [10] * len(rows)),
        ends=np.cumsum(sizes),
        weights=weights or (1.0,) * len(sizes),
    )


def ids(entries: list[Entry]) -> list[list[int]]:
    return [list(entry.rows) for entry in entries]


def flat(entries: list[Entry]) -> list[int]:
    return list(chain(*ids(entries)))


def test_each_row_comes_once_in_an_epoch_with_others_of_its_scene() -> None:
    found = collection(10, 13)
    entries, epochs = plan(found, 0, **PACKING, epochs=1)
    assert epochs == 1
    assert sorted(flat(entries)) == list(range(23))
    assert all(len({found.rows[n].scene for n in entry.rows}) == 1 for entry in entries)
    assert max(len(entry.rows) for entry in entries) == 4
    assert len({entry.seed for entry in entries}) == len(entries)


def test_rows_of_another_system_are_in_another_sequence() -> None:
    rows = [row(n, system="Be brief." if n % 2 else "") for n in range(8)]
    entries, _ = plan(Collection.of(rows, [10] * 8), 0, **PACKING, epochs=1)
    assert [len(entry.rows) for entry in entries] == [4, 4]
    assert all(len({rows[n].system for n in entry.rows}) == 1 for entry in entries)


def test_sequences_have_room_for_so_many_tokens() -> None:
    sizes = [60, 50, 30, 20, 10, 90, 100, 120]
    found = Collection.of([row(n) for n in range(8)], sizes)
    entries, _ = plan(found, 0, questions=9, tokens=100, epochs=1)
    tokens = [sum(sizes[each] for each in entry) for entry in ids(entries)]
    assert sum(tokens) == sum(sizes) and sorted(tokens)[-1] == 120  # longer ones by themselves
    assert sum(total > 100 for total in tokens) == 1


def test_weights() -> None:
    found = collection(40, 40, 40, weights=(2, 0.25, 1.5))
    entries, _ = plan(found, 0, **PACKING, epochs=1)
    often = Counter(Counter(flat(entries)).items())
    times = [[often[(40 * n + i, k)] for i in range(40)].count(1) for n in range(3)
             for k in (1, 2)]  # fmt: skip
    assert times == [0, 40, 10, 0, 20, 20]
    later, _ = plan(found, 0, **PACKING, epochs=2)
    seconds = later[len(entries) :]
    shares = [{n for n in flat(part) if 40 <= n < 80} for part in (entries, seconds)]
    assert shares[0] != shares[1]  # another share each time


def test_the_order_is_of_the_seed_and_the_epoch() -> None:
    found = collection(50)
    once, _ = plan(found, 7, **PACKING, epochs=2)
    again, _ = plan(found, 7, **PACKING, epochs=2)
    other, _ = plan(found, 8, **PACKING, epochs=2)
    assert once == again and ids(once) != ids(other)
    half = len(once) // 2
    assert ids(once[:half]) != ids(once[half:])
    assert sorted(flat(once[:half])) == sorted(flat(once[half:]))


@given(st.integers(1, 60), st.integers(1, 8), st.floats(0.1, 5), st.integers(0, 40))
@settings(max_examples=80, deadline=None)
def test_updates_are_whole_and_longer_plans_begin_like_shorter(
    rows: int, whole: int, epochs: float, entries: int
) -> None:
    found = collection(rows)
    wanted = entries * whole
    made, begun = plan(found, 0, **PACKING, epochs=epochs, entries=wanted, whole=whole)
    assert len(made) % whole == 0 and len(made) > 0
    longer, _ = plan(found, 0, **PACKING, epochs=6, whole=whole)
    assert longer[: len(made)] == made[: len(longer)]
    if wanted:
        assert len(made) == wanted
    else:
        one, _ = plan(found, 0, **PACKING, epochs=1)
        assert epochs * len(one) - 1e-6 <= len(made) < epochs * len(one) + whole
        assert begun == pytest.approx(len(made) / len(one))


def number_of(each: Row) -> int:
    """For a size."""
    if int(each.id) % 5 == 0:
        raise Unteachable("a multiple of five")
    return int(each.id)


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_rows_are_collected_or_counted(tmp_path: Path, ending: str) -> None:
    tasks = ("counting", "distance")
    file = write_rows(tmp_path / f"a.{ending}", [row(n, task=tasks[n % 2]) for n in range(20)])
    some = Source(str(file), tasks=("counting",), limit=5)
    found = collect([some], number_of, 0, tmp_path / "kept")
    assert found.left_out == {
        "another task than asked for": 10,
        "a multiple of five": 2,
        "over the limit": 3,
    }
    assert len(found) == 5 and found.sizes.tolist() == [int(each.id) for each in found.rows]
    told = "5 rows; left out: 10 another task than asked for, 3 over the limit"
    assert found.report().startswith(told)
    other = collect([Source(str(file), limit=5)], number_of, 0, tmp_path / "other")
    assert other.fingerprint != found.fingerprint
    named = write_rows(tmp_path / f"b.{ending}", [row(n, subtask="ab"[n % 2]) for n in (1, 2, 3)])
    kinds = collect([Source(str(named), tasks=("a", "counting"))], number_of, 0, tmp_path / "kinds")
    assert [each.id for each in kinds.rows] == ["2"]
    with pytest.raises(ValueError, match=rf"a\.{ending} has no row to learn \(20 another task"):
        collect([Source(str(file), tasks=("caption",))], number_of, 0, tmp_path / "none")
    assert not list((tmp_path / "none").iterdir())


def test_rows_are_looked_through_once(tmp_path: Path) -> None:
    box = Box(1, 2, 0.5, 1, 1, 1, 0.25)
    rich = replace(
        row(1, system="Sei kurz, \u00e4h.", task="grounding"),
        refs=(Reference(7, "chair", box), Reference(8, "table")),
        targets=(7,),
        boxes=(box,),
        options=("this", "that"),
        answer="A",
        stands_at=(1.0, 2.0, 0.0, 0.5),
        images=("a/b.png", "c.png"),
        marks=(Mark(1, "red", 0.25, 0.5, (0.5, 0.75)),),
    )
    first = write_rows(tmp_path / "a.jsonl", [row(2, 1), rich, row(3, 1)])
    second = write_rows(tmp_path / "b.parquet", [row(4), row(6, 1)])
    sources = [Source(str(first), images="/images"), Source(str(second), weight=0.5)]
    found = collect(sources, number_of, 0, tmp_path / "kept")
    shown = replace(rich, images=("/images/a/b.png", "/images/c.png"))
    assert list(found.rows) == [row(2, 1), shown, row(3, 1), row(4), row(6, 1)]
    assert found.rows[1:3] == [shown, row(3, 1)]
    assert found.groups.tolist() == [0, 1, 0, 2, 0] and found.ends.tolist() == [3, 5]

    def never(each: Row) -> int:
        raise AssertionError(each)

    again = collect(sources, never, 0, tmp_path / "kept", found=True)
    assert list(again.rows) == list(found.rows) and again.fingerprint == found.fingerprint
    assert plan(again, 0, **PACKING, epochs=2) == plan(found, 0, **PACKING, epochs=2)
    heavier = [sources[0], replace(sources[1], weight=1.0)]
    for changed, seed in ((heavier, 0), (sources, 1), (sources[:1], 0)):
        with pytest.raises(AssertionError):
            collect(changed, never, seed, tmp_path / "kept", found=True)
    (tmp_path / "kept" / "index.npz").write_bytes(b"PK cut off")
    assert collect(sources, number_of, 0, tmp_path / "kept", True).fingerprint == found.fingerprint
    write_rows(first, [row(2, 1), replace(rich, answer="B"), row(3, 1)])
    edited = collect(sources, number_of, 0, tmp_path / "kept", found=True)
    assert edited.rows[1].answer == "B" and edited.fingerprint != found.fingerprint


def test_nothing_has_a_weight() -> None:
    with pytest.raises(ValueError, match="weights of 0"):
        plan(collection(3, weights=(0.0,)), 0, **PACKING, epochs=1)


def test_exams_have_as_many_of_each_task() -> None:
    rows = [row(n, task="counting") for n in range(50)] + [row(n, task="distance") for n in "abc"]
    chosen = [rows[n].task for n in sample(rows, 10, 0)]
    assert Counter(chosen) == {"counting": 7, "distance": 3}
    assert sample(rows, 10, 0) == sample(rows, 10, 0) != sample(rows, 10, 1)
    assert sample(rows, 99, 0) == list(range(53))
    assert sample([replace(each, task="order") for each in rows], 0, 0) == []
