"""From camera frames to frames a memory takes in: instances, then geometry."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from box_world import FLOOR, Block, frame, look, orbit
from simulated_masks import SimulatedMasks

from spatial_vlm_ros import offline
from spatial_vlm_ros.config import EncoderConfig, MemoryConfig
from spatial_vlm_ros.frame import Detection, Frame
from spatial_vlm_ros.geometry.config import GeometryConfig
from spatial_vlm_ros.geometry.depth_camera import DepthCamera
from spatial_vlm_ros.memory import SpatialMemory
from spatial_vlm_ros.naming.vocabulary import Vocabulary
from spatial_vlm_ros.perception.instances import Instances
from spatial_vlm_ros.perception.opening import open_perception
from spatial_vlm_ros.perception.pipeline import Perception
from spatial_vlm_ros.perception_config import PerceptionConfig
from spatial_vlm_ros.saved_scene import load_scene
from spatial_vlm_ros.scene.store import fixed_frame_of
from spatial_vlm_ros.tracking.config import TrackerConfig
from spatial_vlm_ros.tracking.tracker import Tracker

CHAIR = Block(1, "chair", (2.0, 0.0, 0.3), (0.4, 0.4, 0.6), 0.3)
TABLE = Block(2, "table", (2.6, 1.0, 0.35), (0.8, 0.6, 0.7), 0.0)
LAMP = Block(3, "lamp", (2.0, 1.2, 0.15), (0.3, 0.3, 0.3), 0.0)
ROOM = [CHAIR, TABLE, LAMP]
TURN = orbit((2.3, 0.5, 0.3), 2.2, 1.3, np.arange(100, 260, 8))


def seen(pose: np.ndarray, step: int) -> Frame:
    """A frame without labels, in whose red channel the simulated network reads the true ids."""
    made = frame(ROOM, pose, step)
    ids = made.labels.ids
    rgb = np.repeat(np.where(ids == FLOOR, 0, ids)[..., None].astype(np.uint8), 3, axis=2)
    return replace(made, rgb=rgb, labels=None)


class TrueBoxes:
    """A detector that knows the truth of what its words name."""

    def __init__(self) -> None:
        self.looked: list[int] = []
        self.set_vocabulary(["chair", "table"])

    def set_vocabulary(self, words) -> None:
        self.words = Vocabulary.of(words).names

    def find(self, rgb: np.ndarray) -> tuple[Detection, ...]:
        self.looked.append(len(self.looked))
        found = []
        for block in ROOM:
            rows, columns = np.nonzero(rgb[..., 0] == block.id)
            if block.label in self.words and len(rows) > 20:
                box = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
                found.append(Detection(block.label, 0.9, *map(float, box)))
        return tuple(found)


def tracked(detector: TrueBoxes | None, period: float = 0.0) -> Perception:
    tracker = Tracker(TrackerConfig(), SimulatedMasks())
    return Perception(Instances(detector, period, tracker), DepthCamera())


def mapped(perception: Perception, poses=TURN) -> SpatialMemory:
    memory = SpatialMemory(MemoryConfig(instances="tracked"))
    for step, pose in enumerate(poses):
        perception.offer(seen(pose, step))
        assert not perception.compute()
        for complete in perception.ready():
            memory.observe(complete)
    return memory


def test_masks_and_words_make_objects_and_what_has_no_word_stays_unknown():
    memory = mapped(tracked(TrueBoxes()))
    objects = {item.label: item.box for item in memory.graph().present()}
    assert sorted(objects) == ["chair", "object", "table"]
    for label, block in (("chair", CHAIR), ("table", TABLE), ("object", LAMP)):
        centre = memory.T_fixed_scene[:3, :3] @ objects[label].center + memory.T_fixed_scene[:3, 3]
        assert centre == pytest.approx(np.array(block.center), abs=0.06)


def test_without_a_detector_all_things_are_found_and_none_is_named():
    memory = mapped(tracked(None))
    assert [item.label for item in memory.graph().present()] == ["object"] * 3


def test_words_can_be_changed_while_images_come():
    perception = tracked(TrueBoxes())
    memory = mapped(perception, TURN[:8])
    perception.look_for(["Lamp", "chair"])
    for step, pose in enumerate(TURN[8:], 8):
        perception.offer(seen(pose, step))
        for complete in perception.ready():
            memory.observe(complete)
    assert "lamp" in {item.label for item in memory.graph().present()}
    with pytest.raises(ValueError, match="vocabulary"):
        perception.look_for(["chair", "---"])


def test_a_detector_looks_once_a_period_and_alone_passes_the_others_over():
    """Images come every 0.1 s: with a period of 0.25 s images 0, 3, 6 ... are looked at."""
    detector = TrueBoxes()
    perception = Perception(Instances(detector, 0.25), DepthCamera())
    for step in range(8):
        perception.offer(seen(TURN[0], step))
    assert [item.stamp_ns // 100_000_000 for item in perception.ready()] == [0, 3, 6]
    assert len(detector.looked) == 3
    perception.reset()  # stamps of another recording
    perception.offer(seen(TURN[0], 1))
    (complete,) = perception.finish()
    assert {box.label for box in complete.detections} == {"chair", "table"}


def test_with_a_tracker_every_image_comes_through():
    perception = tracked(TrueBoxes(), 0.25)
    for step in range(8):
        perception.offer(seen(TURN[0], step))
    complete = list(perception.ready())
    assert len(complete) == 8 and all(item.labels is not None for item in complete)
    assert perception.values()["things followed"] == "3"
    perception.reset()
    assert perception.values()["things followed"] == "0"


def test_one_thread_at_a_time_computes_geometry():
    """One that was given up while it computes a window must not meet its successor there."""

    class Slow(DepthCamera):
        def compute(self) -> bool:
            began.set()
            return go_on.wait(10)

    began, go_on = threading.Event(), threading.Event()
    perception = Perception(Instances(), Slow())
    given_up = threading.Thread(target=perception.compute)
    given_up.start()
    assert began.wait(10) and not perception.compute()
    go_on.set()
    given_up.join()
    assert perception.compute()


@pytest.mark.parametrize(("poses", "frame_of_scene"), [("tf", "odom"), ("images", "")])
def test_a_map_by_poses_of_images_is_in_no_frame_of_tf(
    tmp_path, monkeypatch, poses, frame_of_scene
):
    """Though TF's poses are read, since they tell its scale."""

    class Recording(list):
        path, fixed_frame, dropped, details = tmp_path, "odom", Counter(), {}

    monkeypatch.setattr(
        offline, "open_perception", lambda _: Perception(Instances(), DepthCamera())
    )
    geometry = GeometryConfig(source="vggt", poses=poses, tf_for_scale=True)
    config = PerceptionConfig(
        instances="geometric", geometry=geometry, encoder=EncoderConfig(checkpoint="none")
    )
    frames = Recording(seen(pose, step) for step, pose in enumerate(TURN[:2]))
    offline.map_recording(frames, tmp_path / "scene", config)
    assert fixed_frame_of(tmp_path / "scene") == frame_of_scene
    assert load_scene(tmp_path / "scene")[0].metric


def test_a_camera_that_measures_needs_nothing_more():
    perception = open_perception(PerceptionConfig(instances="geometric"))
    given = frame(ROOM, look((0, 0, 1.2), (2, 0, 0.3)), 0)
    perception.offer(given)
    assert list(perception.ready()) == [given]
    assert perception.problem == "" and perception.values() == {}
    perception.offer(given)
    perception.reset()
    assert list(perception.finish()) == []
