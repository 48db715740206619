"""Referring expressions: what is said of a scene, and that the reasoner understands every one."""

from __future__ import annotations

import re
import time
from collections import Counter
from functools import lru_cache

import numpy as np
import pytest
from hand_built_room import graph, room, thing
from test_reasoner_properties import moved
from test_referential_statements import SCENES, scene

from bench.referring_scenes import furnished
from spatial_vlm_ros.reasoning.geometric import GeometricReasoner, find_objects
from spatial_vlm_ros.referring import STRATEGIES, ReferringExpression, referring_expressions
from spatial_vlm_ros.referring.direction import CORNERS_BEYOND, MARGIN_DEG
from spatial_vlm_ros.referring.naming import Naming
from spatial_vlm_ros.referring.proximity import room_size
from spatial_vlm_ros.scene.box import Box
from spatial_vlm_ros.scene.graph import FloorMap, ObjectState, SceneGraph
from spatial_vlm_ros.simulation.questions import exact

SCENE = room()
BUILDINGS = [(400, 1), (401, 2), (402, 3), (403, 2), (404, 3)]


@lru_cache
def building(seed: int, rooms: int) -> SceneGraph:
    return furnished(seed, rooms)


def said(things, strategy: str, **more) -> dict[int, list[str]]:
    """What is said by a strategy of a scene of these things, by target; ``more`` for graph()."""
    found: dict[int, list[str]] = {}
    for expression in referring_expressions(graph(tuple(things), **more), most=1000):
        if expression.strategy == strategy:
            found.setdefault(expression.target, []).append(expression.text)
    return found


def small(number: int, label: str, x: float, y: float, first_s: float = 0.0, colour: str = ""):
    return thing(number, label, (x, y, 0.5, 0.02, 0.02, 1.0, 0.0), colour, first_s)


# -- agreement of generator and resolver -----------------------------------------------------------


def disagreements(scene: SceneGraph, expressions) -> list[str]:
    answers = [(e, find_objects(e.text, scene)) for e in expressions]
    return [f"{e} -> {a.objects}: {a.text}" for e, a in answers if a.objects != (e.target,)]


@pytest.mark.parametrize(("seed", "rooms"), BUILDINGS)
def test_every_expression_of_a_building_is_resolved(seed: int, rooms: int) -> None:
    scene = building(seed, rooms)
    expressions = referring_expressions(scene, seed, 60)
    assert len(expressions) == 60
    assert len({e.text for e in expressions}) == 60
    assert disagreements(scene, expressions) == []


@pytest.mark.skipif(not SCENES, reason="no VLA-3D data")
def test_every_expression_of_a_real_room_is_resolved() -> None:
    """Labels of NYU40, walls and floors with boxes among them; all were first seen at once."""
    for path in SCENES:
        expressions = referring_expressions(scene(path), 0, 200)
        assert len(expressions) > 20
        assert {e.strategy for e in expressions} == {"proximity", "direction"}
        assert disagreements(scene(path), expressions) == []


def test_all_that_can_be_said_of_the_hand_built_room_is_resolved() -> None:
    expressions = referring_expressions(SCENE, most=1000)
    assert Counter(e.strategy for e in expressions).keys() == set(STRATEGIES)
    assert disagreements(SCENE, expressions) == []


@pytest.mark.parametrize(("seed", "rooms"), BUILDINGS)
def test_expressions_are_true_by_other_code(seed: int, rooms: int) -> None:
    """Distances by shapely, bearings by arc tangents, order by counting; margins as well."""
    scene = building(seed, rooms)
    margin = 0.30 if room_size(scene) > 40 else 0.15
    for expression in referring_expressions(scene, seed, 60):
        assert is_true(expression, scene, margin), expression


