"""A short-lived ROS node for a program that is not a node: asks, listens, leaves."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node


class Participant:
    """Owns its ROS context and node; use it in a ``with`` statement.

    It spins only inside its own methods, on the caller's thread.
    """

    def __init__(self, name: str) -> None:
        self._context = Context()
        rclpy.init(context=self._context)
        self.node = Node(f"{name}_{os.getpid()}", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown()
        self.node.destroy_node()
        self._context.try_shutdown()

    def spin_until(self, done: Callable[[], bool], timeout_s: float) -> bool:
        """Serve ROS until ``done()``; False when ``timeout_s`` went by first."""
        # Not spin_until_future_complete: it adds some 20 ms to each call in Jazzy.
        end = time.monotonic() + timeout_s
        while not done():
            left = end - time.monotonic()
            if left <= 0:
                return False
            self._executor.spin_once(timeout_sec=min(left, 0.1))
        return True

    def spin_for(self, seconds: float) -> None:
        """Serve ROS for a while."""
        self.spin_until(lambda: False, seconds)

    def call(self, kind: Any, service: str, request: Any, timeout_s: float = 10.0) -> Any:
        """A service's response. ``ConnectionError`` when nobody offers it, ``TimeoutError``
        when the response does not come within ``timeout_s``.
        """
        client = self.node.create_client(kind, service)
        try:
            if not self.spin_until(client.service_is_ready, timeout_s):
                raise ConnectionError(f"nobody offers the service {service}; {domain_hint()}")
            return self.result_of(client.call_async(request), timeout_s, service)
        finally:
            self.node.destroy_client(client)

    def result_of(self, future: Any, timeout_s: float, server: str) -> Any:
        """What ``server`` answers. ``TimeoutError`` when it takes longer than ``timeout_s``."""
        if not self.spin_until(future.done, timeout_s):
            raise TimeoutError(f"{server} did not answer within {timeout_s:g} s")
        return future.result()


def domain_hint() -> str:
    """What to check when nobody is found."""
    domain = os.environ.get("ROS_DOMAIN_ID", "0")
    return f"is it running under that name, with ROS_DOMAIN_ID={domain}?"
