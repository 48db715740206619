"""The thread in which the mapper's keyframes are encoded, while mapping goes on."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable

from rclpy.lifecycle import LifecycleNode

from spatial_vlm_ros.memory import SpatialMemory
from spatial_vlm_ros.nodes.diagnostics import Latencies
from spatial_vlm_ros.proxies.scene_proxies import SceneProxies

_IDLE_S = 0.5


class Encoding:
    """Takes keyframes from ``proxies``, the memory's; ``taken_in`` is called after each.

    lock: of the memory; held to fetch a keyframe and to take its patches in, not to encode.
    problem: why the last keyframe could not be used, empty when it could.
    """

    def __init__(
        self,
        node: LifecycleNode,
        memory: SpatialMemory,
        proxies: SceneProxies,
        lock: threading.Lock,
        taken_in: Callable[[], None],
    ) -> None:
        self._node, self._memory, self._proxies = node, memory, proxies
        self._lock, self._taken_in = lock, taken_in
        self._wake, self._stop = threading.Event(), threading.Event()
        self._count, self._milliseconds = 0, Latencies()
        self.problem = ""
        self._thread = threading.Thread(target=self._work, name="encoding", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """There may be a keyframe."""
        self._wake.set()

    def close(self) -> None:
        """End the thread, after the keyframe that it encodes."""
        self._stop.set()
        self._wake.set()
        self._thread.join()

    def values(self) -> dict[str, str]:
        """For diagnostics."""
        size = len(self._proxies.memory.groups)
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
            except Exception as error:  # the encoder's own: out of memory, a driver's ...
                self.problem = f"keyframe not encoded: {error}"
                known = isinstance(error, ValueError)
                text = self.problem if known else f"{self.problem}\n{traceback.format_exc()}"
                self._node.get_logger().error(text, throttle_duration_sec=5.0)

    def _encode_waiting(self) -> None:
        while not self._stop.is_set():
            with self._lock:
                view = self._proxies.take()
            if view is None:
                return
            start = time.perf_counter()
            patches = self._proxies.encode(view)
            self._milliseconds.add(1e3 * (time.perf_counter() - start))
            with self._lock:
                self._memory.add_patches(view, patches)
            self._count, self.problem = self._count + 1, ""
            self._taken_in()
