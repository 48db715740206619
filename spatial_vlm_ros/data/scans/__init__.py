"""Posed RGB-D images of annotated scans; one module each, named as the reader of annotations."""

from __future__ import annotations

from importlib import import_module

from spatial_vlm_ros.data.scans.scan import Scans

NAMES = ("scannet", "scannetpp", "arkitscenes")


def scans(name: str) -> Scans:
    """By the name of the data set. ``ValueError`` lists them all."""
    if name not in NAMES:
        raise ValueError(f"scans are of {', '.join(NAMES)}, not of {name!r}")
    found: Scans = import_module(f"{__name__}.{name}").SCANS
    return found
