"""MultiQA: each map a question that stands alone, and the maps that answers give."""

from __future__ import annotations

import re
from dataclasses import FrozenInstanceError, replace
from itertools import permutations

import numpy as np
import pytest
from hand_built_room import room
from hypothesis import given
from hypothesis import strategies as st

from spatial_vlm_ros.language.cogmap_text import read_cell
from spatial_vlm_ros.language.multiqa import SYSTEM, follow, read_answers, samples
from spatial_vlm_ros.language.names import unique_names
from spatial_vlm_ros.scene.cogmap import grid_coordinates, local_cogmap
from spatial_vlm_ros.scene.cogmap_generation import local_cogmaps, overlapping_cogmaps
from spatial_vlm_ros.scene.graph import LocalCogMap
from spatial_vlm_ros.scene.layout import contradictory, solve_layout

#: Objects 1 and 2 begin; 3 follows from them, 4 from 2 and 3, 5 from 3 and 4, 6 from 1 and 2.
CHAIN = (
    LocalCogMap(1, 2, 3, (5, 3), (7, 3), 0.5),
    LocalCogMap(2, 3, 4, (5, 1), (0, 9), 0.25),
    LocalCogMap(4, 3, 5, (5, 4), (9, 0), 1.0),
    LocalCogMap(2, 1, 6, (5, 2), (5, 5), 0.3),
)
NAMES = {1: "sofa", 2: "chair (#2)", 3: "lamp", 4: "chair (#4)", 5: "tv", 6: "book [3, 4]"}


def test_a_sample_by_hand() -> None:
    first, *_ = samples(CHAIN, NAMES)
    assert first.question == (
        "The first anchor, the sofa, is at [5, 5]. The second anchor, the chair (#2), is at"
        " [5, 3]. In which cell is the lamp?"
    )
    assert first.answer == "[7, 3]"
    assert first.cogmap == CHAIN[0]
    assert first.system == SYSTEM
    with pytest.raises(FrozenInstanceError):
        first.answer = "[0, 0]"  # type: ignore[misc]


def test_each_sample_can_be_understood_alone() -> None:
    for sample, made in zip(samples(CHAIN, NAMES), CHAIN, strict=True):
        for said in ("10 x 10", "[x, y]", "0 to 9", "right", "upwards", "from above", "centre"):
            assert said in sample.system
        x, y = re.findall(r"\[(\d), (\d)\]", sample.question)  # no cell but the anchors'
        assert (x, y) == (("5", "5"), tuple(map(str, made.cell_b)))
        for number in (made.anchor_a, made.anchor_b, made.target):
            assert NAMES[number].replace("[", "(").replace("]", ")") in sample.question
        assert read_cell(sample.answer) == made.cell_target


def test_the_context_says_the_handedness_that_maps_have() -> None:
    """Facing from [5, 5] to [5, 3], something on the left has the larger x."""
    assert "facing the second, a larger x is further to the left" in SYSTEM
    north, left = np.array([0.0, 1.0]), np.array([-1.0, 0.5])
    assert grid_coordinates(np.zeros(2), north, left, 2)[0] == pytest.approx(7)


def test_perfect_answers_give_the_maps_back_whatever_their_order() -> None:
    asked = samples(CHAIN, NAMES)
    for order in permutations(asked):
        result = read_answers(order, [s.answer for s in order])
        assert result.maps == tuple(s.cogmap for s in order)
        assert result.unread == ()
        assert result.start == (1, 2)
        assert result.placed == (1, 2, 3, 4, 5, 6)
        assert result.unplaced == ()


def test_an_answered_cell_replaces_the_true_one() -> None:
    asked = samples(CHAIN[:1], NAMES)
    result = read_answers(asked, ["The lamp is at [2, 8]."])
    assert result.maps == (replace(CHAIN[0], cell_target=(2, 8)),)


def test_what_hangs_on_an_unread_answer_is_not_placed() -> None:
    asked = samples(CHAIN, NAMES)[::-1]
    answers = [None if s.cogmap.target == 4 else s.answer for s in asked]
    result = read_answers(asked, answers)
    assert [m.target for m in result.maps] == [6, 5, 3]
    assert [(u.sample, u.answer, u.reason) for u in result.unread] == [
        (asked[2], None, "no answer")
    ]
    assert result.placed == (1, 2, 3, 6)
    assert result.unplaced == (4, 5)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "no cell in ''"),
        ("[7, 12]", "'[7, 12]' is outside the grid"),
        ("[7, 3] or [3, 7]", "different cells"),
        ("somewhere", "no cell in 'somewhere'"),
    ],
)
def test_each_unread_answer_has_its_reason(answer: str, reason: str) -> None:
    asked = samples(CHAIN, NAMES)
    answers = [s.answer for s in asked]
    result = read_answers(asked, [answer, *answers[1:]])
    (unread,) = result.unread
    assert (unread.sample, unread.answer) == (asked[0], answer)
    assert reason in unread.reason
    assert result.maps == CHAIN[1:]
    assert result.placed == (1, 2, 6)
    assert result.unplaced == (3, 4, 5)


def test_no_answers_at_all() -> None:
    asked = samples(CHAIN, NAMES)
    result = read_answers(asked, [None] * 4)
    assert result.maps == ()
    assert [u.sample for u in result.unread] == list(asked)
    assert result.placed == (1, 2)
    assert result.unplaced == (3, 4, 5, 6)
    nothing = read_answers((), ())
    assert (nothing.maps, nothing.start, nothing.placed, nothing.unplaced) == ((), (), (), ())


