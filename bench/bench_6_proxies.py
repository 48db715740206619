"""Proxies: a whole scene at once, and one that grows image by image.

The images are 32 of the recording, cropped to 448x588, with its depth and its true labels: 20
objects, and floor and walls cut into 10 sectors each, which makes 40 groups. The features, as many
and as long as Qwen2.5-VL's, are random: one mean for each group, and noise.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import torch
from sklearn.cluster import KMeans
from torch import Tensor

from bench.harness import Row, Unavailable, benchmark, median_ms
from bench.proxy_scene import ImageMaps, geometry
from bench.recording import BACKGROUND, frames
from spatial_vlm_ros.config import PointsConfig, ProxyConfig
from spatial_vlm_ros.frame import LabelImage
from spatial_vlm_ros.proxies.allocation import allocate
from spatial_vlm_ros.proxies.clustering import Pooling, cluster
from spatial_vlm_ros.proxies.sequence import ProxySequence, build
from spatial_vlm_ros.proxies.streaming import ProxyMemory
from spatial_vlm_ros.proxies.triplets import PatchTriplets

CONFIG = ProxyConfig()
IMAGES, GROUPS, SECTORS = 32, 40, 10
GRID, CELL, DIMENSION = (16, 21), 28, 3584
CROP = np.s_[16 : 16 + GRID[0] * CELL, 26 : 26 + GRID[1] * CELL]
EARLY, LATE = 100, 5000  # images


@lru_cache(maxsize=1)
def _images() -> tuple[ImageMaps, ...]:
    rng = torch.Generator().manual_seed(0)
    means = torch.randn(100 * (SECTORS + 1), DIMENSION, generator=rng)
    found = []
    for frame in frames()[:: len(frames()) // IMAGES][:IMAGES]:
        pixels = geometry(frame, PointsConfig(columns=frame.intrinsics.width))
        points, valid, ids = (each[CROP].contiguous() for each in pixels)
        assert frame.labels is not None
        groups = _pieces(ids, points, frame.labels)
        noise = torch.randn(*GRID, DIMENSION, generator=rng)
        shown = groups[CELL // 2 :: CELL, CELL // 2 :: CELL]
        found.append(ImageMaps(means[shown] + 0.3 * noise, points, valid, groups))
    return tuple(found)


def _pieces(ids: Tensor, points: Tensor, labels: LabelImage) -> Tensor:
    """The ids, those of the surroundings cut into sectors around the origin."""
    surroundings = [number for number, name in labels.names.items() if name in BACKGROUND]
    azimuth = torch.atan2(points[..., 1], points[..., 0]) / (2 * torch.pi)
    sector = (azimuth * SECTORS).floor().long() % SECTORS
    return torch.where(torch.isin(ids, torch.tensor(surroundings)), ids + 100 * (sector + 1), ids)


def _whole(images: Iterable[ImageMaps]) -> ProxySequence:
    patches = [image.patches(CONFIG.upsample) for image in images]
    return build(PatchTriplets.concatenate(patches), CONFIG)


@benchmark("proxies of 43k patches x 3584, from maps")
def whole() -> Row:
    """Upsampling, patches, clustering, pooling, order."""
    images = _images()
    return Row(median_ms(lambda: _whole(images), 3, 1), "ms", bound=1000.0)


@benchmark("proxies of 43k patches x 3584, on a GPU")
def whole_on_a_gpu() -> Row:
    if not torch.cuda.is_available():
        raise Unavailable("no CUDA device")
    images = [image.to("cuda") for image in _images()]

    def build_and_wait() -> None:
        _whole(images)
        torch.cuda.synchronize()

    return Row(median_ms(build_and_wait, 10), "ms", bound=50.0)


# -- clustering alone, of the patches' points -----------------------------------------------------


@lru_cache(maxsize=1)
def _patches() -> tuple[PatchTriplets, ...]:
    """Of each image; 616 MB."""
    return tuple(image.patches(CONFIG.upsample) for image in _images())


@lru_cache(maxsize=1)
def _clusterings() -> dict[str, tuple[float, float]]:
    """Ms, and mean squared distance of a patch to the centre of its cluster, square centimetres.

    Of ours and of k-means with k-means++ from one start and scikit-learn's defaults. Nobody pools
    features here.
    """
    points = torch.cat([each.points_scene for each in _patches()])
    ids, member = torch.unique(torch.cat([each.groups for each in _patches()]), return_inverse=True)
    if len(ids) != GROUPS:
        raise Unavailable(f"the images show {len(ids)} groups, not {GROUPS}")
    counts = torch.from_numpy(allocate(torch.bincount(member).numpy(), CONFIG.budget))

    def ours() -> Pooling:
        return cluster(points, member, counts, lloyd=CONFIG.lloyd)

    def per_group() -> float:
        return sum(_inertia(points[member == g], int(counts[g])) for g in range(GROUPS))

    def at_once() -> float:
        return _inertia(points, CONFIG.budget)

    pooling, per_patch = ours(), 1e4 / len(points)
    centre = torch.repeat_interleave(pooling.means(points), pooling.counts, dim=0)
    own = float((points[pooling.patches] - centre).square().sum())
    return {
        "ours": (median_ms(ours, 9), per_patch * own),
        "k-means per group": (median_ms(per_group, 5, 1), per_patch * per_group()),
        "k-means at once": (median_ms(at_once, 1, 0), per_patch * at_once()),
    }


def _inertia(points: Tensor, clusters: int) -> float:
    return float(KMeans(clusters, n_init=1, random_state=0).fit(points.numpy()).inertia_)


def _time_against(rival: str, times: float) -> Row:
    ours, theirs = _clusterings()["ours"][0], _clusterings()[rival][0]
    return Row(ours, "ms", rival, theirs, bound=theirs / times)


@benchmark("proxies, clustering alone, 40 groups, K 700")
def time_against_k_means() -> Row:
    return _time_against("k-means per group", 4)


@benchmark("proxies, its squared error")
def error_against_k_means() -> Row:
    rival = "k-means per group"
    ours, theirs = _clusterings()["ours"][1], _clusterings()[rival][1]
    return Row(ours, "cm2", rival, theirs, bound=1.15 * theirs)


@benchmark("proxies, clustering against no groups")
def time_against_one_k_means() -> Row:
    return _time_against("k-means at once", 10)


@benchmark("proxies, its squared error against no groups")
def error_against_one_k_means() -> Row:
    """No bound: its clusters mix objects, and k-means per group has 1.15 times its error itself."""
    rival = "k-means at once"
    return Row(_clusterings()["ours"][1], "cm2", rival, _clusterings()[rival][1])


# -- image by image -------------------------------------------------------------------------------


@dataclass
class _Stream:
    """A memory after ``LATE`` images; ms of single images, the last before ``EARLY`` and ``LATE``.

    ``reading``: ms of reading the proxies after each of another round of images.
    """

    memory: ProxyMemory
    early: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    reading: list[float] = field(default_factory=list)


@lru_cache(maxsize=1)
def _stream() -> _Stream:
    """A static scene: the same images again and again.

    Only in the two rounds that are timed are the patches made anew.
    """
    run, images, made = _Stream(ProxyMemory(CONFIG)), _images(), _patches()
    for number in range(1, LATE + 1):
        start, image = time.perf_counter(), number % IMAGES
        late = number > LATE - IMAGES
        timed = late or EARLY - IMAGES < number <= EARLY
        patches = images[image].patches(CONFIG.upsample) if timed else made[image]
        run.memory.update(patches, number)
        if timed:
            (run.late if late else run.early).append(1e3 * (time.perf_counter() - start))
    for number, patches in enumerate(made, LATE + 1):
        run.memory.update(patches, number)
        start = time.perf_counter()
        run.memory.sequence()
        run.reading.append(1e3 * (time.perf_counter() - start))
    return run


@benchmark("proxies, one more image")
def one_image() -> Row:
    """Upsampling, patches, update."""
    return Row(float(np.median(_stream().late)), "ms", bound=30.0)


@benchmark("proxies, image 5000 over image 100")
def slowing() -> Row:
    run = _stream()
    return Row(float(np.median(run.late) / np.median(run.early)), "ratio", bound=1.3)


@benchmark("proxies read after each image")
def reading() -> Row:
    return Row(float(np.median(_stream().reading)), "ms")


@benchmark("proxies, bytes of the memory at image 5000")
def size() -> Row:
    return Row(_stream().memory.bytes_used / 1e6, "MB", bound=CONFIG.max_megabytes)


@benchmark("proxies, squared error of image by image")
def streaming_error() -> Row:
    """Of a patch to the nearest proxy of its group, square centimetres; same K."""
    points = torch.cat([each.points_scene for each in _patches()])
    groups = torch.cat([each.groups for each in _patches()])
    batch = build(PatchTriplets(points, points, groups), CONFIG)
    theirs = _nearest_error(points, groups, batch)
    ours = _nearest_error(points, groups, _stream().memory.sequence())
    return Row(ours, "cm2", "everything clustered at once", theirs, bound=1.1 * theirs)


def _nearest_error(points: Tensor, groups: Tensor, proxies: ProxySequence) -> float:
    apart = torch.cdist(points, proxies.points_scene)
    apart[groups[:, None] != proxies.groups] = torch.inf
    return 1e4 * float(apart.amin(1).square().mean())
