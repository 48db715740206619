"""Local maps and referring expressions in real rooms, from their annotated boxes."""

from __future__ import annotations

import arkitscenes
import pytest

from bench.cogmaps import measured
from spatial_vlm_ros.reasoning.geometric import find_objects
from spatial_vlm_ros.referring import referring_expressions
from spatial_vlm_ros.scene.cogmap_generation import local_cogmaps
from spatial_vlm_ros.scene.cogmap_graph import CogMapGraph
from spatial_vlm_ros.scene.graph import SceneGraph, SceneObject
from spatial_vlm_ros.scene.relations import relations

pytestmark = pytest.mark.skipif(not arkitscenes.BOXES.exists(), reason="no VSI-Bench data")


@pytest.fixture(scope="module")
def rooms() -> dict[str, tuple[SceneObject, ...]]:
    return arkitscenes.rooms()


def test_every_object_has_its_place_in_a_grid(rooms: dict[str, tuple[SceneObject, ...]]) -> None:
    large = [objects for objects in rooms.values() if len(objects) > 2]
    assert len(large) > 100
    graph = CogMapGraph()
    for objects in large:
        maps, unplaced = local_cogmaps(objects)
        assert (len(maps), unplaced) == (len(objects) - 2, ())
        graph.update(objects)  # from one room to the next
        assert (graph.maps, graph.unplaced) == (maps, unplaced)
    table = measured(large)
    assert table["ours"]["out of grid, %"] == 0 < table["literal"]["out of grid, %"]
    assert table["ours"]["error, m"] < table["literal"]["error, m"]


def test_every_phrase_means_one_object(rooms: dict[str, tuple[SceneObject, ...]]) -> None:
    said = 0
    for objects in rooms.values():
        scene = SceneGraph(objects, relations(objects), (), (), None, None, 0, 1)
        for expression in referring_expressions(scene):
            answer = find_objects(expression.text, scene)
            assert answer.objects == (expression.target,), (expression, answer.text)
            said += 1
    assert said > 500
