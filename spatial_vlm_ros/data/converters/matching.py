"""Objects of a scene by their boxes, for annotations that number them in another way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from spatial_vlm_ros.data.scenes import AnnotatedObject, AnnotatedScene
from spatial_vlm_ros.scene.box import Box, ious

#: IoU from which two boxes are of one object, as in ScanRefer's easier measure.
SAME = 0.25


def objects_at(
    scene: AnnotatedScene, boxes: Sequence[Box], least: float = SAME
) -> list[AnnotatedObject | None]:
    """Of each box, in the scene frame, the object that it shares most with; None: with none enough.

    What encloses them along the scene's axes is compared: a box along an object and one along the
    walls round it may share little.
    """
    if not scene.objects:
        return [None] * len(boxes)
    shared = ious(_enclosing(boxes), _enclosing(item.box for item in scene.objects))
    return [scene.objects[int(row.argmax())] if row.max() >= least else None for row in shared]


def _enclosing(boxes: Iterable[Box]) -> list[Box]:
    corners = [box.corners() for box in boxes]
    spans = [(each.min(axis=0), each.max(axis=0)) for each in corners]
    return [Box.from_tuple([*(low + high) / 2, *(high - low), 0]) for low, high in spans]
