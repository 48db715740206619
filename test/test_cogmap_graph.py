"""The graph that follows its objects is always the one made from scratch."""

from __future__ import annotations

import numpy as np
import pytest
from hand_built_room import thing
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from spatial_vlm_ros.scene import cogmap_graph
from spatial_vlm_ros.scene.cogmap_generation import local_cogmaps
from spatial_vlm_ros.scene.cogmap_graph import CogMapGraph
from spatial_vlm_ros.scene.graph import SceneObject

Place = tuple[float, float]
rooms = st.tuples(st.integers(-400, 400), st.integers(-400, 400)).map(
    lambda p: (p[0] / 100, p[1] / 100)
)
tight = st.tuples(st.integers(-3, 3), st.integers(-3, 3)).map(lambda p: (p[0] / 4, p[1] / 4))
far = st.tuples(st.integers(-2, 2), st.integers(-2, 2), st.integers(0, 1)).map(
    lambda p: (9.0 * p[0] + 0.1 * p[2], 9.0 * p[1])
)
spots = st.one_of(rooms, tight, far)


def objects(places: dict[int, Place]) -> list[SceneObject]:
    return [thing(i, "thing", (x, y, 0, 0.1, 0.1, 0.1, 0)) for i, (x, y) in places.items()]


class Following(RuleBasedStateMachine):
    """Objects are added with new or freed ids, moved and removed, one or several at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.graph, self.places = CogMapGraph(), dict[int, Place]()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(cogmap_graph, "ANEW", 1.0)  # else so few would always be made anew

    def teardown(self) -> None:
        self.patch.undo()

    @rule(places=st.lists(spots, min_size=1, max_size=12))
    def add(self, places: list[Place]) -> None:
        number = max(self.places, default=0)
        self.places |= {number + 2 * (i + 1): place for i, place in enumerate(places)}

    @rule(number=st.integers(1, 60), place=spots)
    def put(self, number: int, place: Place) -> None:
        self.places[number] = place

    @precondition(lambda self: self.places)
    @rule(choice=st.integers(0, 10**6), place=spots)
    def move(self, choice: int, place: Place) -> None:
        self.places[sorted(self.places)[choice % len(self.places)]] = place

    @precondition(lambda self: self.places)
    @rule(choice=st.integers(0, 10**6), shift=st.integers(-3, 3))
    def nudge(self, choice: int, shift: int) -> None:
        number = sorted(self.places)[choice % len(self.places)]
        x, y = self.places[number]
        self.places[number] = (x + shift / 1000, y)

    @precondition(lambda self: self.places)
    @rule(choices=st.lists(st.integers(0, 10**6), min_size=1, max_size=4))
    def remove(self, choices: list[int]) -> None:
        for choice in choices:
            if self.places:
                del self.places[sorted(self.places)[choice % len(self.places)]]

    @invariant()
    def is_the_graph_made_from_scratch(self) -> None:
        now = objects(self.places)
        self.graph.update(now)
        assert (self.graph.maps, self.graph.unplaced) == local_cogmaps(now)


Following.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
test_any_sequence_of_changes = Following.TestCase


def spread(count: int, seed: int) -> dict[int, Place]:
    points = np.random.default_rng(seed).uniform(0, 1.2 * np.sqrt(count), (count, 2))
    return {i + 1: (float(x), float(y)) for i, (x, y) in enumerate(points)}


def test_one_change_among_many_remakes_what_it_touches() -> None:
    places = spread(300, 1)
    graph = CogMapGraph()
    graph.update(objects(places))
    assert graph.remade == 297  # all but the start, which needs no search
    remade = []
    for number, place in spread(25, 2).items():
        places[1000 + number] = (3 * place[0], 3 * place[1])
        before = set(graph.maps)
        graph.update(objects(places))
        assert (graph.maps, graph.unplaced) == local_cogmaps(objects(places))
        new = [made for made in graph.maps if made not in before]
        assert len(new) <= graph.remade
        remade.append(graph.remade)
    assert np.median(remade) <= 8


def test_nothing_is_remade_where_nothing_changed() -> None:
    places = spread(50, 3)
    graph = CogMapGraph()
    graph.update(objects(places))
    maps = graph.maps
    graph.update(objects(dict(reversed(places.items()))))  # in another order
    assert graph.maps is maps


def test_a_thousand_objects_that_come_move_and_go() -> None:
    rng = np.random.default_rng(4)
    places = spread(1000, 5)
    graph = CogMapGraph()
    graph.update(objects(places))
    for step in range(30):
        number = int(rng.choice(list(places)))
        if step % 3 == 0:
            del places[number]
        else:
            target = number if step % 3 == 1 else 2000 + step
            places[target] = (float(rng.uniform(0, 38)), float(rng.uniform(0, 38)))
        graph.update(objects(places))
    assert (graph.maps, graph.unplaced) == local_cogmaps(objects(places))


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_objects_have_no_map(count: int) -> None:
    graph = CogMapGraph()
    graph.update(objects(spread(9, 6)))
    few = {i: place for i, place in spread(9, 6).items() if i <= count}
    graph.update(objects(few))
    assert (graph.maps, graph.unplaced) == ((), tuple(few))
