"""How objects and measures are said."""

from __future__ import annotations

from collections.abc import Sequence

from spatial_vlm_ros.reasoning import measure, relate
from spatial_vlm_ros.reasoning.inflection import plural
from spatial_vlm_ros.reasoning.view import ROBOT_ID, Unclear, View
from spatial_vlm_ros.scene.graph import SceneObject


def name(item: SceneObject) -> str:
    """Like "the red mug (#7)"; "me" for the robot."""
    return "me" if item.id == ROBOT_ID else f"the {bare(item)} (#{item.id})"


def bare(item: SceneObject) -> str:
    """Like "red mug"."""
    words = label_words(item.label)
    return f"{item.colour} {words}" if item.colour else words


def label_words(label: str) -> str:
    """A label as plain words: "Coffee_table" is "coffee table"; "object" where there is none."""
    return " ".join(label.replace("_", " ").lower().split()) or "object"


def names(items: Sequence[SceneObject], last: str = "and") -> str:
    """Like "the red mug (#7), the book (#8) and the lamp (#2)"."""
    return joined([name(item) for item in items], last)


def joined(words: Sequence[str], last: str = "and") -> str:
    """Like "a, b and c"."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def counted(number: int, noun: str) -> str:
    """Like "no chairs", "1 chair", "3 chairs"."""
    return f"{number or 'no'} {noun if number == 1 else plural(noun)}"


def almost(sureness: float) -> str:
    """What is added to a comparison that was a near tie."""
    return "" if sureness == 1.0 else " But the difference is within measuring error."


def facts(item: SceneObject, view: View) -> str:
    """What tells an object from others like it: colour, what it is on, how far away it is."""
    said = [f"#{item.id} {bare(item)}", placed(item, view)]
    try:
        said.append(f"{view.scale.said(measure.gap(item, view.robot))} from me")
    except Unclear:
        said.append(f"at x {item.box.x:.2f}, y {item.box.y:.2f}")
    return ", ".join(part for part in said if part)


def placed(item: SceneObject, view: View) -> str:
    """Like "on the table (#3)", from the relation that says most; empty where there is none."""
    for predicate in ("on", "inside", "under", "above", "beside"):
        for relation in view.scene.relations:
            if relation.subject == item.id and relation.predicate == predicate:
                other = next((o for o in view.objects if o.id == relation.object), None)
                if other is not None:
                    return f"{relate.PHRASES[predicate]} {name(other)}"
    return ""


def position(item: SceneObject, view: View) -> str:
    """Like "2.10 m from me, to my front-left"; scene coordinates where the robot is lost."""
    try:
        degrees = relate.seen_bearing(item, view.robot, view)
        where, _ = measure.sector(degrees, measure.EIGHT)
        return f"{view.scale.said(measure.gap(item, view.robot))} from me, to my {where}"
    except Unclear:
        return f"at x {item.box.x:.2f}, y {item.box.y:.2f}, z {item.box.z:.2f} in the scene frame"
