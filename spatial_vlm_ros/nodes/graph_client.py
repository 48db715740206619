"""Takes the scene graph that a running mapper published last."""

from __future__ import annotations

from spatial_vlm_ros.nodes import interfaces as ros
from spatial_vlm_ros.nodes import qos
from spatial_vlm_ros.nodes.conversions import graph_from
from spatial_vlm_ros.nodes.participant import Participant, domain_hint
from spatial_vlm_ros.scene.graph import SceneGraph


def latest_graph(mapper: str = "/mapper", timeout_s: float = 10.0) -> SceneGraph:
    """The graph of the mapper of that full name. ``ConnectionError`` when none comes in time."""
    topic = f"{mapper.rstrip('/')}/scene_graph"
    received: list[ros.SceneGraph] = []
    with Participant("graph_client") as participant:
        participant.node.create_subscription(ros.SceneGraph, topic, received.append, qos.latched())
        if not participant.spin_until(lambda: bool(received), timeout_s):
            raise ConnectionError(
                f"no scene graph on {topic} within {timeout_s:g} s: has the mapper used a frame, "
                f"and {domain_hint()}"
            )
    return graph_from(received[-1])
