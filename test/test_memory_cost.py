"""What the memory costs: bounded bytes, time that does not grow with the map."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
from box_world import Block, frame, orbit

from spatial_vlm_ros.memory import SpatialMemory

ROOM = [
    Block(1, "chair", (2.0, 0.0, 0.3), (0.4, 0.4, 0.6), 0.3),
    Block(2, "table", (2.6, 1.0, 0.35), (0.8, 0.6, 0.7)),
    Block(3, "lamp", (2.6, 0.9, 0.85), (0.15, 0.15, 0.3)),
]
TURN = orbit((2.3, 0.5, 0.3), 2.2, 1.3, np.arange(100, 260, 10))
ELSEWHERE = 27  # copies of the room, 20 m apart


def shifted(pose: np.ndarray, x: float) -> np.ndarray:
    pose = pose.copy()
    pose[0, 3] += x
    return pose


def median_seconds(memory: SpatialMemory, frames: int = 40) -> float:
    """Processor time of looking at the first room."""
    taken = []
    for step in range(frames):
        seen = frame(ROOM, TURN[step % 16], 10_000 + step, noise=0.002)
        start = time.process_time()
        memory.observe(seen)
        taken.append(time.process_time() - start)
    return float(np.median(taken[10:]))


def test_time_per_frame_does_not_grow_with_the_map():
    small, large = SpatialMemory(), SpatialMemory()
    for memory in (small, large):
        for step in range(3):
            memory.observe(frame(ROOM, TURN[step], step))
    for copy in range(1, 1 + ELSEWHERE):
        x = 20.0 * copy
        room = [replace(b, center=(b.center[0] + x, *b.center[1:])) for b in ROOM]
        for step in range(3):
            large.observe(frame(room, shifted(TURN[step], x), 100 * copy + step))
    assert len(large.graph().objects) == len(ROOM) * (1 + ELSEWHERE)
    assert median_seconds(large) < 1.5 * median_seconds(small) + 2e-3


def test_bytes_settle_in_a_static_scene():
    """Endless fresh depth noise: from frame 500 to 1200 the points grow by less than 5 %."""
    rng = np.random.default_rng(0)
    views = [frame(ROOM, pose) for pose in TURN[::2]]
    memory, sizes = SpatialMemory(), {}
    for step in range(1201):
        view = views[step % len(views)]
        noise = 0.002 * view.depth**2 * rng.standard_normal(view.depth.shape, np.float32)
        depth = np.where(view.depth > 0, view.depth + noise, 0).astype(np.float32)
        memory.observe(replace(view, depth=depth, stamp_ns=step * 100_000_000))
        sizes[step] = memory.bytes_used
    assert sizes[1200] < 1.05 * sizes[500]
