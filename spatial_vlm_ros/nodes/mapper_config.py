"""Parameters of the mapper node: the memory's settings and its own."""

from __future__ import annotations

from dataclasses import dataclass, field

from spatial_vlm_ros.assembler import AssemblerConfig
from spatial_vlm_ros.perception_config import PerceptionConfig
from spatial_vlm_ros.settings import setting


@dataclass(frozen=True)
class MapperConfig(PerceptionConfig):
    """Names, transports, times and limits of the mapper, beside those of perception and memory."""

    fixed_frame: str = setting("odom", "TF frame, z up, in which the camera's pose is looked up")
    scene_frame: str = setting("spatial_scene", "TF frame of everything that is published")
    image_transport: str = setting(
        "raw", "Transport of the colour image", choices=("raw", "compressed")
    )
    depth_transport: str = setting(
        "raw", "Transport of the depth image", choices=("raw", "compressedDepth")
    )
    rectified: str = setting(
        "auto",
        "Whether images are free of lens distortion; auto: if the topic's name has image_rect",
        choices=("auto", "yes", "no"),
    )
    labels_per_instance: bool = setting(True, "Ids of the label image are objects, not classes")
    clock_jump: str = setting(
        "reset", "What becomes of the map when image stamps run back", choices=("reset", "keep")
    )
    transform_cache: float = setting(30.0, "Seconds of TF kept", low=1.0, high=3600.0)
    objects_period: float = setting(
        0.1, "Least time between messages on ~/objects and ~/markers [s]", low=0.0, high=60.0
    )
    graph_period: float = setting(
        0.5, "Least time between messages on ~/scene_graph [s]", low=0.0, high=60.0
    )
    proxies_period: float = setting(
        2.0, "Least time between messages on ~/proxies and ~/proxy_markers [s]", low=0.0, high=600.0
    )
    watchdog_period: float = setting(
        5.0, "After this long without input it is said what is missing [s]", low=0.5, high=600.0
    )
    input: AssemblerConfig = field(default_factory=AssemblerConfig)

    @property
    def tied_to(self) -> str:
        """TF frame that the scene frame hangs on; empty where poses come from images alone."""
        return self.fixed_frame if self.geometry.poses == "tf" else ""

    def contradiction(self) -> str:
        """Why perception cannot work, or frames cannot be of one tree; empty when they can."""
        if wrong := super().contradiction():
            return wrong
        for name in ("fixed_frame", "scene_frame"):
            frame = getattr(self, name)
            if not frame or frame.startswith("/"):
                return f"{name}: {frame!r} is no TF frame: give a name without a leading slash"
        if self.fixed_frame == self.scene_frame:
            return f"scene_frame: {self.scene_frame!r} is the fixed_frame too: name a new frame"
        if self.clock_jump == "keep" and not self.tied_to:
            return "clock_jump: keep needs geometry.poses tf: images do not tell where it goes on"
        return ""
