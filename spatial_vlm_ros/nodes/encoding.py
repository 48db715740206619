"""Keyframes become proxies and these are published, while mapping goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from spatial_vlm_ros.memory import SpatialMemory
from spatial_vlm_ros.nodes.background import Background
from spatial_vlm_ros.nodes.diagnostics import Latencies
from spatial_vlm_ros.nodes.managed import ManagedNode
from spatial_vlm_ros.proxies.scene_proxies import Reading, SceneProxies


class Encoding:
    """Encodes the keyframes of ``proxies``, the memory's; ``publish`` is called for what is new.

    lock: of the memory; held for a moment before and after a keyframe is encoded.
    """

    def __init__(
        self,
        node: ManagedNode,
        memory: SpatialMemory,
        proxies: SceneProxies,
        lock: threading.Lock,
        publish: Callable[[Reading], None],
    ) -> None:
        self._node, self._memory, self._proxies = node, memory, proxies
        self._lock, self._publish = lock, publish
        self._published, self._published_at = 0, 0.0
        self._count, self._milliseconds = 0, Latencies()
        self._background = Background(node, "no new proxies", self._step)
        self.wake, self.close = self._background.wake, self._background.close

    @property
    def problem(self) -> str:
        """Why the last keyframe could not be used, empty when it could."""
        return self._background.problem

    def values(self) -> dict[str, str]:
        """For diagnostics."""
        size = len(self._proxies.groups)
        return {
            "encoder": self._proxies.encoder.name,
            "keyframes encoded": str(self._count),
            "groups with proxies": str(size),
            **self._milliseconds.values("encode"),
        }

    def _step(self) -> bool:
        encoded = self._encode_waiting()
        if not self._background.stopping:
            self._publish_if_due()
        return encoded

    def _encode_waiting(self) -> bool:
        with self._lock:
            view = self._proxies.take()
        if view is None:
            return False
        start = time.perf_counter()
        patches = self._proxies.encode(view)
        self._milliseconds.add(1e3 * (time.perf_counter() - start))
        if self._background.stopping:
            return False
        with self._lock:
            became = self._memory.became(patches.groups.tolist())
        self._proxies.absorb(view, patches, became.get)
        self._count += 1
        return True

    def _publish_if_due(self) -> None:
        now, changes = time.monotonic(), self._proxies.changes
        period = float(self._node.get_parameter("proxies_period").value)
        if changes != self._published and now - self._published_at >= period:
            self._published, self._published_at = changes, now
            self._publish(self._proxies.read())
