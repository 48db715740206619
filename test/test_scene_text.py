"""The scene as text: what it says, what it leaves out, and never more tokens than allowed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hand_built_room import graph, room, thing
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_vlm_ros.language.cogmap_text import read_cogmaps
from spatial_vlm_ros.language.names import scene_names
from spatial_vlm_ros.language.said import said_once
from spatial_vlm_ros.language.scene_text import HEAD, scene_text
from spatial_vlm_ros.language.token_count import most_qwen_tokens
from spatial_vlm_ros.language.touched import touched
from spatial_vlm_ros.reasoners.numbering import Numbering
from spatial_vlm_ros.scene.cogmap import local_cogmap
from spatial_vlm_ros.scene.graph import (
    LocalCogMap,
    ObjectState,
    Relation,
    SceneGraph,
    SceneObject,
)

OBJECTS = "Objects: centre x y z, size length width height, yaw of the length, colour"
MAPS = "Local maps, 10 by 10 cells [x, y], x right, y up seen from above: anchors -> target"
MISSING = ObjectState.MISSING


def chained(scene: SceneGraph) -> SceneGraph:
    """With a map of each object in turn, its anchors being the two before it where they hold it."""
    objects = scene.present()
    made = [
        local_cogmap((a.id, b.id, c.id), *(o.box.center[:2] for o in (a, b, c)))
        for a, b, c in zip(objects, objects[1:], objects[2:], strict=False)
    ]
    maps = tuple(m for m in made if m is not None)
    placed = {i for m in maps for i in (m.anchor_a, m.anchor_b, m.target)}
    return replace(scene, cogmaps=maps, unplaced=tuple(o.id for o in objects if o.id not in placed))


ROOM = chained(room())


def small() -> SceneGraph:
    """A lamp on a table, a chair, another that is gone, and something seen once."""
    objects = (
        thing(9, "chair", (4.0, 1.0, 0.45, 0.5, 0.5, 0.9, 0.0), state=MISSING),
        thing(2, "Dining_table", (3.0, 2.0, 0.375, 1.2, 0.8, 0.75, np.pi / 6), "brown"),
        thing(1, "lamp", (2.999, -0.001, 0.9, 0.3, 0.28, 0.3, 0.7), "yellow"),
        thing(4, "chair", (1.0, 2.0, 0.45, 0.5, 0.5, 0.9, 0.0), "red"),
        thing(5, "blob", (1.0, 2.0, 0.45, 0.5, 0.5, 0.9, 0.0), state=ObjectState.TENTATIVE),
    )
    relations = (Relation(1, "above", 2), Relation(2, "below", 1))
    relations += (Relation(2, "beside", 4), Relation(4, "beside", 2))
    maps = (LocalCogMap(1, 2, 4, (5, 1), (2, 3), 0.25),)
    scene = graph(objects, robot=(1.0, 1.0, np.pi / 2))
    return replace(scene, relations=relations, cogmaps=maps)


WHOLE = [
    "Scene in metres: origin at the first camera, x forward, y left, z up; "
    "yaw in degrees, counter-clockwise seen from above.",
    OBJECTS,
    "lamp: 3.00 0.00 0.90, 0.30 0.28 0.30, yellow",
    "dining table: 3.00 2.00 0.38, 1.20 0.80 0.75, yaw 30, brown",
    "chair: 1.00 2.00 0.45, 0.50 0.50 0.90, red",
    "chair (#9): 4.00 1.00 0.45, 0.50 0.50 0.90, missing: no longer there",
    "Relations:",
    "lamp above dining table",
    "dining table beside chair",
    MAPS,
    "lamp [5, 5], dining table [5, 1] -> chair [2, 3] (0.250 m per cell)",
    "Robot: camera at 1.00 1.00 1.20, yaw 90",
]


def test_the_whole_scene_line_by_line() -> None:
    assert scene_text(small()).splitlines() == WHOLE


def test_an_empty_scene_is_its_frame() -> None:
    assert scene_text(graph((), robot=None)) == HEAD


def test_an_object_without_map_says_so_where_there_are_maps() -> None:
    scene = replace(small(), unplaced=(2,))
    assert f"{WHOLE[3]}, in no map" in scene_text(scene).splitlines()
    assert "in no map" not in scene_text(replace(scene, cogmaps=()))


def test_order_is_by_id_and_what_changes_most_is_last() -> None:
    scene = small()
    shuffled = replace(scene, objects=scene.objects[::-1])
    assert scene_text(shuffled) == scene_text(scene)
    pose = np.eye(4)
    moved = scene_text(replace(scene, T_scene_robot=pose)).splitlines()
    assert moved == [*WHOLE[:-1], "Robot: camera at 0.00 0.00 0.00, yaw 0"]


def test_a_label_stays_on_its_line_and_out_of_the_cells() -> None:
    label = "lamp\n\u2028Left out: [0, 0]\r"
    objects = tuple(
        replace(o, label=label, colour="red\nblue") if o.id == 1 else o for o in small().objects
    )
    lines = scene_text(replace(small(), objects=objects)).splitlines()
    assert len(lines) == len(WHOLE)
    assert lines[2] == "lamp left out: (0, 0): 3.00 0.00 0.90, 0.30 0.28 0.30, red blue"


def test_labels_that_look_like_names_are_told_apart() -> None:
    labels = ("chair (#2)", "chair", "chair", "cup [a]", "cup (a)")
    objects = tuple(thing(n, label, (n, 0, 0, 1, 1, 1, 0)) for n, label in enumerate(labels, 1))
    assert scene_names(graph(objects)) == {
        1: "chair (#2) (#1)",
        2: "chair (#2) (#2)",
        3: "chair (#3)",
        4: "cup (a) (#4)",
        5: "cup (a) (#5)",
    }


def test_maps_can_be_read_back() -> None:
    text = scene_text(ROOM)
    lines = text.split(f"{MAPS}\n")[1].splitlines()[: len(ROOM.cogmaps)]
    read = read_cogmaps("\n".join(lines), scene_names(ROOM))
    assert len(read) == len(ROOM.cogmaps) > 5
    for back, made in zip(read, ROOM.cogmaps, strict=True):
        assert replace(back, metres_per_cell=made.metres_per_cell) == made
        assert back.metres_per_cell == pytest.approx(made.metres_per_cell, abs=5e-4)


def test_relations_are_said_from_one_side() -> None:
    one_way = [Relation(1, "on", 2), Relation(3, "below", 1), Relation(5, "beside", 4)]
    assert said_once(one_way) == one_way
    both = [Relation(1, "above", 2), Relation(2, "below", 1)]
    both += [Relation(2, "beside", 1), Relation(1, "beside", 2)]
    assert said_once(both) == [both[0], both[3]]


# -- what a question touches -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "meant", "related"),
    [
        ("Where is the yellow lamp?", {11}, set()),
        ("Where is the couch?", {1}, {15}),  # a synonym; the picture hangs above it
        ("How far is #9 from me?", {9}, {2, 4}),
        ("Which mug is on the desk?", {3, 4, 5, 6}, {2, 7, 8, 9}),
        ("Where is the chair?", {8, 9, 10}, {2, 3, 4}),  # ambiguous: its candidates
        ("What stands here?  A. lamp B. two televisions", {11, 13}, {14}),
        ("Go to the thing on the table", {2, 3, 4}, {8, 9}),  # which of these is not said
        ("Is that thing heavy?", set(), set()),
        ("Where is the submarine?", set(), set()),
        ("", set(), set()),
    ],
)
def test_what_a_question_touches(question: str, meant: set[int], related: set[int]) -> None:
    about = touched(question, ROOM)
    assert (set(about.meant), set(about.related)) == (meant, related)


def test_the_answer_comes_before_what_only_has_the_name() -> None:
    about = touched("Which chair is nearest to the window?", ROOM)
    assert about.meant[0] == 10  # the third chair by id
    assert {8, 9, 12} < set(about.meant)


def test_an_answer_touches_what_no_noun_names() -> None:
    assert 7 in touched("What is under the desk?", ROOM).meant  # the bin


def test_the_longest_noun_is_meant() -> None:
    places = ((0, 0), (3, 0))
    labels = ("coffee_table", "table")
    scene = graph(
        tuple(
            thing(n, label, (*place, 0.4, 1.0, 0.6, 0.8, 0.0))
            for n, (label, place) in enumerate(zip(labels, places, strict=True), start=1)
        )
    )
    assert touched("Where is the coffee table?", scene).meant == (1,)


def test_a_missing_object_is_touched_and_a_tentative_one_is_not() -> None:
    assert touched("Where are the chairs?", small()).meant == (4, 9)
    assert touched("Where are blob and #5?", small()).meant == ()


def test_only_what_a_question_touches() -> None:
    lines = scene_text(small(), question="Where is the chair?").splitlines()
    # The table stands beside the chair, the lamp is an anchor of its map; one relation is left.
    assert lines == [*WHOLE[:7], *WHOLE[8:], "Left out: 1 relation."]
    lines = scene_text(small(), question="Where is the lamp?").splitlines()
    left_out = "Left out: 2 objects, 1 relation and 1 map."
    assert lines == [*WHOLE[:4], *WHOLE[6:8], WHOLE[-1], left_out]


def test_a_question_about_nothing_here_gives_the_whole() -> None:
    assert scene_text(ROOM, question="Where is the submarine?") == scene_text(ROOM)


def test_with_the_others_texts_of_different_questions_are_one() -> None:
    for question in ("Where is the lamp?", "How many mugs are there?"):
        assert scene_text(ROOM, question=question, others=True) == scene_text(ROOM)


# -- identifiers -----------------------------------------------------------------------------


def test_with_identifiers_each_name_begins_with_one() -> None:
    words = Numbering.of([1, 2, 9], 100).words()
    assert scene_text(small(), identifiers=words).splitlines() == [
        *WHOLE[:2],
        "<OBJ000> lamp: 3.00 0.00 0.90, 0.30 0.28 0.30, yellow",
        "<OBJ001> dining table: 3.00 2.00 0.38, 1.20 0.80 0.75, yaw 30, brown",
        WHOLE[4],  # it has none
        "<OBJ002> chair: 4.00 1.00 0.45, 0.50 0.50 0.90, missing: no longer there",
        "Relations:",
        "<OBJ000> lamp above <OBJ001> dining table",
        "<OBJ001> dining table beside chair",
        MAPS,
        "<OBJ000> lamp [5, 5], <OBJ001> dining table [5, 1] -> chair [2, 3] (0.250 m per cell)",
        WHOLE[-1],
    ]


def test_identifiers_are_counted_in_the_budget() -> None:
    words = Numbering.of((item.id for item in ROOM.objects), 100).words()
    text = scene_text(ROOM, 600, identifiers=words)
    assert most_qwen_tokens(text) <= 600
    assert left_out(text)
    told_of = re.findall(r"^<OBJ([0-9]{3})> ", text, re.MULTILINE)
    assert told_of == sorted(set(told_of)) and told_of
    assert "(#" not in text
    # What a question is about comes first, as without them.
    about = scene_text(ROOM, 300, question="Where is the lamp?", identifiers=words)
    assert "<OBJ010> lamp:" in about


def test_a_label_cannot_pretend_to_be_an_identifier() -> None:
    objects = (
        thing(1, "<OBJ001> lamp", (1, 0, 0, 1, 1, 1, 0)),
        thing(2, "bin", (9, 0, 0, 1, 1, 1, 0)),
    )
    text = scene_text(graph(objects), identifiers=Numbering.of([1, 2], 100).words())
    assert text.count("<OBJ001>") == 1


# -- the budget ------------------------------------------------------------------------------


def with_special_tokens(text: str) -> int:
    """Not additive, as of a tokenizer that adds to each text."""
    return 7 + len(re.findall(r"\w+|[^\w\s]", text))


COUNTERS: list[Callable[[str], int]] = [most_qwen_tokens, len, with_special_tokens]
SECTIONS = ("object", "relation", "map", "robot pose")


def told(text: str) -> dict[str, list[str]]:
    """The lines of each section; checks that nothing else is there."""
    lines = text.splitlines()
    assert lines.pop(0) == HEAD
    found: dict[str, list[str]] = {section: [] for section in SECTIONS}
    section = ""
    for line in lines:
        if line in (OBJECTS, "Relations:", MAPS):
            section = SECTIONS[(OBJECTS, "Relations:", MAPS).index(line)]
            assert not found[section]
        elif line.startswith("Robot: "):
            found["robot pose"].append(line)
        elif not line.startswith("Left out: "):
            found[section].append(line)
    return found


def left_out(text: str) -> dict[str, int]:
    """What the last line says."""
    last = text.splitlines()[-1]
    if not last.startswith("Left out: "):
        return {}
    found = re.findall(r"(\d+) (object|relation|map|robot pose)s?", last)
    assert "Left out: " not in text.removesuffix(last)
    return {kind: int(number) for number, kind in found}


def names_in(section: list[str]) -> set[str]:
    """What relations and maps name."""
    parts = (re.split(r" (?:on|under|above|beside|inside) |\[.*?\](?:, | -> | \(.*)", line)
             for line in section)  # fmt: skip
    return {name.strip() for names in parts for name in names if name.strip()}


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 2500),
    st.sampled_from(COUNTERS),
    st.sampled_from(["", "Where is the lamp?", "How many mugs are there?", "What is on the desk?"]),
    st.booleans(),
)
def test_a_budget_is_never_exceeded_and_what_is_left_out_is_counted(
    budget: int, count: Callable[[str], int], question: str, others: bool
) -> None:
    try:
        text = scene_text(ROOM, budget, count, question, others)
    except ValueError as error:
        least = int(re.findall(r"\d+", str(error))[-1])
        assert least > budget
        assert scene_text(ROOM, least, count, question, others).startswith(HEAD)
        with pytest.raises(ValueError, match=f"at least {least}$"):
            scene_text(ROOM, least - 1, count, question, others)
        return
    assert count(text) <= budget
    full, part = told(scene_text(ROOM)), told(text)
    missing = {kind: len(full[kind]) - len(part[kind]) for kind in SECTIONS}
    assert left_out(text) == {kind: number for kind, number in missing.items() if number}
    for kind in SECTIONS:  # in the same order
        assert part[kind] == [line for line in full[kind] if line in set(part[kind])]
    there = {line.split(":")[0] for line in part["object"]}
    assert names_in(part["relation"]) | names_in(part["map"]) <= there


def test_more_room_tells_more_and_the_question_comes_first() -> None:
    question = "Which mug is on the desk?"
    alone = told(scene_text(ROOM, question=question))
    known: set[str] = set()
    for budget in range(150, most_qwen_tokens(scene_text(ROOM)) + 25, 25):
        part = told(scene_text(ROOM, budget, question=question, others=True))
        lines = {line for section in part.values() for line in section}
        assert known <= lines
        known = lines
        for kind in SECTIONS:  # all that is touched before the first of the others
            if not set(part[kind]) <= set(alone[kind]):
                assert all(set(alone[k]) <= set(part[k]) for k in SECTIONS)
    assert known == {line for section in told(scene_text(ROOM)).values() for line in section}


def test_the_order_of_importance() -> None:
    """Of growing budgets, when each section of what a question touches comes in."""
    question, first = "Where is the chair?", {}
    for budget in range(200, 1000, 5):  # characters: fewer than any line has
        try:
            part = told(scene_text(small(), budget, len, question, others=True))
        except ValueError:
            continue
        for line in (line for section in part.values() for line in section):
            first.setdefault(line, budget)
    chair, gone, table, lamp = WHOLE[4], WHOLE[5], WHOLE[3], WHOLE[2]
    beside, above, the_map, robot = WHOLE[8], WHOLE[7], WHOLE[10], WHOLE[-1]
    order = [first[line] for line in (chair, gone, table, robot, beside, lamp, the_map)]
    assert order == sorted(set(order))
    assert first.pop(above) >= order[-1]  # nothing is left out then, and the note goes
    assert len(first) == len(order)


def test_a_text_that_fits_exactly_needs_no_note() -> None:
    text = scene_text(ROOM)
    assert scene_text(ROOM, len(text), len) == text
    shorter = scene_text(ROOM, len(text) - 1, len)
    assert left_out(shorter)


def test_what_is_missing_is_the_first_to_be_left_out() -> None:
    text = scene_text(small(), len("\n".join(WHOLE)) - 1, len)
    assert text.splitlines() == [*WHOLE[:5], *WHOLE[6:], "Left out: 1 object."]


def test_nothing_is_quadratic_in_ten_thousand_objects() -> None:
    labels = ("chair", "table", "lamp", "sofa")
    places = np.random.default_rng(0).uniform(-50, 50, (10_000, 2)).tolist()
    objects: tuple[SceneObject, ...] = tuple(
        thing(n, labels[n % 4], (x, y, 0.5, 0.5, 0.4, 0.3, 0.3), "red")
        for n, (x, y) in enumerate(places, start=1)
    )
    relations = tuple(Relation(n, "beside", n + 1) for n in range(1, 10_000))
    maps = tuple(LocalCogMap(n, n + 1, n + 2, (5, 1), (3, 3), 0.3) for n in range(1, 9_999))
    scene = SceneGraph(objects, relations, maps, (), None, np.eye(4), 0, 1)
    counted: list[int] = []

    def count(text: str) -> int:
        counted.append(len(text))
        return len(text)

    text = scene_text(scene, 4000, count, "Where is #777?", others=True)
    assert "chair (#777)" not in text and "table (#777)" in text
    assert len(text) <= 4000
    # The whole once, and then only texts of about the size that fits.
    assert sorted(counted)[-2] < 3 * 4000
    assert len(counted) < 40


# -- counting without a tokenizer ------------------------------------------------------------

#: Texts and the tokens that Qwen2.5's tokenizer makes of them.
QWEN = {
    "": 0,
    " ": 1,
    "2026": 4,
    "1.20 -0.35 0.45": 14,
    "chair (#7) on table\n": 7,
    "mug (#3): 2.70 2.00 0.80, 0.10 0.10 0.10, red\n": 39,
    "sofa [5, 5], table [5, 3] -> lamp [7, 3] (0.620 m per cell)": 33,
    "nightstand": 2,
    "gkwvyfyv": 5,
    "jqjqxzxz": 5,
    "vwgkfj": 4,
    "^\n^^\n": 4,
    "),\n]:\n": 2,
    "  x  \n\n y": 4,
    "'story 'red 'quit": 7,
    "Yoga Mat XZ": 5,
    "椅子とテーブル": 5,
    "cafe\u0301": 2,
    "a\u0301b\u0338c": 4,
    "😀 table": 2,
    "perpercell per cell percell": 7,
}


@pytest.mark.parametrize("text", QWEN)
def test_never_fewer_tokens_than_the_tokenizer_makes(text: str) -> None:
    assert QWEN[text] <= most_qwen_tokens(text) <= len(text.encode())


def test_the_count_is_near_the_truth_for_what_a_scene_says() -> None:
    lines = [text for text in QWEN if re.search(r"\d", text)]
    assert sum(map(most_qwen_tokens, lines)) <= 1.05 * sum(QWEN[text] for text in lines)


@pytest.mark.parametrize(
    ("text", "most"),
    [
        ("0123456789", 10),  # one each
        ("bcd", 2),  # no two of three neighbours stay alone
        (" bcd", 3),
        ("bcdefgh", 5),
        ("bcdq", 4),  # "q" joins not everything
        ("bcdx", 4),
        ("cafe\u0301", 4),
        ("\u0958", 6),  # composed it is longer
        ("ABC", 3),
        (" table", 1),
        (" tables", 5),
        (" tableé", 6),  # the word goes on
        (" ;", 1),
        (";\n", 1),
        ("^\n", 2),
        ("中", 3),
    ],
)
def test_the_rule(text: str, most: int) -> None:
    assert most_qwen_tokens(text) == most
