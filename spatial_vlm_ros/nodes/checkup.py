"""Looks at a running mapper from outside: its inputs, their QoS and rates, TF, its own health."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.srv import GetParameters
from rclpy.parameter import parameter_value_to_python
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from spatial_vlm_ros.assembler import AssemblerConfig, FrameAssembler
from spatial_vlm_ros.doctor import Finding, Level
from spatial_vlm_ros.nodes import interfaces as ros
from spatial_vlm_ros.nodes.participant import Participant, domain_hint
from spatial_vlm_ros.nodes.watchdog import Input, Watchdog
from spatial_vlm_ros.ros_image import label_names, stamp_ns
from spatial_vlm_ros.tf import tf2

DISCOVERY_S, WARM_UP_S, HEALTH_S = 3.0, 1.0, 5.0
KINDS = {
    f"{kind.__module__.partition('.')[0]}/msg/{kind.__name__}": kind
    for kind in (Image, CompressedImage, CameraInfo, ros.LabelInfo, ros.Detection2DArray)
}
OF_INPUT = [f"input.{field.name}" for field in dataclasses.fields(AssemblerConfig)]


def checkup(mapper: str, seconds: float) -> Iterator[Finding]:
    """Take the mapper's inputs as it takes them, for ``seconds``, and say how that went."""
    with Participant("doctor") as participant:
        yield from _Checkup(participant, mapper).run(seconds)