def is_true(expression: ReferringExpression, scene: SceneGraph, margin: float) -> bool:
    target = scene[expression.target]
    noun = target.label.replace("_", " ")
    heads = [noun.split()[k:] for k in range(len(noun.split()))]
    said_noun = max((" ".join(h) for h in heads if " ".join(h) in expression.text), key=len)
    kind = [o for o in scene.objects if o.label.replace("_", " ").endswith(said_noun)]
    others = [o for o in kind if o.id != target.id]
    assert others
    assert not {o.id for o in kind} & set(expression.anchors)
    boxes = [scene[number].box for number in expression.anchors]
    if expression.strategy == "appearance":
        stamps = sorted(o.first_seen_ns for o in kind)
        place = stamps.index(target.first_seen_ns)
        waits = [abs(o.first_seen_ns - target.first_seen_ns) / 1e9 for o in others]
        word = re.search("first|second|third|fourth|fifth|sixth|seventh|last", expression.text)
        names = "first second third fourth fifth sixth seventh".split()
        right = word and word[0] == ("last" if word[0] == "last" else names[place])
        return bool(right) and min(waits) > 1 and (word[0] != "last" or place == len(kind) - 1)
    if expression.strategy == "proximity":
        sign = 1 if re.search("nearest|closest", expression.text) else -1
        own = exact.distance(target.box, boxes[0])
        rest = [exact.distance(o.box, boxes[0]) for o in others]
        return all(sign * (gap - own) >= margin - 1e-6 for gap in rest)
    side = re.search("(front|back)-(left|right)|left|right|front|behind", expression.text)
    assert side
    assert 0.3 <= exact.level_distance(*boxes) <= 5.0

    def inside(box: Box) -> tuple[bool, float]:
        degrees = exact.bearing(*boxes, box)
        turned, left = abs(degrees), degrees > 0
        tests = {"left": left, "right": not left, "front": turned < 90, "back": turned > 90}
        borders = {"left": (0, 180), "right": (0, 180), "front": (45,), "behind": (135,)}
        if "-" in side[0]:
            way, hand = side[0].split("-")
            corner = 45 if way == "front" else 135
            middle = corner if hand == "left" else -corner
            off = abs((degrees - middle + 180) % 360 - 180)
            return tests[way] and tests[hand], abs(off - 45)
        tests["front"], tests["behind"] = turned < 45, turned > 135
        return tests[side[0]], min(abs(turned - border) for border in borders[side[0]])

    clear = all(inside(o.box)[1] >= MARGIN_DEG - 1e-6 for o in kind)
    outline = np.array(exact.outline(target.box).exterior.coords)[:4]
    corners = [Box(x, y, 0.0, 0.0, 0.0, 0.0, 0.0) for x, y in outline]
    beyond = 2 * sum(not inside(corner)[0] for corner in corners)
    alone = inside(target.box)[0] and not any(inside(o.box)[0] for o in others)
    return clear and alone and beyond <= CORNERS_BEYOND


# -- the number and choice -------------------------------------------------------------------------


def test_strategies_take_turns_and_the_number_is_bounded() -> None:
    scene = building(*BUILDINGS[2])
    for most in (1, 7, 30):
        expressions = referring_expressions(scene, 0, most)
        assert len(expressions) == most
        shares = Counter(e.strategy for e in expressions)
        assert max(shares.values()) - min(shares[s] for s in STRATEGIES) <= 1
    assert len({e.target for e in referring_expressions(scene, 0, 30)}) > 20
    assert referring_expressions(scene, 0, 0) == ()


def test_the_same_seed_says_the_same() -> None:
    scene = building(*BUILDINGS[1])
    assert referring_expressions(scene, 5) == referring_expressions(scene, 5)
    assert referring_expressions(scene, 5) != referring_expressions(scene, 6)
    assert referring_expressions(scene, 5) == referring_expressions(moved(scene, 4, -2, 1, 0.7), 5)


def test_scenes_with_nothing_to_say() -> None:
    assert referring_expressions(graph(())) == ()
    assert referring_expressions(graph((small(1, "chair", 0, 0), small(2, "sofa", 1, 0)))) == ()
    gone = thing(2, "chair", (1, 0, 0.5, 0.4, 0.4, 1, 0), "", 9, ObjectState.MISSING)
    assert referring_expressions(graph((small(1, "chair", 0, 0), gone))) == ()


def test_many_objects_take_little_time() -> None:
    """150 landmarks and five kinds of 70: hardly ever is one of 70 alone on a side."""
    rng = np.random.default_rng(0)
    names = [f"gizmo {a}{b}o" for a in "bdfgklmnprtvz" for b in "bdfgklmnprtvz"][:155]
    many = graph(
        tuple(
            small(k, names[k] if k < 150 else names[150 + k % 5], *rng.uniform(-9, 9, 2), 2 * k)
            for k in range(500)
        )
    )
    started = time.perf_counter()
    expressions = referring_expressions(many, most=90)
    assert time.perf_counter() - started < 5.0
    assert {e.strategy for e in expressions} >= {"proximity", "appearance"}
    assert disagreements(many, expressions[:20]) == []


