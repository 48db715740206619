"""The scene graph as compact text for a language model, in no more tokens than there is room for.

A line for each thing, in an order that is the scene's own: its frame first, objects by id,
relations, LocalCogMaps, and last the robot, which changes most often. What a question is about
decides only what there is room for. So texts of one scene begin alike as far as they hold the same,
and what a model has cached of one serves the next.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from spatial_vlm_ros.language.cogmap_text import write_cogmaps
from spatial_vlm_ros.language.decimals import two_decimals
from spatial_vlm_ros.language.names import label_words, scene_names
from spatial_vlm_ros.language.said import said_once
from spatial_vlm_ros.language.token_count import most_qwen_tokens
from spatial_vlm_ros.language.touched import Touched, touched
from spatial_vlm_ros.reasoning.describe import joined
from spatial_vlm_ros.scene.graph import LocalCogMap, ObjectState, Relation, SceneGraph, SceneObject

HEAD = (
    "Scene in metres: origin at the first camera, x forward, y left, z up; "
    "yaw in degrees, counter-clockwise seen from above."
)
_HEAD_NOT_METRIC = HEAD.replace("in metres", "in a unit of unknown length, not in metres")
#: What is counted, in the order in which it is written, and the line that comes before it.
OBJECT, RELATION, MAP, ROBOT = "object", "relation", "map", "robot pose"
_HEADINGS = {
    OBJECT: "Objects: centre x y z, size length width height, yaw of the length, colour",
    RELATION: "Relations:",
    MAP: "Local maps, 10 by 10 cells [x, y], x right, y up seen from above: anchors -> target",
    ROBOT: "",
}
_KINDS = tuple(_HEADINGS)
#: A yaw is said where the width is less than this share of the length: else there are four alike.
SQUARE = 0.9


class _Piece(NamedTuple):
    """One line, and where it stands among those of the whole scene."""

    kind: int  # index in _KINDS
    place: int
    line: str


def scene_text(
    scene: SceneGraph,
    budget: int | None = None,
    count_tokens: Callable[[str], int] = most_qwen_tokens,
    question: str = "",
    others: bool = False,
    identifiers: Mapping[int, str] | None = None,
) -> str:
    """The whole scene, or what a question touches, in at most ``budget`` tokens (None: any number).

    With a question that names something of the scene, only that is told, and with ``others`` the
    rest of the scene too. Where there is no room for all, the first go in of: objects touched, the
    robot's pose, relations of those the question means, maps that place them with their anchors,
    other objects, other relations, other maps, missing objects. A last line then counts what was
    left out. Objects that are tentative are never told.

    ``identifiers`` (id to word, like "<OBJ003>") are for models that name objects by them: wherever
    an object that has one is named, its identifier comes first, and its id is not said.

    ``count_tokens`` is of the model's tokenizer, special tokens included if there are any; the
    default needs none and never counts too few for Qwen2.5. ``ValueError`` says how many tokens are
    needed at least.
    """
    about = touched(question, scene) if question else Touched()
    lines = _Lines(scene, identifiers or {})
    pieces = list(dict.fromkeys(_by_importance(lines, about, others or not about.meant)))
    totals, head = Counter(_KINDS[piece.kind] for piece in lines.all()), _head(scene)

    def text(count: int) -> str:
        return _written(head, pieces[:count], totals)

    def fits(count: int) -> bool:
        return budget is None or count_tokens(text(count)) <= budget

    if fits(len(pieces)):
        return text(len(pieces))
    if not fits(0):
        least = count_tokens(text(0))
        raise ValueError(f"{budget} tokens hold nothing of the scene: it takes at least {least}")
    return text(_most(fits, len(pieces)))


def _most(fits: Callable[[int], bool], count: int) -> int:
    """The largest number below ``count`` that fits, 0 being one; few and small ones are tried."""
    high = 1
    while high < count and fits(high):
        high *= 2
    low, high = high // 2, min(high, count)
    return bisect_left(range(count), True, low + 1, high, key=lambda k: not fits(k)) - 1


class _Lines:
    """The pieces of all that can be told of a scene."""

    def __init__(self, scene: SceneGraph, identifiers: Mapping[int, str]) -> None:
        names = scene_names(scene) | {
            item.id: f"{identifiers[item.id]} {label_words(item.label)}"
            for item in scene.objects
            if item.id in identifiers
        }
        told = [item for item in scene.objects if item.state is not ObjectState.TENTATIVE]
        told.sort(key=lambda item: item.id)
        unplaced = frozenset(scene.unplaced if scene.cogmaps else ())
        self.objects = {
            item.id: _Piece(0, i, _object(item, names, item.id in unplaced))
            for i, item in enumerate(told)
        }
        self.missing = {self.objects[item.id] for item in told if item.state is ObjectState.MISSING}
        self.relations: list[tuple[Relation, _Piece]] = [
            (r, _Piece(1, i, f"{names[r.subject]} {r.predicate} {names[r.object]}"))
            for i, r in enumerate(said_once(scene.relations))
        ]
        written = write_cogmaps(scene.cogmaps, names, metres=scene.metric).splitlines()
        self.maps: list[tuple[LocalCogMap, _Piece]] = [
            (made, _Piece(2, i, line))
            for i, (made, line) in enumerate(zip(scene.cogmaps, written, strict=True))
        ]
        self.robot = [] if scene.T_scene_robot is None else [_Piece(3, 0, _robot(scene))]

    def all(self) -> Iterator[_Piece]:
        """Every one, in the order in which they are written."""
        yield from self.objects.values()
        yield from (piece for _, piece in self.relations)
        yield from (piece for _, piece in self.maps)
        yield from self.robot


def _by_importance(lines: _Lines, about: Touched, others: bool) -> Iterator[_Piece]:
    """Some more than once. An object comes before the relations and maps that name it."""
    meant = frozenset(about.meant)
    yield from (lines.objects[number] for number in (*about.meant, *about.related))
    yield from lines.robot
    yield from (piece for r, piece in lines.relations if r.subject in meant or r.object in meant)
    for made, piece in lines.maps:
        if made.target in meant:
            yield lines.objects[made.anchor_a]
            yield lines.objects[made.anchor_b]
            yield piece
    if others:
        yield from sorted(lines.all(), key=lines.missing.__contains__)


def _head(scene: SceneGraph) -> str:
    """What the numbers are, and how well they are known."""
    if not scene.metric:
        return _HEAD_NOT_METRIC
    if not scene.scale_spread:
        return HEAD
    percent = float(f"{100 * scene.scale_spread:.1g}")  # changes seldom, and with it what is cached
    return f"{HEAD} All lengths may be off together by about {percent:g} %."


def _written(head: str, pieces: Sequence[_Piece], totals: Counter[str]) -> str:
    """``totals``: how many of each kind the scene has; what is not among ``pieces`` is left out."""
    written, left_out = [head], Counter(totals)
    for piece in sorted(pieces):
        kind = _KINDS[piece.kind]
        if left_out[kind] == totals[kind] and _HEADINGS[kind]:
            written.append(_HEADINGS[kind])
        written.append(piece.line)
        left_out[kind] -= 1
    counted = [f"{n} {kind}{'s' if n > 1 else ''}" for kind in _KINDS if (n := left_out[kind])]
    if counted:
        written.append(f"Left out: {joined(counted)}.")
    return "\n".join(written)


def _object(item: SceneObject, names: dict[int, str], unplaced: bool) -> str:
    box, degrees = item.box, round(float(np.degrees(item.box.yaw)))
    said = [
        f"{names[item.id]}: {_metres(box.x, box.y, box.z)}",
        _metres(box.length, box.width, box.height),
        f"yaw {degrees}" if degrees and box.width < SQUARE * box.length else "",
        " ".join(item.colour.split()),
        "in no map" if unplaced else "",
        "missing: no longer there" if item.state is ObjectState.MISSING else "",
    ]
    return ", ".join(part for part in said if part)


def _robot(scene: SceneGraph) -> str:
    assert scene.T_scene_robot is not None
    x, y, z = scene.T_scene_robot[:3, 3].tolist()
    yaw = np.degrees(np.arctan2(scene.T_scene_robot[1, 0], scene.T_scene_robot[0, 0]))
    return f"Robot: camera at {_metres(x, y, z)}, yaw {round(float(yaw))}"


def _metres(*values: float) -> str:
    """Two decimals each, and no -0.00."""
    return " ".join(map(two_decimals, values))
