"""A ScanNet recording (.sens, version 4): cameras, poses, and images one by one.

The format is that of SensReader/python/SensorData.py of ScanNet/ScanNet (3830fce). Colour and depth
are aligned there: "no extrinsic matrices should be applied" (ScanNet/ScanNet, issue 92).
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.data.readers.cameras import Cameras, Lens

_VERSION = 4
_MATRIX = "16f"
#: Of colour: png and jpeg, which an image says of itself. Of depth: as it is, and zlib.
_COLOUR, _RAW, _ZLIB = (1, 2), 0, 1

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Recording:
    """What of a recording is known without decoding its images.

    colour_matrix, depth_matrix: (3, 3) of the cameras. colour_size, depth_size: width, height.
    T_world_cameras: (n, 4, 4) as recorded, -inf where tracking was lost. stamps_us: (n,) of colour.
    """

    path: Path
    colour_matrix: Array
    depth_matrix: Array
    colour_size: tuple[int, int]
    depth_size: tuple[int, int]
    T_world_cameras: Array
    stamps_us: NDArray[np.int64]
    _codecs: tuple[int, int]
    _depth_units: float
    _places: NDArray[np.int64]  # (n, 3): where a frame's images begin, bytes of colour, of depth

    @classmethod
    def open(cls, path: Path) -> Recording:
        """``ValueError`` where it is of another version or ends too early."""
        with path.open("rb") as file:
            try:
                return _opened(file, path)
            except (struct.error, OverflowError):
                raise ValueError(f"{path} ends within its frames") from None

    def colour(self, frame: int) -> NDArray[np.uint8]:
        """(H, W, 3) RGB. ``ValueError``: it cannot be decoded."""
        start, length, _ = self._places[frame].tolist()
        if self._codecs[0] in _COLOUR:
            content = np.frombuffer(self._read(start, length), np.uint8)
            image = cv2.imdecode(content, cv2.IMREAD_COLOR) if len(content) else None
            if image is not None:
                return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
        raise ValueError(f"{self.path}: colour of frame {frame} is no jpeg or png")

    def depth(self, frame: int) -> NDArray[np.float32]:
        """(h, w) metres, 0 where nothing was measured. ``ValueError``: it cannot be decoded."""
        start, before, length = self._places[frame].tolist()
        raw = self._read(start + before, length)
        width, height = self.depth_size
        try:
            raw = zlib.decompress(raw) if self._codecs[1] == _ZLIB else raw
            values = np.frombuffer(raw, "<u2").reshape(height, width)
        except (zlib.error, ValueError) as error:
            raise ValueError(f"{self.path}: depth of frame {frame}: {error}") from None
        if self._codecs[1] not in (_RAW, _ZLIB):
            raise ValueError(f"{self.path}: depth is of compression {self._codecs[1]}, not 0 or 1")
        return np.divide(values, self._depth_units, dtype=np.float32)

    def _read(self, start: int, length: int) -> bytes:
        with self.path.open("rb") as file:
            file.seek(start)
            return file.read(length)


def read_cameras(path: Path) -> Cameras:
    """Of its colour images, as recorded; images have no files. ``ValueError``: as of opening."""
    found = Recording.open(path)
    count = len(found.T_world_cameras)
    focal = np.tile(found.colour_matrix[(0, 1, 0, 1), (0, 1, 2, 2)], (count, 1))
    lens = Lens(focal, np.tile(np.array(found.colour_size, float), (count, 1)))
    return Cameras(found.T_world_cameras, ("",) * count, lens)


def _opened(file: BinaryIO, path: Path) -> Recording:
    (version,) = _next(file, "I")
    if version != _VERSION:
        raise ValueError(f"{path} is of version {version}; this reads version {_VERSION}")
    (length,) = _next(file, "Q")
    file.seek(length, 1)  # the sensor's name
    colour = np.reshape(_next(file, _MATRIX), (4, 4))[:3, :3]
    _next(file, _MATRIX)  # extrinsics
    depth = np.reshape(_next(file, _MATRIX), (4, 4))[:3, :3]
    _next(file, _MATRIX)
    codecs = _next(file, "2i")
    sizes = _next(file, "4I")
    (units,) = _next(file, "f")
    (count,) = _next(file, "Q")
    if count > path.stat().st_size:
        raise ValueError(f"{path} is shorter than its {count} frames")
    poses, places = np.empty((count, 4, 4)), np.empty((count, 3), np.int64)
    stamps = np.empty(count, np.int64)
    for frame in range(count):
        poses[frame] = np.reshape(_next(file, _MATRIX), (4, 4))
        stamps[frame], _, of_colour, of_depth = _next(file, "4Q")
        places[frame] = file.tell(), of_colour, of_depth
        file.seek(of_colour + of_depth, 1)
    return Recording(
        path, colour, depth, sizes[:2], sizes[2:], poses, stamps, codecs, units, places
    )


def _next(file: BinaryIO, form: str) -> tuple[Any, ...]:
    return struct.unpack(f"<{form}", file.read(struct.calcsize(f"<{form}")))