# -- names -----------------------------------------------------------------------------------------


def test_a_name_means_one_object_and_a_coffee_table_is_a_table() -> None:
    things = (
        small(1, "table", 0, 0, colour="brown"),
        small(2, "coffee_table", 1, 0, colour="black"),
        small(3, "lamp", 2, 0, colour="gray"),
        small(4, "lamp", 3, 0, colour="red"),
        small(5, "plant", 4, 0, colour="green"),
        small(6, "plant", 5, 0),  # might be green, too
        small(7, "object", 6, 0),
        small(8, "unknown", 6, 0),
        small(9, "left boot", 6, 0),
        small(10, "Tv", 6, 0),
        small(11, "shelves", 6, 0),
    )
    naming = Naming(graph(things))
    assert {item.id: name for item, name in naming.named} == {
        1: "brown table",
        2: "coffee table",
        3: "grey lamp",
        4: "red lamp",
        10: "tv",
        11: "shelves",
    }
    kinds = {noun: [item.id for item in group] for noun, group in naming.several.items()}
    assert kinds == {"table": [1, 2], "lamp": [3, 4], "plant": [5, 6]}


# -- margins ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("closer", "clear"), [(0.16, True), (0.14, False)])
def test_distances_must_differ_by_fifteen_centimetres(closer: float, clear: bool) -> None:
    things = (small(1, "tv", 0, 0), small(2, "chair", 2.0, 0), small(3, "chair", -2.0 - closer, 0))
    found = said(things, "proximity")
    assert set(found) == ({2, 3} if clear else set())
    if clear:
        assert all("nearest" in text or "closest" in text for text in found[2])
        assert all("farthest" in text or "furthest" in text for text in found[3])


@pytest.mark.parametrize(("area", "clear"), [(39.0, True), (42.0, False)])
def test_in_rooms_over_forty_square_metres_by_thirty(area: float, clear: bool) -> None:
    things = (small(1, "tv", 2, 2), small(2, "chair", 3, 2), small(3, "chair", 0.75, 2))
    floor = FloorMap(0.0, 0.0, 0.0, 0.5, np.ones((12, round(area / 3.0)), dtype=bool))
    assert room_size(graph(things, floor)) == pytest.approx(area)
    assert bool(said(things, "proximity", floor=floor)) == clear


def test_without_a_floor_the_room_is_what_the_objects_span() -> None:
    things = (small(1, "tv", 0, 0), small(2, "chair", 8, 0), small(3, "chair", 0, 6))
    assert room_size(graph(things)) == pytest.approx(24, rel=0.02)
    assert room_size(graph(())) == 0


def at(degrees: float, reach: float = 2.0) -> tuple[float, float]:
    """A place at a bearing, left positive, for one who stands at the origin and looks along x."""
    return reach * np.cos(np.radians(degrees)), reach * np.sin(np.radians(degrees))


def sides_of(first: float, second: float, face: float = 2.0, wide: float = 0.02) -> dict:
    """Sides said of chairs at these bearings, the first ``wide``, standing at the tv."""
    chair = thing(3, "chair", (*at(first), 0.5, wide, 0.02, 1.0, 0.0))
    things = (
        small(1, "tv", 0, 0),
        small(2, "sofa", face, 0),
        chair,
        small(4, "chair", *at(second)),
    )
    found: dict[int, set[str]] = {}
    for seed in range(30):
        for e in referring_expressions(graph(things), seed, 100):
            if e.strategy == "direction" and e.anchors == (1, 2):
                side = re.search("(front|back)-(left|right)|left|right|front|behind", e.text)
                found.setdefault(e.target, set()).add(side[0])
    return found


def test_sides_that_have_one_chair_only() -> None:
    assert sides_of(30, -30) == {3: {"left", "front-left"}, 4: {"right", "front-right"}}
    assert sides_of(20, 70) == {3: {"front"}}
    assert sides_of(150, 100) == {3: {"behind"}}
    assert sides_of(-100, 20) == {3: {"right", "back-right"}, 4: {"left", "front", "front-left"}}


@pytest.mark.parametrize(
    ("first", "second", "sides"),
    [
        (11, -60, {"left", "front", "front-left"}),
        (9, -60, {"front"}),  # too near the border of left to be on it
        (34, -60, {"left", "front", "front-left"}),
        (36, -60, {"left", "front-left"}),
        (60, -9, set()),  # the other one is too near to it from without
        (60, -11, {"left", "front-left"}),
        (20, 56, {"front"}),
        (20, 54, set()),  # it may be in front as well
    ],
)
def test_ten_degrees_from_borders_within_and_without(first, second, sides) -> None:
    assert sides_of(first, second).get(3, set()) == sides


