"""Transform look-ups at an image stamp."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from bench.harness import Row, benchmark, median_ms
from spatial_vlm_ros.tf.buffer import TransformBuffer

SAMPLES, PERIOD_NS = 1500, 20_000_000  # 30 s of odometry at 50 Hz


@benchmark("TF lookup over 4 frames")
def lookup() -> Row:
    """map <- odom <- base (moving) <- camera <- optical; against scipy on the moving part."""
    rng = np.random.default_rng(0)
    turns = Rotation.from_rotvec(np.cumsum(rng.normal(0, 0.01, (SAMPLES, 3)), axis=0))
    places = np.cumsum(rng.normal(0, 0.01, (SAMPLES, 3)), axis=0)
    stamps = PERIOD_NS * np.arange(SAMPLES)
    buffer = TransformBuffer(cache_s=60.0)
    for parent, child in (("map", "odom"), ("base_link", "camera_link"), ("camera_link", "lens")):
        buffer.set(parent, child, 0, (0.1, 0.2, 0.3), (0.0, 0.0, 0.6, 0.8), static=True)
    for stamp, place, turn in zip(stamps.tolist(), places, turns.as_quat(), strict=True):
        buffer.set("odom", "base_link", stamp, place.tolist(), turn.tolist())
    asked = rng.integers(0, stamps[-1], 200).tolist()
    slerp = Slerp(stamps, turns)

    def by_scipy() -> None:
        for stamp in asked:
            pose = np.eye(4)
            pose[:3, :3] = slerp(stamp).as_matrix()
            pose[:3, 3] = [np.interp(stamp, stamps, places[:, axis]) for axis in range(3)]

    def ours() -> None:
        for stamp in asked:
            buffer.lookup("map", "lens", stamp)

    per_lookup = 1e3 / len(asked)
    return Row(
        per_lookup * median_ms(ours, 20),
        "us",
        "scipy Slerp + interp, 1 frame",
        per_lookup * median_ms(by_scipy, 20),
    )
