"""Nodes as processes of their own in a ROS domain of their own, and a robot that feeds them."""

from __future__ import annotations

import array
import fcntl
import itertools
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cube_world
import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TransformStamped
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image
from tf2_msgs.msg import TFMessage
from vision_msgs.msg import Detection3DArray, LabelInfo, VisionClass

from spatial_vlm_msgs.msg import SceneGraph
from spatial_vlm_ros.nodes.conversions import header, transform_message

ROOT = Path(__file__).parents[1]
CAMERA = "camera_color_optical_frame"
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
START_NS = 1_700_000_000_000_000_000


def claim_domain() -> tuple[int, Any]:
    """A ROS domain that no other test on this machine uses while the returned file is open."""
    for domain in random.sample(range(1, 101), 100):
        claim = (Path(tempfile.gettempdir()) / f"ros_domain_{domain}.lock").open("w")
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            claim.close()
            continue
        if str(domain) != os.environ.get("ROS_DOMAIN_ID"):
            return domain, claim
        claim.close()
    raise RuntimeError("all ROS domains are in use")


class Rig:
    """Use it in a ``with`` statement; ends every process it started."""

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self.domain, self._claim = claim_domain()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._context = Context()
        rclpy.init(context=self._context, domain_id=self.domain)
        self.node = Node("rig", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._lock = threading.Lock()
        self.scenes: list[SceneGraph] = []
        self.objects: list[Detection3DArray] = []
        self.health: dict[str, str] = {}
        self.healthy = False
        self.problems = ""
        node = self.node
        node.create_subscription(SceneGraph, "/mapper/scene_graph", self.scenes.append, LATCHED)
        node.create_subscription(Detection3DArray, "/mapper/objects", self.objects.append, 10)
        node.create_subscription(DiagnosticArray, "/diagnostics", self._on_health, 10)
        self._spinning = True
        self._spinner = threading.Thread(target=self._spin, daemon=True)
        self._spinner.start()

    def __enter__(self) -> Rig:
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        for process in self.processes.values():  # a killed one leaves 64 MB of shared memory
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        for process in self.processes.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._spinning = False
        self._spinner.join()
        self._executor.shutdown()
        self.node.destroy_node()
        self._context.try_shutdown()
        self._claim.close()
        if kind is not None:
            for name in self.processes:
                print(f"--- log of {name}\n{self.log(name)}")

    def start(self, name: str, *arguments: str, module: str | None = None) -> None:
        """Run ``spatial_vlm_ros.nodes.<module>`` as process ``name``."""
        command = [sys.executable, "-m", f"spatial_vlm_ros.nodes.{module or name}", *arguments]
        environment = {**os.environ, "ROS_DOMAIN_ID": str(self.domain), "PYTHONFAULTHANDLER": "1"}
        with (self.logs / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT
            )

    def start_mapper(
        self, *remaps: str, name: str = "mapper", preset: Path | None = None, **parameters: Any
    ) -> None:
        """A mapper on the robot's topics, with short waits unless given, over a preset's file.

        Names that the command line cannot take (with a slash) go through a file.
        """
        slashed = {key: value for key, value in parameters.items() if "/" in key}
        parameters = {key: value for key, value in parameters.items() if "/" not in key}
        arguments = ["--ros-args"]
        if preset is not None:
            arguments += ["--params-file", str(preset)]
        if slashed:
            path = self.logs / f"{name}.yaml"
            lines = [f"    {key}: {value}" for key, value in slashed.items()]
            path.write_text("\n".join(["/**:", "  ros__parameters:", *lines, ""]))
            arguments += ["--params-file", str(path)]
        for remap in remaps:
            arguments += ["-r", remap]
        defaults = {"watchdog_period": 1.0, "graph_period": 0.1}
        for key, value in {**defaults, **parameters}.items():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            arguments += ["-p", f"{key.replace('__', '.')}:={text}"]
        self.start(name, *arguments, module="mapper")

    def start_reasoner(self, name: str = "reasoner", **parameters: Any) -> None:
        """A reasoner on the mapper's scene."""
        arguments = [
            "--ros-args",
            "-r",
            "scene_graph:=/mapper/scene_graph",
            "-r",
            "proxies:=/mapper/proxies",
            "-r",
            "keyframes:=/mapper/keyframes",
            "-r",
            f"__node:={name}",
        ]
        for key, value in parameters.items():
            arguments += ["-p", f"{key.replace('__', '.')}:={value}"]
        self.start(name, *arguments, module="reasoner")

    def end(self, name: str, number: int = signal.SIGINT) -> int:
        """Signal a process; its exit code."""
        self.processes[name].send_signal(number)
        return self.processes[name].wait(15)

    def end_all(self) -> None:
        """End every process; each must end well, and none may have let an error escape."""
        for name, process in self.processes.items():
            if process.poll() is None:
                assert self.end(name) == 0, f"{name} ended badly\n{self.log(name)}"
            assert "Traceback" not in self.log(name), self.log(name)

    def log(self, name: str) -> str:
        return (self.logs / f"{name}.log").read_text(errors="replace")

    def until(self, done: Callable[[], Any], timeout_s: float = 15.0, what: str = "") -> Any:
        """Wait for ``done()``; fails with ``what`` and what the processes have said."""
        end = time.monotonic() + timeout_s
        while not (value := done()):
            if time.monotonic() > end:
                logs = "\n".join(f"--- {n}\n{self.log(n)[-3000:]}" for n in self.processes)
                raise AssertionError(
                    f"waited {timeout_s} s for {what or done}; health {self.health}; "
                    f"problems {self.problems!r}\n{logs}"
                )
            time.sleep(0.02)
        return value

    def spun(self, action: Callable[[], Any]) -> Any:
        """What ``action()`` returns, called by the thread that spins.

        rclpy's action client loses a reply that comes while another thread is still sending.
        """
        task = self._executor.create_task(action)
        self.until(task.done, 10, "the executor")
        return task.result()

    def call(self, kind: Any, name: str, timeout_s: float = 10.0, **fields: Any) -> Any:
        """A service's response.

        A server that has not found the client yet drops its answer, and says so: asked again.
        """
        client = self.node.create_client(kind, name)
        self.until(client.service_is_ready, timeout_s, f"service {name}")
        dropped = self.dropped_answers()
        future = client.call_async(kind.Request(**fields))

        def answered() -> bool:
            nonlocal dropped, future
            if not future.done() and (now := self.dropped_answers()) > dropped:
                dropped, future = now, client.call_async(kind.Request(**fields))
            return future.done()

        self.until(answered, timeout_s, f"answer of {name}")
        self.node.destroy_client(client)
        return future.result()

    def dropped_answers(self) -> int:
        """Of services, so far."""
        return sum(self.log(name).count("failed to send response") for name in self.processes)

    def value(self, key: str) -> int:
        """A counter on /diagnostics; 0 while unknown."""
        return int(self.health.get(key, 0))

    def cubes(self) -> list[Any]:
        """Confirmed objects of the newest scene."""
        return [o for o in self.scenes[-1].objects if o.state == o.CONFIRMED] if self.scenes else []

    def newest_ns(self) -> int:
        """Stamp of the newest scene; 0 while there is none."""
        if not self.scenes:
            return 0
        stamp = self.scenes[-1].header.stamp
        return stamp.sec * 10**9 + stamp.nanosec

    def _on_health(self, message: DiagnosticArray) -> None:
        for status in message.status:
            self.health = {item.key: item.value for item in status.values}
            self.healthy = status.message == "ok"
            if status.message != "ok":
                self.problems = status.message

    def _spin(self) -> None:
        while self._spinning:
            self._executor.spin_once(timeout_sec=0.1)


class Robot:
    """Publishes the cube world, one step of the camera at a time."""

    def __init__(
        self,
        rig: Rig,
        *,
        yaw: float = 0.0,
        reliability: ReliabilityPolicy = ReliabilityPolicy.RELIABLE,
        period_s: float = 0.1,
        scale: int = 1,
    ) -> None:
        self.period_ns, self.yaw, self.scale = int(period_s * 1e9), yaw, scale
        qos = QoSProfile(depth=10, reliability=reliability)
        node = rig.node
        self.color = node.create_publisher(Image, "/image", qos)
        self.depth = node.create_publisher(Image, "/depth", qos)
        self.labels = node.create_publisher(Image, "/labels", qos)
        self.info = node.create_publisher(CameraInfo, "/camera_info", qos)
        self.names = node.create_publisher(LabelInfo, "/label_info", LATCHED)
        self.tf = node.create_publisher(TFMessage, "/tf", 100)
        classes = [VisionClass(class_id=i, class_name=n) for i, n in cube_world.NAMES.items()]
        self.names.publish(LabelInfo(class_map=classes))
        self._rig = rig

    def wait(self) -> None:
        """Until the mapper listens to everything, as far as one sees from here."""
        outputs = (self.color, self.depth, self.info, self.labels, self.tf)
        self._rig.until(
            lambda: all(p.get_subscription_count() for p in outputs), 20, "the mapper to subscribe"
        )

    def stamp(self, step: int) -> int:
        return START_NS + step * self.period_ns

    def messages(self, step: int, fill: Callable[..., Any] | None = None) -> dict[str, Any]:
        """What ``step`` publishes, by topic; ``fill(rgb, depth, ids)`` may spoil the images."""
        stamp = self.stamp(step)
        T = cube_world.camera_pose(step)
        rgb, depth, ids = cube_world.render(T, self.yaw, self.scale)
        if fill is not None:
            rgb, depth, ids = fill(rgb, depth, ids)
        moving = TransformStamped(header=header(stamp, "odom"), child_frame_id=CAMERA)
        moving.transform = transform_message(T)
        if depth.dtype != np.float32:
            depth_message = image(depth, "16UC1", stamp)
        else:
            depth_message = image(depth, "32FC1", stamp)
        return {
            "tf": TFMessage(transforms=[moving]),
            "info": self.camera_info(stamp),
            "color": image(rgb, "rgb8", stamp),
            "depth": depth_message,
            "labels": image(ids, "16UC1", stamp),
        }

    def camera_info(self, stamp_ns: int) -> CameraInfo:
        width, height = cube_world.WIDTH * self.scale, cube_world.HEIGHT * self.scale
        focal = cube_world.FOCAL * self.scale
        k = [focal, 0.0, (width - 1) / 2, 0.0, focal, (height - 1) / 2, 0.0, 0.0, 1.0]
        return CameraInfo(header=header(stamp_ns, CAMERA), width=width, height=height, k=k)

    def send(self, messages: dict[str, Any], *topics: str) -> None:
        """Publish ``messages``, or only those named."""
        for name in topics or messages:
            getattr(self, name).publish(messages[name])

    def drive(self, steps: range, pause_s: float = 0.05, **options: Any) -> None:
        """Publish the steps one after another."""
        for step in steps:
            self.send(self.messages(step, **options))
            time.sleep(pause_s)

    def drive_until_heard(self, first: int) -> int:
        """Publish step after step, as a camera does, until a scene has one of them; the last step.

        For a mapper that takes a killed one's place: the dead one still counts as a listener.
        """
        steps = itertools.count(first)
        last = first

        def heard() -> bool:
            nonlocal last
            last = next(steps)
            self.drive(range(last, last + 1))
            return self._rig.newest_ns() >= self.stamp(first)

        self._rig.until(heard, 20, "a frame to be heard")
        return last


def image(pixels: np.ndarray, encoding: str, stamp_ns: int) -> Image:
    """``pixels`` as a message in the camera's frame."""
    height, width = pixels.shape[:2]
    return Image(
        header=header(stamp_ns, CAMERA),
        height=height,
        width=width,
        encoding=encoding,
        step=pixels.nbytes // height,
        data=array.array("B", pixels.tobytes()),
    )