def test_a_wide_box_that_reaches_over_the_border_is_on_no_side() -> None:
    """2 m along x at 60 degrees: x 0 to 2, y 1.73; its far corners are at 90 and 41 degrees."""
    assert "front-left" in sides_of(60, -60, wide=1.9)[3]
    assert (
        "front-left" not in sides_of(60, -60, wide=2.2)[3]
    )  # four of its eight corners are beyond
    assert "left" in sides_of(60, -60, wide=2.2)[3]


@pytest.mark.parametrize(
    ("face", "clear"), [(0.29, False), (0.31, True), (4.9, True), (5.1, False)]
)
def test_what_one_faces_is_neither_too_near_nor_too_far(face: float, clear: bool) -> None:
    assert bool(sides_of(30, -30, face)) == clear


def test_what_is_where_one_stands_has_no_side() -> None:
    near = (small(1, "tv", 0, 0), small(2, "sofa", 2, 0), small(3, "chair", *at(30)))
    for reach, clear in ((0.29, False), (0.31, True)):
        expressions = referring_expressions(
            graph((*near, small(4, "chair", *at(-60, reach)))), most=100
        )
        assert any(e.anchors == (1, 2) for e in expressions) == clear


def test_appearances_are_more_than_a_second_apart() -> None:
    def places(*seconds: float) -> dict[int, list[str]]:
        things = [small(k, "chair", k, 0, s) for k, s in enumerate(seconds, 1)]
        found = said(things, "appearance")
        return {
            k: sorted(re.findall("first|second|third|last", " ".join(v))) for k, v in found.items()
        }

    assert places(5.0, 3.9, 9.0) == {2: ["first"], 1: ["second"], 3: ["last", "third"]}
    assert places(5.0, 4.1, 9.0) == {3: ["last", "third"]}
    assert places(5.0, 5.0, 5.0) == {}


# -- what the reasoner makes of such phrases -------------------------------------------------------

ON_THE_RIGHT = "standing at the sofa and facing the table"  # the red chair; two green on the left


@pytest.mark.parametrize(
    ("phrase", "ids"),
    [
        ("the chair to the right when standing at the sofa and facing the table", (8,)),
        ("the chair on the right if I stand by the sofa and face the table", (8,)),
        ("the chair on your right hand side when you are at the sofa and face the table", (8,)),
        ("the chair to the front-right, as seen from the sofa when facing the table", (8,)),
        ("the chair on the right seen from the sofa facing the table", (8,)),
        ("the chair to my right when I am standing next to the sofa, looking at the table", (8,)),
        ("standing by the sofa and facing the table, the chair on the right", (8,)),
        ("standing at the sofa, facing the table, the chair that is to my right", (8,)),
        ("standing at the sofa facing the table the chair on the right", (8,)),
        ("the chair on the right, if I stand at the sofa, facing the table", (8,)),
        ("the chairs to the left when standing at the sofa and facing the table", (9, 10)),
        ("the red chair to the left when standing at the sofa and facing the table", ()),
        ("the longest thing on the left when standing at the sofa and facing the table", (6,)),
        ("the mug behind when standing at the bin and facing the box", (5,)),
        ("the mug behind me when standing at the bin and facing the box", (5,)),
        ("the chair in front when standing at the table and facing the bin", (9,)),
        ("the chair on the left when standing here and facing the tv", ()),
        ("the chair on the right when standing here and facing the sofa", (8, 9, 10)),
        ("the chair nearest to the chair on the right when at the sofa and facing the table", (9,)),
        ("the second chair to appear", (9,)),
        ("the second chair that appeared", (9,)),
        ("the chair that appeared second", (9,)),
        ("the chair that was the second to appear", (9,)),
        ("the chair that appeared first", (8,)),
        ("the chair that was seen first", (8,)),
        ("the first chair seen", (8,)),
        ("the chair I saw last", (10,)),
        ("the chair that you have seen first", (8,)),
        ("the chair that is the last to appear", (10,)),
        ("the last chair to come into view", (10,)),
        ("the last green chair to appear", (10,)),
        ("the first green chair to be seen", (9,)),
        ("the two chairs that appeared first", (8, 9)),
        ("the fourth chair to appear", ()),
    ],
)
def test_phrases(phrase: str, ids: tuple[int, ...]) -> None:
    answer = find_objects(phrase, SCENE)
    assert answer.answered, answer.text
    assert answer.objects == ids, answer.text


