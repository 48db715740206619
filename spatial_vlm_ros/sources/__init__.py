"""Recordings as sequences of frames: ROS bags and folders of RGB-D images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spatial_vlm_ros.sources.folder import FolderSource
from spatial_vlm_ros.sources.rosbag import RosbagSource

__all__ = ["FolderSource", "RosbagSource", "open_source"]

_BAG_FILES = (".mcap", ".db3", ".bag")


def open_source(path: str | Path, **names: Any) -> RosbagSource | FolderSource:
    """The recording at ``path``: a bag folder or file, or a folder with info.json.

    ``names`` are the keywords of :class:`RosbagSource`: instances, fixed_frame, streams, poses,
    and topics by input (color, depth, camera_info, labels, label_info, detections).
    ``ValueError`` says what is missing.
    """
    path = Path(path)
    if not path.exists():
        raise ValueError(f"{path} does not exist")
    names = {name: value for name, value in names.items() if value is not None}
    if (path / "info.json").exists():
        return FolderSource(path, **names)
    if path.suffix in _BAG_FILES and (path.parent / "metadata.yaml").exists():
        path = path.parent
    if path.suffix in _BAG_FILES or (path / "metadata.yaml").exists():
        return RosbagSource(path, **names)
    raise ValueError(f"{path}: neither a bag (no metadata.yaml) nor an RGB-D folder (no info.json)")
