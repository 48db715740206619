"""The similarity from one window to the next, by the images that both have.

An image has one camera centre, so two predictions of its depth differ by the ratio of their units
and by nothing else. The scale comes from these ratios; then every shared camera says by itself how
the windows lie, and what most of them say counts. Points need both to be right at once: where a
third of the pixels and one pose in four are wrong, half of the points are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.geometry.deviation import deviation
from spatial_vlm_ros.geometry.similarity import Similarity

Floats = NDArray[np.float64]

_LEAST_PIXELS = 30  # of all shared images
_OUTER = 2.5  # deviations
_LEAST_SPREAD = 1e-4
_ROUNDS = 20


def unit_ratio(
    depth_before: NDArray[np.float32], depth_after: NDArray[np.float32], sure: NDArray[np.bool_]
) -> tuple[float, float]:
    """(the new window's unit in units of the window before, its relative 1 sigma).

    depth_*: (k, h, w) of the same k images. sure: (k, h, w), the pixels that both are sure of. A
    third of these may be wrong. Errors within an image go together, so it counts as one sample.
    ``ValueError`` when hardly a pixel is left.
    """
    usable = sure & (depth_before > 0) & (depth_after > 0)
    if np.count_nonzero(usable) < _LEAST_PIXELS:
        raise ValueError(
            f"only {np.count_nonzero(usable)} pixels of the images that two windows share are sure"
        )
    ratios = np.log(depth_before[usable].astype(np.float64) / depth_after[usable])
    middle, spread = centre(ratios)
    images = np.count_nonzero(usable.any(axis=(1, 2)))
    return float(np.exp(middle)), max(spread / np.sqrt(images), _LEAST_SPREAD)


def centre(values: Floats) -> tuple[float, float]:
    """(middle, deviation) of numbers (n,) of which a third may be wrong, all to one side.

    From the median on, what lies within 2.5 deviations is averaged until that is settled.
    """
    middle = float(np.median(values))
    spread = deviation(values - middle)
    for _ in range(_ROUNDS):
        near = values[np.abs(values - middle) <= _OUTER * spread]
        before, middle = middle, float(near.mean()) if len(near) else middle
        spread = deviation(near - middle) if len(near) else spread
        if abs(before - middle) <= 1e-3 * spread:
            break
    return middle, spread


def attached(T_fixed_camera: Floats, T_window_camera: Floats, scale: float) -> Similarity:
    """S_fixed_window of a given scale, by cameras (k, 4, 4) whose poses both sides have.

    Of three or four cameras one may be wrong, in its turn or its place; of two, nobody can tell
    which. ``ValueError`` when there is none.
    """
    if not len(T_fixed_camera):
        raise ValueError("two windows share no camera: they cannot be stitched")
    turns = T_fixed_camera[:, :3, :3] @ T_window_camera[:, :3, :3].swapaxes(1, 2)
    rotation = middle_rotation(turns)
    turned = scale * T_window_camera[:, :3, 3] @ rotation.T
    return Similarity(scale, rotation, middle_point(T_fixed_camera[:, :3, 3] - turned))


def middle_rotation(rotations: Floats) -> Floats:
    """(3, 3) of rotations (k, 3, 3), less than half of which may be wrong."""
    apart = np.array([_angles(rotation, rotations) for rotation in rotations])
    middle: Floats = rotations[int(np.argmin(apart.sum(axis=1)))]
    for _ in range(_ROUNDS):
        weights = _weights(_angles(middle, rotations))
        left, _, right = np.linalg.svd(np.einsum("k,kij->ij", weights, rotations))
        middle = left @ np.diag([1, 1, np.linalg.det(left @ right)]) @ right
    return middle


def middle_point(points: Floats) -> Floats:
    """(3,) of points (k, 3), less than half of which may be wrong."""
    middle: Floats = np.median(points, axis=0)
    for _ in range(_ROUNDS):
        middle = _weights(np.linalg.norm(points - middle, axis=1)) @ points
    return middle


def _angles(rotation: Floats, others: Floats) -> Floats:
    """(k,) radians from a rotation to others (k, 3, 3)."""
    cosines = (np.einsum("ij,kij->k", rotation, others) - 1) / 2
    return np.arccos(np.clip(cosines, -1, 1))


def _weights(away: Floats) -> Floats:
    """(k,) that add up to 1: equal within the distance of half of them, less beyond."""
    common = float(np.sort(away)[len(away) // 2])
    weights = np.maximum(away, max(common, 1e-9)) ** -2.0
    return weights / weights.sum()
