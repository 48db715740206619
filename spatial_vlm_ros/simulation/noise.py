"""What a structured-light depth camera makes of the true depth.

Axial noise after Nguyen, Izadi, Lovell, "Modeling Kinect Sensor Noise for Improved 3D
Reconstruction and Tracking" (2012): sigma(z) = 1.2 mm + 1.9 mm/m^2 (z - 0.4 m)^2.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

MIN_RANGE, MAX_RANGE = 0.3, 6.0
GRAZING, STEEP = np.cos(np.radians(86.0)), np.cos(np.radians(78.0))
EDGE_STEP = 0.04  # relative jump of depth between neighbours that counts as an edge
EDGE_LOSS = 0.7  # share of pixels on edges without a measurement
SPECKLE_LOSS = 0.004  # share of all pixels lost in small blobs
COLOUR_SIGMA = 2.0  # grey levels


def axial_sigma(depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """Standard deviation of measured depth, metres."""
    return np.float32(0.0012) + np.float32(0.0019) * (depth - np.float32(0.4)) ** 2


def measured_depth(
    depth: NDArray[np.float32], incidence: NDArray[np.float32], rng: np.random.Generator
) -> NDArray[np.uint16]:
    """(H, W) millimetres as the sensor reports them; 0 where it reports nothing.

    ``depth`` is exact, metres, 0 = nothing there; ``incidence`` the cosine between ray and
    surface normal. Lost are: out of range, grazing surfaces, most of the depth edges, speckle.
    """
    noisy = depth + axial_sigma(depth) * rng.standard_normal(depth.shape, np.float32)
    chance = rng.random(depth.shape, np.float32)
    steepness = (incidence - GRAZING) / (STEEP - GRAZING)  # below 0 never seen
    keep = (depth > 0) & (noisy >= MIN_RANGE) & (noisy <= MAX_RANGE) & (chance < steepness)
    keep &= ~(_edges(depth) & (rng.random(depth.shape, np.float32) < EDGE_LOSS))
    keep &= ~_speckle(depth.shape, rng)
    return np.where(keep, np.rint(1000 * noisy), 0).astype(np.uint16)


def measured_colour(rgb: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """The image with sensor noise, the same in all channels of a pixel."""
    noise = COLOUR_SIGMA * rng.standard_normal(rgb.shape[:2], np.float32)
    return np.clip(np.rint(rgb + noise[..., None]), 0, 255).astype(np.uint8)


def _edges(depth: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Pixels next to a jump in depth."""
    kernel = np.ones((3, 3), np.uint8)
    near, far = cv2.erode(depth, kernel), cv2.dilate(depth, kernel)
    return far - near > EDGE_STEP * np.maximum(depth, 0.1)


def _speckle(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Random small blobs of 2x2 pixels."""
    coarse = rng.random(((shape[0] + 1) // 2, (shape[1] + 1) // 2), np.float32) < SPECKLE_LOSS
    return np.repeat(np.repeat(coarse, 2, axis=0), 2, axis=1)[: shape[0], : shape[1]]
