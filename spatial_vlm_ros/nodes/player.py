"""Plays a bag in real time where ``ros2 bag play`` is not installed."""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
import time
from pathlib import Path
from typing import Any

import rclpy
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args
from rosbags.rosbag2 import Reader
from rosbags.rosbag2.errors import ReaderError
from rosgraph_msgs.msg import Clock

from spatial_vlm_ros.nodes.conversions import time_message

_CLOCK_STEP_NS = 25_000_000
_NAP_S = 0.01
_LATCHED = ("/tf_static", "/label_info", "/robot_description")


def qos_of(connection: Any, best_effort: bool) -> QoSProfile:
    """The QoS a topic was recorded with; where the bag does not say, what its kind usually has."""
    qos = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
    offered = connection.ext.offered_qos_profiles
    latched = connection.topic.endswith(_LATCHED)
    if offered:
        latched = offered[0].durability.name == "TRANSIENT_LOCAL"
        if offered[0].reliability.name == "BEST_EFFORT":
            qos.reliability = ReliabilityPolicy.BEST_EFFORT
    if latched:
        qos.durability = DurabilityPolicy.TRANSIENT_LOCAL
    elif best_effort and connection.msgtype.startswith("sensor_msgs/"):
        qos.reliability = ReliabilityPolicy.BEST_EFFORT
    if connection.topic in ("/tf", "/tf_static"):  # one publisher for what several published
        qos.depth = 100
    return qos


class Player:
    """Publishes the messages of ``bag`` at their recorded times, undecoded."""

    def __init__(self, node: Node, bag: Path, *, best_effort: bool, clock: bool) -> None:
        self._node = node
        self._reader = Reader(bag)
        self._reader.open()
        self._publishers: dict[int, Publisher] = {}
        for connection in self._reader.connections:
            package, _, name = connection.msgtype.split("/")
            try:
                kind = getattr(importlib.import_module(f"{package}.msg"), name)
            except ImportError:
                node.get_logger().warning(
                    f"{connection.topic} is not played: {connection.msgtype} is not installed"
                )
                continue
            self._publishers[connection.id] = node.create_publisher(
                kind, connection.topic, qos_of(connection, best_effort)
            )
        self._clock = node.create_publisher(Clock, "/clock", 10) if clock else None
        self._told_ns = 0

    def wait_for_subscribers(self, timeout_s: float) -> None:
        """Until somebody listens to something beside TF; then a moment for the rest."""
        played = [p for p in self._publishers.values() if not p.topic_name.startswith("/tf")]
        end = time.monotonic() + timeout_s
        while time.monotonic() < end and not any(p.get_subscription_count() for p in played):
            time.sleep(0.05)
        time.sleep(min(2.0, timeout_s))  # listeners must have found this node as well

    def play(self, rate: float) -> float:
        """Publish everything once; returns the seconds it was late at worst."""
        start, first_ns, latest = time.monotonic(), self._reader.start_time, 0.0
        for connection, logged_ns, raw in self._reader.messages():
            due = start + (logged_ns - first_ns) / 1e9 / rate
            while (left := due - time.monotonic()) > 0:
                self._tell_time(logged_ns - round(left * 1e9 * rate))
                time.sleep(min(left, _NAP_S))
                rclpy.spin_once(self._node, timeout_sec=0)  # says whose QoS does not fit
            latest = max(latest, -left)
            self._tell_time(logged_ns)
            if connection.id in self._publishers:
                self._publishers[connection.id].publish(bytes(raw))
        return latest

    def _tell_time(self, bag_ns: int) -> None:
        if self._clock is not None and not 0 <= bag_ns - self._told_ns < _CLOCK_STEP_NS:
            self._clock.publish(Clock(clock=time_message(bag_ns)))
            self._told_ns = bag_ns


def main() -> None:
    """Entry point of the executable ``player``."""
    parser = argparse.ArgumentParser(prog="player", description=__doc__)
    parser.add_argument("bag", type=Path, help="bag folder (MCAP or SQLite)")
    parser.add_argument("--rate", type=float, default=1.0, help="speed, 1 = as recorded")
    parser.add_argument("--loop", type=int, default=1, help="times to play it, 0 = endless")
    parser.add_argument("--clock", action="store_true", help="publish /clock for use_sim_time")
    parser.add_argument(
        "--best-effort", action="store_true", help="sensor topics as a camera would"
    )
    parser.add_argument("--wait", type=float, default=10.0, help="longest wait for subscribers [s]")
    arguments = parser.parse_args(remove_ros_args(sys.argv)[1:])
    if not arguments.rate > 0:
        parser.error(f"--rate {arguments.rate} is not above 0")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    node = Node("player")
    try:
        player = Player(
            node, arguments.bag, best_effort=arguments.best_effort, clock=arguments.clock
        )
        player.wait_for_subscribers(arguments.wait)
        played = 0
        while arguments.loop == 0 or played < arguments.loop:
            late = player.play(arguments.rate)
            played += 1
            node.get_logger().info(f"played {arguments.bag} ({late * 1e3:.0f} ms late at worst)")
        time.sleep(0.5)  # let the last messages out
    except KeyboardInterrupt:
        pass
    except (ReaderError, OSError) as error:
        sys.exit(f"{arguments.bag} cannot be read as a bag: {error}")
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
