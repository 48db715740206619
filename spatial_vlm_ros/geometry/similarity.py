"""Rotation, translation and scale between two sets of points: Umeyama 1991, and robustly."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_SETS = 400  # of three points that are tried
_SEEN = 1500  # points on which they are judged
_RIGHT = 0.6  # of the pairs, at least
_ROUNDS = 10
_LENGTH = 1.716  # that three in five vectors of three Gaussian numbers do not exceed, in deviations
_OUTER = 3.5  # deviations; one vector in 150 is longer
_THIN = 1e-8  # second singular value to the first, squared lengths: points on a line


@dataclass(frozen=True)
class Similarity:
    """x → scale · rotation · x + translation.

    rotation: (3, 3), proper. translation: (3,), in units of the target. ``S_b_a`` brings a to b.
    """

    scale: float
    rotation: Floats
    translation: Floats

    @staticmethod
    def identity() -> Similarity:
        """What changes nothing."""
        return Similarity(1.0, np.eye(3), np.zeros(3))

    def apply(self, points: NDArray[np.floating]) -> Floats:
        """Points (..., 3) brought over."""
        moved: Floats = self.scale * (points @ self.rotation.T) + self.translation
        return moved

    def after(self, first: Similarity) -> Similarity:
        """This one, behind another: S_c_b.after(S_b_a) is S_c_a."""
        return Similarity(
            self.scale * first.scale,
            self.rotation @ first.rotation,
            self.apply(first.translation),
        )

    def inverse(self) -> Similarity:
        """The way back."""
        rotation, scale = self.rotation.T, 1 / self.scale
        return Similarity(scale, rotation, -scale * (rotation @ self.translation))

    def pose(self, T: Floats) -> Floats:
        """Poses (..., 4, 4) brought over; they stay rigid, only their places are scaled."""
        moved = np.array(T, np.float64)
        moved[..., :3, :3] = self.rotation @ T[..., :3, :3]
        moved[..., :3, 3] = self.apply(T[..., :3, 3])
        return moved


def umeyama(
    source: NDArray[np.floating],
    target: NDArray[np.floating],
    weights: NDArray[np.floating] | None = None,
) -> Similarity:
    """The similarity that brings points (n, 3) to their targets (n, 3) by least squares.

    weights: (n,) of the squares, 0 or more. Mirrored points get the best proper rotation.
    ``ValueError``: fewer than three points, or they lie in one place or on one line.
    """
    points, aims = _checked(source, target)
    shares = np.ones(len(points)) if weights is None else np.asarray(weights, np.float64)
    if shares.shape != (len(points),) or not np.all(shares >= 0):
        raise ValueError("weights of a similarity are not (n,) numbers of 0 or more")
    return _single(points, aims, shares, collinear=False)


def robust_umeyama(
    source: NDArray[np.floating],
    target: NDArray[np.floating],
    tolerance: float = 0.0,
    collinear: bool = False,
) -> tuple[Similarity, NDArray[np.bool_]]:
    """The same where up to a third of the pairs are wrong, and which of them are right (n,).

    Of fits to three points the one counts that brings three in five nearest to their targets; then
    what lies within 3.5 deviations, or ``tolerance`` (units of the target), is fitted again until
    that is settled. collinear: points on a line will do; the rotation about the line is arbitrary
    then. The same points give the same result. ``ValueError`` as of :func:`umeyama`.
    """
    points, aims = _checked(source, target)
    least = max(tolerance, 1e-9 * float(np.ptp(aims)))
    few = 1 + 5 / max(len(points) - 7 / 3, 1)  # a fit to few is nearer to them than the truth is
    fit = _best_of_sets(points, aims)
    inliers = np.zeros(len(points), np.bool_)
    for _ in range(_ROUNDS):
        errors = np.linalg.norm(fit.apply(points) - aims, axis=1)
        near = errors <= max(few * _OUTER / _LENGTH * float(_common(errors)), least)
        if np.array_equal(near, inliers):
            break
        inliers = near
        fit = _single(points[near], aims[near], np.ones(np.count_nonzero(near)), collinear)
    return fit, inliers


def _checked(source: NDArray[np.floating], target: NDArray[np.floating]) -> tuple[Floats, Floats]:
    if source.shape != target.shape or source.ndim != 2 or source.shape[1] != 3:
        raise ValueError(f"points are {source.shape} and {target.shape}, not (n, 3) both")
    if len(source) < 3:
        raise ValueError(f"a similarity needs three points, not {len(source)}")
    if not (np.all(np.isfinite(source)) and np.all(np.isfinite(target))):
        raise ValueError("points of a similarity are not finite")
    return source.astype(np.float64), target.astype(np.float64)


def _common(errors: Floats) -> Floats:
    """Of errors (..., n) the one that three in five do not exceed, of few at least four."""
    count = errors.shape[-1]
    rank = max(math.ceil(_RIGHT * count), min(count, 4)) - 1
    return np.partition(errors, rank, axis=-1)[..., rank]


def _best_of_sets(source: Floats, target: Floats) -> Similarity:
    """Of fits to three points each: the one for which most points have small errors."""
    count = len(source)
    random = np.random.default_rng(0)
    if math.comb(count, 3) <= _SETS:
        sets = np.array(list(itertools.combinations(range(count), 3)))
    else:
        sets = random.integers(count, size=(_SETS, 3))
    seen = random.permutation(count)[:_SEEN]
    scale, rotation, moved, _ = _fit(source[sets], target[sets], np.ones(3))
    found = scale[:, None, None] * (source[seen] @ rotation.swapaxes(1, 2)) + moved[:, None]
    errors = _common(np.linalg.norm(found - target[seen], axis=2))
    best = int(np.argmin(np.where(scale > 0, errors, np.inf)))
    return Similarity(float(scale[best]), rotation[best], moved[best])


def _single(source: Floats, target: Floats, weights: Floats, collinear: bool) -> Similarity:
    scale, rotation, moved, singular = _fit(source[None], target[None], weights)
    first, second, _ = singular[0]
    if not (first > 0 and scale[0] > 0):
        raise ValueError("points lie in one place: their scale is not known")
    if not (collinear or second > _THIN * first):
        raise ValueError("points lie on one line: their rotation is not known")
    return Similarity(float(scale[0]), rotation[0], moved[0])


def _fit(source: Floats, target: Floats, weights: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Scale (b,), rotation (b, 3, 3), translation (b, 3) of sets (b, n, 3) of points.

    And the singular values (b, 3) of their covariance; with less than two there is no one rotation,
    and where all points lie in one place the scale is 0.
    """
    shares = (weights / max(weights.sum(), 1e-300))[:, None]
    from_centre, to_centre = (source * shares).sum(axis=1), (target * shares).sum(axis=1)
    off, aimed = source - from_centre[:, None], target - to_centre[:, None]
    left, singular, right = np.linalg.svd((aimed * shares).swapaxes(1, 2) @ off)
    signs = np.ones_like(singular)
    signs[:, 2] = np.sign(np.linalg.det(left @ right))  # no mirror
    rotation = (left * signs[:, None]) @ right
    size = (off**2 * shares).sum(axis=(1, 2))
    scale = (singular * signs).sum(axis=1) / np.maximum(size, 1e-300)
    return scale, rotation, to_centre - scale[:, None] * _turned(rotation, from_centre), singular


def _turned(rotation: Floats, vectors: Floats) -> Floats:
    return (rotation @ vectors[..., None])[..., 0]