@pytest.mark.parametrize(
    ("question", "kind", "ids"),
    [
        ("Go to {}.", "command", (8,)),
        ("Where is {}?", "where", (8,)),
        ("What colour is {}?", "colour", (8,)),
        ("Is {} red?", "check", (8,)),
        ("How far is {} from the window?", "distance", (8, 12)),
        ("Is there {}?", "exists", (8,)),
        ("How tall is {}?", "size", (8,)),
    ],
)
@pytest.mark.parametrize(
    "phrase",
    [
        "the chair to the right when standing at the sofa and facing the table",
        "the first chair to appear",
        "the chair that appeared first",
        "the chair farthest from the desk",
    ],
)
def test_whole_questions(question: str, kind: str, ids: tuple[int, ...], phrase: str) -> None:
    answer = GeometricReasoner().ask(question.format(phrase), SCENE)
    assert answer.answered, answer.text
    assert (answer.kind, answer.objects) == (kind, ids), answer.text


@pytest.mark.parametrize(
    ("question", "ids"),
    [
        (f"{ON_THE_RIGHT}, go to the chair on the right", (8,)),
        (f"{ON_THE_RIGHT}, what colour is the chair on my right?", (8,)),
        (f"{ON_THE_RIGHT}, which chairs are on the left?", (9, 10)),
        (f"{ON_THE_RIGHT}, how many chairs are to the left?", (9, 10)),
        (f"If I am {ON_THE_RIGHT}, where is the chair on my right?", (8,)),
        (f"Which chair is on the right, when {ON_THE_RIGHT}?", (8,)),
        (f"What is behind when {ON_THE_RIGHT}?", (15,)),
    ],
)
def test_questions_that_begin_with_a_viewpoint(question: str, ids: tuple[int, ...]) -> None:
    answer = GeometricReasoner().ask(question, SCENE)
    assert answer.answered, answer.text
    assert answer.objects == ids, answer.text


@pytest.mark.parametrize(
    ("phrase", "why"),
    [
        ("the mug to the left when standing at the chair and facing the table", "Which chair?"),
        ("the mug to the left when standing at the sofa and facing the chair", "Which chair?"),
        ("the mug to the left when standing at the tv and facing the cabinet", "same place"),
        ("the mug to the left when standing at the sofa and facing the sofa", "same place"),
        ("the mug to the left when standing at the sofa", "not a phrase"),
        ("the mug to the left when facing the sofa", "not a phrase"),
        ("the mug left of the sofa when standing at the tv and facing the desk", "not a phrase"),
        ("the mug to the left when standing at the piano and facing the sofa", "no piano"),
        ("the mug to the left when standing at the zorblax and facing the sofa", "zorblax"),
        (f"{ON_THE_RIGHT}, the chair", "not a phrase"),
    ],
)
def test_refusals(phrase: str, why: str) -> None:
    answer = find_objects(phrase, SCENE)
    assert not answer.answered
    assert why in answer.text


def test_nothing_on_a_side_is_said_with_the_viewpoint() -> None:
    answer = find_objects(f"the chair behind when {ON_THE_RIGHT}", SCENE)
    assert (answer.answered, answer.objects) == (True, ())
    assert answer.text == (
        "I have seen no chair behind when standing at the sofa and facing the table."
    )


def test_evidence_and_sureness_of_a_side() -> None:
    answer = find_objects(f"the chair to the right when {ON_THE_RIGHT}", SCENE)
    assert answer.evidence == (1, 2, 8)
    assert answer.confidence == 1.0
    near = (small(1, "tv", 0, 0), small(2, "sofa", 2, 0), small(3, "chair", *at(4)))
    phrase = "the chair on the left when standing at the tv and facing the sofa"
    assert find_objects(phrase, graph(near)).confidence == 0.5


def test_two_that_appeared_at_once_are_a_tie() -> None:
    scene = graph(tuple(small(k, "chair", k, 0, s) for k, s in ((1, 2), (2, 2), (3, 4))))
    assert find_objects("the chair that appeared first", scene).confidence == 0.5
    assert find_objects("the chair that appeared last", scene).confidence == 1.0
