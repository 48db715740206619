"""Masks on a grid: how they overlap, how stable they are, and the image they make together."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Floats = NDArray[np.float32]

_OFFSET = 1.0  # logits; by which Segment Anything tells stable masks from others


def overlaps(first: Sequence[Mask], second: Sequence[Mask]) -> Floats:
    """(n, m) cells that mask i of the first and mask j of the second (h, w) have in common."""
    if not first or not second:
        return np.zeros((len(first), len(second)), np.float32)
    flat = [np.stack(masks).reshape(len(masks), -1).astype(np.float32) for masks in (first, second)]
    common: Floats = flat[0] @ flat[1].T
    return common


def ious(first: Sequence[Mask], second: Sequence[Mask]) -> Floats:
    """(n, m) intersection over union; 0 for empty masks."""
    common = overlaps(first, second)
    areas = [
        np.array([np.count_nonzero(mask) for mask in masks], np.float32)
        for masks in (first, second)
    ]
    union = areas[0][:, None] + areas[1][None, :] - common
    return np.asarray(common / np.maximum(union, 1), np.float32)


def stability(logits: Floats) -> float:
    """IoU of the masks that a higher and a lower threshold give; 0 where there is no mask."""
    low = np.count_nonzero(logits > -_OFFSET)
    return np.count_nonzero(logits > _OFFSET) / low if low else 0.0


def box_of(mask: Mask) -> tuple[int, int, int, int]:
    """Half-open (u_min, v_min, u_max, v_max) in cells; all 0 when the mask is empty."""
    columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    if not len(columns):
        return 0, 0, 0, 0
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def label_image(layers: Sequence[tuple[int, Floats]], height: int, width: int) -> NDArray[np.int32]:
    """(height, width) int32 numbers of layers (number, logits (h, w)), 0 where none is above 0.

    Where masks overlap the one with fewer cells lies on top: a book stays a book where the mask
    of the table goes on below it.
    """
    ids = np.zeros((height, width), np.int32)
    masked = [(np.count_nonzero(logits > 0), number, logits) for number, logits in layers]
    for _, number, logits in sorted(masked, key=lambda layer: (-layer[0], layer[1])):
        if logits.shape == (height, width):
            ids[logits > 0] = number
        else:
            ids[cv2.resize(logits, (width, height), interpolation=cv2.INTER_LINEAR) > 0] = number
    return ids
