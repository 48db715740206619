"""What posed RGB-D images of scans share: how they are found, and made frames."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.data.readers.reader import Scenes
from spatial_vlm_ros.data.unusable import Unusable
from spatial_vlm_ros.frame import Frame, Intrinsics, LabelImage

Array = NDArray[np.float64]
T = TypeVar("T")

#: What is added to objects' numbers in label images, where 0 is nothing: data sets count from 0.
SHIFT = 1
#: Where depth is narrower and colour is not, depth is repeated until it is as wide.
WIDTH = 640
#: How a jpeg begins and ends, and in how many bytes: some writers fill up behind it.
_JPEG, _END, _AFTER = b"\xff\xd8", b"\xff\xd9", 64
#: Shapes that differ by more are not of one camera. 1296 x 968 differs from 640 x 480 by 0.4 %.
_SHAPES = 0.02


class Images(NamedTuple):
    """Of one moment, as published.

    rgb: (H, W, 3) uint8. depth: (h, w) float32 metres along the optical axis, 0 where there is
    none. intrinsics: of either size. ids: (H', W') numbers of objects + ``SHIFT``, 0 where none
    is annotated; None where there is no such image.
    """

    rgb: NDArray[np.uint8]
    depth: NDArray[np.float32]
    intrinsics: Intrinsics
    ids: NDArray[np.uint8] | None = None


@dataclass(frozen=True, eq=False)
class Views:
    """Those images of a scan that can be used: all files are there, the pose is known.

    T_world_cameras: (n, 4, 4) in the order of time, in the world of the scan's annotation, x right,
    y down, z forward. stamps_ns: (n,). read: the images of a view; ``ValueError`` names the file
    that is damaged.
    """

    T_world_cameras: Array
    stamps_ns: NDArray[np.int64]
    read: Callable[[int], Images]

    def __len__(self) -> int:
        return len(self.T_world_cameras)

    def frame(self, view: int, names: Mapping[int, str]) -> Frame:
        """Of a view; names: categories of the ids of label images. ``ValueError``: as of read."""
        images = self.read(view)
        size = _common(images)
        smaller = size[0] < images.rgb.shape[1]
        how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        ids = None if images.ids is None else _nearest(images.ids, size).astype(np.int32)
        return Frame(
            int(self.stamps_ns[view]),
            np.asarray(cv2.resize(images.rgb, size, interpolation=how), np.uint8),
            _nearest(images.depth, size),
            images.intrinsics.resized(*size),
            self.T_world_cameras[view],
            None if ids is None else LabelImage(ids, names),
        )


class Scans(NamedTuple):
    """Of a data set. layout: files below its root beside those of the annotations, one a line.

    annotations: a file of every scan, as the reader finds it; ``ValueError`` where there is none.
    name: of the scan of such a file, as lists of scans have it. read: its annotation, and what of
    it cannot be used. views: its images; with label images where that is asked for and
    ``has_labels``. ``Unusable``: there are none that can be used.
    """

    layout: str
    has_labels: bool
    annotations: Callable[[Path], list[Path]]
    name: Callable[[Path], str]
    read: Callable[[Path, Path], Scenes]
    views: Callable[[Path, bool], Views]


def in_all(items: Sequence[T], parts: Mapping[str, Container[T]]) -> list[T]:
    """Those of the items that are in each of the parts, which go by their files or folders.

    ``Unusable``: there are none.
    """
    kept = list(items)
    for name, part in parts.items():
        kept = [item for item in kept if item in part]
        if not kept:
            raise Unusable("file missing", f"{name} has no image of a frame that has all else")
    return kept


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """(H, W, 3). ``Unusable``: it is no image."""
    return np.asarray(cv2.cvtColor(_image(path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB), np.uint8)


def read_depth_mm(path: Path) -> NDArray[np.float32]:
    """(h, w) metres of a 16-bit image of millimetres. ``Unusable``: it is something else."""
    raw = _image(path, cv2.IMREAD_UNCHANGED)
    if raw.dtype != np.uint16 or raw.ndim != 2:
        raise Unusable("wrong image", f"{path} is {raw.shape} {raw.dtype}, not 16 bits of depth")
    return np.divide(raw, np.float32(1000), dtype=np.float32)


def _nearest(image: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """Another width and height by repeating and leaving out pixels."""
    return cv2.resize(image, size, interpolation=cv2.INTER_NEAREST_EXACT)


def _image(path: Path, flags: int) -> NDArray[Any]:
    image = decoded(path.read_bytes(), flags)
    if image is None:
        raise Unusable("image damaged", f"{path} cannot be decoded")
    return image


def decoded(content: bytes, flags: int) -> NDArray[Any] | None:
    """A png or jpeg; None where it is neither, or not whole: the rest of a jpeg would be grey."""
    cut = content.startswith(_JPEG) and _END not in content[-_AFTER:]
    return None if cut or not content else cv2.imdecode(np.frombuffer(content, np.uint8), flags)


def _common(images: Images) -> tuple[int, int]:
    """Width and height for all: those of depth, or a multiple where depth is very small."""
    (height, width), (rows, columns) = images.depth.shape, images.rgb.shape[:2]
    for what, (high, wide) in {
        "colour": (rows, columns),
        "camera": (images.intrinsics.height, images.intrinsics.width),
        "labels": (height, width) if images.ids is None else images.ids.shape,
    }.items():
        if abs(wide * height / (high * width) - 1) > _SHAPES:
            raise Unusable("sizes do not fit", f"{what} is {wide}x{high}, depth {width}x{height}")
    times = max(1, min(-(-WIDTH // width), columns // width))
    return times * width, times * height
