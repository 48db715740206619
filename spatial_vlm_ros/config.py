"""Every number of the memory, declared once: default, range and what it means.

Lengths are metres, shares are 0..1, and a frame is one RGB-D image pair.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from spatial_vlm_ros.settings import device_setting, dtype_setting, setting


@dataclass(frozen=True)
class PointsConfig:
    """From depth image to points."""

    columns: int = setting(320, "Depth is sampled on a grid of about this many columns", low=40)
    min_range: float = setting(0.15, "Nearer depth is ignored", low=0.0)
    max_range: float = setting(6.0, "Further depth is ignored", low=0.1)
    noise: float = setting(
        0.0025, "Depth noise (1 sigma) at 1 m; it grows with the square of the range", low=0.0
    )
    edge: float = setting(
        0.04,
        "A pixel further than its neighbour by this share of the range is a flying pixel",
        low=0.0,
    )

    def contradiction(self) -> str:
        """Why these settings leave nothing to see; empty when they do not."""
        if self.min_range < self.max_range:
            return ""
        return f"min_range: {self.min_range} is not below max_range, {self.max_range}"


@dataclass(frozen=True)
class InstancesConfig:
    """What is one object in one image."""

    background: list[str] = setting(  # noqa: RUF009
        ["floor", "wall", "ceiling"], "Categories that are surroundings, not objects"
    )
    min_points: int = setting(12, "Instances with fewer grid points are ignored", low=3)
    max_points: int = setting(700, "Points kept of one instance in one frame", low=50)
    min_score: float = setting(0.3, "Detections with a lower score are ignored", low=0.0, high=1.0)


@dataclass(frozen=True)
class GeometricConfig:
    """Segmentation of RGB-D without a model."""

    plane_distance: float = setting(0.03, "Points this near a plane belong to it", low=0.005)
    wall_length: float = setting(1.5, "A vertical plane is a wall from this length on", low=0.3)
    wall_height: float = setting(1.2, "A vertical plane is a wall from this height on", low=0.3)
    wall_top: float = setting(
        2.15,
        "A vertical plane that reaches this far above the floor is a wall of any length",
        low=0.5,
    )
    support_area: float = setting(
        0.08, "A level surface of at least this area (square metres) carries objects", low=0.01
    )
    max_range: float = setting(4.5, "Beyond, depth is too noisy to tell objects apart", low=0.5)
    min_size: float = setting(0.05, "Objects whose longest side is shorter are ignored", low=0.0)
    min_thickness: float = setting(
        0.025, "An unnamed sheet thinner than this is a leftover of its surroundings", low=0.0
    )
    max_size: float = setting(
        3.0, "Segments whose longest side is longer are surroundings", low=0.1
    )


@dataclass(frozen=True)
class AssociationConfig:
    """Which object an instance in the image belongs to."""

    min_cover: float = setting(
        0.3, "Share of an object's visible points that must lie on the instance", low=0.05, high=1.0
    )
    min_overlap_other_label: float = setting(
        0.4, "3D overlap of the extents needed when the labels differ", low=0.0, high=1.0
    )
    min_inside: float = setting(
        0.7, "Share of an instance's points inside an object's box to be part of it", low=0.5
    )
    depth_margin: float = setting(0.03, "Depth agreement at the camera, plus three sigma", low=0.0)
    samples: int = setting(300, "Points of an object compared with the image", low=20)
    merge_after: int = setting(
        4, "Two objects become one after this many more frames as one than as two", low=1
    )


@dataclass(frozen=True)
class BoxConfig:
    """Fitting of 7-DoF boxes to accumulated points."""

    voxel: float = setting(0.015, "An object's points are averaged in cells of this size", low=1e-3)
    max_voxels: int = setting(5000, "Cells per object; the cells are doubled beyond", low=100)
    trim: float = setting(
        0.003, "Share of the points left outside the box at each side", low=0.0, high=0.2
    )
    min_change: float = setting(0.015, "A box that moved less keeps its old values", low=0.0)


@dataclass(frozen=True)
class LifecycleConfig:
    """When an object is believed, and when it is gone."""

    confirm_after: int = setting(3, "Frames that must show an object before it counts", low=1)
    confirm_unnamed_after: int = setting(6, "The same for an object without a name", low=1)
    missing_after: int = setting(5, "Frames that must see through an object's place", low=1)
    through_share: float = setting(
        0.7, "Share of an object's visible points that are seen through", low=0.1, high=1.0
    )
    min_valid_depth: float = setting(
        0.2, "Share of valid depth below which a frame proves no absence", low=0.0, high=1.0
    )
    label_window: float = setting(30.0, "Label votes remembered per object", low=1.0)
    forget_after: int = setting(
        10, "A tentative object is forgotten when unseen this many frames per frame seen", low=1
    )
    max_objects: int = setting(
        1000,
        "Objects kept; of those not in the frame the tentative go first, then the missing, "
        "then the confirmed, each longest unseen first",
        low=1,
    )
    max_megabytes: float = setting(64.0, "Cap on all objects' points", low=0.01)


@dataclass(frozen=True)
class FloorConfig:
    """The map of floor that has been seen."""

    resolution: float = setting(0.1, "Size of a floor cell", low=0.02)
    radius: float = setting(
        50.0, "Floor further than this from the scene's origin is not kept", low=1.0
    )
    tolerance: float = setting(0.05, "Points this near the floor's height are floor", low=0.005)


@dataclass(frozen=True)
class ProxyConfig:
    """The scene as a short sequence of proxies (Proxy3D section 3.1)."""

    budget: int = setting(700, "Proxies of the whole scene", low=1)
    minimum: int = setting(1, "Proxies that each group gets before its share counts", low=0)
    grouping: bool = setting(
        True,
        "Off: all patches are one group (Table 4); only where all images are clustered at once: "
        "the mapper's memory always goes by groups",
    )
    lloyd: int = setting(2, "Steps of k-means after the farthest-point seeds", low=0, high=20)
    neighbours: float = setting(
        0.0,
        "If not 0, each seed takes this multiple of patches / proxies nearest ones, as PointGPT "
        "does, instead of each patch its nearest seed; only where all images are clustered at once",
        low=0.0,
        high=10.0,
    )
    upsample: int = setting(
        2, "Feature maps are made this many times finer, bilinear (Table 4)", low=1, high=4
    )
    order: str = setting(
        "bfs", "How groups follow each other", choices=("bfs", "dfs_mst", "greedy", "none")
    )
    graph_degree: int = setting(4, "Nearest groups that a group is linked with", low=0)
    cell: float = setting(0.05, "Patches of one group nearer than this are kept as one", low=1e-3)
    detail: float = setting(4.0, "Cells kept per proxy while the scene is being seen", low=1.0)
    settled: float = setting(
        0.25, "Share by which a group must change before it is clustered anew", low=0.0
    )
    max_megabytes: float = setting(64.0, "Cap on all cells", low=0.01)
    keyframe_distance: float = setting(
        0.3, "An image is used when the camera has moved this far since the last one", low=0.0
    )
    keyframe_angle: float = setting(20.0, "or has turned by so many degrees", low=0.0, high=180.0)
    keyframe_period: float = setting(
        1.0, "or, once in so many seconds, when it shows an object that has no proxies", low=0.0
    )


@dataclass(frozen=True)
class KeyframeConfig:
    """Images that are kept to be shown to a model; taken as ``proxies.keyframe_...`` say."""

    maximum: int = setting(64, "Images kept; the most dispensable one goes first", low=1, high=500)
    width: int = setting(640, "Wider images are made smaller", low=64)
    columns: int = setting(64, "Columns of the grid of points kept with each", low=4, high=640)


@dataclass(frozen=True)
class EncoderConfig:
    """The vision encoder whose features the proxies are made of."""

    checkpoint: str = setting(
        "descriptors",
        "descriptors: colours and edges, without weights; none: no proxies; else a folder or hub "
        "name of a Qwen2.5-VL checkpoint",
        read_only=True,
    )
    device: str = device_setting()
    dtype: str = dtype_setting()
    threads: int = setting(
        1,
        "CPU threads of torch; more speed up a checkpoint on the CPU, and cost all else that runs "
        "there, since they wait for each other busily",
        low=1,
        read_only=True,
    )
    pixels: int = setting(
        16 * 22 * 28**2,
        "An image is made smaller when it has more pixels than this; 640x480 gets 16x21 cells",
        low=56 * 56,
    )


@dataclass(frozen=True)
class MemoryConfig:
    """All settings of :class:`spatial_vlm_ros.memory.SpatialMemory`."""

    instances: str = setting(
        "labels",
        "Where instances come from: a label image, a 2D detector, depth alone, or tracked masks",
        choices=("labels", "detections", "geometric", "tracked"),
        read_only=True,
    )
    up: str = setting(
        "z",
        "Axis of the fixed frame that points up; z in ROS (REP-103)",
        choices=("x", "y", "z", "-x", "-y", "-z"),
        read_only=True,
    )
    points: PointsConfig = field(default_factory=PointsConfig)
    segmentation: InstancesConfig = field(default_factory=InstancesConfig)
    geometric: GeometricConfig = field(default_factory=GeometricConfig)
    association: AssociationConfig = field(default_factory=AssociationConfig)
    box: BoxConfig = field(default_factory=BoxConfig)
    lifecycle: LifecycleConfig = field(default_factory=LifecycleConfig)
    floor: FloorConfig = field(default_factory=FloorConfig)
    proxies: ProxyConfig = field(default_factory=ProxyConfig)
    keyframes: KeyframeConfig = field(default_factory=KeyframeConfig)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
