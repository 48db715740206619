"""The camera of a ScanNet recording (.sens, version 4) without its images.

The format is that of SensReader/python/SensorData.py of ScanNet/ScanNet (3830fce).
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from spatial_vlm_ros.data.readers.cameras import Cameras, Lens

_VERSION = 4
_MATRIX = "16f"


def read_cameras(path: Path) -> Cameras:
    """Poses in the world of the scan, as recorded: -inf where tracking was lost.

    ``ValueError`` where it is of another version or ends too early.
    """
    with path.open("rb") as file:
        try:
            return _cameras(file)
        except struct.error:
            raise ValueError(f"{path} ends within its frames") from None


def _cameras(file: BinaryIO) -> Cameras:
    (version,) = _next(file, "I")
    if version != _VERSION:
        raise ValueError(f"{file.name} is of version {version}; this reads version {_VERSION}")
    (length,) = _next(file, "Q")
    file.seek(length, 1)  # the sensor's name
    matrix = np.reshape(_next(file, _MATRIX), (4, 4))  # of the colour camera
    _next(file, "16f16f16f2i")  # its extrinsics, the depth camera, how both are compressed
    width, height, _, _ = _next(file, "4I")
    _next(file, "f")  # depth units in a metre
    (count,) = _next(file, "Q")
    poses = np.empty((count, 4, 4))
    for pose in poses:
        pose[:] = np.reshape(_next(file, _MATRIX), (4, 4))
        _, _, colour, depth = _next(file, "4Q")  # two stamps, bytes of both images
        file.seek(colour + depth, 1)
    focal = np.tile(matrix[(0, 1, 0, 1), (0, 1, 2, 2)], (count, 1))
    lens = Lens(focal, np.tile((float(width), float(height)), (count, 1)))
    return Cameras(poses, ("",) * count, lens)


def _next(file: BinaryIO, form: str) -> tuple[Any, ...]:
    return struct.unpack(f"<{form}", file.read(struct.calcsize(f"<{form}")))
