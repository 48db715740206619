"""Readers of scenes with boxes and camera poses; one module each, named for the data set."""

from __future__ import annotations

from importlib import import_module

from spatial_vlm_ros.data.readers.reader import Reader

NAMES = ("scannet", "scannetpp", "arkitscenes", "vlm3r_metadata", "simulated")


def reader(name: str) -> Reader:
    """By its name. ``ValueError`` lists them all."""
    if name not in NAMES:
        raise ValueError(f"scenes are read from {', '.join(NAMES)}, not from {name!r}")
    found: Reader = import_module(f"{__name__}.{name}").READER
    return found
