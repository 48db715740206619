"""What a mapper publishes of its scene, received and turned into core data when asked for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from rclpy.node import Node
from rclpy.qos import QoSProfile

from spatial_vlm_ros.keyframes import Keyframe
from spatial_vlm_ros.nodes import interfaces as ros
from spatial_vlm_ros.nodes import qos
from spatial_vlm_ros.nodes.conversions import graph_from, views_from
from spatial_vlm_ros.nodes.image_conversions import keyframe_from, proxies_from
from spatial_vlm_ros.reasoning.answer import Seen
from spatial_vlm_ros.scene.graph import SceneGraph

if TYPE_CHECKING:  # needs torch
    from spatial_vlm_ros.proxies.scene_proxies import Reading

_Read = TypeVar("_Read")

_POLL_S = 0.05  # how soon who waits notices that it need not any more


@dataclass(frozen=True)
class Scene:
    """A received scene, the frame it is in, and what each keyframe of it shows, by its id."""

    graph: SceneGraph
    frame: str
    views: Mapping[int, tuple[int, ...]]


class SceneInputs:
    """The newest scene graph, proxies and keyframes; each is converted once, when asked for.

    Callbacks only keep messages. arrived: notified when something has come, or when listening ends;
    others may guard their own state with it. listening: whether anything can come.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self.arrived = threading.Condition()  # guards all below
        self.listening = False
        self._subscriptions: list[Any] = []
        self._forget()

    def _forget(self) -> None:
        self._scene_message: ros.SceneGraph | None = None
        self._scene: Scene | None = None
        self._proxies_message: ros.ProxySequence | None = None
        self._proxies: Reading | None = None
        self._images: dict[int, ros.Keyframe | Keyframe | None] = {}  # None: it was damaged
        self._listed: frozenset[int] = frozenset()

    def subscribe(self, *, proxies: bool = False, keyframes: bool = False) -> None:
        """Listen to the mapper's scene graph, and to what else is wanted.

        ``ValueError`` when a QoS parameter is wrong.
        """
        self.listening = True
        try:
            self._listen(ros.SceneGraph, "scene_graph", self._keep_scene, qos.latched())
            if proxies:
                self._listen(ros.ProxySequence, "proxies", self._keep_proxies, qos.latched())
            if keyframes:
                self._listen(ros.Keyframe, "keyframes", self._keep_keyframe, qos.every_latched())
        except ValueError:
            self.unsubscribe()
            raise

    def unsubscribe(self) -> None:
        """Stop listening and forget all: it may be another scene next time."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()
        with self.arrived:
            self.listening = False
            self._forget()
            self.arrived.notify_all()

    def scene(self) -> Scene | None:
        """The newest scene, None while there is none."""
        with self.arrived:
            message, self._scene_message = self._scene_message, None
            if message is not None:
                self._scene = self._read("scene_graph", _scene_from, message) or self._scene
            return self._scene

    def seen(self, scene: Scene) -> Seen:
        """The newest proxies, and of the keyframes of ``scene`` those that have come."""
        with self.arrived:
            message, self._proxies_message = self._proxies_message, None
            if message is not None:
                self._proxies = self._read("proxies", proxies_from, message) or self._proxies
            for number in scene.views.keys() & self._images.keys():
                image = self._images[number]
                if isinstance(image, ros.Keyframe):
                    self._images[number] = self._read("keyframes", keyframe_from, image)
            there = {i: image for i, image in self._images.items() if isinstance(image, Keyframe)}
            proxies = self._proxies
        shown = ((there[i], visible) for i, visible in scene.views.items() if i in there)
        return Seen(proxies, tuple(replace(image, visible=visible) for image, visible in shown))

    def wait_for_scene(
        self, at_ns: int, timeout_s: float, given_up: Callable[[], bool]
    ) -> Scene | None:
        """The newest scene once it is at least as new as ``at_ns``.

        None after ``timeout_s``, when nothing can come any more, or soon after ``given_up()``.
        """
        deadline = time.monotonic() + timeout_s
        while not given_up():
            scene = self.scene()
            if scene is not None and scene.graph.stamp_ns >= at_ns:
                return scene
            left = deadline - time.monotonic()
            if left <= 0 or not self.listening:
                return None
            with self.arrived:
                self.arrived.wait(min(left, _POLL_S))
        return None

    def why_no_scene(self, at_ns: int, waited_s: float) -> str:
        """Why :meth:`wait_for_scene` found none, to tell who asked."""
        topic = self._node.resolve_topic_name("scene_graph")
        if not self.listening:
            return "the reasoner is not active: activate it first"
        scene = self.scene()
        if scene is None:
            return (
                f"no scene received from topic {topic} within {waited_s:g} s: is the mapper active?"
            )
        late = (at_ns - scene.graph.stamp_ns) / 1e9
        return (
            f"the newest scene from topic {topic} is {late:.3f} s older than asked for, after "
            f"waiting {waited_s:g} s: does the mapper get images?"
        )

    def _listen(
        self, kind: Any, topic: str, keep: Callable[[Any], None], profile: QoSProfile
    ) -> None:
        def on_message(message: Any) -> None:
            with self.arrived:
                if self.listening:  # it may have come while the subscription was being destroyed
                    keep(message)
                self.arrived.notify_all()

        self._subscriptions.append(qos.subscription(self._node, kind, topic, on_message, profile))

    def _read(self, topic: str, read: Callable[[Any], _Read], message: Any) -> _Read | None:
        """What a message says; None, and it is told why, where that is no sense."""
        try:
            return read(message)
        except ValueError as error:
            name = self._node.resolve_topic_name(topic)
            self._node.get_logger().error(f"a message on topic {name} is ignored: {error}")
            return None

    def _keep_scene(self, message: ros.SceneGraph) -> None:
        self._scene_message = message
        self._listed = frozenset(view.keyframe for view in message.views)
        self._images = {i: image for i, image in self._images.items() if self._is_kept(i)}

    def _keep_proxies(self, message: ros.ProxySequence) -> None:
        self._proxies_message = message

    def _keep_keyframe(self, message: ros.Keyframe) -> None:
        if message.id not in self._images and self._is_kept(message.id):
            self._images[message.id] = message

    def _is_kept(self, number: int) -> bool:
        """Whether a keyframe is one of the scene's, or of one that is still to come."""
        return number in self._listed or number > max(self._listed, default=0)


def _scene_from(message: ros.SceneGraph) -> Scene:
    return Scene(graph_from(message), message.header.frame_id, views_from(message))
