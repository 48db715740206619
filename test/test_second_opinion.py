"""A model's answers held against geometry, of every kind, in the hand-built room."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hand_built_room import room
from hypothesis import given, settings
from hypothesis import strategies as st
from test_questions_doc import EXAMPLES

from spatial_vlm_ros.language.names import scene_names
from spatial_vlm_ros.reasoners.numbering import Numbering
from spatial_vlm_ros.reasoners.question_form import question_form
from spatial_vlm_ros.reasoners.second_opinion import Opinion, compare
from spatial_vlm_ros.reasoning.answer import AGREES, DISAGREES, UNCHECKED
from spatial_vlm_ros.reasoning.geometric import GeometricReasoner

ROOM = room()
NUMBERS = Numbering.of((item.id for item in ROOM.objects), 100)  # <OBJ000> is the sofa, #1
NAMES = scene_names(ROOM)


def opinion(question: str, answer: str) -> Opinion:
    """Of a model's answer, in which objects are numbered as the model knows them."""
    geometric = GeometricReasoner().ask(question, ROOM)
    form = question_form(question, geometric, ROOM)
    return compare(NUMBERS.to_people(answer, NAMES), form, geometric, ROOM)


HOW_MANY = "How many chairs are there?"  # 3
WHAT = "What is #7?"  # a bin
EACH = "What are #3, #7?"
CENTRE = "Where is the centre of #7, as [x, y, z] in metres?"  # [5.60, 2.90, 0.15]
CENTRE_CM = "Where is the centre of #7, as [x, y, z] in cm?"
CELL = "To the nearest metre, at which [x, y] is the centre of #7?"  # [6, 3]
AT = "Which object is at [5.7, 2.9, 0.2]?"  # #7
BOX = "Give the bbox_3d of #7."
HOW_FAR = "How far is the sofa from me?"  # 3.21 m
IN_CM = "How many cm is the lamp from the sofa?"  # 80
NEAR = "How far is the lamp from the sofa?"  # 0.8 m
AREA = "What is the size of this room (in square meters)?"  # 30 m2
VOLUME = "What is the volume of the sofa?"  # 2.0 * 0.9 * 0.8 = 1.44 m3
WHICH = "Which is closer to the sofa: the lamp or the bin?"  # lamp
CHAIR = "Which chair is nearest to the window?"  # the green one, #10
OPTION = "Which of these objects is the closest to the sofa? Options: A. bin B. lamp C. desk"
LONG = "How long is the sofa? A. 1.2 B. 2.1 C. 3.5"
SIDE = "Is the sofa to my left or right?"  # left
WAY = "In which direction is the sofa?"  # front-left
BACK = (
    "If I am standing by the table and facing the desk, is the cabinet to my left, right, or back?"
)
ORDER = (
    "What will be the first-time appearance order of the following categories in the video: "
    "lamp, window, sofa?"
)  # sofa, window, lamp
ON = "Is the blue mug on the desk?"  # no
WITHIN = "Is the lamp within 100 cm of the sofa?"  # yes
WHERE = "Where is the red mug on the table?"  # on the brown table (#2)
LIST = "What is on the table?"  # red mug (#3), blue mug (#4)
PLACE = "Is the bin on or under the desk?"  # under


