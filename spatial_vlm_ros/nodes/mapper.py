"""The mapper: camera topics and TF in; objects and scene graph out.

Callbacks only hand messages to the assembler. One worker thread takes frames from it, has them
completed, shows them to the memory and publishes what has changed. Beside it geometry that is not
measured is computed, and proxies are made and published.
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
from spatial_vlm_ros.nodes.background import Background
from spatial_vlm_ros.nodes.diagnostics import Latencies, frame_counts, status
from spatial_vlm_ros.nodes.inputs import Inputs
from spatial_vlm_ros.nodes.managed import ManagedNode, run
from spatial_vlm_ros.nodes.map_services import MapServices
from spatial_vlm_ros.nodes.mapper_config import MapperConfig
from spatial_vlm_ros.nodes.outputs import Outputs
from spatial_vlm_ros.nodes.parameters import Parameters
from spatial_vlm_ros.nodes.transforms import Transforms
from spatial_vlm_ros.nodes.watchdog import Watchdog
from spatial_vlm_ros.perception.opening import open_perception
from spatial_vlm_ros.proxies.opening import open_proxies
from spatial_vlm_ros.tf import tf2

if TYPE_CHECKING:
    from spatial_vlm_ros.nodes.encoding import Encoding

_TICK_S = 0.01  # how often frames that wait for a transform are looked at again
_IDLE_S = 0.5
_IN_VAIN = 5  # frames refused one after the other that are a problem
_ARRIVALS = 1000  # images whose arrival is remembered until their frames are complete


class Mapper(ManagedNode):
    """Lifecycle node ``mapper``: frames in, one :class:`SpatialMemory`, scene out."""

    def __init__(self) -> None:
        super().__init__("mapper")
        self._settings = Parameters(
            self,
            MapperConfig,
            locked=lambda: self.state != "unconfigured",
            live=("clock_jump", "objects_period", "graph_period", "proxies_period", "vocabulary"),
        )
        self._broadcasters = tf2.StaticTransformBroadcaster(self), tf2.TransformBroadcaster(self)
        self._lock = threading.Lock()  # of the memory and of what is to be published
        self._wake, self._stop = threading.Event(), threading.Event()
        self._anew = threading.Event()  # the map has been forgotten, what is on its way has not
        self._map_services = MapServices(
            self, self._lock, self._map_changed, self._enable, self._anew.set
        )

    # -- lifecycle ---------------------------------------------------------------------------

    def configure(self) -> None:
        """Make the memory, what it is fed through, and what it is seen through."""
        config = self._config = self._settings.config()
        self._proxies = open_proxies(config)
        self._perception = open_perception(config)
        self._words = list(config.vocabulary)
        self._memory = SpatialMemory(config, self._proxies)
        self._encoding: Encoding | None = None
        self._arrived: dict[int, float] = {}  # when images came whose frames are not complete yet
        self._enabled, self._epoch = True, 0
        self._accepted, self._refused = 0, Counter[str]()
        self._refusal, self._in_vain = "", 0  # the last one, and how many since a frame was used
        self._problems: list[str] = []
        self._topics: dict[str, str] = {}  # for the doctor, by input
        self._map_size: dict[str, str] = {}
        self._observe_ms, self._latency_ms = Latencies(), Latencies()
        self._transforms = Transforms(self, config.transform_cache, config.input.jump_back)
        self._assembler = self._make_assembler()
        self._outputs = Outputs(self, config, *self._broadcasters)
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
        self._geometry = Background(self, "no geometry", self._perception.compute, self._wake.set)
        self._worker = threading.Thread(target=self._work, name="mapping", daemon=True)
        self._worker.start()

    def deactivate(self) -> None:
        """Unsubscribe and end the worker; the map stays."""
        self.destroy_timer(self._watch)
        self._inputs.close()
        self._stop.set()
        self._wake.set()
        self._worker.join()
        self._geometry.close()
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
        del self._memory, self._assembler, self._transforms, self._perception

    def _make_assembler(self) -> FrameAssembler:
        config = self._config
        auto = config.rectified == "auto" and "image_rect" in self.resolve_topic_name("image")
        return FrameAssembler(
            self._transforms.lookup if config.geometry.needs_poses else None,
            config.fixed_frame,
            config.streams,
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
                    if self._anew.is_set():
                        self._perception.reset()
                        self._anew.clear()
                    frame = self._assembler.take(time.monotonic())
                    if frame is not None:
                        self._perceive(frame)
                    for complete in self._perception.ready():
                        self._observe(complete)
                    self._publish()
                    if frame is None:
                        break
            except Exception:  # the worker outlives whatever one frame does to it
                self.get_logger().error(traceback.format_exc(), throttle_duration_sec=5.0)

    def _perceive(self, frame: Frame) -> None:
        """Have a frame completed; that may take until after many others have come."""
        if self._assembler.frame_epoch != self._epoch:
            self._epoch = self._assembler.frame_epoch
            self._handle_clock_jump()
        self._arrived[frame.stamp_ns] = self._assembler.frame_arrived
        while len(self._arrived) > _ARRIVALS:
            del self._arrived[next(iter(self._arrived))]
        words = list(self.get_parameter("vocabulary").value or ())
        try:
            if words != self._words:
                self._words = words  # what a network cannot read costs one frame, not all
                self._perception.look_for(words)
            self._perception.offer(frame)
        except (ValueError, RuntimeError) as error:  # out of GPU memory is a RuntimeError
            self._refuse(error)
        self._geometry.wake()

    def _observe(self, frame: Frame) -> None:
        start = time.perf_counter()
        with self._lock:
            if self._anew.is_set():
                return
            try:
                self._memory.observe(frame)
            except ValueError as error:
                self._refuse(error)
                return
            self._outputs.tie(self._memory.T_fixed_scene, frame.stamp_ns)
            self._outputs.follow(frame, self._memory.T_fixed_scene)
            self._outputs.changed()
        if self._encoding is not None:
            self._encoding.wake()
        self._accepted, self._in_vain = self._accepted + 1, 0
        self._observe_ms.add(1e3 * (time.perf_counter() - start))
        arrived = self._arrived.pop(frame.stamp_ns, None)
        if arrived is not None:
            self._latency_ms.add(1e3 * (time.monotonic() - arrived))

    def _refuse(self, error: Exception) -> None:
        self._refused[str(error)] += 1
        self._refusal, self._in_vain = str(error), self._in_vain + 1
        self.get_logger().warning(f"frame not used: {error}", throttle_duration_sec=5.0)

    def _handle_clock_jump(self) -> None:
        reset = self.get_parameter("clock_jump").value == "reset"
        self._perception.reset()
        if reset:
            with self._lock:
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
        if self._enabled and self._in_vain >= _IN_VAIN:
            self._problems.append(f"the last {self._in_vain} frames were no use: {self._refusal}")
        parts = (self._perception if self._enabled else None, self._geometry, self._encoding)
        self._problems += [part.problem for part in parts if part is not None and part.problem]
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
            **self._perception.values(),
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
