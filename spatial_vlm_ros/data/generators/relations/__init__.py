"""How objects lie to each other (Proxy3D stage 3, as MMScan's questions about two objects).

Nothing is asked that is not clear by :data:`MARGIN_M` or :data:`MARGIN_DEG` of
``relations/margins.py``, and every answer is right as often as its opposite.
"""

from __future__ import annotations

from collections.abc import Iterator

from spatial_vlm_ros.data.generators.draft import written
from spatial_vlm_ros.data.generators.relations import comparing, contact, sides
from spatial_vlm_ros.data.row import Row
from spatial_vlm_ros.data.scenes import AnnotatedScene

KINDS = (*contact.KINDS, *comparing.KINDS, *sides.KINDS)


def rows(scene: AnnotatedScene, seed: int, most: int) -> Iterator[Row]:
    """Rows of all ``KINDS``, at most ``most`` of each."""
    return written("relations", KINDS, scene, seed, most)
