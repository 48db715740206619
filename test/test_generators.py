"""What all generators keep to: numbers of rows, balance, names, what was not seen, forms."""

from __future__ import annotations

import dataclasses
import json
import re
from collections import Counter
from functools import lru_cache

import numpy as np
import pytest
from generated_scenes import building, furnished_flat

from spatial_vlm_ros.data.generators import NAMES, generator, relations
from spatial_vlm_ros.data.generators.draft import written
from spatial_vlm_ros.data.generators.graph import SURROUNDINGS, scene_graph
from spatial_vlm_ros.data.generators.words import differ, far_apart
from spatial_vlm_ros.data.row import Row
from spatial_vlm_ros.data.scenes import AnnotatedObject, AnnotatedScene
from spatial_vlm_ros.language.multiqa import SYSTEM, follow
from spatial_vlm_ros.reasoners.question_form import FormKind, question_form
from spatial_vlm_ros.reasoning.geometric import GeometricReasoner
from spatial_vlm_ros.reasoning.measure import room_area
from spatial_vlm_ros.scene.box import Box
from spatial_vlm_ros.scene.graph import Relation
from spatial_vlm_ros.serving.answer_form import form_regex

OURS = tuple(name for name in NAMES if name != "vsi")
ROOMS = [building(seed) for seed in (0, 3, 5, 6, 8, 9)]


@lru_cache
def made(name: str, number: int, most: int = 12) -> tuple[Row, ...]:
    return tuple(generator(name)(ROOMS[number], 1, most))


def every_row() -> list[Row]:
    return [row for name in OURS for k in range(len(ROOMS)) for row in made(name, k)]


def rows_of(scene: AnnotatedScene, most: int = 30) -> list[Row]:
    return [row for name in OURS for row in generator(name)(scene, 0, most)]


# -- names and numbers -----------------------------------------------------------------------------


def test_an_unknown_generator_is_told_the_known_ones() -> None:
    with pytest.raises(ValueError, match="'route' is not one of identifiers, coordinates, relat"):
        generator("route")


def test_ids_count_the_rows_of_a_scene() -> None:
    for name in OURS:
        rows = made(name, 0)
        assert [row.id for row in rows] == [
            f"{name}/simulated/room-0-1/1/{n}" for n in range(len(rows))
        ]
        assert {row.dataset for row in rows} == {f"spacespan-{name.replace('_', '-')}"}


@pytest.mark.parametrize("name", NAMES)
def test_rows_of_other_seeds_have_other_ids(name: str) -> None:
    first, second = ({row.id for row in generator(name)(ROOMS[0], seed, 3)} for seed in (0, 1))
    assert first and second and not first & second


def test_after_a_verb_comes_what_is_meant() -> None:
    rows = [row for k in range(len(ROOMS)) for row in made("grounding", k)]
    assert sum(": standing" in row.question for row in rows) > 5
    assert not [row.question for row in rows if row.question.startswith("Find standing")]


def test_rows_are_whole_and_survive_json() -> None:
    for row in every_row():
        assert Row.from_json(json.loads(json.dumps(row.to_json()))) == row
        assert row.license == "Apache-2.0" and row.scene.startswith("simulated/room-")


def test_the_same_arguments_give_the_same_rows() -> None:
    for name in OURS:
        assert tuple(generator(name)(ROOMS[1], 1, 12)) == made(name, 1)
        others = {row.question for row in generator(name)(ROOMS[1], 2, 12)}
        assert others != {row.question for row in made(name, 1)}


@pytest.mark.parametrize("most", [0, 1, 3, 8])
def test_no_kind_has_more_rows_than_wanted(most: int) -> None:
    for name in OURS:
        counts = Counter(row.subtask for row in generator(name)(ROOMS[0], 0, most))
        assert max(counts.values(), default=0) == most, counts


def test_no_question_of_a_kind_comes_twice() -> None:
    asked = Counter(
        (row.dataset, row.scene, row.subtask, row.question, row.options) for row in every_row()
    )
    assert {row: count for row, count in asked.items() if count > 1} == {}


# -- balance ---------------------------------------------------------------------------------------


def of_kind(name: str, seed: int, most: int) -> list[Row]:
    """Rows of one kind of relations."""
    kinds = [kind for kind in relations.KINDS if kind.name == name]
    return list(written("relations", kinds, ROOMS[0], seed, most))


OPPOSITES = (("yes", "no"), ("left", "right"), ("in front", "behind"))


def test_an_answer_is_as_frequent_as_its_opposite_in_every_scene() -> None:
    pairs: dict[tuple[str, ...], Counter[str]] = {}
    for row in every_row():
        for pair in OPPOSITES:
            if row.answer in pair:
                pairs.setdefault((row.scene, row.subtask, *pair), Counter())[row.answer] += 1
    assert len(pairs) > 60
    for (*_, one, other), counts in pairs.items():
        assert counts[one] == counts[other], pairs


