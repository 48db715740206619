"""All settings from camera to memory."""

from __future__ import annotations

from dataclasses import dataclass, field

from spatial_vlm_ros.config import MemoryConfig
from spatial_vlm_ros.geometry.config import GeometryConfig
from spatial_vlm_ros.naming.config import DetectorConfig, NamerConfig
from spatial_vlm_ros.naming.vocabulary import Vocabulary
from spatial_vlm_ros.settings import setting
from spatial_vlm_ros.tracking.config import TrackerConfig


@dataclass(frozen=True)
class PerceptionConfig(MemoryConfig):
    """What makes frames complete before the memory sees them, beside the memory's own settings."""

    vocabulary: list[str] = setting(  # noqa: RUF009
        [
            "chair", "table", "sofa", "bed", "cabinet", "shelf", "desk", "lamp", "door", "window",
            "tv", "monitor", "keyboard", "mouse", "laptop", "phone", "book", "cup", "bottle",
            "bowl", "vase", "plant", "picture", "pillow", "blanket", "rug", "curtain", "box", "bag",
            "backpack", "shoe", "trash can", "sink", "toilet", "bathtub", "mirror", "towel",
            "refrigerator", "oven", "microwave", "washing machine", "person", "dog", "cat",
            "floor", "wall", "ceiling",
        ],
        "Words that detector and namer look for; can be changed while they run",
    )  # fmt: skip
    track_detections: bool = setting(
        False,
        "With instances tracked: boxes from the topic of detections are followed; those of a "
        "detector of its own always are",
        read_only=True,
    )
    geometry: GeometryConfig = field(default_factory=GeometryConfig)
    tracker: TrackerConfig = field(default_factory=TrackerConfig)
    detector: DetectorConfig = field(default_factory=DetectorConfig)
    namer: NamerConfig = field(default_factory=NamerConfig)

    @property
    def streams(self) -> tuple[str, ...]:
        """What makes a frame with a colour image: "depth", "labels", "detections"."""
        detected = self.instances == "detections" or (
            self.instances == "tracked" and self.track_detections
        )
        return (
            *(["depth"] if self.geometry.needs_depth else []),
            *(["labels"] if self.instances == "labels" else []),
            *(["detections"] if detected and not self.detector.checkpoint else []),
        )

    def contradiction(self) -> str:
        """Why words or networks cannot be used like this; empty when they can."""
        if self.instances == "tracked" and not self.tracker.checkpoint:
            return "tracker.checkpoint: name the network that instances tracked needs"
        geometry = self.geometry
        upright = geometry.poses == "images" or geometry.scale.camera_height > 0
        if geometry.source == "vggt" and upright and self.up != "z":
            return f"up: {self.up!r} does not go with what VGGT makes of the floor: it has z up"
        named = self.detector.checkpoint or self.namer.checkpoint
        if not named or self.instances not in ("detections", "tracked"):
            return ""
        try:
            Vocabulary.of(self.vocabulary)
        except ValueError as error:
            return str(error)
        return ""
