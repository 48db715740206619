"""The simulation's questions, worded and answered by other code, from the true boxes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import shapely
from test_simulation_questions import seen_building

from spatial_vlm_ros.judge import judge
from spatial_vlm_ros.reasoning.geometric import GeometricReasoner
from spatial_vlm_ros.scene.box import Box
from spatial_vlm_ros.scene.graph import FloorMap, ObjectState, SceneGraph, SceneObject
from spatial_vlm_ros.scene.relations import relations
from spatial_vlm_ros.simulation.questions import KINDS
from spatial_vlm_ros.simulation.questions.asker import Asker
from spatial_vlm_ros.simulation.truth import TrueQuestion, Truth

MOST = 25  # questions of a sort in one building


def perceived(truth: Truth, noise_m: float) -> SceneGraph:
    """The scene graph of someone who saw everything, box sides off by ``noise_m`` (sigma)."""
    rng = np.random.default_rng(0)
    objects = []
    for item in truth.objects:
        values = np.array(item.box.to_tuple())
        values[:6] += rng.normal(0.0, noise_m, 6)
        values[3:6] = np.maximum(values[3:6], 0.02)
        box = Box.from_tuple(values).canonical()
        first = item.first_visible_ns or 0
        state = ObjectState.CONFIRMED
        objects.append(
            SceneObject(item.id, item.category, 1.0, box, state, item.colour, 1.0, first, 0, 9)
        )
    T_scene_camera = np.linalg.inv(truth.T_map_scene) @ truth.T_map_camera[-1]
    ahead = T_scene_camera[:2, 2] / np.linalg.norm(T_scene_camera[:2, 2])
    T_scene_robot = np.eye(4)
    T_scene_robot[:2, :2] = [[ahead[0], -ahead[1]], [ahead[1], ahead[0]]]
    T_scene_robot[:3, 3] = T_scene_camera[:3, 3]
    floor = floor_of(truth)
    return SceneGraph(
        tuple(objects), relations(objects), (), (), floor, T_scene_robot, stamp_ns=0, revision=1
    )


def floor_of(truth: Truth, resolution: float = 0.05) -> FloorMap:
    outline = shapely.unary_union([shapely.Polygon(room.outline_scene) for room in truth.rooms])
    x0, y0, x1, y1 = outline.bounds
    x, y = np.meshgrid(np.arange(x0, x1, resolution), np.arange(y0, y1, resolution))
    seen = shapely.contains_xy(outline, x + resolution / 2, y + resolution / 2)
    return FloorMap(x0, y0, -float(truth.T_map_scene[2, 3]), resolution, seen)


def questions(asker: Asker, seed: int) -> Iterator[TrueQuestion]:
    rng = np.random.default_rng(seed)
    for sort, _ in KINDS:
        possible = list(sort(asker))
        for k in rng.permutation(len(possible))[:MOST]:
            yield possible[k]


@pytest.mark.parametrize("noise_m", [0.0, 0.02])
@pytest.mark.parametrize(("seed", "rooms"), [(0, 2), (1, 1), (2, 3), (5, 2)])
def test_questions_of_a_building(seed: int, rooms: int, noise_m: float) -> None:
    truth, sightings = seen_building(seed, rooms)
    scene = perceived(truth, noise_m)
    boxes = {item.id: truth[item.id].box for item in scene.objects}
    reasoner = GeometricReasoner()
    asked, wrong = 0, []
    for question in questions(Asker(truth, sightings), seed):
        answer = reasoner.ask(question.question, scene)
        right, why = judge(answer, question, truth, boxes)
        asked += 1
        if not right:
            wrong.append(f"{question.question} -> {answer.text} ({why})")
    assert asked > 250
    if noise_m == 0.0:
        assert wrong == []
    assert len(wrong) <= 0.02 * asked, wrong
