"""True answers checked by brute force and by hand, on buildings taken as fully seen."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest
from scipy.spatial import cKDTree

from spatial_vlm_ros.scene.box import Box
from spatial_vlm_ros.simulation import robot
from spatial_vlm_ros.simulation.furniture import CATEGORIES
from spatial_vlm_ros.simulation.questions import KINDS, Sightings, exact, make_questions
from spatial_vlm_ros.simulation.questions.asker import Asker, plural
from spatial_vlm_ros.simulation.record import build, object_truth, room_truth
from spatial_vlm_ros.simulation.truth import (
    TrueObject,
    TrueQuestion,
    Truth,
    load_questions,
    load_truth,
    save_questions,
    save_truth,
    scene_pose,
)

SECOND = 10**9
SEEDS = range(3)


def seen_building(seed: int, rooms: int = 2) -> tuple[Truth, Sightings]:
    """A building's truth as if every object had been seen well, one more every two seconds."""
    world, drive = build(seed, rooms)
    poses = drive.pose(np.array([0.0, drive.duration]))
    T_map_camera = np.array([robot.camera_pose(robot.base_pose(*pose)) for pose in poses])
    T_map_scene = scene_pose(T_map_camera[0])
    stamps = SECOND * np.arange(1, 2 * len(world.objects) + 3)
    pixels = np.zeros((len(stamps), len(world.objects) + 1), np.int64)
    objects = []
    for item in world.objects:
        first = 2 * ((item.id * 17) % len(world.objects)) + 1
        pixels[first:, item.id] = 5000
        objects.append(object_truth(world, item, T_map_scene, int(stamps[first]), 50, 1.0))
    truth = Truth(
        objects=tuple(objects),
        rooms=room_truth(world, T_map_scene),
        T_map_scene=T_map_scene,
        T_map_odom=np.eye(4),
        stamps_ns=stamps,
        T_map_camera=T_map_camera[[0] * (len(stamps) - 1) + [1]],
        intrinsics=robot.camera(640, 480),
        arguments={"seed": seed},
    )
    return truth, Sightings(stamps, pixels, 1.0)


@pytest.fixture(scope="module", params=SEEDS)
def asked(request: pytest.FixtureRequest) -> tuple[Truth, Sightings, tuple[TrueQuestion, ...]]:
    truth, sightings = seen_building(request.param)
    return truth, sightings, make_questions(truth, sightings, request.param)


def by_phrase(truth: Truth, phrase: str) -> TrueObject:
    """The one object a phrase "mug" or "red mug" fits."""
    fits = [o for o in truth.objects if phrase in (o.category, f"{o.colour} {o.category}")]
    assert len(fits) == 1, phrase
    return fits[0]


# Coverage -----------------------------------------------------------------------------------


def test_every_kind_is_asked(asked) -> None:
    _, _, questions = asked
    assert len(questions) >= 36
    assert len({question.question for question in questions}) == len(questions)
    kinds = Counter(question.kind for question in questions)
    assert set(kinds) == {
        "count",
        "distance",
        "size",
        "room_size",
        "direction",
        "own_direction",
        "between",
        "closer",
        "appearance",
        "nearest",
        "furthest",
        "find",
        "command",
        "on",
        "above",
        "unknown",
        "ambiguous",
    }
    assert sum(not question.answered for question in questions) == 3


def test_questions_vary_with_the_seed_and_repeat_with_it() -> None:
    truth, sightings = seen_building(0)
    once, again = (make_questions(truth, sightings, 7) for _ in range(2))
    assert once == again
    assert make_questions(truth, sightings, 8) != once


def test_only_well_seen_objects_are_asked_about() -> None:
    truth, sightings = seen_building(1)
    hidden = {item.id for item in truth.objects[::2]}
    half = tuple(
        TrueObject(**{**o.__dict__, "surface_seen": 0.3 if o.id in hidden else 1.0})
        for o in truth.objects
    )
    truth = Truth(**{**truth.__dict__, "objects": half})
    questions = make_questions(truth, sightings, 0)
    assert len(questions) >= 15
    for question in questions:
        assert not hidden & {*question.about, *question.objects, *question.candidates}


