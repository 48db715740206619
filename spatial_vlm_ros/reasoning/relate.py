"""What it means to be on, under, next to, between, left of: objects against others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.reasoning import measure
from spatial_vlm_ros.reasoning.view import ROBOT_ID, Unclear, View
from spatial_vlm_ros.scene import box as boxes
from spatial_vlm_ros.scene.graph import SceneObject
from spatial_vlm_ros.scene.relations import BESIDE_GAP

#: Nearest points at most this far apart are near [m].
NEAR = 1.0
#: Off the straight way from one object to another by this much is still between [m].
BETWEEN_MARGIN = 0.25

#: How the relations are said.
PHRASES = {
    "on": "on",
    "under": "under",
    "above": "above",
    "inside": "in",
    "beside": "beside",
    "near": "near",
    "with": "with",
    "of": "of",
    "between": "between",
    "left": "to the left of",
    "right": "to the right of",
    "front": "in front of",
    "behind": "behind",
    **{side: f"to the {side} of" for side in measure.EIGHT[1::2]},
}
SIDES = ("left", "right", "front", "behind", *measure.EIGHT[1::2])
#: Seen from above, nearer centres than this give no direction to face, nor one to be in [m].
FACING_M = 0.1
_VERTICAL = ("on", "inside", "under", "above")

Objects: TypeAlias = Sequence[SceneObject]
Pairs: TypeAlias = set[tuple[int, int]]
Flags: TypeAlias = NDArray[np.bool_]
Floats: TypeAlias = NDArray[np.float64]


def holds(
    relation: str,
    subjects: Objects,
    groups: Sequence[tuple[SceneObject, ...]],
    view: View,
    reach: float | None = None,
) -> tuple[Flags, Floats]:
    """(subjects, groups): whether each is in ``relation`` to each group, and how surely.

    A group is one anchor, two for between and where a side is seen by one who stands at the first
    and faces the second.

    * on, above, inside: as the scene graph has it (see ``scene/relations.py``). On is also on
      what stands on it; in a shelf or sofa is also on one of its boards.
    * beside: as the scene graph has it, or nearest points at most ``BESIDE_GAP`` apart and neither
      over, under nor in the other; nearest points at most ``NEAR`` from the robot.
    * under: under or below in the scene graph, or carrying it.
    * with: carrying or holding it; of: that, or on or in it.
    * near: nearest points at most ``reach`` apart, ``NEAR`` where it is not given.
    * between: seen from above, its centre lies between the two centres, over neither object, and
      off their line by no more than the objects' half breadths there, or ``BETWEEN_MARGIN`` if that
      is more; or it lies across the line.
    * left, right of an object, as the robot sees it from where it is; in front is nearer to the
      robot than the object and more so than aside; behind is further. Not what is over, under or
      in it.
    * left, right of the robot, and for one who stands and faces: that half; in front, behind: the
      quarter round that way; front-left and the like: that quadrant. Centres seen from above.

    Sureness is 0.5 within ``measure.CLOSE_DEG`` of the border of a direction, and where the spread
    of the scale leaves open whether something is within ``reach``; else 1.
    """
    sure = np.ones((len(subjects), len(groups)))
    if not sure.size:
        return np.zeros(sure.shape, dtype=bool), sure
    anchors = [group[0] for group in groups]
    if relation == "between":
        true = _between(subjects, anchors, [group[1] for group in groups])
    elif relation in SIDES:
        places = boxes.as_array([item.box for item in subjects])[:, :2]
        degrees = np.stack([_bearings(places, group, view) for group in groups], axis=1)
        true, margin = measure.on_side(relation, np.nan_to_num(degrees))
        true = true & np.isfinite(degrees)
        if len(groups[0]) == 1:
            true &= ~_any_of(_vertical(view), subjects, anchors)
        sure = np.vectorize(sureness)(margin)
    elif relation == "near":
        gaps = _gaps(subjects, anchors)
        true = gaps <= (NEAR if reach is None else reach)
        if reach is not None:
            sure = np.where(view.scale.leaves_open(gaps, reach), 0.5, 1.0)
    elif any(anchor.id == ROBOT_ID for anchor in anchors):
        if relation != "beside":
            raise Unclear(f"I cannot tell what is {PHRASES[relation]} me.")
        true = _gaps(subjects, anchors) <= NEAR
    else:
        true = _any_of(_related(relation, view), subjects, anchors)
        if relation == "beside":
            close = _gaps(subjects, anchors) <= BESIDE_GAP
            true |= close & ~_any_of(_vertical(view), subjects, anchors)
    return true & ~_among(subjects, groups), sure


def on_floor(subjects: Objects, view: View) -> list[SceneObject]:
    """Those that stand on the floor: low, and neither on nor in anything."""
    if view.scene.floor is None:
        raise Unclear("I have seen no floor yet.")
    lowest = view.scene.floor.z + measure.STANDING
    carried = {a for name in ("on", "inside") for a, _ in view.pairs.get(name, ())}
    return [item for item in subjects if item.box.bottom <= lowest and item.id not in carried]


def _gaps(subjects: Objects, anchors: Objects) -> Floats:
    return boxes.distances([item.box for item in subjects], [item.box for item in anchors])


def _among(subjects: Objects, groups: Sequence[tuple[SceneObject, ...]]) -> Flags:
    """(subjects, groups): whether the subject is itself one of the group."""
    members = np.array([[item.id for item in group] for group in groups])
    ids = np.array([item.id for item in subjects])
    return np.asarray((ids[:, None, None] == members[None]).any(axis=-1))


def _any_of(pairs: Pairs, subjects: Objects, anchors: Objects) -> Flags:
    return np.array([[(item.id, other.id) in pairs for other in anchors] for item in subjects])


def _related(relation: str, view: View) -> Pairs:
    """(subject, anchor) ids that the scene graph says are in ``relation``."""

    def said(predicate: str) -> Pairs:
        return view.pairs.get(predicate, set())

    if relation == "under":
        return said("under") | said("below") | _turned(said("on"))
    if relation in ("with", "of"):
        carried = said("on") | said("inside")
        return _turned(carried) | (carried if relation == "of" else set())
    if relation == "inside":
        box = {item.id: item.box for item in view.objects}
        known = {pair for pair in said("on") if pair[0] in box and pair[1] in box}
        return said("inside") | {(a, b) for a, b in known if box[b].bottom < box[a].z < box[b].top}
    return said(relation)


def _vertical(view: View) -> Pairs:
    """Pairs, either way round, of which one is over, under or in the other."""
    found: Pairs = set().union(*(view.pairs.get(predicate, set()) for predicate in _VERTICAL))
    return found | _turned(found)


def _turned(pairs: Pairs) -> Pairs:
    return {(b, a) for a, b in pairs}


def _between(subjects: Objects, first: Objects, second: Objects) -> Flags:
    rows, a, b = (
        boxes.as_array([item.box for item in items]) for items in (subjects, first, second)
    )
    way = b[:, :2] - a[:, :2]
    length = np.linalg.norm(way, axis=1)
    way = way / np.maximum(length, 1e-9)[:, None]
    across = np.stack([-way[:, 1], way[:, 0]], axis=1)
    offset = rows[:, None, :2] - a[None, :, :2]
    share = (offset * way).sum(axis=-1) / np.maximum(length, 1e-9)
    off = np.abs((offset * across).sum(axis=-1))
    room = (1 - share) * _half_breadth(a, across) + share * _half_breadth(b, across)
    room = np.maximum(room, BETWEEN_MARGIN)
    inside = (0.0 < share) & (share < 1.0)
    inside &= off <= np.maximum(room, _half_breadth(rows[:, None], across[None]))
    return np.asarray(inside & ~_over(rows, a) & ~_over(rows, b))


def _half_breadth(rows: Floats, across: Floats) -> Floats:
    """(...) how far footprints (..., 7) reach from their middle along ``across`` (..., 2)."""
    turn = np.arctan2(across[..., 1], across[..., 0]) - rows[..., 6]
    half = rows[..., 3] * np.abs(np.cos(turn)) + rows[..., 4] * np.abs(np.sin(turn))
    return np.asarray(half / 2)


def _over(rows: Floats, ends: Floats) -> Flags:
    """(n, m): whether the centre of box n is over the footprint of box m, seen from above."""
    offset = rows[:, None, :2] - ends[None, :, :2]
    cos, sin = np.cos(ends[:, 6]), np.sin(ends[:, 6])
    along = cos * offset[..., 0] + sin * offset[..., 1]
    aside = cos * offset[..., 1] - sin * offset[..., 0]
    return np.asarray((np.abs(along) <= ends[:, 3] / 2) & (np.abs(aside) <= ends[:, 4] / 2))


def _bearings(places: Floats, group: tuple[SceneObject, ...], view: View) -> Floats:
    """(n,) degrees of ``places`` (n, 2) by which a side of the group is judged; nan for none."""
    if len(group) == 1:
        return seen_bearings(places, group[0], view)
    stand, face = (item.box.center[:2] for item in group)
    apart = np.linalg.norm(places - stand, axis=1) >= FACING_M
    return np.where(apart, measure.bearings(stand, face - stand, places), np.nan)


def seen_bearings(places: Floats, anchor: SceneObject, view: View) -> Floats:
    """(n,) degrees, left positive, of ``places`` (n, 2) round ``anchor``, 0 being in front of it.

    Round the robot, front is the way it looks; round an object, front is the side towards the
    robot and left is what the robot sees on its left.
    """
    robot = view.robot.box.center[:2]
    if anchor.id == ROBOT_ID:
        return measure.bearings(robot, view.forward, places)
    centre = anchor.box.center[:2]
    # Looking back at the robot from the object, the robot's left is on the right: mirrored.
    return -measure.bearings(centre, robot - centre, places)


def seen_bearing(subject: SceneObject, anchor: SceneObject, view: View) -> float:
    """:func:`seen_bearings` of one object."""
    return float(seen_bearings(subject.box.center[None, :2], anchor, view)[0])


def sureness(margin_degrees: float) -> float:
    """1, or 0.5 where a bearing is too near a border to be sure of."""
    return 0.5 if margin_degrees < measure.CLOSE_DEG else 1.0
