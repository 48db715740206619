"""Geometry from images: choosing key frames, and bringing a window to the one before and to metres.

The predictions are those of 16 images of 518 x 392 in a room, 4 of them shared, 30 % of the pixels
wrong; what the network itself takes is not counted.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from bench.harness import Row, benchmark, median_ms
from bench.recording import frames
from spatial_vlm_ros.frame import Frame, Intrinsics
from spatial_vlm_ros.geometry.config import GeometryConfig, ScaleConfig, VggtConfig
from spatial_vlm_ros.geometry.prediction import Prediction
from spatial_vlm_ros.geometry.similarity import robust_umeyama
from spatial_vlm_ros.geometry.stitching import attached, unit_ratio
from spatial_vlm_ros.geometry.view_overlap import ViewOverlap
from spatial_vlm_ros.geometry.window import Window
from spatial_vlm_ros.geometry.windows import VggtGeometry
from spatial_vlm_ros.perception.points import pixel_rays

SEEN = Intrinsics(518, 392, 336.0, 336.0, 258.5, 195.5)
SHARED = 4


def _windows() -> tuple[Window, Window]:
    """The second begins with the last four images of the first, in a unit 1.7 times as long."""
    return _window(0, 1.0), _window(12, 1.7)


@lru_cache(maxsize=4)
def _window(first: int, unit: float) -> Window:
    random = np.random.default_rng(first)
    rays = pixel_rays(SEEN)
    T = np.tile(np.eye(4), (16, 1, 1))
    T[:, 2, 3] = 0.15 * np.arange(16) / unit
    depth = []
    for number in range(first, first + 16):
        # A floor 1.2 m below, walls 2 m to each side, one at the end.
        with np.errstate(divide="ignore"):
            floor = np.where(rays[..., 1] > 0, 1.2 / rays[..., 1], np.inf)
            walls = 2.0 / np.abs(rays[..., 0])
        true = np.minimum(np.minimum(floor, walls), 12 - 0.15 * number)
        error = 0.02 * random.standard_normal(true.shape)
        off = random.random(true.shape) < 0.3
        error[off] = random.uniform(-0.6, 1.2, np.count_nonzero(off))
        depth.append(true * np.exp(error) / unit)
    confidence = random.uniform(1, 9, (16, 392, 518)).astype(np.float32)
    K = np.tile(np.array([[336.0, 0, 259], [0, 336.0, 196], [0, 0, 1]]), (16, 1, 1))
    rgb = np.zeros((392, 518, 3), np.uint8)
    images = [Frame(10**9 * n, rgb, None, SEEN, None) for n in range(first, first + 16)]
    return Window.of(images, Prediction(np.array(depth, np.float32), confidence, T, K), 0.3)


@benchmark("stitch two windows of 518x392, 4 shared")
def stitch() -> Row:
    """Against points: Umeyama's fit over all sure pixels, by random sets and then the near ones."""
    return Row(
        median_ms(_stitched, 10), "ms", "robust Umeyama over all pixels", median_ms(_rival, 5)
    )


def _stitched() -> tuple[float, float]:
    """(scale, distance between the windows' beginnings in the first one's unit)."""
    before, after = _windows()
    old, new = before.prediction, after.prediction
    sure = before.sure[-SHARED:] & after.sure[:SHARED]
    ratio, _ = unit_ratio(old.depth[-SHARED:], new.depth[:SHARED], sure)
    found = attached(old.T_window_camera[-SHARED:], new.T_window_camera[:SHARED], ratio)
    return found.scale, float(found.translation[2])


def _rival() -> tuple[float, float]:
    before, after = _windows()
    sure = before.sure[-SHARED:] & after.sure[:SHARED]
    points = [
        np.concatenate(
            [
                (pixel_rays(SEEN) * window.prediction.depth[number][..., None])[known]
                + window.prediction.T_window_camera[number, :3, 3]
                for known, number in zip(sure, numbers, strict=True)
            ]
        )
        for window, numbers in ((after, range(SHARED)), (before, range(12, 16)))
    ]
    found, _ = robust_umeyama(points[0], points[1])
    return found.scale, float(found.translation[2])


@benchmark("scale between two windows, error, 30 % wrong")
def scale_error() -> Row:
    ours, theirs = (100 * abs(np.log(fit()[0] / 1.7)) for fit in (_stitched, _rival))
    return Row(float(ours), "%", "robust Umeyama over all pixels", float(theirs), bound=1.0)


@benchmark("window of 16 images, all but the network")
def window() -> Row:
    """Confidence, agreement of images, scale by the floor, attaching, depth of twelve images."""
    both = _windows()

    class Said:
        def __init__(self) -> None:
            self.calls = 0

        def predict(self, images: object) -> Prediction:
            self.calls += 1
            return both[min(self.calls - 1, 1)].prediction

    def run() -> int:
        scale = ScaleConfig(sources=["camera_height"], camera_height=1.2)
        vggt = VggtConfig(view_overlap=1.0)
        config = GeometryConfig(source="vggt", poses="images", vggt=vggt, scale=scale)
        geometry = VggtGeometry(config, Said(), None)
        geometry._chain.extend(both[0].frames)
        return len(geometry._chain.extend(both[1].frames[SHARED:]))

    return Row(median_ms(run, 3, 1) / 2, "ms", bound=1000.0)


@benchmark("choose key frames, 640x480")
def choose() -> Row:
    images, keys = frames()[:60], ViewOverlap(VggtConfig(keyframe_distance=9, keyframe_angle=180))

    def run() -> None:
        for frame in images:
            keys.is_key(frame)

    return Row(median_ms(run, 3, 1) / len(images), "ms", bound=10.0)
