"""QoS of the nodes' topics, and the parameters by which a user overrides it per topic."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions, QoSPolicyKind


def sensor() -> QoSProfile:
    """What cameras offer; a new one each time, since overrides are written into it."""
    return QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)


def latched(depth: int = 1) -> QoSProfile:
    """Late subscribers get the last ``depth`` messages."""
    return QoSProfile(depth=depth, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def overrides() -> QoSOverridingOptions:
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
def checked(node: Node, topic: str) -> Iterator[None]:
    """``ValueError`` naming ``topic`` when its QoS has been overridden by what is no QoS."""
    try:
        yield
    except (ParameterException, RuntimeError) as error:
        name = node.resolve_topic_name(topic)
        raise ValueError(f"qos_overrides.{name}: {error}") from None