@pytest.mark.parametrize(
    ("question", "agreeing", "disagreeing", "unchecked"),
    [
        (HOW_MANY, ["3", "There are three chairs.", "3: <OBJ007>, <OBJ008> and <OBJ009>"],
         ["2", "I see no chairs.", "four", "chairs <OBJ003>: 4"], ["some", ""]),
        (HOW_FAR, ["3.2", "2.5", "3.2 m", "The sofa <OBJ000> is 320 cm away.", "10.5 feet"],
         ["2", "4.1", "210 cm", "chair (#3): 8 m", "3.2 cm"], ["far away", "12 m2"]),
        (IN_CM, ["80", "100", "0.8 m", "80 cm", "800 mm", "About 1.0 metres."],
         ["0.8", "8", "120", "2 m"], [""]),
        (NEAR, ["1.0", "0.6", "80 cm", "1"], ["1.1", "0.5", "80"], [""]),
        (WHAT, ["bin", "a black bin"], [], ["a trash can", "lamp"]),
        (EACH, ["#3 mug, #7 bin", "The red mug (#3) and the bin"], [],
         ["#3 bin, #7 mug", "#3 mug", "#7 bin, #3 mug", "#3 lamp and #7 bin", "mugs"]),
        (CENTRE, ["[5.6, 2.9, 0.15]", "At [5.40, 3.00, 0.20]."], ["[5.6, 2.4, 0.15]", "[0, 0, 0]"],
         ["[5.6, 2.9]", "here", "[., -]"]),
        (CENTRE_CM, ["[560, 290, 15]", "[545.0, 300, 10]"], ["[5.6, 2.9, 0.15]"], [""]),
        (CELL, ["[6, 3]"], ["[5, 3]"], ["6"]),
        (AT, ["<OBJ006>", "the bin <OBJ006>"], ["<OBJ005>"], ["there"]),
        (BOX, ['[{"label": "bin", "bbox_3d": [5.62, 2.9, 0.15, 0.3, 0.3, 0.3, 0]}]'],
         ['[{"bbox_3d": [1, 2.9, 0.15, 0.3, 0.3, 0.3, 0]}]', "[]"], ["no box"]),
        (AREA, ["30", "24", "37", "300 square feet"], ["20", "45", "3000"], ["30 m", "big"]),
        (VOLUME, ["1.4", "1.44 m3", "1.5 cubic metres"], ["1.0", "2"], ["1 m"]),
        (WHICH, ["lamp", "The lamp.", "<OBJ010>", "the lamp <OBJ010>", "The light is closer.",
                 "The lamp is closer to the sofa than the bin."],
         ["bin", "<OBJ006>", "The trash can <OBJ006> is closer to the sofa."],
         ["", "I cannot tell.", "The bin is not as close as the lamp."]),
        (OPTION, ["B", "B.", "(B) lamp", "lamp"], ["A", "C. desk", "the bin", "desk"],
         ["E", "Both"]),
        (LONG, ["B", "2.1"], ["A", "3.5"], ["D"]),
        (SIDE, ["left", "To your left.", "front-left", "It's on the left."],
         ["right", "to the right", "front right"], ["behind or left", "north", ""]),
        (WAY, ["front-left", "To the front left.", "to your left"],
         ["front-right", "behind you", "right"], ["right behind you", "there"]),
        (BACK, ["back", "behind you", "Back.", "to the back-left"], ["left", "To your right."],
         [""]),
        (ORDER, ["sofa, window, lamp", "First the sofa, then the window and the lamp."],
         ["lamp, window, sofa", "window, sofa, lamp"], ["sofa, window", "I do not know"]),
        (ON, ["no", "No, it is on the table.", "False"], ["yes", "Yes, on the desk <OBJ005>."],
         ["It is on the table.", "There is no mug."]),
        (WITHIN, ["Yes."], ["No, it is 2 m away."], ["maybe"]),
        ("Are there more chairs than tables?", ["yes"], ["no"], ["more"]),
        ("Is there a piano?", ["No, there is none."], ["Yes, by the wall."], ["piano"]),
        ("Which is taller: the lamp or the desk?", ["lamp", "<OBJ010>"], ["desk"], ["neither"]),
        ("What appeared first: the lamp or the sofa?", ["The sofa."], ["The lamp."], [""]),
        (LIST, ["<OBJ002> and <OBJ003>", "The red mug <OBJ002>, the blue mug <OBJ003> on <OBJ001>"],
         ["<OBJ010>", "<OBJ002>, <OBJ003>, <OBJ010>", "<OBJ002>"], ["mugs", "two mugs", ""]),
        ("What is behind me?", ["Nothing.", "There is nothing behind you."], ["the sofa <OBJ000>"],
         ["a dog"]),
        (PLACE, ["under", "It is under the desk.", "The bin <OBJ006> is under <OBJ005>"],
         ["on", "It is on the desk."], ["on or under", "left"]),
        (CHAIR, ["<OBJ009>"], ["<OBJ007>", "<OBJ007>, not <OBJ009>"],
         ["the chair", "<OBJ009>, which is nearer than <OBJ007>"]),
        (WHERE, ["on the table", "<OBJ002> is on <OBJ001>.", "on the brown table (#2)"],
         ["on the desk", "<OBJ002> is on <OBJ005>."],
         ["beside the blue mug <OBJ003>", "on the right of the sofa", "on a shelf", "here"]),
        ("Go to the chair nearest the window",
         ["<OBJ009>", "I go to <OBJ009>, not to <OBJ007>."],
         ["<OBJ007>", "I go to the sofa.", "<OBJ015>"],
         ["the chair", "From the sofa <OBJ000> to <OBJ009>", "Going."]),
        ("Which chairs are green?", ["<OBJ008>, <OBJ009>"], ["<OBJ007> <OBJ008> <OBJ009>"], []),
    ],
)  # fmt: skip
def test_by_hand(
    question: str, agreeing: list[str], disagreeing: list[str], unchecked: list[str]
) -> None:
    assert {answer: opinion(question, answer).state for answer in agreeing} == dict.fromkeys(
        agreeing, AGREES
    )
    assert {answer: opinion(question, answer).state for answer in disagreeing} == dict.fromkeys(
        disagreeing, DISAGREES
    )
    assert {answer: opinion(question, answer).state for answer in unchecked} == dict.fromkeys(
        unchecked, UNCHECKED
    )


