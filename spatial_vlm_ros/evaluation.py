"""How good remembered boxes are, measured against the truth of a simulated or annotated scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from spatial_vlm_ros.scene.box import ious
from spatial_vlm_ros.scene.graph import SceneObject
from spatial_vlm_ros.simulation.truth import TrueObject, well_seen

THRESHOLDS = (0.25, 0.5)


@dataclass(frozen=True)
class Match:
    """A true object and the remembered object that stands for it."""

    true_id: int
    object_id: int
    category: str
    iou: float


@dataclass(frozen=True)
class Miss:
    """A well seen true object without a box of IoU >= 0.5, and why."""

    true_id: int
    category: str
    surface_seen: float
    best_iou: float
    reason: str


@dataclass(frozen=True)
class BoxScores:
    """Quality of a set of boxes. Shares are 0..1, keyed by the IoU they ask for.

    ``recall`` is over well seen true objects. ``precision`` leaves out boxes of true objects
    that were seen badly: they are neither right nor wrong (as "difficult" objects in PASCAL VOC).
    ``mean_iou`` is over matches of well seen objects with IoU >= 0.25.
    """

    well_seen: int
    boxes: int
    recall: dict[float, float]
    precision: dict[float, float]
    mean_iou: float
    matches: tuple[Match, ...] = field(repr=False)
    misses: tuple[Miss, ...] = ()


def score_boxes(
    objects: Sequence[SceneObject], truth: Sequence[TrueObject], by_category: bool = True
) -> BoxScores:
    """Match boxes to true boxes one to one so that the sum of IoU is greatest, and count.

    With ``by_category`` only objects of the same category can match; without, names are ignored
    (for segmentation that knows no names).
    """
    overlaps = ious([t.box for t in truth], [o.box for o in objects])
    allowed = overlaps
    if by_category:
        same = np.array([[o.label == t.category for o in objects] for t in truth])
        allowed = overlaps * same.reshape(overlaps.shape)
    rows, columns = linear_sum_assignment(allowed, maximize=True)
    pairs = [(r, c) for r, c in zip(rows, columns, strict=True) if allowed[r, c] > 0]
    matches = tuple(
        Match(truth[r].id, objects[c].id, truth[r].category, float(allowed[r, c])) for r, c in pairs
    )
    seen_ids = {t.id for t in truth if well_seen(t)}
    found = [m.iou for m in matches if m.true_id in seen_ids]
    counted = len(objects) - _of_badly_seen(allowed, pairs, truth)
    good = [value for value in found if value >= THRESHOLDS[0]]
    return BoxScores(
        well_seen=len(seen_ids),
        boxes=len(objects),
        recall={t: _share(sum(v >= t for v in found), len(seen_ids)) for t in THRESHOLDS},
        precision={t: _share(sum(v >= t for v in found), counted) for t in THRESHOLDS},
        mean_iou=float(np.mean(good)) if good else 0.0,
        matches=matches,
        misses=_misses(objects, truth, overlaps, matches),
    )


def _of_badly_seen(
    allowed: NDArray[np.float64], pairs: Sequence[tuple[int, int]], truth: Sequence[TrueObject]
) -> int:
    """How many boxes stand for a badly seen true object: matched to it, or unmatched on it."""
    matched = {c: r for r, c in pairs}
    count = 0
    for column in range(allowed.shape[1] if len(truth) else 0):
        row = matched.get(column, int(allowed[:, column].argmax()))
        count += bool(allowed[row, column] > 0 and not well_seen(truth[row]))
    return count


def _misses(
    objects: Sequence[SceneObject],
    truth: Sequence[TrueObject],
    overlaps: NDArray[np.float64],
    matches: Sequence[Match],
) -> tuple[Miss, ...]:
    by_true = {m.true_id: m for m in matches}
    by_object = {m.object_id: m for m in matches}
    misses = []
    for row, true in enumerate(truth):
        match = by_true.get(true.id)
        if not well_seen(true) or (match and match.iou >= THRESHOLDS[-1]):
            continue
        best = int(overlaps[row].argmax()) if len(objects) else -1
        best_iou = float(overlaps[row, best]) if len(objects) else 0.0
        if best_iou == 0.0:
            reason = "no box overlaps it"
        elif match:
            reason = f"box of object {match.object_id} overlaps only {match.iou:.2f}"
        elif objects[best].id in by_object:
            other = by_object[objects[best].id]
            reason = f"its box was taken for the {other.category} {other.true_id}"
        else:
            reason = f"its box is called {objects[best].label!r}"
        misses.append(Miss(true.id, true.category, true.surface_seen, best_iou, reason))
    return tuple(misses)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
