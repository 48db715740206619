"""The mapper: camera topics and TF in; objects and scene graph out.

Callbacks only hand messages to the assembler. One worker thread takes complete frames from it,
shows them to the memory and publishes what has changed. Another makes and publishes the proxies.
"""

from __future__ import annotations

import re
import threading
import time
import traceback
from collections import Counter
from typing import TYPE_CHECKING

from diagnostic_msgs.msg import DiagnosticArray

from spatial_vlm_ros.assembler import FrameAssembler
from spatial_vlm_ros.frame import Frame
from spatial_vlm_ros.memory import SpatialMemory
from spatial_vlm_ros.nodes.diagnostics import Latencies, frame_counts, status
from spatial_vlm_ros.nodes.inputs import Inputs
from spatial_vlm_ros.nodes.managed import ManagedNode, run
from spatial_vlm_ros.nodes.map_services import MapServices
from spatial_vlm_ros.nodes.mapper_config import MapperConfig
from spatial_vlm_ros.nodes.outputs import Outputs
from spatial_vlm_ros.nodes.parameters import Parameters
from spatial_vlm_ros.nodes.transforms import Transforms
from spatial_vlm_ros.nodes.watchdog import Watchdog
from spatial_vlm_ros.proxies.opening import open_proxies
from spatial_vlm_ros.tf import tf2

if TYPE_CHECKING:
    from spatial_vlm_ros.nodes.encoding import Encoding

_TICK_S = 0.01  # how often frames that wait for a transform are looked at again
_IDLE_S = 0.5


