"""The source of geometry that settings ask for."""

from __future__ import annotations

from spatial_vlm_ros.geometry.config import GeometryConfig
from spatial_vlm_ros.geometry.depth_camera import DepthCamera
from spatial_vlm_ros.geometry.source import GeometrySource

# torch and transformers take seconds to import: only who asks for them waits.


def open_geometry(config: GeometryConfig) -> GeometrySource:
    """By ``config.source``. ``ValueError`` says what is wrong with a checkpoint or device."""
    if config.source == "depth":
        return DepthCamera()
    from spatial_vlm_ros.geometry.metric_depth import MetricDepth, MetricDepthGeometry

    wanted = config.source == "metric_depth" or "metric_depth" in config.scale.sources
    named = bool(config.metric_depth.checkpoint)
    network = MetricDepth.open(config.metric_depth) if wanted and named else None
    if config.source == "metric_depth":
        assert network is not None  # or the settings contradict each other
        return MetricDepthGeometry(config, network)
    from spatial_vlm_ros.geometry.vggt import Vggt
    from spatial_vlm_ros.geometry.windows import VggtGeometry

    return VggtGeometry(config, Vggt.open(config.vggt), network)
