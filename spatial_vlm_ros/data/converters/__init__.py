"""Converters of public annotation formats to rows; one module each, named for the data set."""

from __future__ import annotations

from importlib import import_module

from spatial_vlm_ros.data.converters.converter import Converter

#: In the order of the papers: of Proxy3D, then of SSR.
NAMES = (
    *("scanqa", "sqa3d", "scan2cap", "scanrefer", "multi3drefer", "mmscan", "sr91k"),
    *("spar7m", "threedllm", "vla3d", "referit3d", "vica", "vlm3r", "vsi590k"),
)


def converter(name: str) -> Converter:
    """By its name. ``ValueError`` lists them all."""
    if name not in NAMES:
        raise ValueError(f"data set {name!r} is not one of {', '.join(NAMES)}")
    found: Converter = import_module(f"{__name__}.{name}").CONVERTER
    return found