class _Checkup:
    """Subscribes to what the mapper subscribes to, with its QoS, and pairs it as it does."""

    def __init__(self, participant: Participant, mapper: str) -> None:
        self._participant, self._node = participant, participant.node
        self._mapper = f"/{mapper.strip('/')}"
        self._buffer = tf2.Buffer()
        self._inputs: dict[str, Input] = {}
        self._health: Any = None
        self._infos: list[CameraInfo] = []

    def run(self, seconds: float) -> Iterator[Finding]:
        if not self._participant.spin_until(self._is_there, DISCOVERY_S):
            yield self._no_mapper()
            return
        # A node is discovered before what it subscribes to.
        if not self._participant.spin_until(lambda: bool(self._mapper_inputs()), DISCOVERY_S):
            text, remedy = (
                "takes no input: it is not active",
                f"ros2 lifecycle set {self._mapper} configure, then activate",
            )
            yield Finding(Level.FAIL, self._mapper, text, remedy)
            return
        self._node.create_subscription(DiagnosticArray, "/diagnostics", self._on_health, 10)
        if not self._participant.spin_until(lambda: bool(self._health), HEALTH_S):
            text = "says nothing on /diagnostics"
            yield Finding(Level.FAIL, self._mapper, text, "is the process stopped or overloaded?")
            return
        self._participant.spin_until(
            lambda: self._mapper_inputs().keys() >= set(self._named().values()), DISCOVERY_S
        )
        topics = self._mapper_inputs()
        yield Finding(Level.OK, self._mapper, f"runs and subscribes to {', '.join(sorted(topics))}")
        fixed_frame, has_poses, config = self._parameters()
        assembler = FrameAssembler(
            partial(tf2.lookup, self._buffer) if has_poses else None,
            fixed_frame,
            tuple(name for name in ("depth", "labels", "detections") if name in self._named()),
            config,
        )
        listener = tf2.TransformListener(self._buffer, self._node)
        self._subscribe(topics, assembler)
        watchdog = Watchdog(self._node, self._inputs, assembler, seconds)
        # While publishers are being discovered, partners of images and transforms are missed; the
        # images of that time are waited for until they are given up, and not counted.
        self._take_frames(assembler, WARM_UP_S)
        self._take_frames(assembler, DISCOVERY_S, lambda: assembler.used > 0)
        self._take_frames(assembler, config.pair_wait + config.transform_wait)
        watchdog.check()
        used, received = assembler.used, assembler.received
        self._take_frames(assembler, seconds)
        used, received = assembler.used - used, assembler.received - received
        yield from self._rates(seconds)
        yield from self._verdict(watchdog.check(), used, received, fixed_frame if has_poses else "")
        yield self._own_words()
        listener.unregister()

    def _is_there(self) -> bool:
        return self._mapper in self._names()

    def _names(self) -> list[str]:
        found = self._node.get_node_names_and_namespaces()
        return [f"{namespace.rstrip('/')}/{name}" for name, namespace in found]

    def _no_mapper(self) -> Finding:
        others = sorted(set(self._names()) - {self._node.get_fully_qualified_name()})
        text = f"no such node; {domain_hint()} Nodes there: {', '.join(others) or 'none'}"
        remedy = (
            "start it (ros2 launch spatial_vlm_ros spatial_vlm.launch.py), or name it: --mapper"
        )
        return Finding(Level.WARN, self._mapper, text, remedy)

    def _mapper_inputs(self) -> dict[str, str]:
        """Type by topic of the mapper's image-like subscriptions."""
        namespace, _, name = self._mapper.rpartition("/")
        found = self._node.get_subscriber_names_and_types_by_node(name, namespace or "/")
        return {topic: types[0] for topic, types in found if types[0] in KINDS}

    def _named(self) -> dict[str, str]:
        """Topic by input, as the mapper says on /diagnostics."""
        return {
            item.key.removeprefix("input "): item.value
            for item in self._health.values
            if item.key.startswith("input ")
        }

    def _parameters(self) -> tuple[str, bool, AssemblerConfig]:
        """The fixed frame, whether images need a pose in it, and how the mapper pairs images."""
        wanted = ["fixed_frame", "geometry.poses", "geometry.tf_for_scale", *OF_INPUT]
        request = GetParameters.Request(names=wanted)
        response = self._participant.call(GetParameters, f"{self._mapper}/get_parameters", request)
        frame, poses, for_scale, *values = map(parameter_value_to_python, response.values)
        names = [name.removeprefix("input.") for name in OF_INPUT]
        config = AssemblerConfig(**dict(zip(names, values, strict=True)))
        return frame, poses == "tf" or for_scale, config

    def _subscribe(self, types: dict[str, str], assembler: FrameAssembler) -> None:
        """Listen to the topics that the mapper says its inputs are."""
        for stream, topic in self._named().items():
            if topic not in types:
                continue
            kind = KINDS[types[topic]]
            callback = self._receiver(stream, assembler)
            subscription = self._node.create_subscription(kind, topic, callback, self._qos(topic))
            self._inputs[stream] = Input(subscription, types[topic])

    def _qos(self, topic: str) -> QoSProfile:
        """The mapper's own QoS for a topic."""
        for end in self._node.get_subscriptions_info_by_topic(topic):
            if f"{end.node_namespace.rstrip('/')}/{end.node_name}" == self._mapper:
                qos = end.qos_profile
                return QoSProfile(depth=10, reliability=qos.reliability, durability=qos.durability)
        return QoSProfile(depth=10)

    def _receiver(self, stream: str, assembler: FrameAssembler) -> Any:
        def receive(message: Any) -> None:
            stamp = stamp_ns(message.header.stamp)
            self._inputs[stream].note(stamp)
            if stream == "label_info":
                assembler.set_label_names(label_names(message))
            else:
                assembler.add(stream, stamp, message, time.monotonic())

        return receive

    def _take_frames(
        self,
        assembler: FrameAssembler,
        seconds: float,
        enough: Callable[[], bool] = lambda: False,
    ) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and not enough():
            self._participant.spin_for(0.02)
            while assembler.take(time.monotonic()) is not None:
                pass

    def _rates(self, seconds: float) -> Iterator[Finding]:
        for stream, its in self._inputs.items():
            if its.stamps:
                rate = len(its.stamps) / seconds
                text = f"{rate:.1f} messages/s on {its.subscription.topic_name}"
                yield Finding(Level.OK, stream, text)

    def _verdict(
        self, problems: list[str], used: int, received: int, fixed_frame: str
    ) -> Iterator[Finding]:
        """The watchdog's problems, or that frames come together."""
        level = Level.WARN if used else Level.FAIL
        for problem in problems:
            text, _, remedy = problem.partition("; ")
            yield Finding(level, "input", text, remedy)
        if not used and not problems:
            text = f"none of {received} images became a frame, and none has been given up yet"
            yield Finding(level, "frames", text, "look for longer: --seconds 10")
        if used:
            where = f" in {fixed_frame}" if fixed_frame else ""
            text = f"{used} of {received} images became frames{where}"
            yield Finding(Level.OK, "frames", text)

    def _on_health(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == self._mapper.strip("/"):
                self._health = status

    def _own_words(self) -> Finding:
        """What the mapper says of itself on /diagnostics."""
        level = Level(min(self._health.level[0], Level.FAIL))
        counts = {item.key: item.value for item in self._health.values}
        used = f"{counts.get('frames used', '?')} of {counts.get('frames in', '?')} frames used"
        return Finding(level, self._mapper, f"{self._health.message} ({used})")
