"""Boxes of EmbodiedScan: read from its info files, and found among the objects of a scene.

EmbodiedScan numbers objects in its own way. So each of its boxes stands for the object of the scene
that it covers best, by at least ``COVERED``, whichever number that has. Among objects that are
EmbodiedScan's own it is the same one.

Layout: OpenRobotLab/EmbodiedScan, branch mmscan (cc3842a), mmscan/utils/data_io.py. Each
``embodiedscan_infos_<split>.pkl`` is a pickle of ``{metainfo, data_list}``; an entry of the list
has ``sample_idx`` ("scannet/scene0000_00") and ``instances`` with ``bbox_id`` and ``bbox_3d`` (nine
numbers: centre, size, Euler angles Z X Y, in the axis-aligned scan). Pickles can run anything:
nothing but numbers, texts, lists, dictionaries and arrays of NumPy is taken from these.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

from spatial_vlm_ros.data.converters.converter import Scenes
from spatial_vlm_ros.data.converters.matching import objects_at
from spatial_vlm_ros.data.converters.scannet_items import scene_of
from spatial_vlm_ros.data.unusable import Unusable
from spatial_vlm_ros.scene.box import Box
from spatial_vlm_ros.scene.nine_dof import OrientedBox

#: Intersection over union from which a box and an object of the scene are the same.
COVERED = 0.5

#: What arrays and numbers of NumPy are made of, in pickles of NumPy 1 and 2.
_ALLOWED = {
    *[(f"numpy.{core}.multiarray", "_reconstruct") for core in ("core", "_core")],
    *[(f"numpy.{core}.multiarray", "scalar") for core in ("core", "_core")],
    *[(f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")],
    *[("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode")],
}

#: Nine numbers by scan, "scannet/scene0000_00", and number of the object.
Boxes = dict[str, dict[int, tuple[float, ...]]]
#: Number in its scene, and box there, of an object of a scan whose box is nine numbers.
Place = Callable[[str, tuple[float, ...]], tuple[int, Box]]


def placed(scenes: Scenes, scan: str, nine: tuple[float, ...]) -> tuple[int, Box]:
    """A :data:`Place` with these scenes."""
    scene = scene_of(scan, scenes)
    try:
        box = scene.box_from_world(OrientedBox.from_euler_zxy(nine))
    except ValueError as error:
        raise Unusable("not a box", str(error)) from None
    (found,) = objects_at(scene, [box], COVERED)
    if found is None:
        raise Unusable("object not known", f"{scan} has none at {box}")
    return found.id, box


class _Arrays(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed")
        return super().find_class(module, name)


def read_boxes(path: Path) -> Boxes:
    """``ValueError`` where the file is not of that layout, or holds more than data."""
    try:
        with path.open("rb") as file:
            entries = _Arrays(file).load()["data_list"]
        return {
            str(entry["sample_idx"]): {
                int(each["bbox_id"]): tuple(map(float, each["bbox_3d"]))
                for each in entry["instances"]
            }
            for entry in entries
        }
    except OSError:
        raise
    except Exception as error:  # damaged pickles fail in any way
        raise ValueError(f"{path} is no info file of EmbodiedScan: {error!r}") from None
