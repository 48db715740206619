"""Keyframes of a simulated drive against what the simulator knows of every image."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("embreex")
from spatial_vlm_ros.config import KeyframeConfig, MemoryConfig
from spatial_vlm_ros.evaluation import score_boxes
from spatial_vlm_ros.memory import SpatialMemory
from spatial_vlm_ros.perception.points import unproject
from spatial_vlm_ros.simulation.record import simulate
from spatial_vlm_ros.simulation.truth import load_truth
from spatial_vlm_ros.sources import open_source


@pytest.fixture(scope="module")
def drive(tmp_path_factory):
    """(truth, frames by stamp) of a look round one room, 640x480 with depth noise."""
    folder = tmp_path_factory.mktemp("drive")
    simulate(folder, seed=3, rooms=1, fps=6, seconds=12, progress=False)
    source = open_source(folder / "bag")
    assert source.instances == "labels"
    return load_truth(folder / "truth.json"), {frame.stamp_ns: frame for frame in source}


def mapped(drive, maximum: int) -> SpatialMemory:
    memory = SpatialMemory(MemoryConfig(keyframes=KeyframeConfig(maximum=maximum)))
    for frame in drive[1].values():
        memory.observe(frame)
    return memory


@pytest.fixture(scope="module")
def memory(drive) -> SpatialMemory:
    return mapped(drive, 64)


def pixels(frame) -> dict[int, int]:
    """How many pixels with usable depth the simulator has drawn of each object."""
    usable = np.isfinite(frame.depth) & (frame.depth > 0.15) & (frame.depth < 6.0)
    ids, counts = np.unique(frame.labels.ids[usable], return_counts=True)
    return dict(zip(ids.tolist(), counts.tolist(), strict=True))


def test_visible_ids_are_of_what_is_in_the_image(drive, memory):
    truth, frames = drive
    matches = score_boxes(memory.graph().present(), truth.objects).matches
    true_id = {m.object_id: m.true_id for m in matches if m.iou > 0.25}
    object_id = {true: known for known, true in true_id.items()}
    kept = memory.keyframes.all()
    assert len(kept) >= 10 and len(object_id) >= 8
    shown = claimed = 0
    for keyframe in kept:
        drawn = pixels(frames[keyframe.stamp_ns])
        for number in set(keyframe.visible) & true_id.keys():
            claimed += 1
            assert drawn.get(true_id[number], 0) > 0, f"object {number} is not in that image"
        for number in (n for n, count in drawn.items() if count >= 300 and n in object_id):
            shown += 1
            assert object_id[number] in keyframe.visible, f"true object {number} is in that image"
    assert claimed > 40 and shown > 40


def test_thinned_ones_still_show_every_object(drive, memory):
    everything = {number for keyframe in memory.keyframes.all() for number in keyframe.visible}
    thinned = mapped(drive, 8).keyframes.all()
    assert len(thinned) == 8 < len(memory.keyframes.all())
    assert {number for keyframe in thinned for number in keyframe.visible} == everything
    assert thinned[0].stamp_ns == min(drive[1])


def test_points_are_the_depth_unprojected(drive, memory):
    """Each cell is 5 x 5 samples of the mapper's grid; its point is their mean, by plain numpy."""
    for keyframe in memory.keyframes.all()[::4]:
        frame = drive[1][keyframe.stamp_ns]
        k, valid = (
            frame.intrinsics,
            unproject(frame, keyframe.T_scene_camera, MemoryConfig().points).valid,
        )
        v, u = np.mgrid[0:480:2, 0:640:2]
        z = np.where(valid, frame.depth[::2, ::2], np.nan).astype(float)
        camera = np.stack([(u - k.cx) / k.fx * z, (v - k.cy) / k.fy * z, z, np.ones_like(z)], -1)
        points = (camera @ keyframe.T_scene_camera.T)[..., :3]
        cells = points.reshape(48, 5, 64, 5, 3).transpose(0, 2, 1, 3, 4).reshape(48, 64, 25, 3)
        known = np.isfinite(cells[..., 0]).any(axis=2)
        assert 0.3 < known.mean()
        np.testing.assert_array_equal(np.isfinite(keyframe.points_scene).all(axis=2), known)
        np.testing.assert_allclose(
            keyframe.points_scene[known], np.nanmean(cells[known], axis=1), atol=1e-4
        )


def test_images_are_those_of_the_bag(drive, memory):
    for keyframe in memory.keyframes.all():
        frame = drive[1][keyframe.stamp_ns]
        assert keyframe.frame == frame.camera_frame != ""
        assert np.abs(keyframe.image().astype(int) - frame.rgb).mean() < 3
