"""A lifecycle node that starts itself, answers bad requests and ends without noise."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import rclpy
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import ParameterException
from rclpy.executors import Executor, MultiThreadedExecutor, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future
from rclpy.timer import Timer


class ManagedNode(LifecycleNode):
    """Subclasses fill in ``configure``, ``activate``, ``deactivate`` and ``cleanup``.

    A ``ValueError`` from ``configure`` or ``activate`` refuses the transition with its message.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.state = "unconfigured"
        self.ending = threading.Event()  # set when the process is about to end
        self.given_up: list[threading.Thread] = []  # did not end when told to
        self.services_group = MutuallyExclusiveCallbackGroup()
        self._timers_group = MutuallyExclusiveCallbackGroup()
        self._aside = ThreadPoolExecutor(1, thread_name_prefix="services")
        self.declare_parameter(
            "autostart",
            True,
            ParameterDescriptor(
                description="Configure and activate at once, without a lifecycle manager",
                read_only=True,
            ),
        )
        # rclpy lets an impossible transition escape its service callback and end the process
        service = self._service_change_state
        service.callback = self.guarded(service.callback)

    def configure(self) -> None:
        """Check the parameters, make everything that does not need input."""

    def activate(self) -> None:
        """Start to take input."""

    def deactivate(self) -> None:
        """Stop taking input; nothing runs any more when this returns."""

    def cleanup(self) -> None:
        """Undo :meth:`configure`."""

    def guarded(self, callback: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        """A service callback whose exceptions become ``success = False`` and a message."""

        def answer(request: Any, response: Any) -> Any:
            try:
                return callback(request, response)
            except Exception as error:
                self.get_logger().error(f"{type(request).__qualname__}: {error}")
                response.success = False
                if hasattr(response, "message"):
                    response.message = str(error)
                return response

        return answer

    def aside(self, callback: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        """A guarded service callback that runs in a thread of its own, so that it may wait."""
        guarded = self.guarded(callback)

        async def answer(request: Any, response: Any) -> Any:
            done = Future()

            def work() -> None:
                done.set_result(guarded(request, response))
                self.executor.wake()

            self._aside.submit(work)
            return await done

        return answer

    def steady_timer(self, period_s: float, callback: Callable[[], None]) -> Timer:
        """A timer of real time: it also runs while simulated time stands still."""

        def safely() -> None:
            try:
                callback()
            except Exception:
                self.get_logger().error(traceback.format_exc(), throttle_duration_sec=5.0)

        return self.create_timer(
            period_s, safely, self._timers_group, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )

    # -- lifecycle callbacks -----------------------------------------------------------------

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Configure."""
        return self._change(self.configure, "inactive")

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Activate."""
        return self._change(self.activate, "active")

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Deactivate."""
        return self._change(self.deactivate, "inactive")

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Clean up."""
        return self._change(self.cleanup, "unconfigured")

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """After a transition broke off half-way the node can only be shut down: "finalized"."""
        return TransitionCallbackReturn.FAILURE

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Shut down, from any state."""
        return self._change(self.stop, "finalized")

    def stop(self) -> None:
        """From whatever state, let go of everything."""
        if self.state == "active":
            self.deactivate()
        if self.state in ("active", "inactive"):
            self.cleanup()
        self.state = "finalized"

    def destroy_node(self) -> None:
        """End the thread of the services too."""
        self._aside.shutdown()
        super().destroy_node()

    def _change(self, action: Callable[[], None], becomes: str) -> TransitionCallbackReturn:
        try:
            action()
        except ValueError as error:
            self.get_logger().error(f"cannot become {becomes}: {error}")
            return TransitionCallbackReturn.FAILURE
        except Exception:  # rclpy would swallow it
            self.get_logger().error(f"cannot become {becomes}:\n{traceback.format_exc()}")
            return TransitionCallbackReturn.ERROR
        self.state = becomes
        return TransitionCallbackReturn.SUCCESS


class PatientExecutor(MultiThreadedExecutor):
    """Waits at shutdown for callbacks that still run; rclpy's own lets go of them."""

    def shutdown(self, timeout_sec: float | None = None) -> bool:
        """Stop, and return once no callback runs any more."""
        done = super().shutdown(timeout_sec)
        self._executor.shutdown(wait=True, cancel_futures=True)
        return done


def run(make: Callable[[], ManagedNode], threads: int = 1) -> None:
    """Run one node until SIGINT or SIGTERM; exit code 0, or 1 when it could not start.

    One thread suits a node with much traffic: several of rclpy's use up to three times the CPU
    and hold up whatever else runs in the process.

    The signals end the node before the ROS context, so that nothing fails on the way down.
    """
    ending = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ending.set())
    try:
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:  # arguments that cannot be parsed
        sys.exit(f"cannot start: {error}")
    executor = PatientExecutor(threads) if threads > 1 else SingleThreadedExecutor()
    try:
        node = make()
        _live(node, executor, ending)
    except (ValueError, ParameterException) as error:
        sys.exit(f"cannot start: {error}")
    finally:
        rclpy.try_shutdown()
    if any(thread.is_alive() for thread in node.given_up):
        # Python would stop it in the midst of native code, which aborts the process.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _live(node: ManagedNode, executor: Executor, ending: threading.Event) -> None:
    """Start ``node``, serve it until ``ending`` is set, and let go of it in order."""
    node.ending = ending
    executor.add_node(node)
    spinner = threading.Thread(target=_spin, args=(executor, node, ending), name="spinner")
    try:
        if node.get_parameter("autostart").value:
            for trigger in (node.trigger_configure, node.trigger_activate):
                if trigger() != TransitionCallbackReturn.SUCCESS:
                    sys.exit(1)
        spinner.start()
        ending.wait()
    finally:
        ending.set()
        executor.shutdown()
        if spinner.ident is not None:  # it was started
            spinner.join()
        node.stop()
        node.destroy_node()


def _spin(executor: Executor, node: ManagedNode, ending: threading.Event) -> None:
    while not ending.is_set():
        try:
            executor.spin_once(timeout_sec=1.0)
        except Exception:
            if not ending.is_set():
                node.get_logger().error(f"a callback failed:\n{traceback.format_exc()}")
