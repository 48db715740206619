"""The memory: time per frame, whether it grows, and how well and fast boxes are fitted."""

from __future__ import annotations

import dataclasses
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache, partial
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import trimesh
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from bench.harness import Row, Unavailable, benchmark, median_ms
from bench.recording import frames, objects_in_view
from spatial_vlm_ros.config import BoxConfig, KeyframeConfig, MemoryConfig
from spatial_vlm_ros.frame import Frame
from spatial_vlm_ros.memory import SpatialMemory
from spatial_vlm_ros.scene.box import Box, iou
from spatial_vlm_ros.scene.box_fit import fit_box

PERIOD_NS = 33_333_333


def _endless(source: tuple[Frame, ...]) -> Iterator[Frame]:
    """The frames back and forth without end, restamped at 30 Hz: a static scene."""
    there_and_back = cycle((*source, *source[-2:0:-1]))
    for number, frame in enumerate(there_and_back):
        yield dataclasses.replace(frame, stamp_ns=number * PERIOD_NS)


def _busy() -> tuple[Frame, ...]:
    """Frames with 8 to 14 objects in view."""
    busy = tuple(f for f in frames() if 8 <= objects_in_view(f) <= 14)
    if len(busy) < 20:
        raise Unavailable(f"only {len(busy)} frames of the recording show 8 to 14 objects")
    return busy[:60]


@dataclass
class _LongRun:
    """Wall and processor ms of each frame; bytes of the map and the process at some frames."""

    wall_ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    map_bytes: dict[int, int] = field(default_factory=dict)
    process_bytes: dict[int, int] = field(default_factory=dict)
    keyframes: int = 0


@lru_cache(maxsize=1)
def _long_run() -> _LongRun:
    """3000 frames of a static scene."""
    memory, run = SpatialMemory(), _LongRun()
    for number, frame in enumerate(islice(_endless(_busy()), 3000), 1):
        wall, cpu = time.perf_counter(), time.process_time()
        memory.observe(frame)
        run.wall_ms.append(1e3 * (time.perf_counter() - wall))
        run.cpu_ms.append(1e3 * (time.process_time() - cpu))
        if number in (500, 3000):
            # Images are counted apart: there are 64 at most, and it takes longer to have them.
            run.map_bytes[number] = memory.bytes_used - memory.keyframes.bytes_used
            run.keyframes = len(memory.keyframes.all())
            run.process_bytes[number] = _resident_bytes()
    return run


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@benchmark("mapper frame with labels, 640x480, ~10 objects")
def frame_with_labels() -> Row:
    """Against what a stateless node does: each instance's points, an oriented box round them."""
    ours = float(np.median(_long_run().wall_ms[100:1000]))
    some = _busy()[::10]
    theirs = np.mean([median_ms(partial(_stateless, f), 1, 0) for f in some])
    return Row(ours, "ms", "points + trimesh box per frame", float(theirs), bound=33.0)


def _stateless(frame: Frame) -> list[np.ndarray]:
    k, depth = frame.intrinsics, frame.depth
    assert depth is not None and frame.labels is not None
    rows, columns = np.nonzero(np.isfinite(depth) & (depth > 0))
    z = depth[rows, columns]
    points = np.stack([(columns - k.cx) / k.fx * z, (rows - k.cy) / k.fy * z, z], axis=1)
    ids = frame.labels.ids[rows, columns]
    found = []
    for number in np.unique(ids[ids > 0]):
        if frame.labels.names.get(int(number)) not in ("floor", "wall", "ceiling"):
            own = points[ids == number]
            if len(own) > 50:
                found.append(trimesh.bounds.oriented_bounds(own)[1])
    return found


@benchmark("mapper frame from depth alone, 640x480")
def frame_geometric() -> Row:
    memory = SpatialMemory(MemoryConfig(instances="geometric"))
    times = []
    for frame in islice(_endless(_busy()), 150):
        start = time.perf_counter()
        memory.observe(frame)
        times.append(1e3 * (time.perf_counter() - start))
    theirs = median_ms(lambda: _euclidean_clusters(_busy()[0]), 3, 1)
    return Row(float(np.median(times[30:])), "ms", "Euclidean clustering, 1 pixel in 16", theirs)