def test_one_row_is_of_either_sort() -> None:
    """Not always yes where there is no room for both."""
    counts = Counter(row.answer for seed in range(40) for row in of_kind("taller", seed, 1))
    assert counts.total() == 40
    assert min(counts["yes"], counts["no"]) >= 12


def test_letters_are_right_equally_often() -> None:
    counts: dict[str, Counter[str]] = {}
    for row in every_row():
        if row.options:
            counts.setdefault(row.subtask, Counter())[row.answer] += 1
    assert set(counts) == {
        *("category_choice", "place", "tallest", "longest", "largest", "highest", "nearest"),
        "quadrants",
    }
    for letters in counts.values():
        assert sorted(letters) == list("ABCD")
        assert max(letters.values()) <= 1.2 * min(letters.values()), counts


def test_the_right_option_cannot_be_told_from_the_others_places() -> None:
    """What is offered first is not more often of one sort."""
    rows = [row for seed in range(40) for row in of_kind("quadrants", seed, 40)]
    assert len(rows) == 1600
    for place in range(4):
        offered = Counter(row.options[place] for row in rows)
        assert max(offered.values()) <= 1.3 * min(offered.values())
        right = Counter(row.options[place] for row in rows if row.answer == "ABCD"[place])
        assert max(right.values()) <= 1.7 * min(right.values())


def test_objects_are_asked_about_evenly() -> None:
    few = [row for row in generator("identifiers")(ROOMS[0], 0, 5) if row.subtask == "category"]
    assert len({row.refs[0].object for row in few}) == 5
    for kind in ("taller", "higher", "longer"):
        rows = of_kind(kind, 0, 40)
        used = Counter(ref.object for row in rows for ref in row.refs)
        assert len(rows) == 40
        assert max(used.values()) <= 3 * 2 * 40 / len(ROOMS[0].objects), used


# -- words -----------------------------------------------------------------------------------------


def test_half_of_the_questions_do_without_numbers_where_names_are_clear() -> None:
    rows = [row for row in every_row() if row.dataset == "spacespan-relations"]
    plain = sum("#" not in " ".join((row.question, *row.options)) for row in rows) / len(rows)
    assert 0.3 < plain < 0.6


def test_nothing_is_named_by_a_word_that_several_bear() -> None:
    """ "the chair" alone stands in no question about a room with two, other than in phrases that
    tell which, and in maps and captions neither.
    """
    for row in every_row():
        scene = next(scene for scene in ROOMS if scene.name == row.scene)
        nouns = Counter(item.category for item in scene.objects)
        if row.subtask in ("proximity", "direction", "appearance", "none", "object", "scene"):
            continue
        for noun, count in nouns.items():
            if count > 1:
                bare = rf"\bthe {noun}\b(?! \(#)"
                assert not re.search(bare, " ".join((row.question, *row.options))), row


def test_a_scene_of_no_known_colours_has_no_colour_words() -> None:
    items = [dataclasses.replace(item, colour="") for item in ROOMS[0].objects]
    rows = rows_of(dataclasses.replace(ROOMS[0], objects=tuple(items)))
    colours = "|".join({item.colour for item in ROOMS[0].objects})
    assert [row for row in rows if re.search(rf"\b({colours})\b", row.question + row.answer)] == []
    assert "same_colour" not in {row.subtask for row in rows}


def test_words_for_the_same_thing_do_not_differ() -> None:
    for one, other in (("sofa", "couch"), ("chair", "office chair"), ("shelf", "bookshelf")):
        assert not differ(one, other) and not differ(other, one)
    assert differ("desk", "table") and not far_apart("desk", "coffee table")
    assert far_apart("bed", "lamp")


def test_what_is_there_by_another_name_is_not_asked_for_in_vain() -> None:
    rows = [*generator("grounding")(furnished_flat(), 0, 200)]
    rows += generator("identifiers")(furnished_flat(), 0, 200)
    in_vain = [row for row in rows if row.answer in ("[]", "0", "none")]
    assert len(in_vain) > 20
    text = " ".join(row.question for row in in_vain)
    assert re.search(r"\bpianos?\b", text)
    assert not re.search(r"\b(sofas?|chairs|the chair|tables?|tvs?|stools?|all mugs)\b", text)


# -- what is not known -----------------------------------------------------------------------------


def test_what_no_view_shows_is_not_asked_about() -> None:
    """The mug #24 and the stool #33 of the flat; a wall, a thing without a name, a rug without
    height.
    """
    for row in rows_of(furnished_flat(), 60):
        assert not {24, 31, 33, 3, 34} & {*row.targets, *(ref.object for ref in row.refs)}, row
        assert not re.search(r"#(24|31|33|3|34)\b|stool \(|the stool\b", row.question + row.answer)
        if row.subtask in ("count", "several", "numbers"):
            assert not re.search(r"\bmugs\b", row.question) or "red mugs" in row.question, row


