"""The same things asked in many ways, about the hand-built room: answers worked out on paper."""

from __future__ import annotations

import pytest
from hand_built_room import room

from spatial_vlm_ros.reasoning.answer import Answer
from spatial_vlm_ros.reasoning.geometric import GeometricReasoner

SCENE = room()
FEET, INCHES = 0.3048, 0.0254


def ask(question: str) -> Answer:
    return GeometricReasoner().ask(question, SCENE)


@pytest.mark.parametrize(
    ("question", "value"),
    [
        ("Is there more than one chair?", "yes"),
        ("Are there more than 3 chairs?", "no"),
        ("Are there at least two mugs?", "yes"),
        ("Are there fewer than 3 mugs?", "no"),
        ("are there exactly 3 chairs?", "yes"),
        ("are there two lamps", "no"),
        ("Are there more chairs than tables?", "yes"),
        ("are there more mugs than chairs", "no"),
        ("Are there as many mugs as chairs?", "yes"),
        ("Are there fewer tables than chairs?", "yes"),
        ("is there any lamp in here", "yes"),
        ("Isn't there a lamp?", "yes"),
        ("Is anything on the table?", "yes"),
        ("Is there anything under the table?", "no"),
        ("Is a mug on the table?", "yes"),
        ("Are any of the mugs blue?", "yes"),
        ("is any chair red?", "yes"),
        ("are all the mugs on the table?", "no"),
        ("Is everything on the table red?", "no"),
        ("Is there a sofa or a bed?", "yes"),
        ("is there a sofa and a lamp?", "yes"),
        ("Is there a piano and a lamp?", "no"),
        ("is there a mug on the table and a lamp on the desk", "no"),
        ("Are the lamp and the sofa yellow?", "no"),
        ("what colour are the sofa and the lamp", "blue, yellow"),
        ("What colour's the sofa?", "blue"),
        ("is the blue mug on or under the table", "on"),
        ("Is the bin on or under the desk?", "under"),
        ("Is the box under or on the table?", "neither"),
        ("is the picture above or below the sofa?", "above"),
        ("Is the tv on the cabinet or on the desk?", "on the cabinet"),
        ("is the blue mug on the table or the desk?", "on the table"),
        ("isn't the tv on the cabinet?", "yes"),
        ("Does the tv stand on the cabinet?", "yes"),
        ("does the lamp stand next to the sofa?", "no"),
        ("have you noticed a bin?", "yes"),
        ("Do we have a lamp?", "yes"),
        ("Which of the following is closest to the table: sofa, lamp, bin?", "sofa"),
        ("Which one appeared first, the desk or the bin?", "desk"),
        ("is the lamp on the floor?", "yes"),
        ("Is the blue mug on the floor or on the table?", "on the table"),
        ("are all the chairs on the floor", "yes"),
        ("is the book on the ground?", "no"),  # in the box
        ("what is the lamp on?", "floor"),
        ("is the lamp higher than the sofa?", "yes"),
        ("Is the sofa longer than 1.5 m?", "yes"),
        ("is the lamp taller than 6 feet?", "no"),
        ("Is the lamp more than 1 m from the sofa?", "no"),
        ("is the lamp within 100 cm of the sofa", "yes"),
        ("is the sofa less than 3 m away?", "no"),
        ("what is the lowest object?", "purple book"),
        ("Is the sofa closest to the lamp?", "yes"),
        ("Is the desk closest to the lamp?", "no"),
        ("Is the sofa the tallest?", "no"),
        ("If I stand by the lamp and face the sofa, is the desk on my left?", "no"),
        ("if i stand by the lamp and face the sofa, is the desk on my right", "yes"),
        ("If I stand by the lamp and face the sofa is the desk in front of me?", "yes"),
        ("If I stand by the lamp facing the sofa, is the cabinet behind me?", "no"),  # 115 degrees
        ("If I'm next to the table looking at the desk, is the cabinet behind me?", "yes"),
        ("If I sit on the sofa and look at the tv, is the desk on my left?", "yes"),
        ("Where is the desk from here?", "front"),
        ("which is nearer, the lamp or the sofa", "sofa"),
        ("Which one is closer to the sofa, lamp or bin?", "lamp"),
        ("Of the lamp and the bin, which is closer to the sofa?", "lamp"),
        ("between the lamp and the bin which one's closer to the sofa", "lamp"),
        ("Is the sofa closer to the lamp or to the bin?", "lamp"),
        ("is the sofa nearer to the lamp than to the bin?", "yes"),
        ("Am I closer to the lamp or the sofa?", "sofa"),
        ("am i closer to the sofa than to the lamp?", "yes"),
        ("Are you closer to the lamp or the table?", "table"),
        ("Which is further away, the lamp or the sofa?", "lamp"),
        ("which one is taller the lamp or the sofa", "lamp"),
        ("which of these is the tallest: lamp, sofa, desk", "lamp"),
        ("what order did the lamp, the sofa and the window appear in?", "sofa, window, lamp"),
        ("Order of appearance of lamp, sofa, window", "sofa, window, lamp"),
        ("Which is closer to the sofa? A. lamp B. bin", "lamp"),
        ("Which is taller? A. bin B. lamp", "lamp"),
        ("What colour is the sofa? a) red b) blue", "blue"),
    ],
)
def test_words(question: str, value: str) -> None:
    answer = ask(question)
    assert answer.answered, answer.text
    assert answer.value == value, answer.text