def _euclidean_clusters(frame: Frame) -> np.ndarray:
    """PCL's EuclideanClusterExtraction on one point in 16, without removing any plane."""
    k, step = frame.intrinsics, 4
    assert frame.depth is not None
    depth = frame.depth[::step, ::step]
    rows, columns = np.nonzero(np.isfinite(depth) & (depth > 0))
    z = depth[rows, columns]
    across, down = (step * columns - k.cx) / k.fx * z, (step * rows - k.cy) / k.fy * z
    tree = cKDTree(np.stack([across, down, z], axis=1))
    pairs = tree.query_pairs(0.05, output_type="ndarray").T
    links = coo_matrix((np.ones(pairs.shape[1], bool), tuple(pairs)), (len(z), len(z)))
    return np.asarray(connected_components(links, directed=False)[1])


@benchmark("mapper, 1000th frame over 100th, wall time")
def slowing() -> Row:
    return _aging(_long_run().wall_ms)


@benchmark("mapper, 1000th frame over 100th, CPU time")
def slowing_of_the_processor() -> Row:
    """The same without what other processes take of the machine."""
    return _aging(_long_run().cpu_ms)


def _aging(times: list[float]) -> Row:
    """Medians over one round of the same frames, so that only the map's age differs."""
    round_ = 2 * len(_busy()) - 2
    early, late = (np.median(times[k * round_ : (k + 1) * round_]) for k in (1, 1000 // round_))
    return Row(float(late / early), "ratio", bound=1.2)


@benchmark("map bytes, frame 3000 over frame 500")
def map_growth() -> Row:
    sizes = _long_run().map_bytes
    return Row(sizes[3000] / sizes[500], "ratio", bound=1.05)


@benchmark("keyframes after 3000 frames")
def keyframes() -> Row:
    return Row(_long_run().keyframes, "images", bound=KeyframeConfig().maximum)


@benchmark("process memory, frame 3000 over frame 500")
def process_growth() -> Row:
    sizes = _long_run().process_bytes
    return Row(sizes[3000] / sizes[500], "ratio", bound=1.05)


def _cabinet(rng: np.random.Generator, yaw: float) -> tuple[np.ndarray, Box]:
    """Noisy points on the front, one side and the top of a cabinet, as a camera sees them."""
    true = Box(0.0, 0.0, 0.0, 1.1, 0.5, 0.8, yaw).canonical()
    faces = rng.uniform(-0.5, 0.5, (1500, 3))
    faces[:600, 1], faces[600:1000, 0], faces[1000:, 2] = 0.5, 0.5, 0.5
    points = faces * [1.1, 0.5, 0.8] + rng.normal(0, 0.006, faces.shape)
    turn = np.array([[np.cos(yaw), np.sin(yaw), 0], [-np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
    return (points @ turn).astype(np.float32), true


def _upright(points: np.ndarray) -> Box:
    """trimesh's box of the ground points, with the points' height."""
    T, (length, width) = trimesh.bounds.oriented_bounds_2D(points[:, :2])
    to_scene = np.linalg.inv(T)
    low, high = points[:, 2].min(), points[:, 2].max()
    yaw = float(np.arctan2(to_scene[1, 0], to_scene[0, 0]))
    x, y = to_scene[:2, 2]
    return Box(x, y, (low + high) / 2, length, width, high - low, yaw).canonical()


@lru_cache(maxsize=1)
def _cabinets() -> list[tuple[np.ndarray, Box]]:
    rng = np.random.default_rng(0)
    return [_cabinet(rng, yaw) for yaw in np.linspace(-1.5, 1.5, 20)]


@benchmark("fit a box to 1500 points")
def fit_time() -> Row:
    points, _ = _cabinets()[3]
    weights, config = np.ones(len(points), np.float32), BoxConfig()
    ours = median_ms(lambda: fit_box(points, weights, config))
    return Row(ours, "ms", "trimesh oriented_bounds", median_ms(lambda: _oriented(points)))


def _oriented(points: np.ndarray) -> np.ndarray:
    return np.asarray(trimesh.bounds.oriented_bounds(points)[1])


@benchmark("fitted box, noisy half of a cabinet, mean IoU")
def fit_quality() -> Row:
    config = BoxConfig()
    ours = [iou(fit_box(p, np.ones(len(p), np.float32), config), true) for p, true in _cabinets()]
    theirs = [iou(_upright(points), true) for points, true in _cabinets()]
    return Row(
        float(np.mean(ours)),
        "IoU",
        "trimesh oriented_bounds_2D",
        float(np.mean(theirs)),
        higher_is_better=True,
    )
