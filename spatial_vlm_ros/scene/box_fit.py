"""A 7-DoF box fitted to the accumulated points of an object."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.config import BoxConfig
from spatial_vlm_ros.scene.box import Box

_STEP = np.radians(3.0)
_MIN_SIDE = 0.01  # metres; a box has volume even where a surface is seen edge-on
_BIN = 0.01  # metres; of the histograms that tell how sharp a face is
_COARSE = 0.08  # metres; points on a coarser grid show its layers, if bins are finer
_MAX_POINTS = 400  # for the search of the yaw
_LAYER = 0.02  # metres; thickness of the layer that noise makes of a face
_FACE = 2.5  # times its share of the points that a layer must hold to be a face


def fit_box(
    points: NDArray[np.float32],
    weights: NDArray[np.float32],
    config: BoxConfig,
    spacing: float = 0.0,
) -> Box:
    """The upright box round points (n, 3) of weights (n,), scene coordinates, canonical.

    The yaw is the one whose ground rectangle is small and whose axes see the points in few sharp
    layers, as they see a box's faces. Area alone (Zhang et al., "Efficient L-Shape Fitting", 2017)
    cannot tell the legs of a corner from its diagonal, nor turn a thin plate well. ``trim`` of the
    weight is left outside at each side, since depth noise has tails; no point weighs more than the
    median one, or what was seen for long would push the rest out. ``ValueError`` without points.
    """
    if len(points) == 0:
        raise ValueError("no points to fit a box to")
    weights = np.minimum(weights, np.median(weights))
    step = -(-len(points) // _MAX_POINTS)
    middle = points[:, :2].mean(axis=0)
    ground = points[::step, :2] - middle
    yaw = _best_yaw(ground, weights[::step], config.trim, spacing if spacing > _COARSE else _BIN)
    turn = np.array([[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]])
    local = np.column_stack([(points[:, :2] - middle) @ turn, points[:, 2]])
    low, high = _faces(local.T, weights, *_ends(local.T, weights, config.trim))
    length, width, height = np.maximum(high - low, _MIN_SIDE).tolist()
    x, y = turn @ ((high + low) / 2)[:2] + middle
    z = float(high[2] + low[2]) / 2
    return Box(float(x), float(y), z, length, width, height, yaw).canonical()


def _best_yaw(
    ground: NDArray[np.float32], weights: NDArray[np.float32], trim: float, bin_size: float
) -> float:
    """Yaw in [0, pi/2) of the rectangle that fits points (n, 2): coarse search, then fine."""

    def quality(yaws: NDArray[np.float64]) -> NDArray[np.float64]:
        cos, sin, count = np.cos(yaws), np.sin(yaws), len(yaws)
        axes = np.column_stack([np.concatenate([cos, -sin]), np.concatenate([sin, cos])])
        across = axes.astype(np.float32) @ ground.T
        low, high = _ends(across, weights, trim)
        sharp = np.log(_sharpness(across, weights, bin_size))
        both = sharp - np.log(np.maximum(high - low, _MIN_SIDE))
        return np.asarray(both[:count] + both[count:])

    coarse = np.arange(0.0, np.pi / 2, _STEP)
    fine = coarse[np.argmax(quality(coarse))] + np.linspace(-_STEP, _STEP, 13)
    return float(fine[np.argmax(quality(fine))])


def _sharpness(
    values: NDArray[np.float32], weights: NDArray[np.float32], bin_size: float
) -> NDArray[np.float64]:
    """How unevenly each row (m, n) is spread: the sum of its histogram's squares, 0..1."""
    bins = ((values - values.min()) / bin_size).astype(np.int64) + 1
    columns = int(bins.max()) + 2
    bins += np.arange(len(values))[:, None] * columns
    every = np.broadcast_to(weights, values.shape).reshape(-1)
    histogram = np.bincount(bins.reshape(-1), every, len(values) * columns)
    smooth = histogram + 0.5 * (np.roll(histogram, 1) + np.roll(histogram, -1))
    share = smooth.reshape(len(values), columns) / (2 * weights.sum())
    return np.asarray((share * share).sum(axis=1))


def _faces(
    values: NDArray[np.float32],
    weights: NDArray[np.float32],
    low: NDArray[np.float32],
    high: NDArray[np.float32],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The ends (k,) of rows (k, n), moved into the middle of the face there, if there is one.

    Noise puts half of a face's points outside it. A face is an outermost layer that holds far
    more than its share of points; a rounded or merely cut off end has none.
    """
    ends = np.array([low, high], np.float64)
    for axis, row in enumerate(values):
        share = _LAYER / max(float(high[axis] - low[axis]), 4 * _LAYER)
        for side, sign in ((0, 1), (1, -1)):
            inward = sign * (row - ends[side, axis])
            layer = inward < _LAYER
            if weights[layer].sum() > _FACE * share * weights.sum():
                ends[side, axis] += sign * np.median(inward[layer])
    return ends[0], ends[1]


def _ends(
    values: NDArray[np.float32], weights: NDArray[np.float32], trim: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Lower and upper end of each row (m, n), ``trim`` of the weight left out at each."""
    order = np.argsort(values, axis=1)
    reached = np.cumsum(weights[order], axis=1)
    total = reached[:, -1:]
    rows = np.arange(len(values))
    first = np.argmax(reached >= trim * total, axis=1)
    last = np.argmax(reached >= (1 - trim) * total * (1 - 1e-6), axis=1)
    return values[rows, order[rows, first]], values[rows, order[rows, last]]


def moved(a: Box, b: Box) -> float:
    """How far the corners of two boxes lie apart at most, metres; 0 for the same box."""
    return float(np.abs(_corners(a) - _corners(b)).max())


def _corners(box: Box) -> NDArray[np.float64]:
    """(4, 3) corners on the ground with the height's ends: low, high, low, high."""
    signs = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) / 2
    cos, sin = np.cos(box.yaw), np.sin(box.yaw)
    ground = signs * [box.length, box.width] @ np.array([[cos, sin], [-sin, cos]])
    order = np.lexsort(np.round(ground, 6).T)  # a square turned by 90 degrees is the same box
    ends = box.z + box.height * np.array([-0.5, 0.5, -0.5, 0.5])
    return np.column_stack([ground[order] + [box.x, box.y], ends])
