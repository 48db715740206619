"""ScanNet: meshes with instance labels, and the poses of an RGB-D camera.

The layout is that of ScanNet/ScanNet (3830fce), README.md, as SensReader/python unpacks its .sens
files: ``pose/<frame>.txt`` is camera to world, -inf where tracking was lost. Where they are not
unpacked, poses are read from the .sens itself, and views have no images.

The world of the scenes is the axis-aligned scan: ``axisAlignment`` of ``<scene>.txt`` is applied to
mesh and poses, and a scan without one is taken as it is, as in BenchmarkScripts/ScanNet200. An
object's number is its ``objectId`` (from 0), which ScanRefer and its kin use as well; its box is
the least and the greatest x, y, z of its vertices there, as is ScanRefer's ground truth. Labels are
the raw ones. The floor is at the middle height of the vertices labelled so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.data.readers.cameras import Cameras, Lens, evenly, is_pose
from spatial_vlm_ros.data.readers.placing import WorldObject, placed
from spatial_vlm_ros.data.readers.ply import read_vertices
from spatial_vlm_ros.data.readers.reader import Reader, Scenes, found_in, scenes_of
from spatial_vlm_ros.data.readers.sens import read_cameras
from spatial_vlm_ros.data.row import Rejected
from spatial_vlm_ros.data.unusable import Unusable, naming
from spatial_vlm_ros.language.names import label_words
from spatial_vlm_ros.scene.nine_dof import OrientedBox

Array = NDArray[np.float64]

LICENSE = "ScanNet Terms of Use"
LAYOUT = """\
scans/<scene>/<scene>.aggregation.json
scans/<scene>/<scene>_vh_clean_2.0.010000.segs.json
scans/<scene>/<scene>_vh_clean_2.ply
scans/<scene>/<scene>.txt
scans/<scene>/pose/<frame>.txt, or scans/<scene>/<scene>.sens
scans/<scene>/color/<frame>.jpg (optional)"""


def annotation_files(root: Path) -> list[Path]:
    """Of every scan: its aggregation file. ``ValueError``: there is none."""
    return found_in(root, "scans/*/*[0-9].aggregation.json", "scannet", LAYOUT)


def read(root: Path) -> Scenes:
    """Every scan with an aggregation."""
    return scenes_of(annotation_files(root), lambda path: read_one(root, path))


def read_one(root: Path, annotation: Path) -> Scenes:
    """The scan of an aggregation file, and what of it makes no object."""
    folder = annotation.parent
    name = folder.name
    about = read_about(folder)
    T_aligned_scan = alignment(about)
    points = read_vertices(folder / f"{name}_vh_clean_2.ply")
    points = points @ T_aligned_scan[:3, :3].T + T_aligned_scan[:3, 3]
    segments = _json(folder / f"{name}_vh_clean_2.0.010000.segs.json", "segIndices")
    if len(segments) != len(points):
        raise Unusable(
            "segments do not fit the mesh", f"{len(segments)} indices, {len(points)} vertices"
        )
    items, floors = [], []
    for made in _objects(folder / f"{name}.aggregation.json", np.array(segments), points):
        if isinstance(made, Rejected):
            yield made
            continue
        item, own = made
        items.append(item)
        floors += [own[:, 2]] if item.category == "floor" else []
    floor = float(np.median(np.concatenate(floors))) if floors else None
    yield placed(
        f"scannet/{name}", items, _cameras(root, folder, T_aligned_scan, about), LICENSE, floor
    )


def _objects(
    path: Path, segments: NDArray[np.int64], points: Array
) -> Iterator[tuple[WorldObject, Array] | Rejected]:
    """Each object with its vertices; rejected where it has none."""
    for group in _json(path, "segGroups"):
        own = points[np.isin(segments, group["segments"])]
        if len(own) == 0:
            yield Rejected(
                "object without surface", f"object {group['objectId']}", str(path), group
            )
            continue
        box = OrientedBox.from_bounds(own.min(axis=0), own.max(axis=0))
        yield WorldObject(int(group["objectId"]), label_words(group["label"]), box), own


def _cameras(
    root: Path, folder: Path, T_aligned_scan: Array, about: Mapping[str, Array]
) -> Cameras:
    """Evenly spread from the first usable pose on; only those files are read."""
    recording = folder / f"{folder.name}.sens"
    if recording.exists() and not (folder / "pose").is_dir():
        found = read_cameras(recording)
        with np.errstate(invalid="ignore"):
            return replace(found, T_world_cameras=T_aligned_scan @ found.T_world_cameras).kept()
    files = sorted((folder / "pose").glob("*.txt"), key=lambda path: int(path.stem))
    start = next((n for n, path in enumerate(files) if is_pose(read_pose(path))), len(files))
    files = [files[start + index] for index in evenly(len(files) - start)] if files[start:] else []
    images = [folder / "color" / f"{path.stem}.jpg" for path in files]
    names = tuple(str(path.relative_to(root)) if path.exists() else "" for path in images)
    poses = np.array([read_pose(path) for path in files]).reshape(-1, 4, 4)
    wanted = ("fx_color", "fy_color", "mx_color", "my_color", "colorWidth", "colorHeight")
    lens = None
    if all(key in about for key in wanted):
        values = np.tile(np.concatenate([about[key] for key in wanted]), (len(files), 1))
        lens = Lens(values[:, :4], values[:, 4:])
    with np.errstate(invalid="ignore"):
        return Cameras(T_aligned_scan @ poses, names, lens).kept()


def alignment(about: Mapping[str, Array]) -> Array:
    """(4, 4) T_aligned_scan of what ``<scene>.txt`` says. ``Unusable``: that is none."""
    numbers = about.get("axisAlignment", np.eye(4))
    if numbers.size != 16 or not np.isfinite(numbers).all():
        raise Unusable("no alignment", "axisAlignment of <scene>.txt is no matrix of 4 x 4 numbers")
    return np.reshape(numbers, (4, 4))


def read_pose(path: Path) -> Array:
    """(4, 4) as written, NaN where it is something else."""
    try:
        return np.array(path.read_text().split(), float).reshape(4, 4)
    except ValueError:
        return np.full((4, 4), np.nan)


def read_about(folder: Path) -> dict[str, Array]:
    """The numbers of ``<scene>.txt``, lines like "fx_color = 1170.19"; other lines are left out."""
    found = {}
    path = folder / f"{folder.name}.txt"
    with naming(path):
        lines = path.read_text().splitlines()
    for line in lines:
        key, _, value = line.partition(" = ")
        try:
            found[key.strip()] = np.array([float(word) for word in value.split()])
        except ValueError:
            continue
    return {key: numbers for key, numbers in found.items() if len(numbers)}


def _json(path: Path, key: str) -> list[Any]:
    with naming(path), path.open(encoding="utf-8") as file:
        content: list[Any] = json.load(file)[key]
    return content


READER = Reader("scannet", LICENSE, LAYOUT, read)
