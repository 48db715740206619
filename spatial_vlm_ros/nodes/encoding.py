"""The thread in which keyframes become proxies and these are published, while mapping goes on."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable

from rclpy.lifecycle import LifecycleNode

from spatial_vlm_ros.memory import SpatialMemory
from spatial_vlm_ros.nodes.diagnostics import Latencies
from spatial_vlm_ros.proxies.scene_proxies import Reading, SceneProxies

_IDLE_S = 0.5
_PATIENCE_S = 3.0  # launch waits five seconds for a process to end


class Encoding:
    """Encodes the keyframes of ``proxies``, the memory's; ``publish`` is called for what is new.

    lock: of the memory; held for a moment before and after a keyframe is encoded. problem: why the
    last keyframe could not be used, empty when it could.
    """

    def __init__(
        self,
        node: LifecycleNode,
        memory: SpatialMemory,
        proxies: SceneProxies,
        lock: threading.Lock,
        publish: Callable[[Reading], None],
    ) -> None:
        self._node, self._memory, self._proxies = node, memory, proxies
        self._lock, self._publish = lock, publish
        self._published, self._published_at = 0, 0.0
        self._wake, self._stop = threading.Event(), threading.Event()
        self._count, self._milliseconds = 0, Latencies()
        self.problem = ""
        self._thread = threading.Thread(target=self._work, name="encoding", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """There may be a keyframe."""
        self._wake.set()

    def close(self) -> None:
        """End the thread; a keyframe that takes long to encode is then for nothing."""
        self._stop.set()
        self._wake.set()
        self._thread.join(_PATIENCE_S)

    def values(self) -> dict[str, str]:
        """For diagnostics."""
        size = len(self._proxies.groups)
        return {
            "encoder": self._proxies.encoder.name,
            "keyframes encoded": str(self._count),
            "groups with proxies": str(size),
            **self._milliseconds.values("encode"),
        }

    def _work(self) -> None:
        while not self._stop.is_set():
            self._wake.wait(_IDLE_S)
            self._wake.clear()
            try:
                self._encode_waiting()
                if not self._stop.is_set():
                    self._publish_if_due()
            except Exception as error:  # the encoder's own: out of memory, a driver's ...
                self.problem = f"no new proxies: {error}"
                known = isinstance(error, ValueError)
                text = self.problem if known else f"{self.problem}\n{traceback.format_exc()}"
                self._node.get_logger().error(text, throttle_duration_sec=5.0)

    def _encode_waiting(self) -> None:
        with self._lock:
            view = self._proxies.take()
        if view is None:
            return
        start = time.perf_counter()
        patches = self._proxies.encode(view)
        self._milliseconds.add(1e3 * (time.perf_counter() - start))
        if self._stop.is_set():
            return
        with self._lock:
            became = self._memory.became(patches.groups.tolist())
        self._proxies.absorb(view, patches, became.get)
        self._count, self.problem = self._count + 1, ""

    def _publish_if_due(self) -> None:
        now, changes = time.monotonic(), self._proxies.changes
        period = float(self._node.get_parameter("proxies_period").value)
        if changes != self._published and now - self._published_at >= period:
            self._published, self._published_at = changes, now
            self._publish(self._proxies.read())
