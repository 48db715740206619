"""Most and least: choosing objects by a measure, and how safe the choice is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.reasoning import measure
from spatial_vlm_ros.reasoning.view import ROBOT_ID, View
from spatial_vlm_ros.scene.graph import SceneObject

#: Sizes less different than this are one size [ratio].
SIZES_DIFFER = 1.2


def values(
    objects: Sequence[SceneObject], measured: str, anchors: Sequence[SceneObject], view: View
) -> Iterator[NDArray[np.float64]]:
    """(n,) what a superlative compares, for each anchor in turn; once where no anchor matters.

    ``measured`` is "distance" (to the anchor, nearest points), "bearing" (from the robot),
    "appearance" (seconds), "height above the floor" (of the middle) or a name :func:`measure.side`
    knows.
    """
    if measured == "distance":
        yield from (measure.gaps(objects, anchor) for anchor in anchors)
    elif measured == "bearing":
        robot, ahead = view.robot.box.center[:2], view.forward
        yield np.array([measure.bearing(robot, ahead, o.box.center[:2]) for o in objects])
    elif measured == "appearance":
        earliest = min(item.first_seen_ns for item in objects)
        yield np.array([(item.first_seen_ns - earliest) / 1e9 for item in objects])
    elif measured == "height above the floor":
        yield np.array([item.box.z for item in objects])
    else:
        yield np.array([measure.side(item.box, measured) for item in objects])


def chosen(row: NDArray[np.float64], sign: int, place: int, wanted: int) -> NDArray[np.intp]:
    """Indices of ``wanted`` values from the ``place``-th (1 is first) most or least on."""
    order = np.argsort(-sign * row, kind="stable")
    return np.asarray(order[place - 1 : place - 1 + wanted])


def sureness(row: NDArray[np.float64], picked: NDArray[np.intp], measured: str) -> float:
    """1, or 0.5 where something left out is as good as what was picked, within measuring error."""
    left_out = np.delete(row, picked)
    if not len(left_out) or not len(picked):
        return 1.0
    nearest = np.abs(row[picked][:, None] - left_out[None]).min()
    tolerance = {
        "bearing": measure.CLOSE_DEG,
        "appearance": 1e-9,  # stamps are exact
        "volume": measure.CLOSE_VOLUME * float(row[picked].max()),
    }.get(measured, measure.CLOSE_M)
    return 0.5 if nearest < tolerance else 1.0


def of_size(
    objects: Sequence[SceneObject], measured: str, sign: int, single: bool
) -> tuple[list[SceneObject], float]:
    """The upper (``sign`` 1) or lower half of the range of sizes, halved on a ratio scale.

    Where a ``single`` one is meant ("the big table") it is the extreme, if clearly so. Where all
    are of one size (within ``SIZES_DIFFER``) all are kept, with sureness 0.5.
    """
    if len(objects) < 2:
        return list(objects), 1.0
    sizes = np.log([max(measure.side(item.box, measured), 1e-9) for item in objects]) * sign
    clear = float(np.log(SIZES_DIFFER))
    most, next_most = np.sort(sizes)[::-1][:2]
    if most - sizes.min() < clear:
        return list(objects), 0.5
    if single and most - next_most >= clear:
        return [objects[int(sizes.argmax())]], 1.0
    middle = (most + sizes.min()) / 2
    return [item for item, size in zip(objects, sizes, strict=True) if size >= middle], 1.0


def without(objects: Sequence[SceneObject], others: Sequence[SceneObject]) -> list[SceneObject]:
    """``objects`` that are none of ``others``."""
    ids = {item.id for item in others} | {ROBOT_ID}
    return [item for item in objects if item.id not in ids]
