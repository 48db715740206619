"""QoS of the nodes' topics, and the parameters by which a user overrides it per topic."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions, QoSPolicyKind


def sensor() -> QoSProfile:
    """What cameras offer; a new one each time, since overrides are written into it."""
    return QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)


def latched(depth: int = 1) -> QoSProfile:
    """Late subscribers get the last ``depth`` messages."""
    return QoSProfile(depth=depth, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def every_latched() -> QoSProfile:
    """For late subscribers that want all that a publisher has kept, however much that is."""
    return QoSProfile(history=HistoryPolicy.KEEP_ALL, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def subscription(
    node: Node, kind: Any, topic: str, callback: Callable[[Any], None], profile: QoSProfile
) -> Any:
    """A subscription whose QoS parameters override; ``ValueError`` when they are no QoS."""
    with _checked(node, topic):
        return node.create_subscription(
            kind, topic, callback, profile, qos_overriding_options=_overrides()
        )


def publisher(node: Node, kind: Any, topic: str, profile: QoSProfile) -> Any:
    """A publisher whose QoS parameters override; ``ValueError`` when they are no QoS."""
    with _checked(node, topic):
        return node.create_publisher(kind, topic, profile, qos_overriding_options=_overrides())


def _overrides() -> QoSOverridingOptions:
    """Declares the parameters ``qos_overrides.<topic>.<publisher or subscription>.<policy>``."""
    return QoSOverridingOptions(
        (
            QoSPolicyKind.RELIABILITY,
            QoSPolicyKind.DURABILITY,
            QoSPolicyKind.HISTORY,
            QoSPolicyKind.DEPTH,
        )
    )


@contextmanager
def _checked(node: Node, topic: str) -> Iterator[None]:
    """``ValueError`` naming ``topic`` when its QoS has been overridden by what is no QoS."""
    try:
        yield
    except (ParameterException, RuntimeError) as error:
        name = node.resolve_topic_name(topic)
        raise ValueError(f"qos_overrides.{name}: {error}") from None
