"""Finds out why no frames come, and says it by topic, QoS, frame pair and remedy."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rclpy.node import Node
from rclpy.qos import QoSCompatibility, qos_check_compatible
from rclpy.subscription import Subscription

from spatial_vlm_ros.assembler import FrameAssembler

_LOSS = 0.3  # share of lost images worth a warning
_FEW = 10  # images too few to judge a loss by
_COMPRESSED = {"color": "compressed", "depth": "compressedDepth"}
_NORMAL = {"no_detections", "queue_full"}  # a detector or mapper slower than the camera


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
        self._used, self._dropped = assembler.used, Counter(assembler.dropped)

    def check(self) -> list[str]:
        """Problems of the period that ends now, most basic first; empty when all is well."""
        problems = [
            self._why_silent(name, its)
            for name, its in self._inputs.items()
            if not its.stamps and not (name == "label_info" and self._has_names(its))
        ]
        problems += self._lost_images()
        problems += self._why_unused()
        problems += self._clock_that_stands()
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
            return f"{silent}: nothing publishes it{self._remedy(name, its)}"
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

    def _remedy(self, name: str, its: Input) -> str:
        """Topics somebody publishes, of which one may be what was meant."""
        transport = _COMPRESSED.get(name)
        compressed = f"{its.subscription.topic_name}/{transport}"
        if transport and self._node.count_publishers(compressed):
            parameter = "image_transport" if name == "color" else "depth_transport"
            return f"; {compressed} is published: set {parameter} to {transport}"
        same = [
            topic
            for topic, types in self._node.get_topic_names_and_types()
            if its.type_name in types and self._node.count_publishers(topic)
        ]
        return f"; remap it to one of: {', '.join(sorted(same)[:6])}" if same else ""

    def _lost_images(self) -> list[str]:
        """Images that vanished on the way.

        Colour images are told by the camera_info that came without them. Depth may be slower
        than colour by design; what was lost of it leaves longer gaps among shorter ones.
        """
        color, depth = self._inputs["color"], self._inputs.get("depth")
        expected = {"color": (color, len(set(self._inputs["camera_info"].stamps)))}
        if depth is not None:
            expected["depth"] = depth, _at_full_rate(depth.stamps)
        problems = []
        for name, (its, count) in expected.items():
            share = 1 - len(set(its.stamps)) / max(count, 1)
            if count >= _FEW and its.stamps and share > _LOSS:
                problems.append(
                    f"{share:.0%} of the {name} images on {its.subscription.topic_name} are lost "
                    f"({len(its.stamps)} of about {count} came): Fast DDS's default "
                    "shared memory is too small for images; give this node and the camera driver "
                    "config/fastdds.xml in FASTDDS_DEFAULT_PROFILES_FILE and "
                    "FASTRTPS_DEFAULT_PROFILES_FILE"
                )
        return problems

    def _why_unused(self) -> list[str]:
        used, dropped = self._assembler.used, Counter(self._assembler.dropped)
        new, frames = dropped - self._dropped, used - self._used
        self._used, self._dropped = used, dropped
        normal = _NORMAL | self._slower_than_colour(frames, new) if frames else set()
        return [
            f"{count} frames dropped, {reason}: {self._assembler.details.get(reason, '')}"
            for reason, count in new.most_common()
            if reason not in normal
        ]

    def _slower_than_colour(self, frames: int, dropped: Counter[str]) -> set[str]:
        """Reasons that are no fault: the images that some stream has are paired all the same."""
        reasons = {f"no_{name}": len(set(its.stamps)) for name, its in self._inputs.items()}
        paired = frames + sum(n for reason, n in dropped.items() if reason not in reasons)
        return {reason for reason, came in reasons.items() if paired >= (1 - _LOSS) * came > 0}

    def _clock_that_stands(self) -> list[str]:
        simulated = self._node.get_parameter("use_sim_time").value
        if not simulated or self._node.count_publishers("/clock"):
            return []
        return [
            "use_sim_time is true, but nothing publishes /clock: play the bag with --clock, or "
            "set it to false"
        ]


def _at_full_rate(stamps: list[int]) -> int:
    """How many stamps there would be, had all of them come as soon as the soonest."""
    ordered = np.unique(stamps)
    if len(ordered) < 3:
        return len(ordered)
    period = np.quantile(np.diff(ordered), 0.2)
    return 1 + round(float((ordered[-1] - ordered[0]) / period))


def _offer(qos: Any) -> str:
    return f"{qos.reliability.name.lower()}, {qos.durability.name.lower()}"
