"""A robot without a depth camera in a simulated room: from images to boxes, metres and answers.

The network of many views is replaced by the truth, spoilt as a network's would be: a unit of its
own in each window, noise, wrong pixels, of some of which it is sure. All else is real.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("embreex")
from spatial_vlm_ros.evaluation import BoxScores, score_boxes
from spatial_vlm_ros.frame import Frame
from spatial_vlm_ros.geometry.config import GeometryConfig, ScaleConfig, VggtConfig
from spatial_vlm_ros.geometry.prediction import Prediction
from spatial_vlm_ros.geometry.windows import VggtGeometry
from spatial_vlm_ros.memory import SpatialMemory
from spatial_vlm_ros.nodes.mapper_config import MapperConfig
from spatial_vlm_ros.perception.instances import Instances
from spatial_vlm_ros.perception.pipeline import Perception
from spatial_vlm_ros.presets import load, preset_file
from spatial_vlm_ros.reasoning.geometric import GeometricReasoner
from spatial_vlm_ros.scene_frame import inverse
from spatial_vlm_ros.simulation.record import simulate
from spatial_vlm_ros.simulation.truth import Truth, load_truth
from spatial_vlm_ros.sources import open_source

STEP = 2  # of the images' pixels, one in so many is predicted


class SpoiltTruth:
    """A ``Predictor`` that knows each image's frame."""

    def __init__(self, frames: list[Frame]) -> None:
        self._frames = {frame.rgb.tobytes(): frame for frame in frames}
        self._random = np.random.default_rng(0)

    def predict(self, images) -> Prediction:
        frames = [self._frames[image.tobytes()] for image in images]
        unit, random = float(np.exp(self._random.normal(0, 0.5))), self._random
        depth = np.stack([frame.depth[::STEP, ::STEP] for frame in frames]) / unit
        holes = depth <= 0
        depth = np.where(holes, 3 / unit, depth) * np.exp(random.normal(0, 0.01, depth.shape))
        wrong = (random.random(depth.shape) < 0.15) | holes
        depth = np.where(wrong, depth * np.exp(random.uniform(-0.6, 1.2, depth.shape)), depth)
        confidence = np.where(wrong & (random.random(depth.shape) < 0.95), 1.5, 5.0)
        confidence += random.random(depth.shape)
        first = inverse(frames[0].T_fixed_camera)
        T = np.stack([first @ frame.T_fixed_camera for frame in frames])
        T[:, :3, 3] /= unit
        k = frames[0].intrinsics
        K = np.array([[k.fx, 0, k.cx], [0, k.fy, k.cy], [0, 0, STEP]]) / STEP
        return Prediction(
            depth.astype(np.float32),
            confidence.astype(np.float32),
            T,
            np.repeat(K[None], len(frames), axis=0),
        )


@pytest.fixture(scope="module")
def recording(tmp_path_factory) -> tuple[list[Frame], Truth]:
    folder: Path = tmp_path_factory.mktemp("simulated")
    simulate(folder, seed=3, rooms=1, fps=5, width=320, height=240, progress=False)
    return list(open_source(folder / "bag")), load_truth(folder / "truth.json")


def mapped(frames: list[Frame], geometry: GeometryConfig, poses: bool) -> SpatialMemory:
    """The scene of images with labels, without their depth, and without poses where told so."""
    config = load(MapperConfig, preset_file("rgb_vggt"))
    memory = SpatialMemory(replace(config, instances="labels"))
    perception = Perception(Instances(), VggtGeometry(geometry, SpoiltTruth(frames), None))
    for frame in frames:
        pose = frame.T_fixed_camera if poses else None
        perception.offer(replace(frame, depth=None, T_fixed_camera=pose))
        while perception.compute():
            pass
        for complete in perception.ready():
            memory.observe(complete)
    for complete in perception.finish():
        memory.observe(complete)
    assert perception.problem == ""
    return memory


def scores(memory: SpatialMemory, truth: Truth) -> BoxScores:
    return score_boxes(memory.graph().present(), truth.objects)


VGGT = VggtConfig(window=8, overlap=3)


def test_with_odometry_boxes_are_metric_and_in_their_places(recording):
    frames, truth = recording
    memory = mapped(frames, GeometryConfig(source="vggt", vggt=VGGT), poses=True)
    found = scores(memory, truth)
    assert found.well_seen >= 6
    assert found.recall[0.25] >= 0.9 and found.recall[0.5] >= 0.65, found
    assert 0 < memory.graph().scale_spread < 0.06
    T_fixed_scene = memory.T_fixed_scene
    true_floor = -(T_fixed_scene[2, 3])  # the building's floor is at 0
    assert memory.graph().floor.z == pytest.approx(true_floor, abs=0.05)


def test_without_poses_too_where_the_cameras_height_is_known(recording):
    frames, truth = recording
    height = frames[0].T_fixed_camera[2, 3]
    scale = ScaleConfig(camera_height=float(height))
    geometry = GeometryConfig(source="vggt", poses="images", vggt=VGGT, scale=scale)
    memory = mapped(frames, geometry, poses=False)
    assert memory.T_fixed_scene[:3, :3] == pytest.approx(np.eye(3), abs=1e-6)
    found = scores(memory, truth)
    assert found.recall[0.25] >= 0.7, found
    answer = GeometricReasoner().ask("How large is this room?", memory.graph())
    assert answer.answered and "±" in answer.text, answer.text


def test_without_metres_things_are_found_and_lengths_refused(recording):
    frames, _ = recording
    geometry = GeometryConfig(source="vggt", poses="images", vggt=VGGT)
    memory = mapped(frames, geometry, poses=False)
    scene = memory.graph()
    assert not scene.metric and len(scene.present()) >= 3
    refused = GeometricReasoner().ask("How large is this room?", scene)
    assert not refused.answered and "not metric" in refused.text
    counted = GeometricReasoner().ask(f"How many {scene.present()[0].label}s are there?", scene)
    assert counted.answered
