"""Rendering a drive, image by image, in several processes."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import starmap

import cv2
import numpy as np
from numpy.typing import NDArray

from spatial_vlm_ros.frame import Intrinsics
from spatial_vlm_ros.simulation.noise import measured_colour, measured_depth
from spatial_vlm_ros.simulation.renderer import Renderer
from spatial_vlm_ros.simulation.seen import Surfels, visible
from spatial_vlm_ros.simulation.world import Mesh


@dataclass(frozen=True)
class Shot:
    """One image as recorded, and what it showed.

    rgb (H, W, 3) uint8; depth_mm (H, W) uint16, 0 = none; ids (H, W) uint16; shown: (surfels,)
    which surface samples it showed; pixels: (ids,) pixels with depth of every instance id.
    """

    rgb: NDArray[np.uint8]
    depth_mm: NDArray[np.uint16]
    ids: NDArray[np.uint16]
    shown: NDArray[np.bool_]
    pixels: NDArray[np.int64]


@dataclass(frozen=True)
class Set:
    """All that an image depends on but the camera's pose."""

    mesh: Mesh
    lights: NDArray[np.float64]
    surfels: Surfels
    intrinsics: Intrinsics
    seed: int


class Camera:
    """Takes noisy images; the noise of image k depends on the seed and k only."""

    def __init__(self, scene: Set) -> None:
        self._set = scene
        self._renderer = Renderer(scene.mesh, scene.lights, scene.intrinsics)
        self._ids = int(scene.mesh.ids.max()) + 1

    def shoot(self, number: int, T_map_camera: NDArray[np.float64]) -> Shot:
        """Image ``number``, from a (4, 4) camera pose."""
        rendering = self._renderer.render(T_map_camera)
        rng = np.random.default_rng([self._set.seed, number])
        depth = measured_depth(rendering.depth, rendering.incidence, rng)
        return Shot(
            rgb=measured_colour(rendering.rgb, rng),
            depth_mm=depth,
            ids=rendering.ids.astype(np.uint16),
            shown=visible(self._set.surfels, rendering, T_map_camera, self._set.intrinsics),
            pixels=np.bincount(rendering.ids[depth > 0], minlength=self._ids),
        )


@contextmanager
def shots(scene: Set, poses: NDArray[np.float64], workers: int) -> Iterator[Iterator[Shot]]:
    """The images from (n, 4, 4) camera poses, in order, taken by ``workers`` processes.

    With one worker everything runs in this process. The images are the same either way. At most
    a few finished images wait to be taken.
    """
    numbered = enumerate(poses)
    if workers == 1:
        yield starmap(Camera(scene).shoot, numbered)
        return
    ahead = threading.Semaphore(4 * workers)

    def tasks() -> Iterator[tuple[int, NDArray[np.float64]]]:
        for task in numbered:
            ahead.acquire()
            yield task

    with multiprocessing.get_context("spawn").Pool(workers, _open_set, (scene,)) as pool:

        def taken() -> Iterator[Shot]:
            for shot in pool.imap(_shoot, tasks()):
                ahead.release()
                yield shot

        yield taken()
        for _ in poses:  # should the caller have stopped early, let the feeding thread end
            ahead.release()


_camera: Camera  # of this worker process


def _open_set(scene: Set) -> None:
    global _camera
    cv2.setNumThreads(1)
    _camera = Camera(scene)


def _shoot(task: tuple[int, NDArray[np.float64]]) -> Shot:
    return _camera.shoot(*task)
