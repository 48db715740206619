"""Settings of geometry: where depth, poses and metres come from."""

from __future__ import annotations

from dataclasses import dataclass, field

from spatial_vlm_ros.settings import device_setting, dtype_setting, setting

#: Where metres can come from.
SCALE_SOURCES = ("depth", "odometry", "metric_depth", "camera_height")


@dataclass(frozen=True)
class VggtConfig:
    """Depth and cameras of windows of images by VGGT."""

    checkpoint: str = setting(
        "facebook/VGGT-1B", "VGGT: a folder, or fetched from the hub", read_only=True
    )
    device: str = device_setting()
    dtype: str = dtype_setting()
    width: int = setting(518, "Images are made this wide, a multiple of 14", low=28, high=1400)
    window: int = setting(16, "Images of a window", low=2, high=200)
    overlap: int = setting(4, "Of these, images that the last window had too", low=1, high=100)
    confidence: float = setting(
        0.3, "Share of a window's pixels, the least sure, that are not used", low=0.0, high=0.95
    )
    view_overlap: float = setting(
        0.8,
        "An image is used when less than this share of the last one is still seen",
        low=0.0,
        high=1.0,
    )
    keyframe_distance: float = setting(
        0.15, "or, where poses are known, when the camera has moved this far [m]", low=0.0
    )
    keyframe_angle: float = setting(10.0, "or has turned by so many degrees", low=0.0, high=180.0)

    def contradiction(self) -> str:
        """Why there can be no such windows; empty when there can."""
        if self.width % 14:
            return f"width: {self.width} is not a multiple of 14"
        if self.overlap < self.window:
            return ""
        return f"overlap: {self.overlap} is not less than window, {self.window}"


@dataclass(frozen=True)
class MetricDepthConfig:
    """Metric depth of single images by a network."""

    checkpoint: str = setting(
        "",
        "Depth Anything (metric), Depth Pro or ZoeDepth: a folder, or fetched from the hub",
        read_only=True,
    )
    device: str = device_setting()
    dtype: str = dtype_setting("float16")
    spread: float = setting(
        0.1, "Share (1 sigma) by which its depth of a whole scene is off", low=0.0, high=1.0
    )


@dataclass(frozen=True)
class ScaleConfig:
    """Metres for geometry that has none."""

    sources: list[str] = setting(  # noqa: RUF009
        list(SCALE_SOURCES),
        "Where metres come from, the most trusted first; those that are not there are left out",
    )
    camera_height: float = setting(
        0.0,
        "Height of the camera over the floor [m]; 0: not known. For cameras that see the floor: a "
        "table that hides it is taken for it",
        low=0.0,
        high=10.0,
    )
    depth_near: float = setting(0.3, "A depth camera counts from here on [m]", low=0.0, high=10.0)
    depth_far: float = setting(5.0, "and up to here [m]", low=0.1, high=100.0)
    depth_spread: float = setting(
        0.02,
        "Share (1 sigma) by which scale by a depth camera is off however many windows there are: "
        "its own calibration, and how the prediction bends",
        low=0.001,
        high=0.5,
    )
    odometry_noise: float = setting(
        0.01,
        "How far a pose of odometry is off beside the ones around it (1 sigma) [m]; the robot has "
        "to move about 30 times as far within a window",
        low=0.0,
        high=1.0,
    )
    odometry_spread: float = setting(
        0.02,
        "Share (1 sigma) by which odometry is off however far the robot has moved: radius of the "
        "wheels, slip",
        low=0.001,
        high=0.5,
    )
    camera_height_error: float = setting(
        0.02, "How far camera_height itself may be off (1 sigma) [m]", low=0.0, high=1.0
    )
    camera_height_spread: float = setting(
        0.03,
        "Share (1 sigma) by which a predicted floor is off however often it is seen: bent at the "
        "edges of images, or not level",
        low=0.001,
        high=0.5,
    )
    gate: float = setting(
        3.0,
        "Sources, or windows, whose scales lie more than so many sigma apart contradict each other",
        low=1.0,
        high=10.0,
    )
    patience: int = setting(
        3,
        "So many windows in a row that contradict the scale so far, and agree with each other, "
        "replace it; a single one is passed over",
        low=1,
        high=100,
    )

    def contradiction(self) -> str:
        """Why scale cannot be found like this; empty when it can."""
        unknown = [name for name in self.sources if name not in SCALE_SOURCES]
        if unknown:
            return f"sources: {unknown[0]!r} is not one of {', '.join(SCALE_SOURCES)}"
        if len(set(self.sources)) < len(self.sources):
            return "sources: one is named twice"
        if not self.depth_near < self.depth_far:
            return f"depth_near: {self.depth_near} is not less than depth_far, {self.depth_far}"
        return ""


@dataclass(frozen=True)
class GeometryConfig:
    """Where depth and poses come from."""

    source: str = setting(
        "depth",
        "Where depth comes from: a depth camera, a network for single images, or VGGT",
        choices=("depth", "metric_depth", "vggt"),
        read_only=True,
    )
    poses: str = setting(
        "tf",
        "Where poses come from: TF, or the images themselves (with source vggt)",
        choices=("tf", "images"),
        read_only=True,
    )
    depth_for_scale: bool = setting(
        False, "With source vggt: a depth camera gives the metres", read_only=True
    )
    tf_for_scale: bool = setting(
        False, "With poses from images: TF's give the metres", read_only=True
    )
    vggt: VggtConfig = field(default_factory=VggtConfig)
    metric_depth: MetricDepthConfig = field(default_factory=MetricDepthConfig)
    scale: ScaleConfig = field(default_factory=ScaleConfig)

    @property
    def needs_depth(self) -> bool:
        """Whether a frame needs a depth image."""
        return self.source == "depth" or (self.source == "vggt" and self.depth_for_scale)

    @property
    def needs_poses(self) -> bool:
        """Whether a frame needs its pose from TF."""
        return self.poses == "tf" or self.tf_for_scale

    def contradiction(self) -> str:
        """Why these sources do not go together; empty when they do."""
        if self.poses == "images" and self.source != "vggt":
            return f"poses: images needs source vggt, which is {self.source}"
        if self.source == "metric_depth" and not self.metric_depth.checkpoint:
            return "metric_depth.checkpoint: name the network that source metric_depth needs"
        return ""