def test_where_nothing_is_known_of_views_all_are_asked_about_and_none_by_appearance() -> None:
    items = [dataclasses.replace(item, first_seen=None) for item in ROOMS[0].objects]
    rows = rows_of(dataclasses.replace(ROOMS[0], objects=tuple(items)))
    asked = {ref.object for row in rows for ref in row.refs}
    assert asked == {item.id for item in items}
    assert "appearance" not in {row.subtask for row in rows}


def test_without_a_floor_nothing_is_said_of_it() -> None:
    scene = dataclasses.replace(ROOMS[0], floor_z=None, floor_area=None, outline=None)
    rows = rows_of(scene)
    assert [row for row in rows if "the floor" in (row.question + row.answer).lower()] == []
    assert "supporter" in {row.subtask for row in rows}


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_small_scenes(count: int) -> None:
    """Fewer objects than a question needs give no such question."""
    rows = rows_of(dataclasses.replace(ROOMS[0], objects=ROOMS[0].objects[:count]))
    least = {"taller": 2, "nearer": 3, "standing": 3, "category": 1, "chain": 3, "object": 1}
    for row in rows:
        assert count >= least.get(row.subtask, 0)
    assert ("category" in {row.subtask for row in rows}) == (count > 0)


# -- the graph -------------------------------------------------------------------------------------


def test_the_graph_of_an_annotated_scene() -> None:
    flat = furnished_flat()
    graph = scene_graph(flat)
    assert {item.id for item in graph.objects} == {item.id for item in flat.objects} - {3, 31, 34}
    assert (
        Relation(21, "on", 12) in graph.relations and Relation(13, "under", 12) in graph.relations
    )
    assert graph[16].first_seen_ns == 8 * 10**9 and graph[16].colour == ""
    assert graph.floor is not None and graph.floor.z == -1.0
    assert room_area(graph.floor, ()) == pytest.approx(49.0, rel=0.03)
    assert np.array_equal(graph.T_scene_robot, np.eye(4)) and graph.metric
    assert not {24, 33} & {number for cogmap in graph.cogmaps for number in cogmap.ids}


def test_boxes_of_the_graph_are_canonical() -> None:
    narrow = AnnotatedObject(1, "Dining_table", Box(1, 2, 0, 0.5, 2.0, 0.7, 0.0))
    scene = AnnotatedScene("scannet/x", (narrow,), np.eye(4))
    assert scene_graph(scene)[1].box == narrow.box.canonical()
    assert scene_graph(scene)[1].label == "dining table"
    assert "floor" in SURROUNDINGS and "other furniture" in SURROUNDINGS


def test_the_reasoner_answers_of_the_flat() -> None:
    reasoner, graph = GeometricReasoner(), scene_graph(furnished_flat())
    assert reasoner.ask("What is under the desk?", graph).objects == (13,)
    assert reasoner.ask("Is the couch to my left or right?", graph).value == "left"


# -- forms -----------------------------------------------------------------------------------------


def test_the_chain_of_maps_places_everything() -> None:
    """With rows enough, the maps that are trained on are those of algorithm 1."""
    for k, scene in enumerate(ROOMS):
        graph = scene_graph(scene)
        rows = [row for row in generator("local_maps")(scene, 0, 100) if row.subtask == "chain"]
        ids = {tuple(ref.object for ref in row.refs) for row in rows}
        assert ids == {cogmap.ids for cogmap in graph.cogmaps}, k
        placed = follow(graph.cogmaps, graph.cogmaps[0].ids[:2])
        assert placed | set(graph.unplaced) == {
            o.id for o in scene.objects if o.first_seen is not None
        }
        assert {row.system for row in rows} == {SYSTEM}


def test_answers_have_the_form_that_their_question_is_answered_in() -> None:
    """As a reasoner would hold a model to it: letters, counts, numbers, boxes."""
    reasoner = GeometricReasoner()
    forms: dict[str, set[FormKind]] = {}
    for k in range(2):
        graph = scene_graph(ROOMS[k])
        for row in (row for name in OURS for row in made(name, k)):
            options = (f"{x}. {text}" for x, text in zip("ABCD", row.options, strict=False))
            text = " ".join([row.question, *options])
            form = question_form(text, reasoner.ask(text, graph), graph)
            forms.setdefault(row.subtask, set()).add(form.kind)
            regex = form_regex(form)
            assert not regex or re.fullmatch(regex, row.answer), (row, form)
    for kind, name in (
        *((FormKind.OPTION, "nearest"), (FormKind.COUNT, "count"), (FormKind.NUMBER, "side")),
        *((FormKind.BOXES, "bounding_box"), (FormKind.BOXES, "proximity")),
    ):
        assert kind in forms[name]
