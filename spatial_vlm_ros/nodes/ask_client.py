"""Asks a running reasoner through its action."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.action import ActionClient

from spatial_vlm_ros.nodes.interfaces import Ask
from spatial_vlm_ros.nodes.participant import Participant, domain_hint

_CANCEL_S = 2.0  # how long a reasoner has to hear that the answer is not wanted any more


class AskClient(Participant):
    """One caller's questions to the reasoner of that full name."""

    def __init__(self, reasoner: str = "/reasoner") -> None:
        super().__init__("ask_client")
        self._action = f"{reasoner.rstrip('/')}/ask"
        self._client = ActionClient(self.node, Ask, self._action)

    def __exit__(self, *_: object) -> None:
        self._client.destroy()
        super().__exit__()

    def wait_for_reasoner(self, timeout_s: float) -> None:
        """``ConnectionError`` when no reasoner offers the action within ``timeout_s``."""
        if not self.spin_until(self._client.server_is_ready, timeout_s):
            raise ConnectionError(f"nobody offers the action {self._action}; {domain_hint()}")

    def ask(
        self,
        question: str,
        timeout_s: float = 30.0,
        on_feedback: Callable[[Ask.Feedback], None] | None = None,
    ) -> Ask.Result:
        """The action's result. ``TimeoutError`` when it takes longer than ``timeout_s``.

        The question is cancelled when nobody waits for its answer any more: after that time, and
        when the user interrupts the program.
        """
        self.wait_for_reasoner(min(timeout_s, 10.0))
        forward = (lambda message: on_feedback(message.feedback)) if on_feedback else None
        sent = self._client.send_goal_async(Ask.Goal(question=question), forward)
        handle = self.result_of(sent, timeout_s, self._action)
        if not handle.accepted:
            raise ConnectionError(f"{self._action} refused the question {question!r}")
        try:
            return self.result_of(handle.get_result_async(), timeout_s, self._action).result
        except BaseException:
            self.spin_until(handle.cancel_goal_async().done, _CANCEL_S)
            raise
