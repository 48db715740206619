"""Finds out why no frames come, and says it by topic, QoS, frame pair and remedy."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSCompatibility, qos_check_compatible
from rclpy.subscription import Subscription

from spatial_vlm_ros.assembler import FrameAssembler

_LOSS = 0.3  # share of lost images worth a warning
_FEW = 10  # images too few to judge a loss by
_NORMAL = ("no_detections", "queue_full")  # a detector or mapper slower than the camera


@dataclass
class Input:
    """One subscription and what came through it since the last check."""

    subscription: Subscription
    type_name: str
    stamps: list[int] = field(default_factory=list)
    total: int = 0

    def note(self, stamp_ns: int) -> None:
        """Count one message."""
        self.stamps.append(stamp_ns)
        self.total += 1


class Watchdog:
    """``check`` returns what keeps frames from being made since the last check, in sentences."""

    def __init__(
        self,
        node: Node,
        inputs: dict[str, Input],
        assembler: FrameAssembler,
        period_s: float,
    ) -> None:
        self._node, self._inputs, self._assembler = node, inputs, assembler
        self._period_s = period_s
        self._used, self._dropped = 0, Counter[str]()

    def check(self) -> list[str]:
        """Problems of the period that ends now, most basic first; empty when all is well."""
        problems = [
            self._why_silent(name, its)
            for name, its in self._inputs.items()
            if not its.stamps and not (name == "label_info" and self._has_names(its))
        ]
        problems += self._lost_images()
        problems += self._why_unused()
        for its in self._inputs.values():
            its.stamps.clear()
        return problems

    def _has_names(self, label_info: Input) -> bool:
        """Names are latched: once is enough; and detections may carry their own."""
        return label_info.total > 0 or "labels" not in self._inputs

    def _why_silent(self, name: str, its: Input) -> str:
        topic = its.subscription.topic_name
        silent = f"no {name} on {topic} for {self._period_s:g} s"
        publishers = self._node.get_publishers_info_by_topic(topic)
        if not publishers:
            return f"{silent}: nothing publishes it{self._others(its.type_name)}"
        for publisher in publishers:
            who = f"{publisher.node_namespace.rstrip('/')}/{publisher.node_name}"
            if publisher.topic_type != its.type_name:
                return f"{silent}: {who} publishes {publisher.topic_type}, not {its.type_name}"
            verdict, why = qos_check_compatible(publisher.qos_profile, its.subscription.qos_profile)
            if verdict == QoSCompatibility.ERROR:
                return (
                    f"{silent}: QoS of {who} does not fit ({why.strip(' ;')}); set "
                    f"qos_overrides.{topic}.subscription.* to what it offers: "
                    f"{_offer(publisher.qos_profile)}"
                )
        return f"{silent}: it is published with fitting QoS, but no message came; is it paused?"

    def _others(self, type_name: str) -> str:
        """Topics of that type somebody publishes: one of them may be what was meant."""
        same = [
            topic
            for topic, types in self._node.get_topic_names_and_types()
            if type_name in types and self._node.count_publishers(topic)
        ]
        return f"; remap it to one of: {', '.join(sorted(same)[:6])}" if same else ""

    def _lost_images(self) -> list[str]:
        """Images that vanished on the way, told by camera_info that came without its image."""
        infos = set(self._inputs["camera_info"].stamps)
        problems = []
        for name in ("color", "depth"):
            its = self._inputs[name]
            share = 1 - len(set(its.stamps)) / max(len(infos), 1)
            if len(infos) >= _FEW and its.stamps and share > _LOSS:
                problems.append(
                    f"{share:.0%} of the {name} images on {its.subscription.topic_name} are lost "
                    f"({len(its.stamps)} came with {len(infos)} camera_info): Fast DDS's default "
                    "shared memory is too small for images; give this node and the camera driver "
                    "config/fastdds.xml in FASTDDS_DEFAULT_PROFILES_FILE and "
                    "FASTRTPS_DEFAULT_PROFILES_FILE"
                )
        return problems

    def _why_unused(self) -> list[str]:
        used, dropped = self._assembler.used, Counter(self._assembler.dropped)
        new, no_frame = dropped - self._dropped, used == self._used
        self._used, self._dropped = used, dropped
        return [
            f"{count} frames dropped, {reason}: {self._assembler.details.get(reason, '')}"
            for reason, count in new.most_common()
            if no_frame or reason not in _NORMAL
        ]


def _offer(qos: Any) -> str:
    return f"{qos.reliability.name.lower()}, {qos.durability.name.lower()}"