def test_files_round_trip(tmp_path, asked) -> None:
    truth, _, questions = asked
    save_questions(tmp_path / "q.json", questions)
    assert load_questions(tmp_path / "q.json") == questions
    save_truth(tmp_path / "t.json", truth)
    back = load_truth(tmp_path / "t.json")
    assert back.objects == truth.objects
    np.testing.assert_allclose(back.T_map_camera, truth.T_map_camera, atol=1e-7)
    np.testing.assert_allclose(back.T_map_scene, truth.T_map_scene, atol=1e-7)
    (tmp_path / "t.json").write_text('{"version": 99}')
    with pytest.raises(ValueError, match="99"):
        load_truth(tmp_path / "t.json")


# Truths by brute force ----------------------------------------------------------------------


def surface(box: Box, step: float = 0.02) -> np.ndarray:
    """Points every 2 cm or closer all over a box's surface."""
    axes = [np.linspace(-s / 2, s / 2, int(np.ceil(s / step)) + 1) for s in box.size]
    faces = []
    for k in range(3):
        for side in (axes[k][0], axes[k][-1]):
            grid = [*axes]
            grid[k] = np.array([side])
            faces.append(np.stack(np.meshgrid(*grid, indexing="ij"), axis=-1).reshape(-1, 3))
    cos, sin = np.cos(box.yaw), np.sin(box.yaw)
    turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    return np.concatenate(faces) @ turn.T + box.center


def brute_distance(a: Box, b: Box) -> float:
    return float(cKDTree(surface(a)).query(surface(b))[0].min())


def test_distances_by_sampling(asked) -> None:
    truth, _, questions = asked
    checked = 0
    for question in questions:
        if question.kind == "distance":
            a, b = (truth[i] for i in question.about)
            assert question.truth == pytest.approx(brute_distance(a.box, b.box), abs=0.03)
            assert question.unit == "m"
            checked += 1
    assert checked == 4


def test_closest_and_furthest_by_sampling(asked) -> None:
    truth, _, questions = asked
    checked = 0
    for question in questions:
        goes = question.kind == "command" and " nearest the " in question.question
        if question.kind in ("closer", "nearest", "furthest") or goes:
            landmark, *members = (truth[i] for i in question.about)
            reach = {m.id: brute_distance(m.box, landmark.box) for m in members}
            pick = max if question.kind == "furthest" else min
            assert question.objects == (pick(reach, key=reach.__getitem__),)
            if question.kind != "closer":
                category = truth[question.objects[0]].category
                every = {o.id for o in truth.objects if o.category == category}
                assert set(reach) == every
            checked += 1
    assert checked >= 5


def test_directions_by_turning_the_world(asked) -> None:
    """In axes with the stander at the origin and the faced object ahead, signs tell."""
    truth, _, questions = asked
    checked = 0
    for question in questions:
        if question.kind != "direction":
            continue
        said = re.fullmatch(
            r"If I am standing by the (.+) and facing the (.+), is the (.+) to my .+\?",
            question.question,
        )
        assert said
        stand, face, target = (by_phrase(truth, phrase).box for phrase in said.groups())
        ahead = complex(face.x - stand.x, face.y - stand.y)
        there = complex(target.x - stand.x, target.y - stand.y) / ahead
        side = "left" if there.imag > 0 else "right"
        if len(question.choices) == 4:
            assert question.truth == f"{'front' if there.real > 0 else 'back'}-{side}"
        else:
            behind = there.real < 0 and abs(there.real) > abs(there.imag)
            assert question.truth == ("back" if behind else side)
        checked += 1
    assert checked == 5


def test_own_directions_from_the_last_camera_pose(asked) -> None:
    truth, _, questions = asked
    T_camera_scene = np.linalg.inv(truth.T_map_camera[-1]) @ truth.T_map_scene
    checked = 0
    for question in questions:
        if question.kind == "own_direction":
            (item,) = (truth[i] for i in question.about)
            level = item.box.center
            level[2] = 0.0  # at the camera's height: the camera looks down a little
            x, _, z = T_camera_scene[:3, :3] @ level + T_camera_scene[:3, 3]
            if question.truth in ("left", "right"):
                assert question.truth == ("right" if x > 0 else "left")
            else:
                assert question.truth == ("front" if z > 0 else "behind")
            checked += 1
    assert checked == 3


