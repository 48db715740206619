"""What objects are called: no two alike, whatever a detector calls them."""

from __future__ import annotations

from hand_built_room import thing
from hypothesis import given
from hypothesis import strategies as st

from spatial_vlm_ros.language.names import label_words, scene_names, unique_names
from spatial_vlm_ros.scene.graph import ObjectState, SceneGraph, SceneObject

BOX = (0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0)


def scene(*objects: SceneObject) -> SceneGraph:
    return SceneGraph(objects, (), (), (), None, None, 0, 1)


def test_the_only_one_is_called_by_its_label() -> None:
    things = [thing(1, "Coffee_table", BOX), thing(2, "chair", BOX), thing(7, "chair", BOX)]
    assert unique_names(things) == {1: "coffee table", 2: "chair (#2)", 7: "chair (#7)"}
    assert label_words("  ") == "object"
    assert label_words("sign [exit]") == "sign (exit)"  # square brackets are for cells


def test_what_is_not_there_does_not_rename_what_is() -> None:
    gone = thing(5, "lamp", BOX, state=ObjectState.MISSING)
    lamp = thing(3, "lamp", BOX)
    assert scene_names(scene(lamp))[3] == scene_names(scene(lamp, gone))[3] == "lamp"
    assert scene_names(scene(lamp, gone))[5] == "lamp (#5)"


labels = st.sampled_from(["chair", "chair (#2)", "chair (#2) (#1)", "CHAIR [#2]", "", "object"])


@given(st.lists(labels, max_size=8))
def test_no_two_are_called_alike(said: list[str]) -> None:
    things = [thing(i, label, BOX) for i, label in enumerate(said)]
    assert len(set(unique_names(things).values())) == len(things)
    assert len(set(scene_names(scene(*things)).values())) == len(things)
