"""The scene graph: local maps that follow their objects, relations, rotated overlap of boxes.

A thousand objects stand on a square of 38 m by 38 m, ten thousand on one of 120 m by 120 m.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import count

import numpy as np
import shapely
from shapely.affinity import rotate, translate

from bench.harness import Row, benchmark, median_ms
from spatial_vlm_ros.reasoning.geometric import GeometricReasoner
from spatial_vlm_ros.scene import polygon
from spatial_vlm_ros.scene.box import Box, footprints
from spatial_vlm_ros.scene.cogmap_generation import local_cogmaps
from spatial_vlm_ros.scene.cogmap_graph import CogMapGraph
from spatial_vlm_ros.scene.graph import ObjectState, SceneGraph, SceneObject
from spatial_vlm_ros.scene.relations import relations

LABELS = ("table", "chair", "lamp", "box", "shelf")
PAIRS = 10_000
VAGUE = "What is nearest to the lamp?"


def _thing(number: int, x: float, y: float) -> SceneObject:
    box = Box(x, y, 0.4, 0.6, 0.4, 0.8, number % 3 - 1.0)
    label = LABELS[number % len(LABELS)]
    return SceneObject(number, label, 1.0, box, ObjectState.CONFIRMED, "", 0.0, 0, 0, 9)


def _spread(objects: int) -> list[SceneObject]:
    places = np.random.default_rng(objects).uniform(0, 1.2 * np.sqrt(objects), (objects, 2))
    return [_thing(number, x, y) for number, (x, y) in enumerate(places.tolist(), 1)]


Change = Callable[[list[SceneObject], int], list[SceneObject]]


def _add(objects: list[SceneObject], step: int) -> list[SceneObject]:
    x, y = np.random.default_rng(step).uniform(0, 38, 2).tolist()
    return [*objects, _thing(10**6 + step, x, y)]


def _move(objects: list[SceneObject], step: int) -> list[SceneObject]:
    index = 17 * step % len(objects)
    moved = replace(objects[index], box=replace(objects[index].box, x=objects[step].box.x + 0.5))
    return [*objects[:index], moved, *objects[index + 1 :]]


def _remove(objects: list[SceneObject], step: int) -> list[SceneObject]:
    index = 17 * step % len(objects)
    return [*objects[:index], *objects[index + 1 :]]


def _against_scratch(change: Change) -> Row:
    """One change among 1000 objects; both figures include reading all the objects' places."""
    graph, objects = CogMapGraph(), _spread(1000)
    graph.update(objects)
    states = [objects]
    for step in range(40):
        states.append(change(states[-1], step))
    coming = iter(states[1:])
    ours = median_ms(lambda: graph.update(next(coming)), 37, 3)
    if (graph.maps, graph.unplaced) != local_cogmaps(states[-1]):
        raise AssertionError("the graph that was kept up to date differs from the one made anew")
    return Row(ours, "ms", "all made anew", _anew(), bound=min(5.0, _anew() / 50))


@lru_cache(maxsize=1)
def _anew() -> float:
    objects = _spread(1000)
    return median_ms(lambda: local_cogmaps(objects), 5, 1)


@benchmark("local maps, an object more among 1000")
def add() -> Row:
    return _against_scratch(_add)


@benchmark("local maps, an object moved among 1000")
def move() -> Row:
    row = _against_scratch(_move)
    return replace(row, bound=5.0)  # taken away and put back: two changes


@benchmark("local maps, an object less among 1000")
def remove() -> Row:
    return _against_scratch(_remove)


@benchmark("local maps and relations of 10 000, memory")
def memory() -> Row:
    """At most, while they are made and one object more is added; a table of all pairs: 800 MB."""
    objects = _spread(10_000)
    tracemalloc.start()
    graph = CogMapGraph()
    graph.update(objects)
    graph.update(_add(objects, 0))
    relations(objects)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    rival = 8 * len(objects) ** 2 / 1e6
    return Row(most / 1e6, "MB", "distances of all pairs", rival, bound=rival / 4)


@benchmark("local maps, an object more among 10 000")
def add_to_many() -> Row:
    graph, objects = CogMapGraph(), _spread(10_000)
    graph.update(objects)
    numbers = count()

    def one_more() -> None:
        nonlocal objects
        objects = _add(objects, next(numbers))
        graph.update(objects)

    return Row(median_ms(one_more, 20, 1), "ms")


@benchmark("too vague a question among 10 000 objects")
def vague() -> Row:
    """Of 2000 lamps any may be meant; comparing all with all would take minutes."""
    objects = tuple(_spread(10_000))
    scene = SceneGraph(objects, relations(objects), (), (), None, np.eye(4), 0, 1)
    reasoner = GeometricReasoner()
    if reasoner.ask(VAGUE, scene).answered:
        raise AssertionError(f"{VAGUE!r} was answered")
    return Row(median_ms(lambda: reasoner.ask(VAGUE, scene), 5, 1), "ms", bound=1000.0)


@benchmark("rotated overlap of 10 000 pairs of boxes")
def overlaps() -> Row:
    rng = np.random.default_rng(0)
    rows = rng.uniform((-1, -1, 0, 0.2, 0.2, 1, -4), (1, 1, 0.1, 2, 2, 1.1, 4), (2, PAIRS, 7))
    ours, theirs = ([Box(*row) for row in side] for side in rows.tolist())
    first, second = footprints(ours), footprints(theirs)
    shapes, others = _shapes(ours), _shapes(theirs)
    return Row(
        median_ms(lambda: polygon.overlap_areas(first, second), 5, 1),
        "ms",
        "shapely",
        median_ms(lambda: shapely.area(shapely.intersection(shapes, others)), 5, 1),
    )


def _shapes(boxes: Sequence[Box]) -> list[shapely.Polygon]:
    return [
        translate(
            rotate(
                shapely.box(-b.length / 2, -b.width / 2, b.length / 2, b.width / 2),
                b.yaw,
                (0, 0),
                use_radians=True,
            ),
            b.x,
            b.y,
        )
        for b in boxes
    ]
