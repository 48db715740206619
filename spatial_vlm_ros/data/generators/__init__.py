"""Generators: rows of any scene with boxes; a module (or package) each, named for what it asks.

Identifiers, coordinates and relations are what Proxy3D learns in its first three stages, local maps
and grounding the scene graph and global grounding of SSR.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module

from spatial_vlm_ros.data.row import Row
from spatial_vlm_ros.data.scenes import AnnotatedScene

#: Scene, seed and how many rows of a kind at most; the same three give the same rows.
Generator = Callable[[AnnotatedScene, int, int], Iterator[Row]]

NAMES = (
    *("identifiers", "coordinates", "relations"),
    *("local_maps", "grounding", "captions", "vsi"),
)


def generator(name: str) -> Generator:
    """By its name. ``ValueError`` lists them all."""
    if name not in NAMES:
        raise ValueError(f"generator {name!r} is not one of {', '.join(NAMES)}")
    found: Generator = import_module(f"{__name__}.{name}").rows
    return found
