"""Instances from a label image: a simulator's, or any segmenter's."""

from __future__ import annotations

from collections import Counter

import numpy as np

from spatial_vlm_ros.config import InstancesConfig, PointsConfig
from spatial_vlm_ros.frame import LabelImage
from spatial_vlm_ros.perception.points import PointMap
from spatial_vlm_ros.perception.segments import (
    NOTHING,
    SURROUNDINGS,
    UNNAMED,
    Segments,
    connected,
    depth_links,
)


def from_labels(
    image: LabelImage, points: PointMap, config: InstancesConfig, points_config: PointsConfig
) -> Segments:
    """Segments of the label image; background categories and id 0 left out.

    An id is one instance; when it is a class instead, each surface unbroken in depth is one.
    An id without a name becomes an unnamed object, and is counted.
    """
    grid = image.ids[:: points.stride, :: points.stride]
    present, where = np.unique(grid, return_inverse=True)
    where = where.reshape(grid.shape)
    labels: list[str] = []
    scores: list[float] = []
    ignored: Counter[str] = Counter()
    new_id = np.full(len(present), NOTHING, np.int32)
    for index, pixel_id in enumerate(present.tolist()):
        name = image.names.get(pixel_id)
        if name in config.background:
            new_id[index] = SURROUNDINGS
        if pixel_id == 0 or name in config.background:
            continue
        if name is None:
            ignored["label id without a name"] += 1
        new_id[index] = len(labels)
        labels.append(name or UNNAMED)
        scores.append(image.scores.get(pixel_id, 1.0))
    ids = new_id[where]
    if not image.per_instance:
        ids, parents = _split(ids, points, points_config)
        labels = [labels[parent] for parent in parents]
        scores = [scores[parent] for parent in parents]
    return Segments(ids, tuple(labels), tuple(scores), image.per_instance, ignored)


def _split(ids: np.ndarray, points: PointMap, config: PointsConfig) -> tuple[np.ndarray, list[int]]:
    """Each class's unbroken surfaces, and the class id of each."""
    right, down = depth_links(points, config)
    right &= ids[:, 1:] == ids[:, :-1]
    down &= ids[1:] == ids[:-1]
    parts = connected(right, down, (ids >= 0) & points.valid)
    first = np.unique(parts, return_index=True)[1][-(parts.max() + 1) :]
    parents = [] if parts.max() < 0 else ids.reshape(-1)[first].tolist()
    return np.where(ids < 0, ids, parts), parents
