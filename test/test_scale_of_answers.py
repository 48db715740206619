"""The spread of the scale: how it is said, what it leaves open, and what is refused without metres.

Expected numbers are worked out by hand from the room of ``hand_built_room``: the sofa is 2 m long,
0.9 m wide and 0.8 m high, 0.8 m from the lamp and hypot(1, 3.05) = 3.2098 m from the robot.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hand_built_room import ROOM as THINGS
from hand_built_room import floor_under, graph, room, thing
from hypothesis import given, settings
from hypothesis import strategies as st
from test_questions_doc import EXAMPLES, PAGE

from spatial_vlm_ros.config import MemoryConfig
from spatial_vlm_ros.export import to_dot, to_json
from spatial_vlm_ros.language.scene_text import HEAD, scene_text
from spatial_vlm_ros.reasoners.checked import MADE_UP, NO_METRES, Asked, checked
from spatial_vlm_ros.reasoners.fallback import WithFallback
from spatial_vlm_ros.reasoners.numbering import Numbering
from spatial_vlm_ros.reasoning import units
from spatial_vlm_ros.reasoning.answer import NOBODY, NOTHING_SEEN, Answer
from spatial_vlm_ros.reasoning.geometric import GeometricReasoner, find_objects
from spatial_vlm_ros.reasoning.scale import NOT_METRIC, Scale, plus_minus, said
from spatial_vlm_ros.saved_scene import load_scene
from spatial_vlm_ros.scene import store
from spatial_vlm_ros.scene.floor import Floor
from spatial_vlm_ros.scene.graph import LocalCogMap, SceneGraph
from spatial_vlm_ros.scene.object_memory import ObjectMemory
from spatial_vlm_ros.scene.region import within
from spatial_vlm_ros.serving.generation import Generated
from spatial_vlm_ros.serving.turns import Turns

ASK = GeometricReasoner().ask
SCALED = [
    tuple(cell.strip() for cell in line.strip("|").split("|"))
    for line in PAGE.splitlines()
    if line.startswith(("| 0", "| inf"))
]
#: A number and what a person takes for a unit of length, written independently of the code.
LENGTH = re.compile(
    r"\d\s*(m|cm|mm|km|ft|in|m2|m3|ft2|metres?|meters?|square metres?|feet|foot|inch(es)?)\b"
)
RELATIVE = ("count", "exists", "where", "list", "check", "colour", "direction", "closer")


def scaled(spread: float, scene: SceneGraph | None = None) -> SceneGraph:
    return replace(scene or room(), scale_spread=spread)


def ask(question: str, spread: float) -> Answer:
    return ASK(question, scaled(spread))


# -- how it is said --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "spread", "most", "expected"),
    [
        (2.1, 0.21, 2, "2.1 m ± 0.2"),
        (2.1, 0.105001, 2, "2.10 m ± 0.11"),  # two digits where the first is a 1
        (2.1, 0.196, 2, "2.1 m ± 0.2"),
        (2.1, 0.194, 2, "2.10 m ± 0.19"),
        (0.8, 0.012, 2, "0.80 m ± 0.01"),
        (0.8, 0.0051, 2, "0.80 m ± 0.01"),  # at least half of the last digit
        (0.8, 0.0049, 2, "0.80 m"),
        (30.04, 3.0, 1, "30 m ± 3"),
        (30.04, 1.2, 1, "30.0 m ± 1.2"),
        (200.0, 20.0, 2, "200 m ± 20"),
        (200.0, 123.4, 2, "200 m ± 123"),
        (9.96, 0.96, 2, "10.0 m ± 1.0"),
        (2.1, 0.0, 2, "2.10 m"),
    ],
)
def test_a_length_is_said_with_its_spread(value, spread, most, expected):
    assert said(value, "m", spread, most) == expected
    assert expected.endswith(f"m{plus_minus(spread, most)}")


@pytest.mark.parametrize("case", SCALED, ids=str)
def test_examples_of_the_page(case: tuple[str, str, str, str]) -> None:
    spread, question, expected, confidence = case
    answer = ask(question, float(spread))
    assert answer.answered == (not expected.startswith("refused: "))
    assert answer.text.startswith(expected.removeprefix("refused: "))
    assert answer.confidence == float(confidence)


def test_the_page_has_examples_of_all_scales():
    assert {row[0] for row in SCALED} == {"0.1", "0.05", "0.004", "0.001", "inf"}
    assert len(SCALED) == 20


@pytest.mark.parametrize(
    ("question", "value", "unit", "power"),
    [
        ("How far is the lamp from the sofa?", 0.8, "m", 1),
        ("How many cm is the lamp from the sofa?", 80.0, "cm", 1),
        ("How far is the lamp from the sofa in feet?", 0.8 / 0.3048, "ft", 1),
        ("How tall is the desk?", 0.75, "m", 1),
        ("What is the volume of the sofa?", 2.0 * 0.9 * 0.8, "m3", 3),
        ("What is the size of this room?", 30.0, "m2", 2),
        ("What is the size of this room in square feet?", 30.0 / 0.3048**2, "ft2", 2),
    ],
)
def test_the_spread_is_in_the_unit_of_the_value(question, value, unit, power):
    answer = ask(question, 0.04)
    assert (answer.value, answer.unit) == (pytest.approx(value), unit)
    assert answer.spread == pytest.approx(power * 0.04 * value)
    assert "±" in answer.text
    assert answer.warnings == ()


def test_what_is_no_measure_has_no_spread():
    for question in ("How many chairs are there?", "Which is closer to the sofa: lamp or bin?"):
        assert ask(question, 0.1).spread == 0.0
    scale = Scale(0.1)
    assert [scale.of(5.0, unit) for unit in ("", "degrees")] == [0.0, 0.0]
    assert scale.of(-2.0, "m") == pytest.approx(0.2)
    assert Scale(math.inf).of(2.0, "m") == math.inf
    assert Scale(math.inf).of(2.0, "") == 0.0


@pytest.mark.parametrize(("kind", "question", "expected"), EXAMPLES)
def test_a_scale_without_spread_changes_nothing(kind, question, expected):
    """And one with, nothing but what is said of lengths and how sure it is."""
    exact, spread = ask(question, 0.0), ask(question, 0.03)
    assert "±" not in exact.text
    assert exact.warnings == ()
    assert exact.spread == 0.0
    assert (spread.kind, spread.value, spread.unit) == (exact.kind, exact.value, exact.unit)
    assert (spread.objects, spread.evidence) == (exact.objects, exact.evidence)
    assert spread.goal == exact.goal
    assert spread.candidates == exact.candidates


# -- what it leaves open ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "unsure", "sure"),
    [  # The sofa is 2 m long: a bound of 1.8 is 0.2 m off, 2 sigma where sigma is 0.1, s = 0.05
        ("Is the sofa longer than 1.8 m?", 0.051, 0.049),
        ("Is the sofa shorter than 2.5 m?", None, 0.12),  # no side is meant: height, 0.8 m
        ("Is the lamp within 1 m of the sofa?", 0.126, 0.124),  # 0.8 m: 0.2 = 2 s 0.8
        ("Which chairs are within 2 m of the table?", 0.21, 0.19),  # 1.43 m: 0.57 = 2 s 1.43
    ],
)
def test_a_bound_within_two_sigma_is_open(question, unsure, sure):
    assert ask(question, sure).confidence == 1.0
    assert ask(question, sure).warnings == ()
    if unsure is not None:
        answer = ask(question, unsure)
        assert answer.confidence == 0.5
        assert answer.warnings
        assert all("may be otherwise: lengths here are known to ±" in w for w in answer.warnings)
        assert answer.value == ask(question, sure).value


def test_a_bound_in_a_phrase_is_told_of():
    answer = ask("How many chairs are within two metres of the table?", 0.25)
    assert answer.value == 3.0
    assert answer.warnings == (
        "what is within 2 m of the table may be otherwise: lengths here are known to ± 25 %",
    )
    found = find_objects("chair within 2 m of the table", scaled(0.25))
    assert (len(found.objects), found.confidence) == (3, 0.5)
    assert found.warnings == answer.warnings


@pytest.mark.parametrize(
    ("spread", "options", "confidence"),
    [  # 2 m; halfway between 1.6 and 2.1 is 1.85, 0.15 off: 2 sigma at s = 0.0375
        (0.037, "A. 1.6 B. 2.1 C. 3.5", 1.0),
        (0.038, "A. 1.6 B. 2.1 C. 3.5", 0.5),
        (0.038, "A. 160 cm B. 210 cm C. 3.5 m", 0.5),
        (0.19, "A. 1.0 B. 2.0 m", 0.5),  # halfway is 1.5: 2 sigma at 0.125
        (0.12, "A. 1.0 B. 2.0 m", 1.0),
        (0.5, "A. 2.1 B. 2.1", 1.0),  # no border between equal ones
    ],
)
def test_an_option_is_as_sure_as_its_borders(spread, options, confidence):
    answer = ask(f"How long is the sofa? {options}", spread)
    assert answer.confidence == confidence
    assert (answer.spread == 0.0) == isinstance(answer.value, str)
    assert bool(answer.warnings) == (confidence < 1)


def test_comparisons_are_as_sure_as_ever():
    for question in (
        "Which is closer to the sofa: the lamp or the bin?",
        "Is the lamp closer to the sofa than the desk?",
        "Which is taller: the lamp or the desk?",
        "Which chair is nearest to the window?",
        "What is the second nearest chair to the desk?",
    ):
        exact, vague = ask(question, 0.0), ask(question, 0.4)
        assert (vague.value, vague.confidence) == (exact.value, exact.confidence)
        assert vague.warnings == ()


def test_a_goal_is_as_far_off_as_the_way_to_it():
    """From (1, 1) to about (0.98, 3.62), by the lamp, it is 2.62 m; 10 % of that are 0.26 m."""
    answer = ask("Go to the lamp.", 0.1)
    assert answer.goal is not None
    way = math.hypot(answer.goal.x - 1, answer.goal.y - 1)
    assert way == pytest.approx(2.62, abs=0.01)
    assert answer.warnings == ("the goal may be off by 0.3 m: lengths here are known to ± 10 %",)
    assert ask("Go to the lamp.", 0.049 / way).warnings == ()
    assert ask("Face the lamp.", 0.1).warnings == ()  # it turns on the spot


# -- without metres --------------------------------------------------------------------------

METRIC = [
    *(row[1] for row in EXAMPLES if row[0] in ("distance", "size", "room_size", "command")),
    "Is the sofa longer than two feet?",
    "Is the lamp within 100 cm of the sofa?",
    "How many chairs are within a metre of the table?",
    "Where is the chair within half a metre of the table?",
    "Which chair is within 2 m of the table?",
    "Is there a 3 m rug?",
    "How much clearance is there in centimeters?",
    "Would a cupboard of 1.2 metres fit here?",
    "Which of these is right? A. the sofa is 2 m long B. the sofa is blue",
    "Which is nearer, the lamp or the sofa? A. 3 m B. 2 m",
    "How big is the sofa?",
    "How far is the zorblax?",
]


@pytest.mark.parametrize("question", METRIC)
def test_what_needs_metres_is_refused(question):
    answer = ask(question, math.inf)
    assert not answer.answered
    assert answer.text == NOT_METRIC
    assert answer.text.startswith("The scene is not metric")
    assert answer.goal is None
    assert answer.value is None
    assert answer.confidence == 0.0
    for remedy in ("depth camera", "odometry", "metric depth", "height"):
        assert remedy in answer.text


@pytest.mark.parametrize("nan", [math.inf, math.nan])
def test_phrases_too(nan):
    found = find_objects("chairs within two metres of the table", scaled(nan))
    assert (found.answered, found.text) == (False, NOT_METRIC)
    assert find_objects("chairs near the table", scaled(nan)).answered


@pytest.mark.parametrize(
    ("question", "expected"),
    [(row[1], row[2]) for row in EXAMPLES if row[0] in RELATIVE and " m of" not in row[1]
     and " two metres " not in row[1] and not row[2].startswith("refused")],
)  # fmt: skip
def test_what_needs_none_is_answered(question, expected):
    answer, metric = ask(question, math.inf), ask(question, 0.0)
    assert answer.answered, answer.text
    assert (answer.value, answer.objects) == (metric.value, metric.objects)
    assert answer.confidence == metric.confidence
    assert not LENGTH.search(answer.text), answer.text


def test_a_foot_stool_is_no_length():
    stool = thing(1, "foot stool", (2.0, 1.0, 0.2, 0.4, 0.4, 0.4, 0.0))
    scene = scaled(math.inf, graph((stool,)))
    assert ASK("Is there a foot stool?", scene).value == "yes"
    assert ASK("Where is a foot stool?", scene).answered


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2 m", True), ("2.1 metres", True), ("two feet", True), ("30 square metres", True),
        ("2-m rug", True), ("1.4 m3", True), ("1.4 m³", True), ("12 cubic feet", True),
        ("5'", False), ("3 chairs", False), ("a foot stool", False), ("2 in the kitchen", False),
        ("chair (#3) made of wood", False), ("3 mugs", False), ("v1.2 m", False),
        ("2 inches", True),
    ],
)  # fmt: skip
def test_lengths_in_a_text(text, expected):
    assert units.names_length(text) is expected


things = st.lists(
    st.tuples(
        st.sampled_from(["sofa", "chair", "table", "lamp", "mug"]),
        st.tuples(*[st.floats(-4, 4) for _ in range(3)]),
        st.tuples(*[st.floats(0.05, 2.5) for _ in range(3)]),
        st.floats(-1.5, 1.5),
    ),
    min_size=1,
    max_size=6,
)
NAMED = st.sampled_from(["sofa", "chair", "table", "lamp", "mug"])
QUESTIONS = (
    "How far is the {a} from the {b}?", "How far is the {a} from me in cm?", "How tall is the {a}?",
    "How big is the {a}?", "What is the volume of the {a}?", "How big is this room?",
    "Where is the {a}?", "Which is closer to me: the {a} or the {b}?", "Go to the {a}.",
    "Which is taller, the {a} or the {b}?", "Is the {a} longer than 1 m?", "Where is a {a}?",
    "What is to the left of the {a}?", "What is within 2 m of the {a}?", "Is the {a} the tallest?",
    "What is in front of me?", "Which {a} is nearest to the {b}?", "How many {a}s are there?",
    "How many {a}s are near the {b}?", "Is the {a} closer to me than the {b}?",
    "Is the {a} bigger than the {b}?",
)  # fmt: skip


def made(rows: list) -> SceneGraph:
    objects = tuple(
        thing(i, label, (*place, *size, yaw)) for i, (label, place, size, yaw) in enumerate(rows, 1)
    )
    return graph(objects, floor_under(objects, 0.25))


@settings(max_examples=150, deadline=None)
@given(things, NAMED, NAMED, st.sampled_from(QUESTIONS), st.floats(1e-6, 0.5))
def test_the_spread_of_any_answer_is_its_share(rows, a, b, question, share):
    scene, question = made(rows), question.format(a=a, b=b)
    exact, answer = ASK(question, scene), ASK(question, replace(scene, scale_spread=share))
    assert (answer.value, answer.objects, answer.goal) == (exact.value, exact.objects, exact.goal)
    assert answer.confidence in (exact.confidence, round(exact.confidence / 2, 4), 0.5)
    assert answer.confidence <= exact.confidence
    power = {"m": 1, "cm": 1, "m2": 2, "m3": 3, "": 0}[answer.unit]
    value = answer.value if isinstance(answer.value, float) else 0.0
    assert answer.spread == pytest.approx(power * share * value, rel=1e-12, abs=0)


@settings(max_examples=150, deadline=None)
@given(things, NAMED, NAMED, st.sampled_from(QUESTIONS))
def test_no_length_is_said_where_there_are_no_metres(rows, a, b, question):
    scene, question = made(rows), question.format(a=a, b=b)
    answer = ASK(question, replace(scene, scale_spread=math.inf))
    assert not LENGTH.search(answer.text), answer.text
    assert answer.goal is None
    assert answer.unit == ""
    exact = ASK(question, scene)
    if answer.answered:
        assert (answer.value, answer.objects) == (exact.value, exact.objects)
    elif exact.answered:
        assert answer.text == NOT_METRIC


NEAR_OR_FAR = [
    row[1]
    for row in EXAMPLES
    if row[0] in RELATIVE and re.search("clos|nearest|nearer|(fur|far)thest|left|right", row[1])
]


@settings(max_examples=60, deadline=None)
@given(st.floats(0.2, 5.0), st.sampled_from(NEAR_OR_FAR))
def test_near_and_far_do_not_depend_on_the_scale(factor, question):
    """What is answered without metres is so by any of the sizes that a room may have."""
    larger = tuple(
        thing(n, label, (*(factor * v for v in box[:6]), box[6]), colour, seconds)
        for n, (label, colour, box, seconds) in THINGS.items()
    )
    pose = np.array(room().T_scene_robot)
    pose[:3, 3] *= factor
    scene = replace(room(), objects=larger, T_scene_robot=pose, scale_spread=math.inf)
    assert ASK(question, scene).value == ask(question, math.inf).value


# -- where it is kept ------------------------------------------------------------------------


def test_a_scene_is_metric_unless_it_says_otherwise():
    assert room().metric
    assert room().scale_spread == 0.0
    assert [scaled(s).metric for s in (0.3, math.inf, math.nan)] == [True, False, False]
    region = np.array([(0, 0), (3, 0), (3, 3), (0, 3)], float)
    assert within(scaled(0.3), region).scale_spread == 0.3


def state(spread: float) -> store.State:
    config = MemoryConfig()
    floor = Floor(config.floor, config.points)
    return store.State(np.eye(4), 1, 1, np.eye(4), ObjectMemory(config), floor, [], spread)


@pytest.mark.parametrize("spread", [0.0, 0.07, math.inf])
def test_a_saved_scene_keeps_its_spread(tmp_path: Path, spread: float) -> None:
    store.save(tmp_path, state(spread), "odom")

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    text = (tmp_path / "scene.json").read_text()
    content = json.loads(text, parse_constant=refuse)
    assert content["scale_spread"] == (None if spread == math.inf else spread)
    assert content["units"].startswith("metres" if spread < 1 else "unknown lengths")
    assert store.load(tmp_path, MemoryConfig(), "odom").scale_spread == spread
    assert load_scene(tmp_path)[0].scale_spread == spread


def test_older_files_have_no_spread(tmp_path: Path) -> None:
    store.save(tmp_path, state(0.07), "odom")
    path = tmp_path / "scene.json"
    content = json.loads(path.read_text())
    del content["scale_spread"]
    path.write_text(json.dumps(content))
    assert store.load(tmp_path, MemoryConfig(), "odom").scale_spread == 0.0


@pytest.mark.parametrize("spread", ["-0.1", '"0.1"', "NaN", "Infinity", "true", "[]"])
def test_a_damaged_spread_is_told(tmp_path: Path, spread: str) -> None:
    store.save(tmp_path, state(0.07), "odom")
    path = tmp_path / "scene.json"
    path.write_text(path.read_text().replace('"scale_spread": 0.07', f'"scale_spread": {spread}'))
    with pytest.raises(ValueError, match="scale_spread is"):
        store.load(tmp_path, MemoryConfig(), "odom")


def test_other_programs_are_told():
    exact, vague, unknown = (json.loads(to_json(scaled(s))) for s in (0.0, 0.2, math.inf))
    assert [each["scale_spread"] for each in (exact, vague, unknown)] == [0.0, 0.2, None]
    assert exact["units"] == vague["units"] == "metres, radians, nanoseconds"
    assert unknown["units"] == "unknown lengths, radians, nanoseconds"
    assert "0.80 m, yaw" in to_dot(scaled(0.2))
    assert "0.80, yaw" in to_dot(scaled(math.inf))
    assert not LENGTH.search(to_dot(scaled(math.inf)))


# -- models ----------------------------------------------------------------------------------


def test_the_text_of_a_scene_says_what_its_numbers_are():
    maps = (LocalCogMap(1, 2, 8, (5, 1), (6, 2), 0.625),)
    scene = replace(room(), cogmaps=maps)
    exact, vague, unknown = (scene_text(scaled(s, scene)) for s in (0.0, 0.123, math.inf))
    assert exact.startswith(f"{HEAD}\n")
    assert vague.startswith(f"{HEAD} All lengths may be off together by about 10 %.\n")
    assert scene_text(scaled(1.2, scene)).startswith(f"{HEAD} All lengths may be off together by ")
    assert "about 100 %" in scene_text(scaled(1.2, scene))
    assert unknown.startswith("Scene in a unit of unknown length, not in metres: origin at ")
    assert exact.endswith(vague.partition("\n")[2])
    assert "(0.625 m per cell)" in exact
    assert not LENGTH.search(unknown)


def asked(question: str, spread: float) -> Asked:
    scene = scaled(spread)
    return Asked.of(question, scene, Numbering.of((o.id for o in scene.objects), 100))


def words(text: str) -> Generated:
    """What a model has generated; sure of it."""
    fields = dict.fromkeys(Generated.__dataclass_fields__, 0)
    return Generated(**{**fields, "text": text, "ended": True, "probabilities": (1.0,)})


HOW_FAR = "How far is the sofa from me?"  # 3.21 m


@pytest.mark.parametrize(
    ("spread", "text", "check"),
    [  # by 25 % from 2.41 to 4.01 m; at s = 0.2 by 2 sigma, 1.28 m, from 1.93 to 4.49 m
        (0.0, "2.0", "disagrees"),
        (0.2, "2.0", "agrees"),
        (0.2, "4.4", "agrees"),
        (0.2, "4.6", "disagrees"),
        (0.1, "4.1", "disagrees"),
        (0.1, "3.9", "agrees"),
    ],
)
def test_a_model_may_differ_by_the_spread(spread, text, check):
    answer = checked("chat", asked(HOW_FAR, spread), words(text))
    assert (answer.check, answer.value, answer.unit) == (check, float(text), "m")
    assert answer.spread == pytest.approx(spread * float(text))
    assert answer.text == f"{text} m{plus_minus(spread * float(text))}"
    assert answer.check_text == f"geometry says 3.21 m{plus_minus(spread * 3.2098)}"
    assert (answer.check_text in answer.warnings) == (check == "disagrees")


def test_a_model_is_warned_of_with_geometry():
    question = "Is the sofa longer than 1.9 m?"
    answer = checked("chat", asked(question, 0.1), words("No."))
    assert (answer.value, answer.check) == ("no", "unchecked")
    assert answer.check_text.endswith("but is not sure")
    assert answer.warnings == ASK(question, scaled(0.1)).warnings != ()


def test_a_model_is_told_that_there_are_no_metres():
    question = "What could I sit on?"
    assert asked(question, math.inf).words == f"{question}\n{NO_METRES}"
    assert asked(question, 0.1).words == question


@pytest.mark.parametrize(
    ("question", "text", "made_up"),
    [
        ("What could I sit on?", "On <OBJ000>, 2 m away.", True),
        ("What could I sit on?", "On <OBJ000>.", False),
        (HOW_FAR, "3.2", True),
        ("How many chairs are there?", "3", False),
    ],
)
def test_lengths_that_a_model_makes_up_are_warned_of(question, text, made_up):
    answer = checked("chat", asked(question, math.inf), words(text))
    assert (MADE_UP in answer.warnings) == made_up
    assert MADE_UP.startswith("the scene is not metric")
    if question == HOW_FAR:
        assert answer.spread == math.inf
    assert MADE_UP not in checked("chat", asked(question, 0.1), words(text)).warnings


def test_nobody_is_sent_anywhere_by_a_model_without_metres():
    command = "Go to the lamp."
    assert checked("chat", asked(command, 0.1), words("<OBJ010>")).goal is not None
    answer = checked("chat", asked(command, math.inf), words("<OBJ010>"))
    assert answer.objects == (11,)
    assert answer.goal is None


class Boastful:
    """Knows everything, and tells what it was asked."""

    name = "boastful"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def ask(self, question, scene, seen=NOTHING_SEEN, listener=NOBODY) -> Answer:
        self.asked.append(question)
        return Answer("3.2 m", True, "distance", 3.2, "m", reasoner=self.name)


@pytest.mark.parametrize("question", METRIC)
def test_no_model_is_asked_for_metres_that_the_scene_has_not(question):
    model = Boastful()
    reasoner = WithFallback("boastful", model, Turns(1.0))
    answer = reasoner.ask(question, scaled(math.inf))
    assert (answer.answered, answer.text) == (False, NOT_METRIC)
    assert model.asked == []
    assert reasoner.ask(question, scaled(0.1)).text == "3.2 m"
    assert model.asked == [question]


def test_a_model_is_asked_all_else():
    model = Boastful()
    reasoner = WithFallback("boastful", model, Turns(1.0))
    for question in ("How many chairs are there?", "What could I sit on?"):
        assert reasoner.ask(question, scaled(math.inf)).reasoner == "boastful"
    assert len(model.asked) == 2