@pytest.mark.parametrize(
    ("question", "value", "unit"),
    [
        ("Count all the chairs in the room", 3, ""),
        ("How many of the chairs are green?", 2, ""),
        ("how many cups do we have?", 3, ""),
        ("What's the total number of mugs?", 3, ""),
        ("how many mugs in all", 3, ""),
        ("How many sofas and chairs are there?", 4, ""),
        ("Could you count the chairs for me?", 3, ""),
        ("How far's the lamp from the sofa?", 0.8, "m"),
        ("How many centimeters is the lamp from the sofa?", 80, "cm"),
        ("How many metres are there between the lamp and the sofa?", 0.8, "m"),
        ("how many cm between the lamp and the sofa?", 80, "cm"),
        ("How many meters apart are the lamp and the sofa?", 0.8, "m"),
        ("How far is the lamp from the sofa in feet?", 0.8 / FEET, "ft"),
        ("how far is the lamp from the sofa in inches", 0.8 / INCHES, "in"),
        ("How far is the lamp from the sofa in millimeters?", 800, "mm"),
        ("how many feet is it from the lamp to the sofa?", 0.8 / FEET, "ft"),
        ("How far away from me is the lamp?", 3.3, "m"),
        ("how far am I from the lamp", 3.3, "m"),
        ("how far is the lamp from the robot?", 3.3, "m"),
        ("how far is it to the lamp?", 3.3, "m"),
        ("How far is it to the lamp from here", 3.3, "m"),
        ("What is the sofa's height?", 0.8, "m"),
        ("what is the lamp's height in cm?", 150, "cm"),
        ("How tall is the lamp in inches?", 1.5 / INCHES, "in"),
        ("how many cm tall is the lamp?", 150, "cm"),
        ("How many meters long is the sofa?", 2, "m"),
        ("how long is the longest side of the sofa", 2, "m"),
        ("what number of chairs do you see?", 3, ""),
        ("How far are the sofa and the table apart?", 1.65, "m"),
        ("give me the distance between the lamp and the sofa", 0.8, "m"),
        ("how much floor space is there?", 30, "m2"),
        ("What is the floor area?", 30, "m2"),
        ("How big is the room in square feet?", 30 / FEET**2, "ft2"),
        ("how many square feet is the room", 30 / FEET**2, "ft2"),
    ],
)
def test_numbers(question: str, value: float, unit: str) -> None:
    answer = ask(question)
    assert answer.answered, answer.text
    assert answer.unit == unit
    assert answer.value == pytest.approx(value), answer.text