class Mapper(ManagedNode):
    """Lifecycle node ``mapper``: frames in, one :class:`SpatialMemory`, scene out."""

    def __init__(self) -> None:
        super().__init__("mapper")
        self._settings = Parameters(
            self,
            MapperConfig,
            locked=lambda: self.state != "unconfigured",
            live=("clock_jump", "objects_period", "graph_period", "proxies_period"),
        )
        self._broadcaster = tf2.StaticTransformBroadcaster(self)
        self._lock = threading.Lock()  # of the memory and of what is to be published
        self._wake, self._stop = threading.Event(), threading.Event()
        self._map_services = MapServices(self, self._lock, self._map_changed, self._enable)

    # -- lifecycle ---------------------------------------------------------------------------

    def configure(self) -> None:
        """Make the memory, what it is fed through, and what it is seen through."""
        config = self._config = self._settings.config()
        self._proxies = open_proxies(config)
        self._memory = SpatialMemory(config, self._proxies)
        self._encoding: Encoding | None = None
        self._enabled, self._epoch = True, 0
        self._accepted, self._refused = 0, Counter[str]()
        self._problems: list[str] = []
        self._topics: dict[str, str] = {}  # for the doctor, by input
        self._map_size: dict[str, str] = {}
        self._observe_ms, self._latency_ms = Latencies(), Latencies()
        self._transforms = Transforms(self, config.transform_cache, config.input.jump_back)
        self._assembler = self._make_assembler()
        self._outputs = Outputs(self, config, self._broadcaster)
        self._map_services.open(config, self._memory)
        self._health = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._heartbeat = self.steady_timer(1.0, self._publish_health)

    def activate(self) -> None:
        """Subscribe and start the worker."""
        self._inputs = Inputs(self, self._config, self._assembler, self._wake.set)
        self._inputs.enabled = self._enabled
        streams = self._inputs.streams.items()
        self._topics = {f"input {name}": its.subscription.topic_name for name, its in streams}
        self._watchdog = Watchdog(
            self, self._inputs.streams, self._assembler, self._config.watchdog_period
        )
        self._watch = self.steady_timer(self._config.watchdog_period, self._look_for_problems)
        self._stop.clear()
        if self._proxies is not None:
            from spatial_vlm_ros.nodes.encoding import Encoding  # torch, not without proxies

            self._encoding = Encoding(
                self, self._memory, self._proxies, self._lock, self._outputs.publish_proxies
            )
        self._worker = threading.Thread(target=self._work, name="mapping", daemon=True)
        self._worker.start()

    def deactivate(self) -> None:
        """Unsubscribe and end the worker; the map stays."""
        self.destroy_timer(self._watch)
        self._inputs.close()
        self._stop.set()
        self._wake.set()
        self._worker.join()
        if self._encoding is not None:
            self._encoding.close()
        self._problems, self._topics = [], {}

    def cleanup(self) -> None:
        """Let go of the map and everything else."""
        self.destroy_timer(self._heartbeat)
        self.destroy_publisher(self._health)
        self._map_services.close()
        self._outputs.close()
        self._transforms.close()
        del self._memory, self._assembler, self._transforms

    def _make_assembler(self) -> FrameAssembler:
        config = self._config
        auto = config.rectified == "auto" and "image_rect" in self.resolve_topic_name("image")
        return FrameAssembler(
            self._transforms.lookup,
            config.fixed_frame,
            ("depth",) if config.instances == "geometric" else ("depth", config.instances),
            config.input,
            labels_per_instance=config.labels_per_instance,
            rectified=config.rectified == "yes" or auto,
            on_jump=self._transforms.images_jumped,
        )

    # -- the worker --------------------------------------------------------------------------

    def _work(self) -> None:
        while not self._stop.is_set():
            busy = self._assembler.waiting or self._outputs.pending
            self._wake.wait(_TICK_S if busy else _IDLE_S)
            self._wake.clear()
            try:
                while not self._stop.is_set():
                    frame = self._assembler.take(time.monotonic())
                    if frame is not None:
                        self._observe(frame)
                    self._publish()
                    if frame is None:
                        break
            except Exception:  # the worker outlives whatever one frame does to it
                self.get_logger().error(traceback.format_exc(), throttle_duration_sec=5.0)

    def _observe(self, frame: Frame) -> None:
        start = time.perf_counter()
        with self._lock:
            if self._assembler.frame_epoch != self._epoch:
                self._epoch = self._assembler.frame_epoch
                self._handle_clock_jump()
            try:
                self._memory.observe(frame)
            except ValueError as error:
                self._refused[str(error)] += 1
                self.get_logger().warning(f"frame not used: {error}", throttle_duration_sec=5.0)
                return
            self._outputs.tie(self._memory.T_fixed_scene, frame.stamp_ns)
            self._outputs.changed()
        if self._encoding is not None:
            self._encoding.wake()
        self._accepted += 1
        self._observe_ms.add(1e3 * (time.perf_counter() - start))
        self._latency_ms.add(1e3 * (time.monotonic() - self._assembler.frame_arrived))

    def _handle_clock_jump(self) -> None:
        reset = self.get_parameter("clock_jump").value == "reset"
        if reset:
            self._memory.reset()
            self._outputs.changed()
        self.get_logger().warning(
            f"image stamps ran back: the map is {'reset' if reset else 'kept'}"
        )

    def _publish(self) -> None:
        with self._lock:
            self._outputs.publish(self._memory)

    def _map_changed(self) -> None:
        """A service altered the map."""
        with self._lock:
            self._outputs.tie(self._memory.T_fixed_scene, self._memory.graph().stamp_ns)
            self._outputs.changed()
        self._wake.set()

    def _enable(self, enabled: bool) -> None:
        self._enabled = enabled
        if self.state == "active":
            self._inputs.enabled = enabled

    # -- health ------------------------------------------------------------------------------

    def _look_for_problems(self) -> None:
        known = {_kind(problem) for problem in self._problems}
        self._problems = self._watchdog.check() if self._enabled else []
        if self._encoding is not None and self._encoding.problem:
            self._problems.append(self._encoding.problem)
        for problem in self._problems:
            if _kind(problem) not in known:  # those that last are on /diagnostics
                self.get_logger().warning(problem)

    def _publish_health(self) -> None:
        refused = Counter(self._refused)  # the worker may add to it meanwhile
        values = {
            "state": self.state if self._enabled else "disabled",
            **self._topics,
            "frames accepted": str(self._accepted),
            "frames refused": str(sum(refused.values())),
            **{f"refused: {reason}": str(n) for reason, n in refused.most_common(5)},
            **frame_counts(self._assembler),
            **self._observe_ms.values("observe"),
            **self._latency_ms.values("latency"),
            **self._map_values(),
        }
        name = self.get_fully_qualified_name().lstrip("/")
        message = DiagnosticArray(status=[status(name, self._problems, values)])
        message.header.stamp = self.get_clock().now().to_msg()
        self._health.publish(message)

    def _map_values(self) -> dict[str, str]:
        """Size of the map, as it was when a long frame holds it."""
        if self._lock.acquire(blocking=False):
            try:
                scene, size = self._memory.graph(), self._memory.bytes_used
                images = len(self._memory.keyframes.all())
            finally:
                self._lock.release()
            self._map_size = {
                "map revision": str(scene.revision),
                "objects": str(len(scene.present())),
                "keyframes": str(images),
                "map bytes": str(size),
                **(self._encoding.values() if self._encoding is not None else {}),
            }
        return self._map_size


def _kind(problem: str) -> str:
    """A problem without its numbers."""
    return re.sub(r"\d+", "", problem)


def main() -> None:
    """Entry point of the executable ``mapper``."""
    run(Mapper)


if __name__ == "__main__":
    main()
