"""A saved scene, read to be asked about: its graph, and what else a reasoner wants to see."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from spatial_vlm_ros.config import MemoryConfig
from spatial_vlm_ros.keyframes import files as keyframe_files
from spatial_vlm_ros.reasoning.answer import Seen
from spatial_vlm_ros.scene import store
from spatial_vlm_ros.scene.graph import SceneGraph
from spatial_vlm_ros.scene.snapshots import Snapshots

if TYPE_CHECKING:  # needs torch
    from spatial_vlm_ros.proxies.scene_proxies import Reading


def load_scene(
    folder: Path, *, proxies: bool = False, keyframes: bool = False
) -> tuple[SceneGraph, Seen]:
    """The scene in ``folder``, with the proxies and keyframes saved there if they are wanted.

    ``ValueError`` says what is missing, damaged or does not belong together.
    """
    folder = Path(folder)
    state = store.load(folder, MemoryConfig(), store.fixed_frame_of(folder))
    graph = Snapshots().take(
        state.objects,
        state.floor,
        state.T_scene_robot,
        state.stamp_ns,
        state.revision,
        state.scale_spread,
    )
    images = keyframe_files.load(folder, state.name) if keyframes else ()
    path = folder / store.PROXIES
    reading = _reading(path, state.name) if proxies and path.exists() else None
    return graph, Seen(reading, tuple(images))


def _reading(path: Path, scene: str) -> Reading:
    from spatial_vlm_ros.proxies.scene_proxies import Reading
    from spatial_vlm_ros.proxies.storage import labels_of, read_sequence

    labels = labels_of(path, scene)
    revision, stamp_ns = int(labels["revision"]), int(labels["stamp_ns"])
    return Reading(read_sequence(path), revision, stamp_ns, labels["encoder"])
