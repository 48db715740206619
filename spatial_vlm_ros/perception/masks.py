"""Instances from a tracker's masks, which know outlines but neither floor nor walls."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.config import MemoryConfig
from spatial_vlm_ros.frame import LabelImage
from spatial_vlm_ros.perception.labels import from_labels
from spatial_vlm_ros.perception.points import PointMap
from spatial_vlm_ros.perception.segments import NOTHING, SURROUNDINGS, UNNAMED, Segments

_SURROUNDED = 0.5  # share of an unnamed mask in the surroundings from which it is a part of them


def from_masks(
    image: LabelImage, points: PointMap, shapes: NDArray[np.int32], config: MemoryConfig
) -> Segments:
    """Segments of the masks; of those without a name only what is no surroundings by shape.

    shapes: (h, w) ids of a segmentation by depth alone. A name overrules it: a rug is on the floor
    as much as the floor itself is.
    """
    segments = from_labels(image, points, config.segmentation, config.points)
    ids, around = segments.ids, shapes == SURROUNDINGS
    unnamed = np.array([label == UNNAMED for label in segments.labels], np.bool_)
    inside = ids >= 0
    sizes = np.bincount(ids[inside], minlength=len(unnamed))
    lost = np.bincount(ids[inside & around], minlength=len(unnamed))
    surroundings = unnamed & (lost > _SURROUNDED * sizes)
    of_unnamed = inside & np.append(unnamed, False)[np.where(inside, ids, -1)]
    of_surroundings = inside & np.append(surroundings, False)[np.where(inside, ids, -1)]
    found = np.where(of_unnamed & around, SURROUNDINGS, ids)
    found = np.where(of_surroundings, np.where(around, SURROUNDINGS, NOTHING), found)
    found = np.where(around & (ids == NOTHING), SURROUNDINGS, found).astype(np.int32)
    return Segments(found, segments.labels, segments.scores, True, segments.ignored)
