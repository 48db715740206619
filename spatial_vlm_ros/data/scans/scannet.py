"""ScanNet: images of an RGB-D camera, and which object each of their pixels shows.

The layout is that of ScanNet/ScanNet (3830fce): images as SensReader/python unpacks them, or the
.sens itself, and the projections of the annotation, unpacked or as they come. In those "object ids
are 0-indexed so add 1": a pixel is ``objectId`` + 1, or 0 where nothing is annotated
(AnnotationTools/Filter2dAnnotations/Filter2dAnnotations.cpp). They are as large as colour is.

Colour and depth are aligned, so they can be brought to one size (issues 2 and 92 there); what holds
then is ``intrinsic_depth.txt``. The .txt beside a scan has other numbers for that camera, which are
not of the aligned images.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.data.readers.cameras import is_pose
from spatial_vlm_ros.data.readers.scannet import (
    alignment,
    annotation_files,
    read_about,
    read_one,
    read_pose,
)
from spatial_vlm_ros.data.readers.sens import Recording
from spatial_vlm_ros.data.scans.scan import (
    Images,
    Scans,
    Views,
    decoded,
    in_all,
    read_depth_mm,
    read_rgb,
)
from spatial_vlm_ros.data.unusable import Unusable
from spatial_vlm_ros.frame import Intrinsics

Array = NDArray[np.float64]
#: A label image as a file has it, by the number of its frame.
Labels = dict[int, Callable[[], bytes]]

LAYOUT = """\
scans/<scene>/color/<frame>.jpg, depth/<frame>.png, pose/<frame>.txt, intrinsic/intrinsic_depth.txt
  (of SensReader/python/reader.py), or scans/<scene>/<scene>.sens
scans/<scene>/<scene>_2d-instance-filt.zip, or unpacked: instance-filt/<frame>.png (for proxies)"""

#: Best first: "filt" is without what the projection smears over edges.
_PROJECTIONS = ("instance-filt", "instance")
_FPS = 30  # of frames whose stamps are not kept


def views(annotation: Path, labels: bool) -> Views:
    """Frames with colour, depth and a pose, in the axis-aligned scan; see :class:`Scans`."""
    folder = annotation.parent
    T_aligned_scan = alignment(read_about(folder))
    shown = _labels(folder) if labels else None
    recording = folder / f"{folder.name}.sens"
    unpacked = all((folder / name).is_dir() for name in ("color", "depth", "pose", "intrinsic"))
    if recording.exists() and not unpacked:
        return _recorded(recording, T_aligned_scan, shown)
    if (folder / "color").is_dir():
        return _unpacked(folder, T_aligned_scan, shown)
    raise Unusable("file missing", f"neither {folder / 'color'} nor {recording} is there")


def _unpacked(folder: Path, T_aligned_scan: Array, shown: Labels | None) -> Views:
    parts = {name: _numbered(folder / name) for name in ("pose", "color", "depth")}
    camera = _camera(folder / "intrinsic" / "intrinsic_depth.txt")
    poses = {number: read_pose(path) for number, path in sorted(parts["pose"].items())}
    usable = [number for number, pose in poses.items() if is_pose(pose)]
    numbers = _numbers(folder, usable, parts, shown)

    def read(view: int) -> Images:
        number = numbers[view]
        depth = read_depth_mm(parts["depth"][number])
        return Images(
            read_rgb(parts["color"][number]),
            depth,
            _sized(camera, depth, folder),
            _ids(shown, number, folder),
        )

    stamps = np.array(numbers, np.int64) * 1_000_000_000 // _FPS
    T_scan_cameras = np.array([poses[number] for number in numbers])
    return Views(T_aligned_scan @ T_scan_cameras, stamps, read)


def _recorded(path: Path, T_aligned_scan: Array, shown: Labels | None) -> Views:
    found = Recording.open(path)
    usable = [n for n, pose in enumerate(found.T_world_cameras) if is_pose(pose)]
    numbers = _numbers(path.parent, usable, {}, shown)

    def read(view: int) -> Images:
        number = numbers[view]
        try:
            rgb, depth = found.colour(number), found.depth(number)
        except ValueError as error:
            raise Unusable("image damaged", str(error)) from None
        camera = _sized(found.depth_matrix, depth, path)
        return Images(rgb, depth, camera, _ids(shown, number, path.parent))

    return Views(
        T_aligned_scan @ found.T_world_cameras[numbers], found.stamps_us[numbers] * 1000, read
    )


def _numbers(
    folder: Path, usable: list[int], parts: dict[str, dict[int, Path]], shown: Labels | None
) -> list[int]:
    """Of frames that have all; ``Unusable`` where none has."""
    if not usable:
        raise Unusable("no camera pose", f"{folder} has none that is a pose")
    found: dict[str, Container[int]] = {
        str(folder / name): files for name, files in parts.items() if name != "pose"
    }
    if shown is not None:
        found[f"{folder / folder.name}_2d-{_PROJECTIONS[0]}.zip"] = shown
    return in_all(usable, found)


def _labels(folder: Path) -> Labels:
    """Of the best projection that is there."""
    for kind in _PROJECTIONS:
        if files := _numbered(folder / kind):
            return {number: path.read_bytes for number, path in files.items()}
        archive = folder / f"{folder.name}_2d-{kind}.zip"
        if archive.is_file():
            with _opened(archive) as packed:
                names = [name for name in packed.namelist() if Path(name).stem.isdecimal()]
            return {int(Path(name).stem): _member(archive, name) for name in names}
    return {}


def _member(archive: Path, name: str) -> Callable[[], bytes]:
    def read() -> bytes:
        with _opened(archive) as packed:
            return packed.read(name)

    return read


@contextmanager
def _opened(archive: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(archive) as packed:
            yield packed
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise Unusable("archive damaged", f"{archive}: {error}") from None


def _ids(shown: Labels | None, number: int, folder: Path) -> NDArray[np.uint8] | None:
    if shown is None:
        return None
    image = decoded(shown[number](), cv2.IMREAD_UNCHANGED)
    if image is None or image.dtype != np.uint8 or image.ndim != 2:
        raise Unusable("image damaged", f"label image {number} of {folder} is not one of 8 bits")
    return np.asarray(image, np.uint8)


def _numbered(folder: Path) -> dict[int, Path]:
    """Files of a folder by the number that is their name."""
    return {int(path.stem): path for path in folder.glob("*.*") if path.stem.isdigit()}


def _camera(path: Path) -> Array:
    """(3, 3) of a matrix (4, 4)."""
    matrix = read_pose(path)
    if not (np.isfinite(matrix).all() and min(matrix[0, 0], matrix[1, 1]) > 0):
        raise Unusable("no camera", f"{path} is no matrix of a camera, 4 x 4 numbers")
    return matrix[:3, :3]


def _sized(matrix: Array, depth: NDArray[np.float32], where: Path) -> Intrinsics:
    """Of images of this size, in whose middle the camera's axis has to be."""
    height, width = depth.shape
    (fx, _, cx), (_, fy, cy), _ = matrix
    if not (0.4 < cx / width < 0.6 and 0.4 < cy / height < 0.6):
        raise Unusable(
            "sizes do not fit",
            f"{where}: depth is {width}x{height}, the camera's middle is at {cx:g}, {cy:g}",
        )
    return Intrinsics(width, height, fx, fy, cx, cy)


SCANS = Scans(LAYOUT, True, annotation_files, lambda path: path.parent.name, read_one, views)