@pytest.mark.parametrize(
    ("question", "ids"),
    [
        ("Wheres the lamp", (11,)),
        ("Where did you last see the lamp?", (11,)),
        ("go to the lamp, robot", (11,)),
        ("take me over to the tv", (13,)),
        ("where can i find a mug?", (3, 4, 5)),
        ("where did I leave my book", (16,)),
        ("I'm looking for the book", (16,)),
        ("where's the garbage can at?", (7,)),
        ("which chair is green?", (9, 10)),
        ("what is red?", (3, 5, 8)),
        ("what's on the floor?", (1, 2, 6, 7, 8, 9, 10, 11, 14, 17)),
        ("whats on the table", (3, 4)),
        ("what does the box contain?", (16,)),
        ("what does the table have on it?", (3, 4)),
        ("what is the book in?", (17,)),
        ("what is the bin under?", (6,)),
        ("What's left of the sofa?", (11, 14, 13)),  # not the picture over it
        ("Which chair's nearest to the window", (10,)),
        ("what did you see first", (1,)),
        ("What was the first thing you saw?", (1,)),
        ("what's the last thing you saw?", (16,)),
        ("Which mug did you see last?", (5,)),
        ("what was the second thing you saw?", (2,)),
        ("where is the last chair?", (10,)),
        ("Where are the lamp and the sofa?", (11, 1)),
        ("Can you find a red mug?", (3,)),  # the nearer of two
        ("go to the red mug's table", (2,)),
        ("Where is the table's red mug?", (3,)),
        ("go to the table with the blue mug", (2,)),
        ("Go to a chair", (8,)),
        ("I want to go to the lamp", (11,)),
        ("let's go to the lamp", (11,)),
        ("head for the lamp", (11,)),
        ("turn around to face the lamp", (11,)),
        ("stand in front of the tv", (13,)),
        ("goto the lamp", (11,)),
        ("which chairs are within 1.2 m of the table?", (8, 9)),  # 0.15, 0.15 and 1.43 m away
        ("which chairs are less than four feet away from the table?", (8, 9)),
        ("which chairs are no more than 1.5 m from the table?", (8, 9, 10)),
        ("what is within half a metre of the bin?", (6,)),
        ("what is within 2 m of me?", (2, 3, 8, 12, 13, 14)),
    ],
)
def test_objects(question: str, ids: tuple[int, ...]) -> None:
    answer = ask(question)
    assert answer.answered, answer.text
    assert answer.objects == ids, answer.text


@pytest.mark.parametrize(
    ("question", "why"),
    [
        ("what is above me?", "cannot tell what is above me"),
        ("Is the lamp on you?", "cannot tell what is on me"),
        ("what did you see before the lamp", "did not understand"),  # not: in front of it
        ("is the bin under the desk and the book in the box", "one thing at a time"),
        ("is the lamp left of the sofa and the box to the right", "one thing at a time"),
        ("Is the chair near the table or the desk?", "Which chair?"),
        ("are there more than chairs", "How many?"),
        ("Which is closest to the sofa: the chair or the bin? A. chair B. bin", "Which chair?"),
        ("Which is closest to the sofa? A. bench B. piano", "None of the options"),
        ("Is the red mug near the window or closest to the lamp?", "Which red mug?"),
        ("Is the lamp near the window or closest to the sofa?", "which of two places"),
        ("where are the lamp and the piano?", "no piano"),
        ("go to the lamp's sofa", "no sofa of the lamp"),
        ("go to the lamp and the sofa", "did not understand"),
        ("don't go to the lamp", "did not understand"),
        ("If I stand by the fridge and face the sofa, is the desk on my left?", "no fridge"),
        ("If I stand by the chair and face the sofa, is the desk on my left?", "Which chair?"),
        ("what is the picture on?", "nothing that the green picture (#15) rests on"),
        ("Where is the floor?", "no object to me"),
        ("go to the floor", "no object to me"),
        ("what is under the floor", "no object to me"),
        ("find red", "did not understand"),
        ("where is the lampe", 'Did you mean "lamp"?'),
    ],
)
def test_refusals(question: str, why: str) -> None:
    answer = ask(question)
    assert not answer.answered
    assert why in answer.text
    assert answer.goal is None


def test_options_in_another_unit() -> None:
    answer = ask("how far is the lamp from the sofa?\nOptions:\nA. 20 cm\nB. 90 cm\nC. 3 m")
    assert answer.value == "90 cm"
    assert ask("How tall is the lamp in feet? A. 1.5 B. 5 C. 8").value == "5"


def test_a_tie_among_the_smallest_is_said() -> None:
    answer = ask("What is the smallest mug?")  # all three are of one size
    assert answer.confidence == 0.5
    assert "within measuring error" in answer.text


def test_what_is_on_a_thing_is_at_none_of_its_sides() -> None:
    for side in ("to the left of", "to the right of", "in front of", "behind"):
        assert not {3, 4} & set(ask(f"What is {side} the table?").objects)