def test_counts_sizes_and_room(asked) -> None:
    truth, _, questions = asked
    categories = Counter(item.category for item in truth.objects)
    for question in questions:
        if question.kind == "count":
            (category,) = {truth[i].category for i in question.about}
            assert question.truth == categories[category] >= 2
            assert f"{category}(s)" in question.question or plural(category) in question.question
        elif question.kind == "size":
            (item,) = (truth[i] for i in question.about)
            box = item.box
            assert question.truth == pytest.approx(100 * max(box.length, box.width, box.height))
            assert question.unit == "cm"
        elif question.kind == "room_size":
            assert question.truth == pytest.approx(sum(room.area for room in truth.rooms))
            assert 30 < question.truth < 70


def test_appearances(asked) -> None:
    truth, _, questions = asked
    checked = 0
    for question in questions:
        if question.kind == "appearance":
            first = min(question.about, key=lambda i: truth[i].first_visible_ns or 0)
            assert question.objects == (first,)
            checked += 1
    assert checked == 2


def test_on_and_above(asked) -> None:
    truth, _, questions = asked
    checked = Counter()
    for question in questions:
        if question.kind == "on" and question.question.startswith("What is on"):
            (support,) = question.about
            upon = {item.id for item in truth.objects if item.support == support}
            assert set(question.objects) == upon != set()
        elif question.kind == "on" and question.question.startswith("What is the"):
            (item,) = (truth[i] for i in question.about)
            assert question.objects == (item.support,)
        elif question.kind in ("on", "above"):
            a, b = (truth[i] for i in question.about)
            if question.kind == "on":
                assert question.truth == ("yes" if a.support == b.id else "no")
            else:
                upper, lower = (b, a) if " below " in question.question else (a, b)
                gap = upper.box.z - upper.box.height / 2 - lower.box.z - lower.box.height / 2
                sideways = np.hypot(upper.box.x - lower.box.x, upper.box.y - lower.box.y)
                assert gap > 0.05
                if question.truth == "yes":
                    assert sideways < lower.box.size[:2].max() / 2
                else:
                    assert sideways > 0.8
            checked[question.truth] += 1
    assert checked["yes"] >= 1 and checked["no"] >= 1


def test_between(asked) -> None:
    """Yes: the way over it is hardly longer than the straight one. No: plainly longer, or past."""
    truth, _, questions = asked
    answers = []
    for question in questions:
        if question.kind == "between":
            c, a, b = (truth[i].box for i in question.about)
            via = exact.level_distance(a, c) + exact.level_distance(c, b)
            detour = via - exact.level_distance(a, b)
            assert (detour < 0.2) if question.truth == "yes" else (detour > 0.4)
            answers.append(question.truth)
    assert "no" in answers


def test_phrases_fit_one_object_and_refusals_none_or_several(asked) -> None:
    truth, _, questions = asked
    categories = Counter(item.category for item in truth.objects)
    for question in questions:
        if question.kind == "find" and " on the " in question.question:
            said = re.fullmatch(r"Where is the (.+) on the (.+)\?", question.question)
            assert said
            support = by_phrase(truth, said[2])
            on_it = [o.id for o in truth.objects if o.support == support.id]
            assert [i for i in on_it if truth[i].category == said[1]] == list(question.objects)
            assert categories[said[1]] > 1
        elif question.kind == "find":
            said = re.fullmatch(r"Where is the (.+)\?", question.question)
            assert said
            assert question.objects == (by_phrase(truth, said[1]).id,)
        elif question.kind == "unknown":
            assert not question.answered and not question.candidates
            assert not any(f" {name} from" in question.question for name in CATEGORIES)
        elif question.kind == "ambiguous":
            (category,) = {truth[i].category for i in question.candidates}
            assert f"the {category} from" in question.question
            assert len(question.candidates) == categories[category] > 1
            assert not question.answered


# Exact measures by hand ---------------------------------------------------------------------


def box(x: float, y: float, z: float, length: float, width: float, height: float, yaw=0.0) -> Box:
    return Box(x, y, z, length, width, height, yaw)


