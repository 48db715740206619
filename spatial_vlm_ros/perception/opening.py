"""What completes frames, by the settings."""

from __future__ import annotations

from spatial_vlm_ros.geometry.opening import open_geometry
from spatial_vlm_ros.perception.instances import Instances
from spatial_vlm_ros.perception.pipeline import Perception
from spatial_vlm_ros.perception_config import PerceptionConfig

# torch and transformers take seconds to import: only who asks for them waits.


def open_perception(config: PerceptionConfig) -> Perception:
    """Networks are loaded here. ``ValueError`` says what is wrong with a checkpoint or device."""
    return Perception(_open_instances(config), open_geometry(config.geometry))


def _open_instances(config: PerceptionConfig) -> Instances:
    detector = tracker = namer = None
    words = config.vocabulary
    if config.instances in ("detections", "tracked") and config.detector.checkpoint:
        from spatial_vlm_ros.naming.opening import open_detector

        detector = open_detector(config.detector, words)
    if config.instances == "tracked":
        from spatial_vlm_ros.tracking.loading import open_tracker

        tracker = open_tracker(config.tracker)
        if config.namer.checkpoint:
            from spatial_vlm_ros.naming.namer import Namer

            namer = Namer.open(config.namer, words)
    return Instances(detector, config.detector.period, tracker, namer)
