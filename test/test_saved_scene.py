"""A saved scene read to be asked about is what the memory that saved it would tell."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from box_world import Block, frame, orbit

from spatial_vlm_ros.config import MemoryConfig, ProxyConfig
from spatial_vlm_ros.memory import SpatialMemory
from spatial_vlm_ros.proxies.opening import open_proxies
from spatial_vlm_ros.saved_scene import load_scene

ROOM = [
    Block(1, "chair", (2.0, 0.3, 0.3), (0.4, 0.5, 0.6), 0.3),
    Block(2, "bin", (2.2, -0.8, 0.2), (0.3, 0.3, 0.4), 0.0, (35, 80, 205)),
    Block(3, "lamp", (2.9, 0.2, 0.5), (0.3, 0.3, 1.0)),
]
CONFIG = MemoryConfig(proxies=ProxyConfig(budget=60))


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> tuple[SpatialMemory, Path]:
    folder = tmp_path_factory.mktemp("saved")
    memory = SpatialMemory(CONFIG, open_proxies(CONFIG))
    for step, pose in enumerate(orbit((2.0, -0.2, 0.2), 1.8, 1.2, range(150, 215, 8))):
        memory.observe(frame(ROOM, pose, step))
        memory.encode_keyframe()
    memory.save(folder, "map")
    return memory, folder


def test_all_of_it(saved):
    memory, folder = saved
    graph, seen = load_scene(folder, proxies=True, keyframes=True)
    want = memory.graph()
    assert graph.objects == want.objects and graph.relations == want.relations
    assert (graph.cogmaps, graph.unplaced) == (want.cogmaps, want.unplaced) and graph.cogmaps
    assert (graph.stamp_ns, graph.revision) == (want.stamp_ns, want.revision)
    np.testing.assert_array_equal(graph.T_scene_robot, want.T_scene_robot)
    assert [k.jpeg for k in seen.keyframes] == [k.jpeg for k in memory.keyframes.all()]
    reading = memory.proxies.read()
    assert torch.equal(seen.proxies.sequence.groups, reading.sequence.groups)
    assert torch.equal(seen.proxies.sequence.features, reading.sequence.features.half())
    for name in ("revision", "stamp_ns", "encoder"):
        assert getattr(seen.proxies, name) == getattr(reading, name)


def test_only_what_is_wanted_and_without_torch(saved):
    _, folder = saved
    script = (
        "import sys; from spatial_vlm_ros.saved_scene import load_scene;"
        f"graph, seen = load_scene({str(folder)!r}, keyframes=True);"
        "assert graph.objects and seen.keyframes and seen.proxies is None;"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
    assert load_scene(folder)[1].keyframes == ()


def test_a_scene_that_has_neither(tmp_path):
    memory = SpatialMemory()
    memory.observe(frame(ROOM, orbit((2, 0, 0), 1.8, 1.2, [180])[0]))
    memory.save(tmp_path, "odom")
    (tmp_path / "keyframes.npz").unlink()
    graph, seen = load_scene(tmp_path, proxies=True, keyframes=True)
    assert len(graph.objects) == 3 and (seen.proxies, seen.keyframes) == (None, ())


def test_files_of_two_scenes_are_not_mixed(saved, tmp_path):
    _, folder = saved
    memory = SpatialMemory()
    memory.observe(frame(ROOM, orbit((2, 0, 0), 1.8, 1.2, [180])[0]))
    for name in ("proxies.safetensors", "keyframes.npz"):
        memory.save(tmp_path, "odom")
        (tmp_path / name).write_bytes((folder / name).read_bytes())
        with pytest.raises(ValueError, match="of another scene"):
            load_scene(tmp_path, proxies=True, keyframes=True)


def test_no_scene(tmp_path):
    with pytest.raises(ValueError, match=r"scene\.json is missing"):
        load_scene(tmp_path)
