"""Metres for a window of images whose lengths have no unit: what each source says of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.geometry.config import ScaleConfig
from spatial_vlm_ros.geometry.deviation import deviation
from spatial_vlm_ros.geometry.gravity import Floor
from spatial_vlm_ros.geometry.similarity import robust_umeyama

Floats = NDArray[np.float64]
Say = Callable[[str], object]

_LEAST_PIXELS = 100  # of an image with which it counts
_MOST_PIXELS = 5000  # of an image that are looked at
_ROUNDS = 10
_TUKEY = 4.685  # deviations from which on a value has no weight
_ENDS = 6  # poses of a way that say as much as its two ends alone
_VAGUE = 0.05  # noise to the length of a way, more is no scale
_AGREED = 0.55  # of the poses have to fit
_ROUGH = 0.15  # unevenness to height, more is no floor to measure by


@dataclass(frozen=True)
class ScaleEstimate:
    """What one source says of one window.

    spread: 1 sigma as a share. lasting: the part of it that is the same in each window, so that
    more windows do not lessen it.
    """

    metres_per_unit: float
    spread: float
    source: str
    lasting: float = 0.0


def _silent(_reason: str) -> None:
    pass


def from_depth(
    measured: NDArray[np.floating],
    predicted: NDArray[np.floating],
    confidence: NDArray[np.floating],
    config: ScaleConfig,
    say: Say = _silent,
) -> ScaleEstimate | None:
    """By a depth camera: metres (n, h, w), or (h, w), beside the prediction's units there.

    0, NaN and inf are no measurement. Of an image the surer half of pixels counts, where they are
    at distances that depth cameras measure well. None, and why is said: too few such pixels.
    """
    known = (measured >= config.depth_near) & (measured <= config.depth_far)
    return _by_pixels(measured, predicted, confidence, known, config.depth_spread, "depth", say)


def from_metric_depth(
    measured: NDArray[np.floating],
    predicted: NDArray[np.floating],
    confidence: NDArray[np.floating],
    lasting: float,
    say: Say = _silent,
) -> ScaleEstimate | None:
    """By a network that sees metres in single images; the arrays are those of a depth camera.

    It errs alike over all of an image, so one image says little. lasting: ``MetricDepthConfig.
    spread``.
    """
    known = np.isfinite(measured) & (measured > 0.01)
    return _by_pixels(measured, predicted, confidence, known, lasting, "metric_depth", say)


def from_odometry(
    centres_window: NDArray[np.floating],
    centres_fixed: NDArray[np.floating],
    config: ScaleConfig,
    say: Say = _silent,
) -> ScaleEstimate | None:
    """By the way of the camera: its centres (n, 3) in the window's unit and in metres.

    None, and why is said: the way is short beside the noise of odometry, or does not fit.
    """
    if len(centres_window) < 3:
        say(f"odometry: {len(centres_window)} poses, three are needed")
        return None
    try:
        fit, right = robust_umeyama(
            centres_window, centres_fixed, 2 * config.odometry_noise, collinear=True
        )
    except ValueError:
        say("odometry: the robot has not moved")
        return None
    window, fixed = centres_window[right], centres_fixed[right]
    if len(window) < max(3, _AGREED * len(centres_window)):
        say("odometry: its way is another than that of the images")
        return None
    errors = np.linalg.norm(fit.apply(window) - fixed, axis=1)
    freedom = max(3 * len(errors) - 7, 1)  # seven numbers were fitted
    noise = max(math.sqrt(float(np.sum(errors**2)) / freedom), config.odometry_noise)
    radius_window, radius_fixed = _radius(window), _radius(fixed)
    # Poses that follow each other err alike: many of a way are not surer than a few.
    vague = noise / (radius_fixed * math.sqrt(min(len(window), _ENDS)))
    if not vague <= _VAGUE:
        say(f"odometry: moved {_length(fixed):.2f} m, too little for noise of {noise:.2f} m")
        return None
    # Noise of either side lengthens it: the ratio of both is not drawn to one of them.
    return ScaleEstimate(
        radius_fixed / radius_window,
        math.hypot(config.odometry_spread, vague),
        "odometry",
        config.odometry_spread,
    )


def from_camera_height(
    floor: Floor | None,
    centres_window: NDArray[np.floating],
    config: ScaleConfig,
    say: Say = _silent,
) -> ScaleEstimate | None:
    """By how high the cameras, centres (n, 3), are over the floor that was found in the window.

    None, and why is said: no floor is in view, or it is too rough for it.
    """
    if config.camera_height <= 0 or floor is None:
        say(f"camera_height: {'no floor is in view' if config.camera_height > 0 else 'not set'}")
        return None
    height, apart = _centre(np.log(np.maximum(floor.height(centres_window), 1e-300)))
    units = math.exp(height)
    noise = math.hypot(apart, floor.height_spread / units)
    if not noise <= _ROUGH:
        say("camera_height: the floor is too rough, or the camera is not at one height")
        return None
    lasting = math.hypot(
        config.camera_height_spread, config.camera_height_error / config.camera_height
    )
    return ScaleEstimate(
        config.camera_height / units, math.hypot(lasting, noise), "camera_height", lasting
    )


def _by_pixels(
    measured: NDArray[np.floating],
    predicted: NDArray[np.floating],
    confidence: NDArray[np.floating],
    known: NDArray[np.bool_],
    lasting: float,
    source: str,
    say: Say,
) -> ScaleEstimate | None:
    """From ratios in each image and then between images.

    Pixels of an image err together, and so do images of one window in part: the spread between
    images is not divided by how many there are, and that of pixels counts for a lone image only.
    """
    shape = (-1, *measured.shape[-2:])
    centres, spreads = [], []
    for metres, units, sure, here in zip(
        measured.reshape(shape), predicted.reshape(shape), confidence.reshape(shape),
        known.reshape(shape), strict=True,
    ):  # fmt: skip
        here = here & (units > 0) & np.isfinite(units)
        if np.any(here):
            here &= sure >= np.median(sure[here])
        if np.count_nonzero(here) < _LEAST_PIXELS:
            continue
        ratios = np.log(metres[here].astype(np.float64) / units[here])
        centre, spread = _centre(ratios[:: max(1, len(ratios) // _MOST_PIXELS)])
        centres.append(centre)
        spreads.append(spread)
    if not centres:
        say(f"{source}: no image has {_LEAST_PIXELS} pixels that are sure and well measured")
        return None
    centre, spread = _centre(np.array(centres))
    if len(centres) == 1:
        spread = spreads[0]
    return ScaleEstimate(math.exp(centre), math.hypot(lasting, spread), source, lasting)


def _centre(values: Floats) -> tuple[float, float]:
    """Where most of the values (n,) are, and their deviation, by Tukey's biweight.

    It begins at the median and lets go of what is far away: 30 % that are all too large move the
    median by half a deviation, and this by hardly anything.
    """
    centre = float(np.median(values))
    spread = deviation(values - centre)
    for _ in range(_ROUNDS):
        apart = (values - centre) / max(_TUKEY * spread, 1e-9)
        weights = np.maximum(1 - apart**2, 0) ** 2
        moved = float(np.average(values, weights=weights)) - centre
        centre += moved
        spread = deviation((values - centre)[weights > 0])
        if abs(moved) < 0.01 * spread:
            break
    return centre, spread


def _radius(points: NDArray[np.floating]) -> float:
    """Root of the mean squared distance of points (n, 3) from their mean."""
    return math.sqrt(float(np.mean(np.sum((points - points.mean(axis=0)) ** 2, axis=1))))


def _length(points: NDArray[np.floating]) -> float:
    """Diagonal of the upright box around points (n, 3)."""
    return float(np.linalg.norm(np.ptp(points, axis=0)))
