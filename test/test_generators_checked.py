"""Every answer of a generator is right by other code, and by the reasoner where it reads it."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from contextlib import suppress
from functools import lru_cache

import generated_texts
import numpy as np
import pytest
from generated_answers import CHECKS, Checker
from generated_scenes import building, furnished_flat
from hypothesis import given, settings
from hypothesis import strategies as st
from test_referential_statements import SCENES
from test_referential_statements import scene as real_room

from spatial_vlm_ros.data.generators import NAMES, generator
from spatial_vlm_ros.data.generators.graph import scene_graph
from spatial_vlm_ros.data.row import Row
from spatial_vlm_ros.data.scenes import AnnotatedObject, AnnotatedScene
from spatial_vlm_ros.reasoning.answer import Answer
from spatial_vlm_ros.reasoning.geometric import GeometricReasoner, find_objects
from spatial_vlm_ros.reasoning.vocabulary import COLOURS

OURS = tuple(name for name in NAMES if name != "vsi")
MOST = 12
BUILDINGS = [(0, 1), (3, 1), (6, 1), (1, 2), (2, 3)]


def made(scene: AnnotatedScene, seed: int = 0, most: int = MOST) -> list[Row]:
    return [row for name in OURS for row in generator(name)(scene, seed, most)]


@lru_cache
def rows(seed: int, rooms: int) -> tuple[Row, ...]:
    return tuple(made(building(seed, rooms), seed))


def wrong(scene: AnnotatedScene, asked) -> list[Row]:
    checker = Checker(scene)
    return [row for row in asked if not CHECKS[row.dataset, row.subtask](checker, row)]


@pytest.mark.parametrize(("seed", "rooms"), BUILDINGS)
def test_every_answer_about_a_building_is_right(seed: int, rooms: int) -> None:
    assert wrong(building(seed, rooms), rows(seed, rooms)) == []


def test_every_answer_about_the_hand_built_flat_is_right() -> None:
    """Compound categories, walls, things of no colour, and things that were not seen."""
    asked = made(furnished_flat(), most=40)
    assert wrong(furnished_flat(), asked) == []
    assert ("under", "yes") in {(row.subtask, row.answer) for row in asked}


@pytest.mark.skipif(not SCENES, reason="no VLA-3D data")
def test_every_answer_about_a_real_room_is_right() -> None:
    """Boxes turned and one in another, walls among them, and what is named by plurals."""
    for path in SCENES:
        items = [
            AnnotatedObject(o.id, o.label, o.box, COLOURS.get(o.colour, ""))
            for o in real_room(path).objects
        ]
        scene = AnnotatedScene(f"vla3d/{path.parent.name}", tuple(items), np.eye(4))
        asked = made(scene)
        assert len(asked) > 200
        assert wrong(scene, asked) == []


@settings(max_examples=10)
@given(seed=st.integers(1000, 10**6), rooms=st.integers(1, 2), name=st.sampled_from(OURS))
def test_every_answer_about_any_building_is_right(seed: int, rooms: int, name: str) -> None:
    scene = building(seed, rooms)
    assert wrong(scene, generator(name)(scene, seed, 4)) == []


def test_all_kinds_are_checked_and_nearly_all_come_up() -> None:
    found = {(row.dataset, row.subtask) for pair in BUILDINGS for row in rows(*pair)}
    assert set(CHECKS) - found == {("spacespan-relations", "under")}


# -- the checks can fail ---------------------------------------------------------------------------


def falsified(row: Row) -> list[Row]:
    """The row with other answers, of which none is right."""
    if row.options:
        return [
            dataclasses.replace(row, answer=x)
            for x in "ABCD"[: len(row.options)]
            if x != row.answer
        ]
    if row.subtask == "categories":
        first, *rest = row.answer.split(", ")
        false = [", ".join(said) for said in ([*rest, first], rest, [f"{first} door", *rest])]
        return [dataclasses.replace(row, answer=answer) for answer in false]
    turned = {"yes": "no", "no": "yes", "left": "right", "right": "left"}
    turned |= {"in front": "behind", "behind": "in front", "the floor": "#1", "none": "#1"}
    if row.answer in turned:
        return [dataclasses.replace(row, answer=turned[row.answer], accepted=())]
    if row.answer == "[]":
        return [dataclasses.replace(row, question="Find all doors.")]
    if row.answer == "nothing":
        return [dataclasses.replace(row, answer="#1", targets=(1,))]
    if row.task == "grounding":
        return [dataclasses.replace(row, targets=(*row.targets[1:], 1, 2), boxes=row.boxes[1:])]
    if digits := re.findall(r"\d+\.\d\d", row.answer):
        other = f"{float(digits[-1]) + 0.05:.2f}"
        return [dataclasses.replace(row, answer=other.join(row.answer.rsplit(digits[-1], 1)))]
    if digits := re.findall(r"\d+", row.answer):
        other = str(int(digits[-1]) + 1)
        return [dataclasses.replace(row, answer=other.join(row.answer.rsplit(digits[-1], 1)))]
    return [dataclasses.replace(row, answer=f"{row.answer} and #1", accepted=())]


def test_the_checks_find_what_is_wrong() -> None:
    passed: Counter[str] = Counter()
    asked = 0
    for pair in BUILDINGS[:3]:
        checker = Checker(building(*pair))
        for row in rows(*pair):
            for false in falsified(row):
                asked += 1
                with suppress(AssertionError, ValueError, KeyError):
                    passed[row.subtask] += CHECKS[row.dataset, row.subtask](checker, false)
    assert asked > 1000
    assert +passed == Counter()


# -- the reasoner ----------------------------------------------------------------------------------

#: Kinds whose questions are not asked of the geometric reasoner: it writes no prose, and no maps.
_NOT_ASKED = ("object", "scene", "chain", "overlapping")


def test_the_reasoner_agrees() -> None:
    """It need not read every wording, but never says anything else."""
    reasoner = GeometricReasoner()
    answered: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    against = []
    for pair in BUILDINGS[:4]:
        graph = scene_graph(building(*pair))
        for row in rows(*pair):
            if row.subtask in _NOT_ASKED:
                continue
            asked[row.subtask] += 1
            options = [f"{x}. {option}" for x, option in zip("ABCD", row.options, strict=False)]
            answer = reasoner.ask(" ".join([row.question, *options]), graph)
            if answer.answered:
                answered[row.subtask] += 1
                if not agrees(row, answer):
                    against.append((row, answer.text))
    assert against == []
    few = {n: (answered[n], asked[n]) for n in asked if answered[n] < 0.65 * asked[n]}
    assert few == {}


def agrees(row: Row, answer: Answer) -> bool:
    """Objects where some are asked for, else a number or a word."""
    if row.options:
        return answer.value == row.options["ABCD".index(row.answer)]
    if isinstance(answer.value, float):
        return abs(answer.value - float(row.answer)) <= 0.00501
    if row.task == "grounding" or row.targets:
        return set(answer.objects) == set(row.targets)
    return answer.value == row.answer.removeprefix("the ")


@pytest.mark.parametrize(("seed", "rooms"), BUILDINGS[:4])
def test_the_reasoner_finds_what_is_to_be_grounded(seed: int, rooms: int) -> None:
    graph = scene_graph(building(seed, rooms))
    for row in rows(seed, rooms):
        if row.task == "grounding":
            found = find_objects(generated_texts.phrase(row), graph)
            assert tuple(sorted(found.objects)) == row.targets, (row, found.text)
