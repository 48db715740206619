"""Basic colour name of a surface: the eleven basic terms of Berlin and Kay (1969)."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

NAMES = (
    "black",
    "grey",
    "white",
    "red",
    "orange",
    "brown",
    "yellow",
    "green",
    "blue",
    "purple",
    "pink",
)
_HUES = ("red", "orange", "yellow", "green", "blue", "purple", "pink")
_HUE_ENDS = (9.0, 42.0, 64.0, 165.0, 252.0, 300.0, 345.0, 360.0)  # degrees; red wraps round


def name_shares(rgb: NDArray[np.uint8], least: float = 0.1) -> dict[str, float]:
    """Basic colours of (n, 3) sRGB pixels with their shares, those under ``least`` left out.

    Hue decides first, since shading leaves it alone. Lightness is then judged on the better lit
    part of each hue's pixels: it tells brown from orange, pink from red, black, grey and white.
    """
    if len(rgb) == 0:
        return {}
    families = _family_table()[rgb[:, 0] >> 3, rgb[:, 1] >> 3, rgb[:, 2] >> 3]
    counts = np.bincount(families, minlength=len(_HUES) + 1) / len(rgb)
    shares: dict[str, float] = {}
    for family in np.flatnonzero(counts >= least):
        name = _name(int(family), rgb[families == family])
        shares[name] = shares.get(name, 0.0) + float(counts[family])
    return shares


@lru_cache(maxsize=1)
def _family_table() -> NDArray[np.uint8]:
    """(32, 32, 32): 0 for a grey tone, else 1 + index in ``_HUES``, of every 5-bit colour."""
    levels = (np.arange(32) * 8 + 4).astype(np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1)
    hsv = cv2.cvtColor((cube.reshape(1, -1, 3) / np.float32(255)), cv2.COLOR_RGB2HSV)[0]
    hue, saturation, value = hsv.T
    family = np.searchsorted(_HUE_ENDS, hue, side="right") % len(_HUES) + 1
    grey = (saturation < 0.25) | (value * saturation < 0.13)
    return np.where(grey, 0, family).astype(np.uint8).reshape(32, 32, 32)


def _name(family: int, rgb: NDArray[np.uint8]) -> str:
    brightest = rgb.max(axis=1)
    lit = rgb[brightest >= np.percentile(brightest, 60)].mean(axis=0) / 255
    value = float(lit.max())
    saturation = 1 - float(lit.min()) / max(value, 1e-6)
    if family == 0:
        return "black" if value < 0.24 else "white" if value > 0.66 else "grey"
    hue = _HUES[family - 1]
    if hue == "red":
        return "pink" if saturation < 0.5 and value > 0.6 else "red"
    if hue == "orange":
        return "brown" if value < 0.62 or saturation < 0.55 else "orange"
    if hue == "yellow" and value < 0.35:
        return "brown"
    return hue
