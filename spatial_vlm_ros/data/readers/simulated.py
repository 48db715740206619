"""Recordings of this project's simulator: exact boxes, poses and floors.

Every ``truth.json`` below the root is a scene, named for its folder there. ``first_seen`` is the
first kept view at or after the image that first had enough of the object's pixels; it is None for
what was not shown well enough that a box can fairly be asked for (``simulation/truth.py``).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.data.readers.cameras import evenly
from spatial_vlm_ros.data.readers.reader import Reader, Scenes, found_in, scenes_of
from spatial_vlm_ros.data.scenes import AnnotatedObject, AnnotatedScene
from spatial_vlm_ros.scene_frame import inverse
from spatial_vlm_ros.simulation.truth import TrueObject, Truth, load_truth, well_seen

LICENSE = "Apache-2.0"
LAYOUT = "<recording>/truth.json"


def read(root: Path) -> Scenes:
    """Every recording."""
    found = found_in(root, "**/truth.json", "simulated", LAYOUT)
    return scenes_of(found, lambda path: iter([_scene(root, path)]))


def _scene(root: Path, path: Path) -> AnnotatedScene:
    folder = path.parent
    name = folder.relative_to(root).as_posix() if folder != root else folder.resolve().name
    return scene_of(f"simulated/{name}", load_truth(path))


def scene_of(name: str, truth: Truth) -> AnnotatedScene:
    """A recording's truth as an annotated scene; its images have no files of their own."""
    kept = evenly(len(truth.stamps_ns))
    outline = truth.rooms[0].outline_scene if len(truth.rooms) == 1 else np.zeros((0, 2))
    return AnnotatedScene(
        name=name,
        objects=tuple(
            AnnotatedObject(
                item.id, item.category, item.box, item.colour, _first_seen(item, truth, kept)
            )
            for item in truth.objects
        ),
        T_world_first=truth.T_map_camera[0],
        T_scene_views=inverse(truth.T_map_scene) @ truth.T_map_camera[kept],
        views=("",) * len(kept),
        floor_z=-float(truth.T_map_scene[2, 3]),
        floor_area=float(sum(room.area for room in truth.rooms)),
        outline=outline,
        license=LICENSE,
    )


def _first_seen(item: TrueObject, truth: Truth, kept: NDArray[np.int64]) -> int | None:
    if item.first_visible_ns is None or not well_seen(item):
        return None
    view = int(np.searchsorted(truth.stamps_ns[kept], item.first_visible_ns))
    return min(view, len(kept) - 1)


READER = Reader("simulated", LICENSE, LAYOUT, read)
