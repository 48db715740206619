"""Pictures of a scene: from above, its proxies, its local maps, and boxes over a camera image."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.drawing.above import top_down
from spatial_vlm_ros.drawing.album import Album
from spatial_vlm_ros.drawing.cogmaps import local_maps
from spatial_vlm_ros.drawing.overlay import overlay
from spatial_vlm_ros.drawing.proxies import proxies_above

__all__ = ["Album", "local_maps", "overlay", "proxies_above", "save_picture", "top_down"]


def save_picture(path: Path, rgb: NDArray[np.uint8]) -> None:
    """Write (H, W, 3) RGB to ``path``; the suffix says the format. ``OSError`` when impossible."""
    if not cv2.imwrite(str(path), np.ascontiguousarray(rgb[..., ::-1])):
        raise OSError(f"cannot write picture {path}")
