"""Evidence of a model's text: what it cites is checked, and no text whatever does harm."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace

import pytest
from hand_built_room import graph, room, thing
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_vlm_ros.language.box_text import LONGEST_TEXT, write_box
from spatial_vlm_ros.reasoners.evidence import MOST, SAME_IOU, Evidence, evidence
from spatial_vlm_ros.reasoners.numbering import Numbering
from spatial_vlm_ros.scene.box import Box, iou
from spatial_vlm_ros.scene.graph import ObjectState

ROOM = room()
NUMBERS = Numbering.of((item.id for item in ROOM.objects), 100)  # <OBJ000> is the sofa, #1
SOFA, LAMP = ROOM[1].box, ROOM[11].box
FAR = Box(50.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0)

PIECES = [
    *("<OBJ000>", "<OBJ012>", "<OBJ099>", "OBJ003", "#7", "(#77)", "<OBJ", ">", "#"),
    *("{", "}", "[", "]", '"', "\\", ",", ":", '"bbox_3d": [', '"label": "', "1e999", "NaN"),
    *(write_box(SOFA), write_box(FAR, "vase"), write_box(LAMP)[:-3], "9" * 50, "```json\n"),
]


def of(text: str) -> Evidence:
    return evidence(text, NUMBERS, ROOM)


def test_objects_are_those_cited_in_their_order() -> None:
    found = of("The lamp <OBJ010> is left of <OBJ000>; <OBJ010> is 1.5 m high, mug (#3) is not.")
    assert found == Evidence(objects=(11, 1, 3))
    assert found.ids == (11, 1, 3)
    assert found.warnings == ()


def test_what_does_not_exist_is_reported_and_no_object() -> None:
    found = of("<OBJ099> is beside <OBJ017>, chair (#77), #77 and <OBJ000>.")
    assert found.objects == (1,)
    assert found.unknown == ("<OBJ099>", "<OBJ017>", "(#77)", "#77")
    assert found.warnings[0] == "the answer cites <OBJ099>, which does not exist"


def test_an_object_that_has_gone_meanwhile_does_not_exist() -> None:
    later = replace(ROOM, objects=ROOM.objects[1:])
    assert evidence("<OBJ000> <OBJ001>", NUMBERS, later) == Evidence((2,), ("<OBJ000>",))


def test_tentative_objects_cannot_be_known_and_missing_ones_can() -> None:
    box = (0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0)
    scene = graph(
        (
            thing(1, "blob", box, state=ObjectState.TENTATIVE),
            thing(2, "chair", box, state=ObjectState.MISSING),
        )
    )
    found = evidence("<OBJ000> <OBJ001>" + write_box(Box(*box)), Numbering.of([1, 2], 9), scene)
    assert (found.objects, found.unknown) == ((2,), ("<OBJ000>",))
    assert [number for number, _ in found.matched] == [2]


def test_boxes_are_of_the_object_they_overlap() -> None:
    shifted = replace(SOFA, x=SOFA.x + 0.5, yaw=0.2)
    assert iou(SOFA, shifted) > SAME_IOU
    found = of(f"{write_box(shifted, 'couch')} and {write_box(FAR, 'vase')}")
    (number, named), (other,) = found.matched[0], found.boxes
    assert (number, named.label, other.label) == (1, "couch", "vase")
    assert found.ids == (1,)
    assert found.refused == ()


def test_a_box_that_overlaps_too_little_is_of_no_object() -> None:
    shifted = replace(SOFA, x=SOFA.x + 1.25)
    assert 0 < iou(SOFA, shifted) < SAME_IOU
    assert of(write_box(shifted)).matched == ()
    assert len(of(write_box(shifted)).boxes) == 1


def test_of_several_the_one_it_overlaps_most() -> None:
    scene = graph(
        (
            thing(1, "a", (0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0)),
            thing(2, "b", (0.4, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0)),
        )
    )
    found = evidence(write_box(Box(0.3, 0, 0, 1, 1, 1, 0)), Numbering.of([1, 2], 9), scene)
    assert [number for number, _ in found.matched] == [2]


def test_boxes_that_cannot_be_read_are_refused_with_a_reason() -> None:
    found = of('{"bbox_3d": [1, 2, 3]} {"bbox_3d": [1, 2, 3, 1, 1, 1, 90]}')
    assert found.matched == found.boxes == ()
    assert "3 numbers: expected 7" in found.refused[0]
    assert "not in radians" in found.refused[1]
    assert len(found.warnings) == 2


def test_text_without_boxes_has_none_refused() -> None:
    assert of("There are 3 chairs.") == of("[]") == of("") == Evidence()


def test_too_many_boxes_are_not_looked_at() -> None:
    found = of(write_box(FAR) * (MOST + 3))
    assert len(found.boxes) == MOST
    assert found.refused == ("3 boxes more than are looked at",)


def test_an_empty_scene_has_nothing() -> None:
    found = evidence(f"<OBJ000> {write_box(SOFA)}", Numbering.of([], 100), graph(()))
    assert (found.objects, found.unknown, found.matched) == ((), ("<OBJ000>",), ())
    assert len(found.boxes) == 1


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=20).map("".join) | st.text())
def test_any_text_gives_only_what_is_there(text: str) -> None:
    found = of(text)
    assert set(found.ids) <= {item.id for item in ROOM.objects}
    for number, named in found.matched:
        assert iou(ROOM[number].box, named.box) >= SAME_IOU
    for named in found.boxes:
        assert all(iou(item.box, named.box) < SAME_IOU for item in ROOM.objects)


@pytest.mark.parametrize(
    "text",
    [
        '{"bbox_3d": ' + "[" * 50_000,
        '{"bbox_3d": [' + "9" * 50_000 + "]}",
        '{"a":' * 50_000 + '{"bbox_3d": [1,2,3,1,1,1,0]}' + "}" * 50_000,
        "<OBJ" * 50_000,
        "<OBJ" + "1" * 100_000 + ">",
        "#" * 100_000,
        "".join(f"<OBJ{n}>" for n in range(100, 50_000)),
        write_box(FAR) * 5_000,
        "x" * (LONGEST_TEXT + 1) + "bbox_3d",
    ],
    ids=range(9),
)
def test_nested_and_huge_texts_are_read_in_time(text: str) -> None:
    start = time.perf_counter()
    found = of(text)
    assert time.perf_counter() - start < 5
    assert found.objects == ()
    assert all(len(written) <= 80 for written in found.unknown)
    assert len(found.warnings) <= 2 * MOST + 1


def test_no_network_is_loaded_to_read_an_answer() -> None:
    names = ("numbering", "mentions", "evidence", "question_form", "second_opinion")
    modules = ", ".join(f"spatial_vlm_ros.reasoners.{name}" for name in names)
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