@pytest.mark.parametrize(
    ("question", "answer", "said"),
    [
        (HOW_FAR, "8", "geometry says 3.21 m"),
        (IN_CM, "8", "geometry says 80 cm"),
        (AREA, "8", "geometry says 30 m2"),
        (HOW_MANY, "8", "geometry says 3"),
        (OPTION, "A", "geometry says B. lamp"),
        (WAY, "back", "geometry says front-left"),
        (WHICH, "bin", "geometry says lamp (#11)"),
        (ORDER, "lamp, window, sofa", "geometry says sofa, window, lamp"),
        (ON, "yes", "geometry says no: the blue mug (#4) is on the brown table (#2)"),
        (PLACE, "on", "geometry says under"),
        (LIST, "<OBJ010>", "geometry says red mug, blue mug"),
    ],
)
def test_what_geometry_says(question: str, answer: str, said: str) -> None:
    assert opinion(question, answer).text == said


@pytest.mark.parametrize(
    ("question", "answer", "value"),
    [
        (HOW_FAR, "321 cm", 3.21),
        (HOW_FAR, "8", 8.0),
        (IN_CM, "2 m", 200.0),
        (HOW_MANY, "four", 4.0),
        (OPTION, "C", "desk"),
        (WAY, "To your left, in front", None),
        (WAY, "front left", "front-left"),
        (ON, "Yes, it is.", "yes"),
        (WHICH, "The lamp.", "lamp"),
        (WHICH, "The lamp is.", None),
    ],
)
def test_the_bare_value_of_the_models_answer(
    question: str, answer: str, value: float | str | None
) -> None:
    found = opinion(question, answer).value
    assert found == (pytest.approx(value) if isinstance(value, float) else value)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Where is the zorblax?", "On the table."),
        ("How far is the piano from the sofa?", "2.0"),
        ("What is the meaning of life?", "42"),
        ("Go to the lamp.", "Going."),
        ("Where is the lamp?", "At the wall."),
        ("What colour is the sofa?", "red"),  # a model that sees it knows better
    ],
)
def test_what_geometry_does_not_answer_is_unchecked(question: str, answer: str) -> None:
    found = opinion(question, answer)
    assert (found.state, found.text) == (UNCHECKED, "")


def test_what_geometry_is_not_sure_of_contradicts_nobody() -> None:
    geometric = replace(GeometricReasoner().ask(SIDE, ROOM), confidence=0.5)
    form = question_form(SIDE, geometric, ROOM)
    wrong = compare("right", form, geometric, ROOM)
    assert (wrong.state, wrong.text) == (UNCHECKED, "geometry says left, but is not sure")
    assert compare("left", form, geometric, ROOM).state == AGREES


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ("Turn left at the lamp, then turn left.", AGREES),
        ("turn left, turn right", DISAGREES),
        ("turn left", DISAGREES),
        ("Go on to the desk.", UNCHECKED),
    ],
)
def test_turns_of_a_way_are_compared_in_their_order(answer: str, state: str) -> None:
    question = (
        "You are a robot beginning at the sofa facing the lamp. You want to navigate to the desk. "
        "You will perform the following actions: 1. [please fill in] 2. Go forward until the table "
        "3. [please fill in] 4. Go forward until the desk."
    )
    assert opinion(question, answer).state == state


@pytest.mark.parametrize(("kind", "question", "expected"), EXAMPLES)
def test_geometry_does_not_contradict_itself(kind: str, question: str, expected: str) -> None:
    geometric = GeometricReasoner().ask(question, ROOM)
    form = question_form(question, geometric, ROOM)
    for answer in (expected, geometric.text):
        found = compare(answer, form, geometric, ROOM)
        assert found.state != DISAGREES
        if geometric.answered and kind not in ("command", "where", "list", "colour", "direction"):
            assert found.state == AGREES


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([HOW_MANY, HOW_FAR, AREA, WHICH, OPTION, WAY, ORDER, ON, LIST, PLACE]),
    st.text()
    | st.lists(st.sampled_from("3 1,000 m #7 (#99) left no lamp < A.".split())).map(" ".join),
)
def test_any_answer_has_an_opinion(question: str, answer: str) -> None:
    assert opinion(question, answer).state in (AGREES, DISAGREES, UNCHECKED)
