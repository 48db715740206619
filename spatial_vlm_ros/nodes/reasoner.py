"""The reasoner: a latched scene graph in, answers to questions out, by action or by topic."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup, ReentrantCallbackGroup
from std_msgs.msg import String

from spatial_vlm_ros.nodes import interfaces as ros
from spatial_vlm_ros.nodes import qos
from spatial_vlm_ros.nodes.conversions import fill_result, graph_from, polygon_points
from spatial_vlm_ros.nodes.managed import ManagedNode, run
from spatial_vlm_ros.nodes.parameters import Parameters
from spatial_vlm_ros.reasoning.answer import Answer, Reasoner
from spatial_vlm_ros.reasoning.geometric import GeometricReasoner
from spatial_vlm_ros.ros_image import stamp_ns
from spatial_vlm_ros.scene.graph import SceneGraph
from spatial_vlm_ros.scene.region import within
from spatial_vlm_ros.settings import setting

REASONERS = {"geometric": GeometricReasoner}
_MAX_GOALS = 8
_POLL_S = 0.05  # how soon a waiting goal notices that it was cancelled
_MAX_END_S = 5.0  # how long deactivation waits for questions to be answered


@dataclass(frozen=True)
class ReasonerConfig:
    """Parameters of the reasoner node."""

    reasoner: str = setting("geometric", "Who answers", choices=tuple(REASONERS), read_only=True)
    scene_wait: float = setting(
        5.0, "How long a question waits for a scene that is new enough [s]", low=0.0, high=600.0
    )


@dataclass(frozen=True)
class Scene:
    """A received scene and the frame it is in."""

    graph: SceneGraph
    frame: str


class Cancelled(Exception):
    """The client took its question back, or the node is ending."""


class ReasonerNode(ManagedNode):
    """Lifecycle node ``reasoner``: action ``~/ask``, topics ``~/question`` and ``~/answer``."""

    def __init__(self) -> None:
        super().__init__("reasoner")
        self._settings = Parameters(
            self,
            ReasonerConfig,
            locked=lambda: self.state != "unconfigured",
            live=("scene_wait",),
        )
        self._arrived = threading.Condition()  # guards the four below
        self._message: ros.SceneGraph | None = None
        self._scene: Scene | None = None
        self._listening = False
        self._asked = 0

    def configure(self) -> None:
        """Make the reasoner and offer the action; goals are refused until active."""
        self._reasoner: Reasoner = REASONERS[self._settings.config().reasoner]()
        self._server = ActionServer(
            self,
            ros.Ask,
            "~/ask",
            execute_callback=self._execute,
            goal_callback=self._accept,
            cancel_callback=lambda goal: CancelResponse.ACCEPT,
            callback_group=ReentrantCallbackGroup(),
        )
        self._answers = self.create_publisher(String, "~/answer", 10)
        self._questions = self.create_subscription(
            String,
            "~/question",
            self._on_question,
            10,  # one at a time: were they all to wait, no thread would be left to take a scene
            callback_group=MutuallyExclusiveCallbackGroup(),
        )

    def activate(self) -> None:
        """Listen to the mapper."""
        self._scenes = qos.subscription(
            self, ros.SceneGraph, "scene_graph", self._on_scene, qos.latched()
        )
        self._listening = True

    def deactivate(self) -> None:
        """Forget the scene: it may be another one when active again. What waits is answered so."""
        self.destroy_subscription(self._scenes)
        with self._arrived:
            self._listening, self._message, self._scene = False, None, None
            self._arrived.notify_all()
            self._arrived.wait_for(lambda: not self._asked or self.ending.is_set(), _MAX_END_S)

    def cleanup(self) -> None:
        """Withdraw the action."""
        self._server.destroy()
        self.destroy_subscription(self._questions)
        self.destroy_publisher(self._answers)

    # -- scenes ------------------------------------------------------------------------------

    def _on_scene(self, message: ros.SceneGraph) -> None:
        with self._arrived:
            self._message, self._scene = message, None
            self._arrived.notify_all()

    def _newest(self) -> Scene | None:
        """The newest scene, converted once however often it is asked for."""
        with self._arrived:
            if self._scene is None and self._message is not None:
                self._scene = Scene(graph_from(self._message), self._message.header.frame_id)
            return self._scene

    def _wait_for_scene(self, at_ns: int, cancelled: Any) -> Scene | None:
        """The newest scene once it is at least as new as ``at_ns``; None when the wait ends."""
        deadline = time.monotonic() + float(self.get_parameter("scene_wait").value)
        while True:
            if cancelled() or self.ending.is_set():
                raise Cancelled
            scene = self._newest()
            if scene is not None and scene.graph.stamp_ns >= at_ns:
                return scene
            left = deadline - time.monotonic()
            if left <= 0 or not self._listening:
                return None
            with self._arrived:
                self._arrived.wait(min(left, _POLL_S))

    def _why_no_scene(self, at_ns: int) -> str:
        wait, topic = self.get_parameter("scene_wait").value, self.resolve_topic_name("scene_graph")
        if not self._listening:
            return "the reasoner is not active: activate it first"
        scene = self._newest()
        if scene is None:
            return f"no scene received from topic {topic} within {wait:g} s: is the mapper active?"
        late = (at_ns - scene.graph.stamp_ns) / 1e9
        return (
            f"the newest scene from topic {topic} is {late:.3f} s older than asked for, after "
            f"waiting {wait:g} s: does the mapper get images?"
        )

    # -- questions ---------------------------------------------------------------------------

    def _accept(self, request: ros.Ask.Goal) -> GoalResponse:
        with self._arrived:
            if self._listening and self._asked < _MAX_GOALS:
                self._asked += 1
                return GoalResponse.ACCEPT
            busy = f"{_MAX_GOALS} are being answered"
            why = busy if self._listening else "the reasoner is not active"
        self.get_logger().warning(f"question refused: {why}")
        return GoalResponse.REJECT

    def _execute(self, goal: Any) -> ros.Ask.Result:
        result = ros.Ask.Result(reasoner=self._reasoner.name)
        try:
            self._answer(goal, result)
            goal.succeed()
        except Cancelled:
            result.answer = "cancelled"
            if goal.is_cancel_requested:  # else the node is ending
                goal.canceled()
        except Exception as error:  # a question must never end the node
            self.get_logger().error(f"{goal.request.question!r}: {type(error).__name__}: {error}")
            result.answer = f"internal error: {error}"
            goal.abort()
        finally:
            with self._arrived:
                self._asked -= 1
                self._arrived.notify_all()
        return result

    def _answer(self, goal: Any, result: ros.Ask.Result) -> None:
        request, at_ns = goal.request, stamp_ns(goal.request.at)
        goal.publish_feedback(ros.Ask.Feedback(phase="waiting for a scene"))
        scene = self._wait_for_scene(at_ns, lambda: goal.is_cancel_requested)
        if scene is None:
            result.kind, result.answer = "no scene", self._why_no_scene(at_ns)
            return
        goal.publish_feedback(ros.Ask.Feedback(phase="reasoning"))
        answer, graph = self._ask(request.question, scene.graph, polygon_points(request.region))
        if goal.is_cancel_requested:
            raise Cancelled
        goal.publish_feedback(ros.Ask.Feedback(phase="reasoning", partial_text=answer.text))
        fill_result(result, answer, graph, scene.frame)

    def _ask(self, question: str, graph: SceneGraph, corners: Any) -> tuple[Answer, SceneGraph]:
        if corners is not None:
            graph = within(graph, corners)
        return self._reasoner.ask(question, graph), graph

    def _on_question(self, message: String) -> None:
        try:
            scene = self._wait_for_scene(0, lambda: False)
            if scene is None:
                text = self._why_no_scene(0)
            else:
                text = self._ask(message.data, scene.graph, None)[0].text
        except Cancelled:
            return
        except Exception as error:  # nothing may escape a callback
            self.get_logger().error(f"{message.data!r}: {type(error).__name__}: {error}")
            text = f"internal error: {error}"
        if self.state != "unconfigured":  # it may have been cleaned up meanwhile
            self._answers.publish(String(data=text))


def main() -> None:
    """Entry point of the executable ``reasoner``."""
    run(ReasonerNode, threads=_MAX_GOALS + 4)  # goals may wait without blocking what they wait for


if __name__ == "__main__":
    main()
