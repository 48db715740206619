"""Images of the scene that are kept: a bounded number that together show all of it."""

from spatial_vlm_ros.keyframes.keyframe import Keyframe
from spatial_vlm_ros.keyframes.store import KeyframeStore

__all__ = ["Keyframe", "KeyframeStore"]
