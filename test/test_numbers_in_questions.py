"""Objects named by number, and what is asked in numbers, about the hand-built room."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hand_built_room import room

from spatial_vlm_ros.reasoning.answer import Answer
from spatial_vlm_ros.reasoning.geometric import GeometricReasoner, find_objects
from spatial_vlm_ros.scene.graph import ObjectState, SceneGraph

SCENE = room()


def ask(question: str, scene: SceneGraph = SCENE) -> Answer:
    return GeometricReasoner().ask(question, scene)


def with_state(number: int, state: ObjectState) -> SceneGraph:
    objects = (replace(o, state=state) if o.id == number else o for o in SCENE.objects)
    return replace(SCENE, objects=tuple(objects))


@pytest.mark.parametrize(
    ("by_number", "by_name"),
    [
        ("How far is #11 from #1?", "How far is the lamp from the sofa?"),
        ("How far is the lamp (#11) from the sofa #1 in feet?", "How far is it from the lamp to "
         "the sofa in feet?"),
        ("how far apart are #1 and #11", "how far is the sofa from the lamp"),
        ("How tall is #6?", "How tall is the desk?"),
        ("What is #6's height?", "What is the height of the desk?"),
        ("Where is #7?", "Where is the bin?"),
        ("What is on #2?", "What is on the table?"),
        ("how many things are on the table (#2)?", "how many things are on the table"),
        ("Is #4 on #2?", "Is the blue mug on the table?"),
        ("Is #7 on or under #6?", "Is the bin on or under the desk?"),
        ("Is #2 between #8 and #6?", "Is the table between the red chair and the desk?"),
        ("If I am standing by #11 and facing #1, is #6 to my front-left, front-right, back-left, "
         "or back-right?", "If I am standing by the lamp and facing the sofa, is the desk to my "
         "front-left, front-right, back-left, or back-right?"),
        ("Is #1 to my left or right?", "Is the sofa to my left or right?"),
        ("Is #14 left of #2?", "Is the cabinet to the left of the table?"),
        ("Is #11 closer to #1 than #6?", "Is the lamp closer to the sofa than the desk?"),
        ("Is #1 longer than the desk (#6)?", "Is the sofa longer than the desk?"),
        ("Did #12 appear before #6?", "Did the window appear before the desk?"),
        ("Which chair is nearest to #12?", "Which chair is nearest to the window?"),
        ("Go to #11.", "Go to the lamp."),
        ("Is the couch (#1) blue?", "Is the sofa blue?"),
        ("Is #1 the tallest?", "Is the sofa the tallest?"),
    ],
)  # fmt: skip
def test_a_number_is_as_good_as_a_name(by_number: str, by_name: str) -> None:
    one, other = ask(by_number), ask(by_name)
    assert other.answered, other.text
    assert replace(one, text="") == replace(other, text="")


@pytest.mark.parametrize(
    ("question", "value", "objects"),
    [
        ("Which is closer to #3: #1 or #2?", "#2", (2,)),
        ("Which of these objects is the tallest? A. #3 B. the desk C. the lamp (#11)",
         "the lamp (#11)", (11,)),
        ("What is #7? A. lamp B. bin C. chair D. tv", "bin", (7,)),
        ("Is the second chair #9 green?", "yes", (9,)),
        ("Is the green chair #9 on the table?", "no", (9,)),
        ("Is #8 a red chair?", "yes", (8,)),
        ("Is #8 a green chair?", "no", (8,)),
        ("Is #13 a television?", "yes", (13,)),
        ("Is #13 a lamp?", "no", (13,)),
        ("are #3, #4 and #5 of the same colour", "no", (3, 4, 5)),
        ("are #3 and #5 of the same colour", "yes", (3, 5)),
        ("Are #3 and #11 of the same category?", "no", (3, 11)),
        ("What are the numbers of all mugs?", "#3, #4, #5", (3, 4, 5)),
        ("Which objects are pianos?", "none", ()),
        ("What are #7, #3?", "#7 bin, #3 mug", (7, 3)),
        ("What are #3 and #7? A. #3 bin, #7 mug B. #3 mug, #7 bin", "#3 mug, #7 bin", (3, 7)),
        ("Name these: #1, #2, #3.", "#1 sofa, #2 table, #3 mug", (1, 2, 3)),
        ("Name the mugs.", "red mug, blue mug, red mug", (3, 4, 5)),
        ("What is the number of the lamp? A. 7 B. 11 C. 1", "11", (11,)),
        ("What is the number of lamps? A. 7 B. 11 C. 1", "1", (11,)),
        ("How far is #7 from #1? A. #2 B. 5", "5", (7, 1)),
        ("Which object is at [5.7, 2.9, 0.2]?", "#7", (7,)),
        ("Which object is at [5.7, 2.9, .2]?", "#7", (7,)),
        ("Which object is at [570, 290, 20] in cm?", "#7", (7,)),
        ("What is within .5 m of #7?", "white desk", (6,)),
        ("Where is the centre of #7, as [x, y, z]? A. [-5.6, 2.9, 0.15] B. [5.6, 2.9, 0.15]",
         "[5.6, 2.9, 0.15]", (7,)),
        ("Give the length, width and height of the sofa as [l, w, h].", "[2.00, 0.90, 0.80]", (1,)),
        ("What are the 3D bounding boxes of all pianos?", "[]", ()),
        ("Which object is meant: standing at the sofa and facing the table, the chair to the "
         "right?", "#8", (8,)),
    ],
)  # fmt: skip
def test_answers(question: str, value: str, objects: tuple[int, ...]) -> None:
    answer = ask(question)
    assert answer.answered, answer.text
    assert (answer.value, answer.objects) == (value, objects)


@pytest.mark.parametrize(
    ("question", "why"),
    [
        ("What is #99?", "I know no object #99."),
        ("Where is the chair #99?", "I know no object #99."),
        ("How far is #99 from #1?", "I know no object #99."),
        ("What is on #99?", "I know no object #99."),
        ("Which is closer to #3: #1 or #99?", "I know no object #99."),
        ("Which of these is the tallest? A. #1 B. #99", "I know no object #99."),
        ("Where is the lamp #7?", "#7 is the black bin, no lamp."),
        ("How tall is the chair (#2)?", "#2 is the brown table, no chair."),
        ("How far is the piano (#7) from #1?", "#7 is the black bin, no piano."),
        ("Where is the zorblax #7?", 'I do not know what "zorblax" is.'),
        ("Where is the red bin #7?", "I have seen no red bin #7, only black."),
        ("How tall is the second chair #8?", "The red chair (#8) is not the chair that is meant."),
        ("How tall is the bin #7 on the table?", "I have seen no bin #7 on the table."),
        ("What are #7, #99 and #3?", "I know no object #99."),
        ("Which object is at [9, 9, 9]?", "I know nothing there"),
        ("Which object is at [−5.7, 2.9, 0.2]?", "I know nothing there"),
        ("Where is the centre of #7, as [x, y, z]? A. [−5.6, 2.9, 0.15] B. [5.6, −2.9, 0.15]",
         "None of the options fits."),
        ("Give the coordinates of #7 in the map as [x, y, z].", 'I do not know what "map" is.'),
        ("Where is the centre of #7 in the image, as [x, y, z]?", "I do not know what"),
        ("Give the bbox_3d of #7 in cm.", "I write boxes in metres only."),
        ("Which of these is the closest to #7? A. #3 B. #7", "The black bin (#7): there is no"),
        ("Is #7 closer to #7 than #6?", "The black bin (#7): there is no distance to itself."),
        ("What is the number of the chair?", "Which chair? I know 3"),
        ("Is #8 two chairs?", "I did not understand"),
        ("Is #8 a small chair?", "I did not understand"),
        ("Which of these is the tallest? A. the desk B. the lamp C. none of these",
         'I do not know what the option "none of these" is.'),
        ("What is #99999999999999999999?", "I did not understand"),
    ],
)  # fmt: skip
def test_what_does_not_fit_a_number_is_refused(question: str, why: str) -> None:
    answer = ask(question)
    assert not answer.answered
    assert answer.text.startswith(why)


def test_what_is_gone_or_doubtful_is_refused_by_name() -> None:
    gone = with_state(7, ObjectState.MISSING)
    assert ask("How tall is #7?", gone).text == "The black bin (#7) is no longer there."
    assert find_objects("#7", gone, include_missing=True).objects == (7,)
    doubtful = with_state(7, ObjectState.TENTATIVE)
    assert ask("How tall is #7?", doubtful).text == "The black bin (#7) is not certain to be there."


def test_what_has_no_known_colour_may_have_any() -> None:
    objects = tuple(replace(o, colour="") if o.id == 8 else o for o in SCENE.objects)
    scene = replace(SCENE, objects=objects)
    assert ask("Is #8 a red chair?", scene).text == "I am not sure of the colour of the chair (#8)."
    assert ask("Is #8 a red table?", scene).value == "no"


def test_what_something_is_is_as_sure_as_where() -> None:
    where, what = ask("Is #8 in front of me?"), ask("Is #8 a chair in front of me?")
    assert (where.value, where.confidence) == (what.value, what.confidence) == ("yes", 0.5)


def test_words_for_the_same_thing_are_neither_alike_nor_different() -> None:
    objects = tuple(
        replace(o, label={1: "couch", 2: "coffee table", 6: "table"}.get(o.id, o.label))
        for o in (*SCENE.objects, replace(SCENE[1], id=30))
    )
    scene = replace(SCENE, objects=objects)
    assert ask("Is #30 a couch?", scene).text == "The blue sofa (#30) may be called couch, too."
    assert not ask("Are #1 and #30 the same kind of object?", scene).answered
    assert not ask("Are #2 and #6 the same kind of object?", scene).answered
    assert ask("Is #2 a table?", scene).value == "yes"


def test_coordinates_below_zero_and_in_other_units() -> None:
    lower = replace(SCENE[7], box=replace(SCENE[7].box, x=-1.25, z=-0.004))
    scene = replace(SCENE, objects=(*(o for o in SCENE.objects if o.id != 7), lower))
    centre = "Where is the centre of #7, as [x, y, z] in "
    assert ask(f"{centre}metres?", scene).value == "[-1.25, 2.90, 0.00]"
    assert ask(f"{centre}cm?", scene).value == "[-125.00, 290.00, -0.40]"
    assert ask("Which object is at [-1.2, 2.9, 0]?", scene).objects == (7,)
    assert not ask("Which object is at [1.2, 2.9, 0]?", scene).answered


@pytest.mark.parametrize(
    "question",
    [
        "Where is the centre of #7, as [x, y, z] in metres?",
        "What are the dimensions of #7?",
        "Give the bbox_3d of #7.",
        "How far is the centre of #7 from the first camera?",
        "How far above the floor is the top of #7?",
        "Which object is at [5.7, 2.9, 0.2]?",
    ],
)
def test_numbers_are_as_sure_as_the_scale(question: str) -> None:
    rough = ask(question, replace(SCENE, scale_spread=0.1))
    assert rough.spread > 0 or rough.warnings == ("lengths here are known to ± 10 %",)
    assert not ask(question, replace(SCENE, scale_spread=float("inf"))).answered


def test_heights_need_a_floor() -> None:
    answer = ask("How far above the floor is the top of #7?", replace(SCENE, floor=None))
    assert answer.text == "I have seen no floor yet."


@pytest.mark.parametrize(
    ("question", "value"),
    [
        ("Is the second chair green?", "yes"),  # not: the second green chair
        ("Is the first mug blue?", "no"),
        ("Is the tallest chair on the table?", "no"),
    ],
)
def test_what_is_asked_of_an_object_does_not_choose_it(question: str, value: str) -> None:
    assert ask(question).value == value