@pytest.mark.parametrize(
    ("a", "b", "metres"),
    [
        (box(0, 0, 0, 1, 1, 1), box(3, 0, 0, 1, 1, 1), 2.0),  # side by side
        (box(0, 0, 0, 1, 1, 1), box(0, 0, 3, 1, 1, 1), 2.0),  # one above the other
        (box(0, 0, 0, 1, 1, 1), box(4, 0, 5, 1, 1, 1), 5.0),  # 3 along, 4 up
        (box(0, 0, 0, 2, 1, 1), box(0.5, 0, 0, 2, 1, 1), 0.0),  # overlapping
        (box(0, 0, 0, 1, 1, 1), box(2, 0, 0, 1, 1, 1, np.pi / 4), 1.5 - np.sqrt(0.5)),
        (box(0, 0, 0, 4, 1, 1, np.pi / 2), box(3, 0, 0, 1, 1, 1), 2.0),
        (box(0, 0, 0, 3, 3, 3), box(0, 0, 0, 1, 1, 1), 0.0),  # one inside the other
    ],
)
def test_distance_between_boxes(a: Box, b: Box, metres: float) -> None:
    assert exact.distance(a, b) == pytest.approx(metres)
    assert exact.distance(b, a) == pytest.approx(metres)


@pytest.mark.parametrize(
    ("target", "degrees"),
    [((1, 1), 45), ((-1, 1), 135), ((1, -1), -45), ((-1, -1e-9), -180), ((-1, 0), 180)],
)
def test_bearing_is_left_positive(target: tuple[float, float], degrees: float) -> None:
    stand, face = box(5, 5, 0, 1, 1, 1), box(7, 5, 0, 1, 1, 1)
    found = exact.bearing(stand, face, box(5 + target[0], 5 + target[1], 0, 1, 1, 1))
    assert found == pytest.approx(degrees, abs=1e-5)


def test_between_over_and_resting() -> None:
    a, b = box(0, 0, 0, 1, 1, 1), box(4, 0, 0, 1, 1, 1)
    assert exact.between(a, b, box(1, 0.5, 0, 1, 1, 1)) == pytest.approx((0.25, 0.5))
    table, mug = box(0, 0, 0.4, 1, 1, 0.8), box(0.3, 0, 0.86, 0.1, 0.1, 0.1)
    assert exact.rests_on(mug, box(0, 0, 0.4, 1, 1, 0.82))
    assert not exact.rests_on(mug, box(2, 0, 0.4, 1, 1, 0.82))
    assert not exact.over(mug, table)  # 1 cm above: touching, for all one can tell
    assert exact.over(box(0, 0, 1.5, 0.6, 0.1, 0.5), table)
    assert not exact.over(box(0.9, 0, 1.5, 0.6, 0.1, 0.5), table)  # beside it
    assert not exact.over(table, mug)


def test_extremes_need_a_margin() -> None:
    truth, sightings = seen_building(0)
    asker = Asker(truth, sightings)
    base = truth.objects[0]

    def at(number: int, x: float) -> TrueObject:
        return TrueObject(**{**base.__dict__, "id": number, "box": box(x, 0, 0, 1, 1, 1)})

    near, far, landmark = at(1, 2.0), at(2, 2.15), at(3, 0.0)
    asker.distance = lambda a, b: {1: 1.0, 2: 1.15}[a]
    assert asker.extreme([near, far], landmark, 1) is None
    asker.distance = lambda a, b: {1: 1.0, 2: 1.25}[a]
    assert asker.extreme([near, far], landmark, 1) is near
    assert asker.extreme([near, far], landmark, -1) is far
    assert asker.extreme([near, far], near, 1) is None


def test_appearance_spans_small_and_large_views() -> None:
    stamps = SECOND * np.arange(10)
    pixels = np.zeros((10, 3), np.int64)
    pixels[2:5, 1] = 100  # noticed at 2 s by the keen, at 5 s by all
    pixels[5:, 1] = 1000
    pixels[4:, 2] = 100  # never beyond doubt
    sightings = Sightings(stamps, pixels, 1.0)
    assert sightings.appearance(1) == (2.0, 5.0)
    assert sightings.appearance(2) is None
    assert Sightings(stamps, pixels, 0.25).appearance(2) is None
    assert Sightings(stamps, pixels, 0.1).appearance(2) == (4.0, 4.0)


@pytest.mark.parametrize(
    ("one", "many"), [("chair", "chairs"), ("box", "boxes"), ("bookshelf", "bookshelves")]
)
def test_plurals(one: str, many: str) -> None:
    assert plural(one) == many


def test_sorts_yield_only_what_they_promise() -> None:
    truth, sightings = seen_building(2)
    asker = Asker(truth, sightings)
    for sort, _ in KINDS:
        for question in list(sort(asker))[:200]:
            assert question.question[0].isupper() and question.question[-1] in "?."
            if question.choices and isinstance(question.truth, str):
                assert question.truth in question.choices
