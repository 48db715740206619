"""Colours and edges of image cells: features without weights, for robots without a GPU."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spatial_vlm_ros.vision.images import check_image, fit_size

_CELL, _BINS = 28, 9  # pixels; directions of edges
_HALF = _CELL // 2  # a cell's side when it is looked at: every second pixel is enough
# Lab in bytes as OpenCV writes it, to a weight of 3 beside histograms of length 1 for L of 0..1.
_ORIGIN = np.array([0, 128, 128], np.float32)
_SCALE = np.array([0.03 * 100 / 255, 0.03, 0.03], np.float32)
_FAINT = 20.0  # grey levels of contrast that make half a histogram's length

Floats = NDArray[np.float32]


class Descriptors:
    """A :class:`~spatial_vlm_ros.vision.encoder.VisionEncoder` of hand-made features.

    Of each cell the histograms of oriented gradients (Dalal and Triggs 2005) of its quarters and of
    the 3 x 3 cells around it, and mean and deviation of its colour (CIE Lab), with the mean of the
    cells around it. Equal patches have equal features; what things are they do not know.
    """

    name, dimension, cell = "descriptors-1", 4 * _BINS + 9 * _BINS + 9, _CELL
    device = torch.device("cpu")

    def __init__(self, pixels: int) -> None:
        self._pixels = pixels  # an image with more is made smaller

    def encode(self, rgb: NDArray[np.uint8]) -> Tensor:
        """(h, w, D) float32 of an image (H, W, 3). ``ValueError`` when it is no such image."""
        check_image(rgb)
        height, width = fit_size(rgb.shape[0], rgb.shape[1], _CELL, self._pixels)
        resized = cv2.resize(rgb, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        image = np.asarray(resized, np.uint8)
        rows, columns = height // _CELL, width // _CELL
        quarters = _edges(image).reshape(rows, 2, columns, 2, _BINS)
        own = quarters.transpose(0, 2, 1, 3, 4).reshape(rows, columns, -1)
        padded = np.pad(quarters.mean(axis=(1, 3)), ((1, 1), (1, 1), (0, 0)))
        around = [padded[i : i + rows, j : j + columns] for i in range(3) for j in range(3)]
        parts = [_normalised(own), _normalised(np.concatenate(around, axis=2))]
        return torch.from_numpy(np.concatenate([*parts, *_colours(image, rows, columns)], axis=2))


def _edges(image: NDArray[np.uint8]) -> Floats:
    """(2h, 2w, bins) mean contrast of each quarter of a cell by direction, 0 to 180 degrees."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    right, down = (cv2.Sobel(grey, cv2.CV_32F, *step, scale=0.25) for step in ((1, 0), (0, 1)))
    contrast, angle = cv2.cartToPolar(right, down)
    turn = angle * np.float32(_BINS / np.pi)  # in bins, whose middles are whole numbers
    first = np.floor(turn)
    share, first = turn - first, first.astype(np.int64)
    side = _HALF // 2
    rows, columns = (np.arange(length) // side for length in grey.shape)
    quarter = (rows[:, None] * (columns[-1] + 1) + columns) * _BINS
    size = (rows[-1] + 1) * (columns[-1] + 1) * _BINS
    found = sum(
        np.bincount((quarter + part % _BINS).ravel(), (weight * contrast).ravel(), size)
        for part, weight in ((first, 1 - share), (first + 1, share))
    )
    shape = (rows[-1] + 1, columns[-1] + 1, _BINS)
    return np.asarray(found / side**2, np.float32).reshape(shape)


def _normalised(histograms: Floats) -> Floats:
    """Histograms (..., n) of length at most 1, shorter where there is little contrast."""
    length = np.linalg.norm(histograms, axis=-1, keepdims=True)
    return np.asarray(histograms / (length + np.float32(_FAINT)), np.float32)


def _colours(image: NDArray[np.uint8], rows: int, columns: int) -> list[Floats]:
    """(h, w, 3) each: mean and deviation of Lab in the cells, and the mean around them."""
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32)
    size = (columns, rows)
    mean = cv2.resize(lab, size, interpolation=cv2.INTER_AREA)
    square = cv2.resize(lab * lab, size, interpolation=cv2.INTER_AREA)
    deviation = np.sqrt(np.maximum(square - mean * mean, 0)).reshape(rows, columns, 3) * _SCALE
    mean = (mean.reshape(rows, columns, 3) - _ORIGIN) * _SCALE
    padded = np.pad(mean, ((1, 1), (1, 1), (0, 0)), mode="edge")
    around = cv2.blur(padded, (3, 3))[1:-1, 1:-1]
    return [np.asarray(part, np.float32) for part in (mean, deviation, around)]
