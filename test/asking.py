"""Who asks a reasoner that is a process of its own."""

from __future__ import annotations

import time

from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient
from ros_rig import Rig

from spatial_vlm_msgs.action import Ask


class Client:
    """Asks the reasoner of that name by its action, and hears its feedback."""

    def __init__(self, rig: Rig, reasoner: str = "reasoner") -> None:
        self._rig = rig
        self.action = ActionClient(rig.node, Ask, f"/{reasoner}/ask")
        rig.until(self.action.server_is_ready, 20, f"the action of {reasoner}")
        time.sleep(1.0)  # the server must have found this client too, or its replies get lost
        self.heard: list[Ask.Feedback] = []

    def send(self, question: str, **goal):
        future = self._rig.spun(
            lambda: self.action.send_goal_async(
                Ask.Goal(question=question, **goal),
                lambda message: self.heard.append(message.feedback),
            )
        )
        self._rig.until(future.done, 20, "the goal to be judged")
        return future.result()

    @property
    def phases(self) -> list[str]:
        """Of all feedback so far."""
        return [feedback.phase for feedback in self.heard]

    def result(self, handle, timeout_s: float = 15.0):
        future = self._rig.spun(handle.get_result_async)
        self._rig.until(future.done, timeout_s, "the result")
        return future.result()

    def cancel(self, handle) -> None:
        """Take a question back."""
        future = self._rig.spun(handle.cancel_goal_async)
        self._rig.until(future.done, 20, "the goal to be cancelled")

    def ask(self, question: str, **goal) -> Ask.Result:
        handle = self.send(question, **goal)
        assert handle.accepted
        got = self.result(handle)
        assert got.status == GoalStatus.STATUS_SUCCEEDED
        return got.result