def test_answers_must_be_as_many_as_samples() -> None:
    asked = samples(CHAIN, NAMES)
    with pytest.raises(ValueError, match="3 answers to 4 samples"):
        read_answers(asked, ["[1, 1]"] * 3)


def test_a_part_of_a_graph_needs_its_start_said() -> None:
    asked = samples(CHAIN[1:], NAMES)  # 1, 2 and 3 are asked for by none
    answers = [s.answer for s in asked]
    with pytest.raises(ValueError, match=re.escape("[1, 2, 3] are asked for by no sample")):
        read_answers(asked, answers)
    assert read_answers(asked, answers, start=(2, 3)).placed == (2, 3, 4, 5)
    assert read_answers(asked, answers, start=(2, 3)).unplaced == (1, 6)
    assert read_answers(asked, answers, start=(2, 1)).placed == (1, 2, 6)
    for start in ((2, 99), (2, 2)):
        with pytest.raises(ValueError, match="two different objects of the samples"):
            read_answers(asked, answers, start=start)


def test_more_maps_than_objects_are_all_kept() -> None:
    """Two answers may place one object: a judge of consistency wants to see both."""
    again = LocalCogMap(1, 3, 4, (5, 3), (4, 4), 0.5)
    asked = samples((*CHAIN, again), NAMES)
    answers = [s.answer for s in asked]
    assert read_answers(asked, answers).maps == (*CHAIN, again)
    without = read_answers(asked, [answers[0], None, *answers[2:]])
    assert without.placed == (1, 2, 3, 4, 5, 6)  # 4 follows from the other map


def test_an_object_without_a_name_is_not_left_out() -> None:
    with pytest.raises(ValueError, match="object 6 "):
        samples(CHAIN, {k: v for k, v in NAMES.items() if k != 6})
    with pytest.raises(ValueError, match="are called 'sofa', 'sofa', 'lamp'"):
        samples(CHAIN, NAMES | {2: "sofa"})


def test_following_needs_both_anchors() -> None:
    assert follow(CHAIN, (1, 2)) == {1, 2, 3, 4, 5, 6}
    assert follow(CHAIN, (1, 3)) == {1, 3}
    assert follow((), (1, 2)) == {1, 2}
    circle = (LocalCogMap(1, 4, 3, (5, 3), (7, 3), 1.0), LocalCogMap(2, 3, 4, (5, 3), (7, 3), 1.0))
    assert follow(circle, (1, 2)) == {1, 2}


@given(st.data(), st.integers(2, 12))
def test_placed_is_what_repeated_looking_finds(data: st.DataObject, count: int) -> None:
    """Against the plain definition, on any maps, in any order."""
    numbers = st.permutations(range(count + 1))
    maps = [
        LocalCogMap(*data.draw(numbers)[:3], (5, 3), (7, 3), 1.0)
        for _ in range(data.draw(st.integers(0, 15)))
    ]
    expected = {0, 1}
    for _ in maps:
        expected |= {m.target for m in maps if m.anchor_a in expected and m.anchor_b in expected}
    assert follow(maps, (0, 1)) == expected


def room_chain() -> list[LocalCogMap]:
    """Maps of the hand-built room: each object from the first two earlier ones that can hold it."""
    objects = room().objects
    centres = {o.id: o.box.center[:2] for o in objects}
    placed = [1, 2]
    maps = []
    for target in sorted(set(centres) - {1, 2}):
        made = next(
            m
            for a, b in permutations(placed, 2)
            if (m := local_cogmap((a, b, target), centres[a], centres[b], centres[target]))
        )
        maps.append(made)
        placed.append(target)
    return maps


@given(st.randoms(use_true_random=False))
def test_a_room_comes_back_from_its_answers(shuffling: object) -> None:
    maps, names = room_chain(), unique_names(room().objects)
    asked = list(samples(maps, names))
    assert len({(s.question, s.answer) for s in asked}) == len(room().objects) - 2
    shuffling.shuffle(asked)  # type: ignore[attr-defined]
    result = read_answers(asked, [s.answer for s in asked])
    assert sorted(result.maps, key=lambda m: m.target) == maps
    assert result.placed == tuple(sorted(names))
    assert result.unplaced == () == result.unread


def test_the_same_maps_give_the_same_samples() -> None:
    maps, names = room_chain(), unique_names(room().objects)
    assert samples(maps, names) == samples(tuple(maps), dict(reversed(names.items())))


def test_a_models_wrong_answers_contradict_its_right_ones() -> None:
    """From a scene to questions, answers, maps, one layout, and the maps that do not fit it."""
    objects = room().objects
    chain, _ = local_cogmaps(objects)
    maps = tuple(dict.fromkeys((*chain, *overlapping_cogmaps(objects, 4))))
    asked = samples(maps, unique_names(objects))
    right = read_answers(asked, [s.answer for s in asked], (chain[0].anchor_a, chain[0].anchor_b))
    layout = solve_layout(right.maps)
    assert contradictory(right.maps, layout.missed) == ()
    found = []
    for wrong in range(20, 40):
        x, y = asked[wrong].cogmap.cell_target
        said = [s.answer for s in asked]
        said[wrong] = f"[{(x + 5) % 10}, {y}]"
        told = read_answers(asked, said, right.start)
        flagged = contradictory(told.maps, solve_layout(told.maps).missed)
        found.append(told.maps[wrong] in flagged)
        assert len(flagged) <= 6
    assert np.mean(found) >= 0.85
