"""Boxes, names and proxies for RViz, with deletion of what is gone."""

from __future__ import annotations

import colorsys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from geometry_msgs.msg import Point, Vector3
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from spatial_vlm_ros.nodes.conversions import header, yaw_quaternion
from spatial_vlm_ros.scene.graph import SceneObject

if TYPE_CHECKING:  # needs torch
    from spatial_vlm_ros.proxies.scene_proxies import Reading

_GOLDEN = 0.618033988749895  # steps of this share of the colour circle never come close again
_GREY = ColorRGBA(r=0.6, g=0.6, b=0.6, a=1.0)
_DOT = 0.06  # metres


class Markers:
    """Makes marker messages that also delete the objects of earlier ones."""

    def __init__(self) -> None:
        self._shown: set[int] | None = None  # what a viewer shows before is of an earlier node

    def message(self, items: Iterable[SceneObject], stamp_ns: int, frame: str) -> MarkerArray:
        """Markers of ``items``, and deletion of those shown before that are not among them."""
        items = list(items)
        its_header, now = header(stamp_ns, frame), {item.id for item in items}
        markers = [marker for item in items for marker in _markers(item, its_header)]
        if self._shown is None:
            markers.insert(0, Marker(header=its_header, action=Marker.DELETEALL))
        for gone in (self._shown or set()) - now:
            for namespace in ("boxes", "names"):
                markers.append(
                    Marker(header=its_header, ns=namespace, id=gone, action=Marker.DELETE)
                )
        self._shown = now
        return MarkerArray(markers=markers)


def proxy_markers(reading: Reading, frame: str) -> MarkerArray:
    """All proxies as dots in the colours of their objects, background grey."""
    sequence = reading.sequence
    dots = Marker(header=header(reading.stamp_ns, frame), ns="proxies", type=Marker.SPHERE_LIST)
    dots.action = Marker.ADD if len(sequence) else Marker.DELETE
    dots.pose.orientation.w = 1.0
    dots.scale = Vector3(x=_DOT, y=_DOT, z=_DOT)
    dots.points = [Point(x=x, y=y, z=z) for x, y, z in sequence.points_scene.tolist()]
    groups = sequence.groups.tolist()
    colour_of = {group: _colour(group, 1.0) if group > 0 else _GREY for group in set(groups)}
    dots.colors = [colour_of[group] for group in groups]
    return MarkerArray(markers=[dots])


def _colour(object_id: int, alpha: float) -> ColorRGBA:
    red, green, blue = colorsys.hsv_to_rgb(object_id * _GOLDEN % 1.0, 0.7, 0.95)
    return ColorRGBA(r=red, g=green, b=blue, a=alpha)


def _markers(item: SceneObject, its_header: Header) -> tuple[Marker, Marker]:
    box = item.box
    cube = Marker(header=its_header, ns="boxes", id=item.id, type=Marker.CUBE, action=Marker.ADD)
    cube.pose.position = Point(x=float(box.x), y=float(box.y), z=float(box.z))
    cube.pose.orientation = yaw_quaternion(box.yaw)
    # RViz refuses a size of 0
    cube.scale = Vector3(**{a: max(float(s), 1e-3) for a, s in zip("xyz", box.size, strict=True)})
    cube.color = _colour(item.id, 0.35)
    name = Marker(
        header=its_header, ns="names", id=item.id, type=Marker.TEXT_VIEW_FACING, action=Marker.ADD
    )
    top = float(box.z + box.height / 2) + 0.08
    name.pose.position = Point(x=float(box.x), y=float(box.y), z=top)
    name.pose.orientation.w = 1.0
    name.scale.z = 0.1
    name.color = ColorRGBA(r=1.0, g=1.0, b=1.0, a=1.0)
    name.text = f"{item.label} {item.id}"
    return cube, name
