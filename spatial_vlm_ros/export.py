"""The scene graph for other programs: as JSON, and as a graph for Graphviz."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np

from spatial_vlm_ros.language.names import scene_names
from spatial_vlm_ros.language.said import SYMMETRIC, said_once
from spatial_vlm_ros.scene.graph import CELL_A, FloorMap, ObjectState, SceneGraph, SceneObject

FORMAT = "spatial_vlm_ros scene graph"
VERSION = 1
#: neato -n takes positions in points: a metre of the scene is this many.
POINTS_PER_METRE = 100
#: Colour of an object to fill and ink of its node.
_PAINT = {
    "red": ("#e05050", "black"),
    "orange": ("#f5a142", "black"),
    "yellow": ("#f3e35c", "black"),
    "green": ("#6cbf6c", "black"),
    "blue": ("#4f7bd9", "white"),
    "purple": ("#8a55b5", "white"),
    "pink": ("#f5aac8", "black"),
    "brown": ("#8a5a34", "white"),
    "black": ("#303030", "white"),
    "grey": ("#a8a8a8", "black"),
    "white": ("#ffffff", "black"),
}
_UNPAINTED = ("#ece8df", "black")
_GONE = 'style="rounded,dashed", color="#808080", fontcolor="#606060"'


def to_json(scene: SceneGraph) -> str:
    """The whole scene graph, each object and relation and map as an object of JSON, in ASCII.

    ``format``, ``version``: of this form; the version grows when a key changes its meaning.
    ``units``, ``frame``: of all numbers; ``stamp_ns``, ``revision``: of the scene.
    ``scale_spread``: share (1 sigma) by which all lengths may be off together; null where they are
    no metres but of an unknown unit.
    ``objects``: ``id``, ``name`` (what the text form calls it), ``label``, ``label_score``,
    ``state`` ("TENTATIVE", "CONFIRMED", "MISSING"), ``box`` (``x``, ``y``, ``z`` of the centre,
    ``length``, ``width``, ``height``, ``yaw``), ``colour``, ``colour_score``, ``first_seen_ns``,
    ``last_seen_ns``, ``observations``.
    ``relations``: ``subject``, ``predicate``, ``object``, from both sides where both are known.
    ``local_maps``: ``anchor_a``, ``anchor_b``, ``target``, their cells [x, y] ``cell_a``,
    ``cell_b``, ``cell_target``, and ``metres_per_cell``, null where it is not known.
    ``unplaced``: ids no map could place. ``T_scene_robot``: 4 rows of 4, or null.
    ``floor``: ``x0``, ``y0``, ``z``, ``resolution`` and ``seen``, a string a row from y0 on with a
    1 for each cell that was seen, from x0 on; or null.

    ``ValueError`` names a number that is not finite.
    """
    names = scene_names(scene)
    content = {
        "format": FORMAT,
        "version": VERSION,
        "units": f"{'metres' if scene.metric else 'unknown lengths'}, radians, nanoseconds",
        "scale_spread": scene.scale_spread if scene.metric else None,
        "frame": "scene: origin at the first camera, x forward, y left, z up",
        "stamp_ns": scene.stamp_ns,
        "revision": scene.revision,
        "objects": [
            {"id": item.id, "name": names[item.id], **asdict(item), "state": item.state.name}
            for item in scene.objects
        ],
        "relations": [asdict(relation) for relation in scene.relations],
        "local_maps": [
            {
                **asdict(made),
                "cell_a": CELL_A,
                "metres_per_cell": None if np.isnan(made.metres_per_cell) else made.metres_per_cell,
            }
            for made in scene.cogmaps
        ],
        "unplaced": scene.unplaced,
        "floor": None if scene.floor is None else _floor(scene.floor),
        "T_scene_robot": scene.T_scene_robot,
    }
    return json.dumps(_plain(content, "scene"), indent=1, allow_nan=False) + "\n"


def to_dot(scene: SceneGraph) -> str:
    """The confirmed and missing objects as a graph for Graphviz, seen from above, x to the right.

    ``neato -n -Tsvg`` draws it with every object at its place, ``POINTS_PER_METRE`` to the metre.
    Arrows are relations; dotted lines go from the two anchors of a LocalCogMap to its target;
    dashed objects are missing.
    """
    return "\n".join(["digraph scene {", *(f"  {line}" for line in _dot(scene)), "}", ""])


def _dot(scene: SceneGraph) -> Iterator[str]:
    yield 'graph [outputorder="edgesfirst", splines="line"];'
    yield 'node [shape="box", style="rounded,filled", fontname="Helvetica", fontsize="10"];'
    yield 'edge [fontname="Helvetica", fontsize="9", color="#404040", arrowsize="0.7"];'
    names = scene_names(scene)
    for item in scene.objects:
        if item.state is not ObjectState.TENTATIVE:
            yield f"{item.id} [{_node(item, names[item.id], ' m' if scene.metric else '')}];"
    if scene.T_scene_robot is not None:
        x, y = scene.T_scene_robot[:2, 3].tolist()
        yield f'robot [label="robot", shape="ellipse", style="solid", {_pos(x, y)}];'
    for r in said_once(scene.relations):
        way = ', dir="none"' if r.predicate in SYMMETRIC else ""
        yield f"{r.subject} -> {r.object} [label={_quoted(r.predicate)}{way}];"
    for made in scene.cogmaps:
        places = {made.anchor_a: CELL_A, made.anchor_b: made.cell_b}
        for anchor, cell in places.items():
            said = f"{list(cell)} -> {list(made.cell_target)}"
            yield (
                f'{anchor} -> {made.target} [style="dotted", color="#2060a0", arrowhead="empty", '
                f'tooltip="{said}"];'
            )


def _node(item: SceneObject, name: str, unit: str) -> str:
    fill, ink = _PAINT.get(item.colour, _UNPAINTED)
    paint = f'fillcolor="{fill}", fontcolor="{ink}"'
    if item.state is ObjectState.MISSING:
        paint = _GONE
    x, y, z, length, width, height, yaw = item.box.to_tuple()
    facts = (
        f"centre {x:.2f} {y:.2f} {z:.2f}{unit}, "
        f"size {length:.2f} {width:.2f} {height:.2f}{unit}, yaw {np.degrees(yaw):.0f} degrees"
    )
    return f'label={_quoted(name)}, {_pos(x, y)}, {paint}, tooltip="{facts}"'


def _pos(x: float, y: float) -> str:
    """Two finite numbers; ``ValueError`` else, for Graphviz would not read on."""
    if not (math.isfinite(x) and math.isfinite(y)):
        raise ValueError(f"a place in the scene is not finite: {x}, {y}")
    return f'pos="{POINTS_PER_METRE * x:.1f},{POINTS_PER_METRE * y:.1f}"'


def _quoted(text: str) -> str:
    """A string of DOT that is drawn as ``text``, but for characters that cannot be drawn."""
    drawn = "".join(c if c.isprintable() else " " for c in text)
    for character, escaped in (("&", "&amp;"), ("\\", "\\\\"), ('"', '\\"')):
        drawn = drawn.replace(character, escaped)
    return f'"{drawn}"'


def _floor(floor: FloorMap) -> dict[str, Any]:
    return {
        **{name: getattr(floor, name) for name in ("x0", "y0", "z", "resolution")},
        "seen": ["".join("01"[int(cell)] for cell in row) for row in floor.seen],
    }


def _plain(value: Any, path: str) -> Any:
    """``value`` with lists for tuples and arrays and plain numbers for those of numpy."""
    if isinstance(value, dict):
        return {key: _plain(inner, f"{path}.{key}") for key, inner in value.items()}
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(inner, f"{path}[{index}]") for index, inner in enumerate(value)]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{path} is {value}: JSON has no such number")
    return value
