"""Relations of hand-placed boxes."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hand_built_room import room, thing

from spatial_vlm_ros.scene.graph import SceneObject
from spatial_vlm_ros.scene.relations import relations


def found(*objects: SceneObject) -> set[tuple[int, str, int]]:
    return {(r.subject, r.predicate, r.object) for r in relations(objects)}


TABLE = thing(1, "table", (0, 0, 0.375, 1.2, 0.8, 0.75, 0))


def cup(z: float, x: float = 0.0) -> SceneObject:
    return thing(2, "cup", (x, 0, z, 0.1, 0.1, 0.1, 0))


@pytest.mark.parametrize("bottom", [0.67, 0.75, 0.85])
def test_a_cup_on_a_table_within_tolerance(bottom: float) -> None:
    assert found(TABLE, cup(bottom + 0.05)) == {(2, "on", 1)}


def test_a_cup_in_the_air_is_above_and_one_beside_is_not_on() -> None:
    assert found(TABLE, cup(1.2)) == {(2, "above", 1), (1, "below", 2)}
    assert (2, "on", 1) not in found(TABLE, cup(0.8, x=1.0))


def test_only_the_direct_supporter() -> None:
    book = thing(3, "book", (0, 0, 0.78, 0.3, 0.2, 0.06, 0.2))
    on_book = cup(0.86)
    said = found(TABLE, book, on_book)
    assert {(3, "on", 1), (2, "on", 3)} <= said
    assert (2, "on", 1) not in said


def test_a_bin_is_under_a_desk_but_inside_a_wardrobe() -> None:
    low = thing(2, "bin", (0.2, 0, 0.15, 0.3, 0.3, 0.3, 0))
    assert found(thing(1, "desk", (0, 0, 0.375, 1.4, 0.7, 0.75, 0)), low) == {(2, "under", 1)}
    assert found(thing(1, "wardrobe", (0, 0, 1.0, 1.4, 0.7, 2.0, 0)), low) == {(2, "inside", 1)}


def test_a_pillow_within_the_box_of_a_sofa_is_on_it() -> None:
    sofa = thing(1, "sofa", (0, 0, 0.42, 2.0, 0.9, 0.84, 0))
    pillow = thing(2, "pillow", (0.3, 0.1, 0.5, 0.5, 0.4, 0.16, 0.5))
    assert found(sofa, pillow) == {(2, "on", 1)}


def test_a_chair_pushed_under_a_table_stands_beside_it() -> None:
    chair = thing(2, "chair", (0, -0.5, 0.45, 0.45, 0.45, 0.9, 0))
    assert found(TABLE, chair) == {(1, "beside", 2), (2, "beside", 1)}


def test_a_window_is_not_on_the_cabinet_below_it() -> None:
    cabinet = thing(1, "cabinet", (0, 0, 0.4, 1.1, 0.45, 0.8, 0))
    window = thing(2, "window", (0, 0.2, 1.25, 1.2, 0.1, 0.8, 0))
    assert found(cabinet, window) == {(2, "above", 1), (1, "below", 2)}


def test_beside_needs_a_small_gap_and_common_height() -> None:
    chair = thing(1, "chair", (0, 0, 0.45, 0.5, 0.5, 0.9, 0))
    near = thing(2, "chair", (0.9, 0, 0.45, 0.5, 0.5, 0.9, 0))  # gap 0.4 m
    far = thing(2, "chair", (1.1, 0, 0.45, 0.5, 0.5, 0.9, 0))  # gap 0.6 m
    high = thing(2, "clock", (0.6, 0, 1.5, 0.3, 0.1, 0.3, 0))
    assert found(chair, near) == {(1, "beside", 2), (2, "beside", 1)}
    assert found(chair, far) == set()
    assert found(chair, high) == set()


def test_the_hand_built_room() -> None:
    said = {(r.subject, r.predicate, r.object) for r in room().relations}
    assert {s for s in said if s[1] != "beside"} == {
        (3, "on", 2),
        (4, "on", 2),
        (5, "on", 6),
        (7, "under", 6),
        (13, "on", 14),
        (15, "above", 1),
        (1, "below", 15),
        (16, "inside", 17),
    }
    assert {(8, "beside", 2), (9, "beside", 2), (2, "beside", 8)} <= said


def test_relations_do_not_depend_on_where_the_scene_lies() -> None:
    objects = room().objects
    cos, sin = np.cos(0.7), np.sin(0.7)
    moved = [
        thing(
            o.id,
            o.label,
            (
                cos * o.box.x - sin * o.box.y + 5,
                sin * o.box.x + cos * o.box.y - 3,
                o.box.z + 1,
                *o.box.size,
                o.box.yaw + 0.7,
            ),
        )
        for o in reversed(objects)
    ]
    assert relations(moved) == relations(objects)


def test_few_and_none() -> None:
    assert relations([]) == ()
    assert relations([TABLE]) == ()
    far = thing(2, "cup", (50, 0, 0.8, 0.1, 0.1, 0.1, 0))
    assert relations([TABLE, far]) == ()


def test_hundreds_of_objects_are_fast() -> None:
    rng = np.random.default_rng(0)
    many = [
        thing(i, "thing", (*rng.uniform(-10, 10, 2), 0.5, *rng.uniform(0.1, 1, 3), i * 0.1))
        for i in range(300)
    ]
    relations(many)
    started = time.perf_counter()
    relations(many)
    assert time.perf_counter() - started < 0.5
