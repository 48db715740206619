"""Which images of a window tell of one place: their depths and poses bear each other out.

A network of many views answers for images that show nothing in common, too, and then its poses are
made up. It may also misplace a single image.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from spatial_vlm_ros.geometry.prediction import Prediction
from spatial_vlm_ros.scene_frame import inverse

Floats = NDArray[np.float64]

_POINTS = 400  # of an image that are looked for in the others
_SEEN = 0.1  # of them have to be in the other's view
_DEPTH = 0.1  # by which a depth may be off, a share
_AGREE = 0.3  # of the points in view have to be there,
_AS_OTHERS = 0.65  # and so many times the share that is common in the window


def agreement(prediction: Prediction, sure: NDArray[np.bool_]) -> Floats:
    """(n, n) share of image i's points in view of image j that j sees at the same depth.

    0 where hardly a point of i is in j's view. sure: (n, h, w) pixels that are used.
    """
    count = len(sure)
    shares = np.zeros((count, count))
    T, K = prediction.T_window_camera, prediction.intrinsics
    depth, T_camera = prediction.depth, [inverse(own) for own in T]
    for i in range(count):
        points = _points(depth[i], sure[i], T[i], K[i])
        for j in range(count):
            if i != j and len(points):
                shares[i, j] = _seen_alike(points, T_camera[j], K[j], depth[j], sure[j])
    return shares


def together(shares: Floats, known: int) -> NDArray[np.bool_]:
    """(n,) the images that bear each other out, by :func:`agreement`'s shares (n, n).

    It is the group with most of the first ``known`` images, or the largest one if there are none.
    """
    both = np.minimum(shares, shares.T)
    common = float(np.median(both.max(axis=1)))
    linked = both >= max(_AGREE, _AS_OTHERS * common)
    _, group = connected_components(linked, directed=False)
    votes = group[:known] if known else group
    return np.asarray(group == np.argmax(np.bincount(votes)))


def _points(depth: NDArray[np.float32], sure: NDArray[np.bool_], T: Floats, K: Floats) -> Floats:
    """(m, 3) in the window's frame."""
    step = max(1, int(np.sqrt(depth.size / _POINTS)))
    v, u = np.nonzero(sure[step // 2 :: step, step // 2 :: step])
    u, v = u * step + step // 2, v * step + step // 2
    z = depth[v, u].astype(np.float64)
    x, y = (u + 0.5 - K[0, 2]) / K[0, 0] * z, (v + 0.5 - K[1, 2]) / K[1, 1] * z
    points: Floats = np.stack([x, y, z], axis=1) @ T[:3, :3].T + T[:3, 3]
    return points


def _seen_alike(
    points: Floats, T_camera_window: Floats, K: Floats, depth: NDArray[np.float32],
    sure: NDArray[np.bool_],
) -> float:  # fmt: skip
    x, y, z = (points @ T_camera_window[:3, :3].T + T_camera_window[:3, 3]).T
    z = np.where(z > 0, z, np.inf)
    u = np.floor(K[0, 0] * x / z + K[0, 2]).astype(int)
    v = np.floor(K[1, 1] * y / z + K[1, 2]).astype(int)
    height, width = depth.shape
    inside = (z < np.inf) & (u >= 0) & (u < width) & (v >= 0) & (v < height)
    u, v, z = u[inside], v[inside], z[inside]
    known = sure[v, u]
    if np.count_nonzero(inside) < _SEEN * len(points) or not known.any():
        return 0.0
    there = depth[v, u][known]
    return float(np.mean(np.abs(there - z[known]) <= _DEPTH * there))
