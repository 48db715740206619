"""What objects are called in text that a model reads or writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from spatial_vlm_ros.reasoning import describe
from spatial_vlm_ros.scene.graph import ObjectState, SceneGraph, SceneObject


def unique_names(objects: Iterable[SceneObject]) -> dict[int, str]:
    """Id to name, no two alike: the label where it is the only one ("sofa"), else "chair (#7)".

    Labels are lower-case words without underscores; "object" where there is none.
    """
    labels = {item.id: label_words(item.label) for item in objects}
    return _told_apart(labels)


def scene_names(scene: SceneGraph) -> dict[int, str]:
    """Id to name of every object, no two alike.

    Those that are not confirmed have their id in it, so that an object that comes or goes out of
    sight does not change what the others are called.
    """
    other = {
        item.id: f"{label_words(item.label)} (#{item.id})"
        for item in scene.objects
        if item.state is not ObjectState.CONFIRMED
    }
    return _told_apart(unique_names(scene.present()) | other)


def label_words(label: str) -> str:
    """A label as plain words, as text can have them: "Coffee_table" is "coffee table"."""
    return spelling(describe.label_words(label))


def spelling(name: str) -> str:
    """A name as it stands in text: square brackets are for cells, so it has round ones."""
    return " ".join(name.translate({ord("["): "(", ord("]"): ")"}).split())


def _told_apart(names: dict[int, str]) -> dict[int, str]:
    """The names, those that several have with their ids; a label may look like a name itself."""
    while len(set(names.values())) < len(names):
        count = Counter(names.values())
        names = {n: name if count[name] == 1 else f"{name} (#{n})" for n, name in names.items()}
    return names
