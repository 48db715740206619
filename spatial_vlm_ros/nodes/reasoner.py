"""The reasoner: a latched scene in, answers to questions out, by action or by topic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from geometry_msgs.msg import Polygon
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup, ReentrantCallbackGroup
from std_msgs.msg import String

from spatial_vlm_ros.nodes import interfaces as ros
from spatial_vlm_ros.nodes.conversions import fill_result, polygon_points
from spatial_vlm_ros.nodes.managed import ManagedNode, run
from spatial_vlm_ros.nodes.parameters import Parameters
from spatial_vlm_ros.nodes.scene_inputs import Scene, SceneInputs
from spatial_vlm_ros.reasoners.opening import ReasonersConfig, needs, open_reasoner, release
from spatial_vlm_ros.reasoning.answer import Answer, Cancelled, Listener, Reasoner
from spatial_vlm_ros.ros_image import stamp_ns
from spatial_vlm_ros.scene.graph import SceneGraph
from spatial_vlm_ros.scene.region import within
from spatial_vlm_ros.settings import setting

_MAX_GOALS = 8
_LONGEST_QUESTION = 2000  # characters; a model computes on each of them
_MAX_END_S = 5.0  # how long deactivation waits for questions to be answered


@dataclass(frozen=True)
class ReasonerConfig(ReasonersConfig):
    """Parameters of the reasoner node."""

    scene_wait: float = setting(
        5.0, "How long a question waits for a scene that is new enough [s]", low=0.0, high=600.0
    )


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
        self._inputs = SceneInputs(self)
        self._asked = 0  # guarded by the inputs' condition

    def configure(self) -> None:
        """Open the reasoner and offer the action; goals are refused until active."""
        config = self._settings.config()
        self._reasoner: Reasoner = open_reasoner(config, self.get_logger().error)
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
        self._inputs.subscribe(**needs(self._reasoner.name))

    def deactivate(self) -> None:
        """Forget the scene: it may be another one when active again. What waits is answered so."""
        self._inputs.unsubscribe()
        with self._inputs.arrived:
            self._inputs.arrived.wait_for(
                lambda: not self._asked or self.ending.is_set(), _MAX_END_S
            )

    def cleanup(self) -> None:
        """Withdraw the action, and let go of the model."""
        self._server.destroy()
        self.destroy_subscription(self._questions)
        self.destroy_publisher(self._answers)
        del self._reasoner
        release()

    # -- questions ---------------------------------------------------------------------------

    def _accept(self, request: ros.Ask.Goal) -> GoalResponse:
        with self._inputs.arrived:
            if self._inputs.listening and self._asked < _MAX_GOALS:
                self._asked += 1
                return GoalResponse.ACCEPT
            busy = f"{_MAX_GOALS} are being answered"
            why = busy if self._inputs.listening else "the reasoner is not active"
        self.get_logger().warning(f"question refused: {why}")
        return GoalResponse.REJECT

    def _execute(self, goal: Any) -> ros.Ask.Result:
        result = ros.Ask.Result()
        try:
            result.reasoner = self._reasoner.name
            self._answer(goal, result)
            goal.succeed()
        except Cancelled:
            result.answer = "cancelled"
            if goal.is_cancel_requested:
                goal.canceled()
            elif not self.ending.is_set():
                result.answer = "the reasoner was deactivated before it had answered"
                goal.abort()
        except Exception as error:  # a question must never end the node
            self.get_logger().error(f"{goal.request.question!r}: {type(error).__name__}: {error}")
            result.answer = f"internal error: {error}"
            goal.abort()
        finally:
            self._answered()
        return result

    def _wait_for_scene(self, at_ns: int, gone: Callable[[], bool]) -> tuple[Scene | None, str]:
        """The newest scene once it is at least as new as ``at_ns``, or None and why."""
        patience = float(self.get_parameter("scene_wait").value)
        scene = self._inputs.wait_for_scene(at_ns, patience, gone)
        if scene is not None:
            return scene, ""
        if gone():
            raise Cancelled
        return None, self._inputs.why_no_scene(at_ns, patience)

    def _answer(self, goal: Any, result: ros.Ask.Result) -> None:
        def tell(phase: str, text: str = "") -> None:
            goal.publish_feedback(ros.Ask.Feedback(phase=phase, partial_text=text))

        def gone() -> bool:
            return goal.is_cancel_requested or self.ending.is_set()

        request, at_ns = goal.request, stamp_ns(goal.request.at)
        tell("waiting for a scene")
        scene, why = self._wait_for_scene(at_ns, gone)
        if scene is None:
            result.kind, result.answer = "no scene", why
            return
        tell("reasoning")
        answer, graph = self._ask(
            request.question,
            scene,
            request.region,
            Listener(
                hear=lambda text: tell("reasoning", text),
                gone=lambda: gone() or not self._inputs.listening,
            ),
        )
        if goal.is_cancel_requested:
            raise Cancelled
        tell("reasoning", answer.text)
        fill_result(result, answer, graph, scene.frame)

    def _ask(
        self, question: str, scene: Scene, region: Polygon, listener: Listener
    ) -> tuple[Answer, SceneGraph]:
        """The answer, and the part of the scene it was looked for in."""
        if len(question) > _LONGEST_QUESTION:
            why = f"a question has at most {_LONGEST_QUESTION} characters, not {len(question)}"
            return Answer(why, False, "unknown", reasoner=self._reasoner.name), scene.graph
        corners = polygon_points(region)
        graph = scene.graph if corners is None else within(scene.graph, corners)
        seen = replace(self._inputs.seen(scene), more=corners is not None)
        return self._reasoner.ask(question, graph, seen, listener), graph

    def _on_question(self, message: String) -> None:
        with self._inputs.arrived:
            self._asked += 1  # what it needs must not be cleaned up meanwhile
        try:
            self._answer_on_topic(message)
        finally:
            self._answered()

    def _answered(self) -> None:
        with self._inputs.arrived:
            self._asked -= 1
            self._inputs.arrived.notify_all()

    def _answer_on_topic(self, message: String) -> None:
        try:
            scene, text = self._wait_for_scene(0, self.ending.is_set)
            if scene is not None:
                listener = Listener(gone=lambda: self.ending.is_set() or not self._inputs.listening)
                answer, _ = self._ask(message.data, scene, Polygon(), listener)
                text = " ".join([answer.text, *(f"[{warning}]" for warning in answer.warnings)])
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
