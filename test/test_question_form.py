"""The form of an answer, from the question as the geometric reasoner reads it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hand_built_room import graph, room
from hypothesis import given
from hypothesis import strategies as st

from spatial_vlm_ros.reasoners.question_form import Form, FormKind, question_form
from spatial_vlm_ros.reasoning.geometric import GeometricReasoner
from spatial_vlm_ros.scene.graph import SceneGraph

ROOM = room()
WITHOUT_BOX = replace(ROOM, objects=ROOM.objects[:-1])
FREE, COUNT, BOXES = Form(), Form(FormKind.COUNT), Form(FormKind.BOXES)


def form(question: str, scene: SceneGraph = ROOM) -> Form:
    return question_form(question, GeometricReasoner().ask(question, scene), scene)


def number(unit: str) -> Form:
    return Form(FormKind.NUMBER, unit=unit)


@pytest.mark.parametrize("scene", [ROOM, graph((), robot=None)], ids=["room", "nothing"])
@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("How many chairs are there?", COUNT),
        ("How many chairs are within two metres of the table?", COUNT),
        ("Are there more chairs than tables?", FREE),
        ("Is there a lamp?", FREE),
        ("How far is the lamp from the sofa?", number("m")),
        ("How many cm is the lamp from the sofa?", number("cm")),
        ("How far is it from the lamp to the sofa in feet?", number("ft")),
        ("How tall is the desk?", number("m")),
        ("What is the height of the desk in inches?", number("in")),
        ("What is the volume of the desk?", number("m3")),
        ("What is the size of this room (in square meters)?", number("m2")),
        ("How many square feet does the room have?", number("ft2")),
        ("What are the dimensions of the sofa?", FREE),  # three numbers
        ("Is the sofa longer than 1.5 m?", FREE),
        ("Where is the lamp?", FREE),
        ("What is on the table?", FREE),
        ("Which is closer to the sofa: the lamp or the bin?", FREE),
        ("Go to the lamp.", FREE),
        ("What is the meaning of life?", FREE),
        ("How many legs does a spider have?", COUNT),  # not understood, and still how many
        ("", FREE),
        ("Where is the sofa? Answer with its 3D box.", BOXES),
        ("Give the bbox_3d of every chair", BOXES),
        ("Detect all mugs as 3D bounding boxes.", BOXES),
        ("What are the coordinates of the tv?", BOXES),
    ],
)
def test_the_form_follows_the_question_and_not_the_scene(
    question: str, expected: Form, scene: SceneGraph
) -> None:
    assert form(question, scene) == expected


def test_options_come_before_everything() -> None:
    for question in ("How many chairs are there?", "Where is its 3D box?", "What is that?"):
        found = form(f"{question} A. two B. three C. four")
        assert found == Form(FormKind.OPTION, {"A": "two", "B": "three", "C": "four"})


@pytest.mark.parametrize("question", ["Where is the box?", "What is inside the box of books?"])
def test_a_box_may_be_furniture(question: str) -> None:
    assert form(question) == FREE


def test_the_box_of_something_where_there_are_no_boxes() -> None:
    assert form("Show me the box of the sofa.", WITHOUT_BOX) == BOXES
    assert form("Show me the box of the sofa.") == FREE


@given(st.text(max_size=200))
def test_any_question_has_a_form(question: str) -> None:
    assert isinstance(form(question), Form)


def test_instructions_name_the_unit() -> None:
    assert number("m2").instruction == "Answer with one number only, in square metres."
    assert FREE.instruction == ""
    assert "bbox_3d" in BOXES.instruction


def test_answers_are_read_and_written_for_people() -> None:
    options = Form(FormKind.OPTION, {"A": "lamp", "B": "bin"})
    assert (options.readable("B"), options.value("B")) == ("B. bin", "bin")
    assert (options.readable("E"), options.value("E")) == ("E", None)
    assert (number("cm").readable("210"), number("cm").value("210")) == ("210 cm", 210.0)
    assert (number("m").readable("long"), number("m").value("long")) == ("long", None)
    assert (COUNT.readable("3"), COUNT.value(" 3\n")) == ("3", 3.0)
    assert (FREE.readable("on the table "), FREE.value("3")) == ("on the table", None)
    assert number("m").value("1" * 5000) is None
