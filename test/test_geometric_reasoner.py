"""Questions about a hand-built room: wordings, refusals, confidence, multiple choice."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hand_built_room import ROOM, floor_under, graph, room, thing

from spatial_vlm_ros.reasoning.answer import Answer
from spatial_vlm_ros.reasoning.geometric import GeometricReasoner, find_objects
from spatial_vlm_ros.scene.graph import ObjectState, SceneGraph

SCENE = room()


def ask(question: str, scene: SceneGraph = SCENE) -> Answer:
    return GeometricReasoner().ask(question, scene)


@pytest.mark.parametrize(
    "question",
    [
        "How many chairs are there?",
        "How many chair(s) are in this room?",
        "how many chairs do you see",
        "How many chairs can you see in the room?",
        "Can you tell me how many chairs there are?",
        "How many chairs have you seen so far?",
        "Count the chairs, please.",
        "What is the number of chairs in the scene?",
        "HOW MANY CHAIRS?",
    ],
)
def test_counting_wordings(question: str) -> None:
    answer = ask(question)
    assert (answer.answered, answer.value, answer.objects) == (True, 3.0, (8, 9, 10))


@pytest.mark.parametrize(
    ("question", "ids"),
    [
        ("What is on the table?", (3, 4)),
        ("What's on top of the table?", (3, 4)),
        ("Which objects are on the table?", (3, 4)),
        ("Which mug is on the desk?", (5,)),
        ("What is the blue mug on?", (2,)),
        ("What does the tv stand on?", (14,)),
        ("What is under the blue mug?", (2,)),
        ("What is beneath the desk?", (7,)),
        ("What is below the picture?", (1,)),
        ("What is in the box?", (16,)),
        ("What is next to the table?", (8, 9)),
        ("What is closest to the lamp?", (1,)),
        ("Which chair is the closest to the tv?", (8,)),
        ("Which is the tallest object?", (11,)),
        ("What is the tallest chair?", (8,)),
        ("the green chair nearest the window", (10,)),
        ("Where is the mug under the picture?", ()),
        ("Where is the red mug on the desk?", (5,)),
        ("Where is the mug closest to the bin?", (5,)),
        ("Where is the third chair?", (10,)),
        ("Where is the chair between the table and the desk?", (9,)),
        ("Where is the couch?", (1,)),
        ("Where is the television?", (13,)),
        ("Where is the trash can?", (7,)),
        ("Where is the painting?", (15,)),
        ("Is there a mug on the desk?", (5,)),
        ("What is to my right?", (12,)),
    ],
)
def test_which_objects(question: str, ids: tuple[int, ...]) -> None:
    answer = ask(question)
    assert answer.objects == ids, answer.text
    assert set(answer.objects) <= set(answer.evidence)


@pytest.mark.parametrize(
    ("question", "value"),
    [
        ("Is the bin under the desk?", "yes"),
        ("Is the bin under the table?", "no"),
        ("Is the red chair next to the table?", "yes"),
        ("Is the blue mug red?", "no"),
        ("Is the lamp left of the sofa?", "yes"),
        ("Is the lamp to my right or behind me?", "left"),  # neither, and it says so
        ("Is the sofa to my left or to my front-right?", "front-left"),
        ("Is the desk to the left or to the right of the table?", "right"),
        ("Is the table in front of or behind the sofa?", "front"),
        ("Is the sofa behind the table?", "no"),
        ("On which side of me is the window?", "right"),
        ("Which direction is the sofa?", "front-left"),
        ("Which is bigger, the sofa or the desk?", "sofa"),
        ("Which of the lamp, the desk and the bin is the smallest?", "bin"),
        ("Is the desk or the cabinet closer to the table?", "desk"),
        ("Is the desk further from the sofa than the lamp?", "yes"),
        ("Which is furthest from the sofa: the lamp, the desk or the window?", "window"),
        ("Which appeared first: the bin, the lamp or the table?", "table"),
        ("Which chair appeared last?", "green chair"),
        ("Did you see the sofa after the table?", "no"),
        ("What colour are the mugs?", "red, blue"),
    ],
)
def test_words(question: str, value: str) -> None:
    answer = ask(question)
    assert answer.answered, answer.text
    assert answer.value == value, answer.text


def test_distance_of_a_turned_box() -> None:
    # desk: x 5.25 to 5.95; green chair at (4, 2): x up to 4.25; both span y = 2.
    answer = ask("How far apart are the desk and the chair closest to the desk?")
    assert answer.value == pytest.approx(1.0)
    assert answer.objects == (6, 9)


def test_distance_to_what_hangs_higher_than_the_camera() -> None:
    # window: 1.4 m to the side, 0.94 m before the robot, its lower edge at 1.0 < camera 1.2.
    assert ask("How far is the window from me?").value == pytest.approx(np.hypot(1.4, 0.94))
    lifted = thing(12, "window", (3.0, 0.03, 2.0, 1.2, 0.06, 1.0, 0.0))  # lower edge at 1.5
    answer = ask("How far is the window from me?", graph((lifted,), floor_under((lifted,))))
    assert answer.value == pytest.approx(np.sqrt(1.4**2 + 0.94**2 + 0.3**2))


def test_room_size_counts_what_objects_hide_and_small_gaps_only() -> None:
    objects = SCENE.objects
    floor = floor_under(objects)
    assert floor.seen.mean() < 0.95
    seen = floor.seen.copy()
    seen[10:18, 84:92] = False  # 0.4 m by 0.4 m not seen, floor all round: counted
    seen[70:, 60:90] = False  # 1.5 m by 1.5 m at the wall: not enclosed but for the sofa
    holes = dataclasses.replace(floor, seen=seen)
    answer = ask("How big is the room?", dataclasses.replace(SCENE, floor=holes))
    assert answer.unit == "m2"
    # Of the 2.25 m2 at the wall, the sofa covers x 3.0 to 4.0, y 4.05 to 4.95.
    assert answer.value == pytest.approx(30.0 - (2.25 - 0.9), abs=0.08)


@pytest.mark.parametrize(
    ("c", "degrees", "two", "three", "four", "eight"),
    [
        ((4.0, 1.0), 14.0, "left", "left", "front-left", "front"),
        ((4.0, -3.0), -36.9, "right", "right", "front-right", "front-right"),
        ((0.0, 3.0), 90.0, "left", "left", None, "left"),
        ((-2.0, 3.0), 123.7, "left", "left", "back-left", "back-left"),
        ((-4.0, 1.0), 166.0, "left", "back", "back-left", "back"),
        ((-4.0, -3.0), -143.1, "right", "back", "back-right", "back-right"),
    ],
)
def test_egocentric_directions(
    c: tuple[float, float],
    degrees: float,
    two: str,
    three: str,
    four: str | None,
    eight: str,
) -> None:
    """Standing at the origin facing +x, then everything turned by 50 degrees about (7, -2)."""
    cos, sin = np.cos(np.radians(50)), np.sin(np.radians(50))

    def placed(number: int, label: str, x: float, y: float) -> object:
        turned = (7 + cos * x - sin * y, -2 + sin * x + cos * y)
        return thing(number, label, (*turned, 0.5, 0.2, 0.2, 1.0, 0.0))

    scene = graph((placed(1, "stove", 0, 0), placed(2, "sofa", 2, 0), placed(3, "tv", *c)))  # type: ignore[arg-type]
    start = "If I am standing by the stove and facing the sofa, "
    assert ask(start + "is the tv to the left or the right of the sofa?", scene).value == two
    medium = start + "is the tv to my left, right, or back?\nAn object is to my back if I would "
    medium += "have to turn at least 135 degrees in order to face it."
    assert ask(medium, scene).value == three
    hard = start + "is the tv to my front-left, front-right, back-left, or back-right? The "
    hard += (
        "directions refer to the quadrants of a Cartesian plane (if I am standing at the origin "
    )
    hard += "and facing along the positive y-axis)."
    if four is not None:
        assert ask(hard, scene).value == four
    answer = ask(start + "where is the tv?", scene)
    assert answer.value == eight
    assert f"{abs(degrees):.0f} degrees" in answer.text


def test_near_a_border_the_confidence_is_halved() -> None:
    def answer(y: float) -> Answer:
        scene = graph(
            (
                thing(1, "stove", (0, 0, 0.5, 0.2, 0.2, 1, 0)),
                thing(2, "sofa", (2, 0, 0.5, 0.2, 0.2, 1, 0)),
                thing(3, "tv", (4, y, 0.5, 0.2, 0.2, 1, 0)),
            )
        )
        question = "If I stand by the stove and face the sofa, is the tv to my left or right?"
        return ask(question, scene)

    assert (answer(1.0).value, answer(1.0).confidence) == ("left", 1.0)
    assert (answer(0.3).value, answer(0.3).confidence) == ("left", 0.5)  # 4.3 degrees


def test_a_near_tie_is_said_and_lowers_the_confidence() -> None:
    answer = ask(
        "Which is closer to the window: the red chair or the chair between the table and the desk?"
    )
    assert answer.confidence == 0.5
    assert "within measuring error" in answer.text
    assert ask("Which is closer to the sofa: the lamp or the bin?").confidence == 1.0


def test_confidence_follows_the_label_votes() -> None:
    unsure = graph((thing(1, "lamp", (2, 2, 0.5, 0.3, 0.3, 1, 0), score=0.6),))
    assert ask("Is there a lamp?", unsure).confidence == pytest.approx(0.6)


def test_an_ambiguous_referent_lists_its_candidates() -> None:
    answer = ask("How far is the red mug from the sofa?")
    assert not answer.answered
    assert answer.candidates == (3, 5)
    assert "#3 red mug, on the brown table (#2)" in answer.text
    assert "#5 red mug, on the white desk (#6)" in answer.text
    assert answer.objects == ()
    assert answer.value is None


def test_what_must_be_refused() -> None:
    for question, why in {
        "Where is the piano?": "no piano",
        "How far is the piano from the sofa?": "no piano",
        "Where is the frobnicator?": 'what "frobnicator" is',
        "Where is the purple mug?": "no purple mug, only blue and red",
        "Is the lamp on the piano?": "no piano",
        "How far is the sofa from the sofa?": "no distance",
        "Which chair is nearest to the mug?": "Which mug?",
        "": "no question",
        "Where is the lamp, " * 20: "up to 60 words",
        "Are there no chairs?": "did not understand",
        "How many chairs are not red?": "did not understand",
        "Sing a song": "did not understand",
        "Is there a sofa? Is there a lamp?": "did not understand",
        "Where is the lamp nearest to the lamp?": "no other lamp",
        "Come to me": "That is me",
        "Are you near the sofa?": "That is me",
        "Is the sofa bigger than you?": "That is me",
    }.items():
        answer = ask(question)
        assert not answer.answered, question
        assert why in answer.text, (question, answer.text)
        assert answer.confidence == 0.0


def test_without_robot_pose_or_floor_it_says_so() -> None:
    lost = dataclasses.replace(SCENE, T_scene_robot=None)
    assert "where I am" in ask("How far is the sofa from me?", lost).text
    assert "where I am" in ask("Is the sofa to my left or right?", lost).text
    assert ask("How far is the sofa from the lamp?", lost).value == pytest.approx(0.8)
    assert ask("Where is the lamp?", lost).answered
    bare = dataclasses.replace(SCENE, floor=None)
    assert "no floor" in ask("How big is this room?", bare).text
    assert "no floor" in ask("Go to the lamp", bare).text


def test_the_empty_scene() -> None:
    empty = graph(())
    assert ask("How many chairs are there?", empty).value == 0.0
    assert ask("Is there anything here?", empty).value == "no"
    assert "nothing yet" in ask("Where is the gizmo?", empty).text
    assert not ask("Where is the chair?", empty).answered


def test_only_confirmed_objects_count() -> None:
    states = (ObjectState.CONFIRMED, ObjectState.TENTATIVE, ObjectState.MISSING)
    scene = graph(
        tuple(
            thing(i, "chair", (i, 0, 0.5, 0.4, 0.4, 1, 0), state=state)
            for i, state in enumerate(states, 1)
        )
    )
    assert ask("How many chairs are there?", scene).objects == (1,)
    assert find_objects("chair", scene).objects == (1,)
    assert find_objects("chair", scene, include_missing=True).objects == (1, 2, 3)


def test_multiple_choice() -> None:
    question = "Which of these objects (bin, lamp, desk) is the closest to the sofa?"
    answer = ask(f"{question}\nOptions:\nA. bin\nB. lamp\nC. desk")
    assert (answer.value, answer.objects) == ("lamp", (11,))
    assert answer.text.startswith("B. lamp")
    turned = ask(
        "If I am standing by the lamp and facing the sofa, is the desk to my left, right, or back? "
        "(A) back (B) left (C) right"
    )
    assert turned.text.startswith("C. right")
    order = ask(
        "What will be the first-time appearance order of the following categories in the video: "
        "window, lamp, sofa? Options: A. window, lamp, sofa B. sofa, window, lamp"
    )
    assert order.value == "sofa, window, lamp"
    none = ask("What colour is the sofa? A. red B. green")
    assert not none.answered
    assert "None of the options" in none.text


def test_closest_of_many() -> None:
    question = "Which of these objects (chair, lamp, bin) is the closest to the window?"
    assert not ask(question).answered  # which chair?
    answer = ask(
        f"Measuring from the closest point of each object, {question[0].lower()}{question[1:]} If "
        "there are multiple instances of an object category, measure to the closest."
    )
    assert (answer.value, answer.objects) == ("chair", (10,))


def test_find_objects() -> None:
    assert find_objects("chair", SCENE).objects == (8, 9, 10)
    assert find_objects("the chairs", SCENE).objects == (8, 9, 10)
    assert find_objects("the red mug on the table", SCENE).objects == (3,)
    assert find_objects("things on the table", SCENE).objects == (3, 4)
    assert find_objects("two chairs nearest to the table", SCENE).objects == (8, 9)
    assert find_objects("the largest chair of the green chairs", SCENE).answered is False
    none = find_objects("purple chair", SCENE)
    assert (none.answered, none.objects) == (True, ())
    assert "only green and red" in none.text
    unknown = find_objects("the flux capacitor", SCENE)
    assert not unknown.answered
    assert "flux capacitor" in unknown.text


def test_labels_of_the_scene_are_the_vocabulary() -> None:
    scene = graph(
        (
            thing(1, "Flux_Capacitor", (2, 0, 0.5, 0.4, 0.4, 1, 0)),
            thing(2, "dining table", (4, 0, 0.5, 1.4, 0.8, 0.7, 0)),
            thing(3, "orange", (4, 0, 0.9, 0.1, 0.1, 0.1, 0), "orange"),
            thing(4, "orange", (4.4, 0, 0.9, 0.1, 0.1, 0.1, 0), "green"),
            thing(5, "bookshelf", (7, 0, 1, 1, 0.4, 2, 0)),
            thing(6, "bookshelf", (9, 0, 1, 1, 0.4, 2, 0)),
        )
    )
    assert ask("Where is the flux capacitor?", scene).objects == (1,)
    assert ask("How many flux capacitors are there?", scene).value == 1.0
    assert ask("How far is the table from me?", scene).objects == (2,)
    assert ask("How many oranges are on the table?", scene).value == 2.0
    assert ask("Where is the orange orange?", scene).objects == (3,)
    assert ask("How many bookshelves are there?", scene).value == 2.0


def test_the_room_is_what_its_table_says() -> None:
    assert {o.id: o.label for o in SCENE.objects} == {n: row[0] for n, row in ROOM.items()}


def test_among_many_a_phrase_is_refused_with_some_of_what_it_could_mean() -> None:
    spots = np.random.default_rng(0).uniform(0, 20, (300, 2))
    labels = ("chair", "lamp", "table")
    things = tuple(
        thing(i, labels[i % 3], (x, y, 0.4, 0.5, 0.5, 0.8, 0.0)) for i, (x, y) in enumerate(spots)
    )
    scene = SceneGraph(things, (), (), (), None, np.eye(4), 0, 1)
    for question in ("What is nearest to the chair?", "Where is the chair?"):
        answer = ask(question, scene)
        assert not answer.answered and len(answer.candidates) == 100
        assert answer.text.startswith("Which chair? I know 100: #0 chair")
        assert answer.text.endswith("; and 88 more.")
        assert answer.text.count(";") == 12


@pytest.mark.parametrize(
    ("begin", "facing", "stops", "said"),
    [
        ("lamp", "sofa", "sofa, window", "turn right"),
        ("window", "table", "table, lamp", "turn left"),
        ("lamp", "sofa", "sofa, lamp", "turn back"),
        ("lamp", "sofa", "sofa, window, lamp, desk", "turn right, turn back, turn back"),
        ("lamp", "sofa", "sofa, desk, end", "The last action does not lead to the yellow lamp"),
        ("tv", "cabinet", "cabinet, sofa", "Two stops of the way are in the same place"),
        ("lamp", "piano", "sofa, window", "I have seen no piano"),
    ],
)
def test_turns_of_a_way(begin: str, facing: str, stops: str, said: str) -> None:
    """Seen from above: lamp (1, 4.5), sofa (3, 4.5), table (3, 2), window (3, 0), desk (5.6, 2.5):
    at the window it is 156 degrees to the lamp, there 138 to the desk.
    """
    names = stops.split(", ")
    end = "lamp" if names[-1] == "end" else names[-1]
    walked = [name for name in names if name != "end"]
    steps = " [please fill in] ".join(f"Go forward until the {name}" for name in walked)
    answer = ask(
        f"You are a robot beginning at the {begin} facing the {facing}. You want to navigate to "
        f"the {end}. You will perform the following actions: {steps}."
    )
    assert answer.value == said or answer.text.startswith(said), answer.text
    assert answer.answered == ("turn" in said)
