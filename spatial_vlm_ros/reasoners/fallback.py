"""A model that answers while it can; geometry, which needs none, while it cannot."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable

from spatial_vlm_ros.reasoning.answer import (
    NOBODY,
    NOTHING_SEEN,
    Answer,
    Cancelled,
    Listener,
    Reasoner,
    Seen,
)
from spatial_vlm_ros.reasoning.geometric import GeometricReasoner
from spatial_vlm_ros.reasoning.scale import NOT_METRIC
from spatial_vlm_ros.scene.graph import SceneGraph
from spatial_vlm_ros.serving.turns import Turns

_log = logging.getLogger(__name__)


class WithFallback:
    """Asks a model one question at a time, and geometry where that fails, which the answer says.

    model: None when it could not be opened, ``problem`` says why. turns: in which questions wait
    for the model. say: told of each problem once, not with every question.
    """

    def __init__(
        self,
        name: str,
        model: Reasoner | None,
        turns: Turns,
        problem: str = "",
        say: Callable[[str], None] = _log.error,
    ) -> None:
        self.name = name
        self._model, self._turns, self._problem, self._say = model, turns, problem, say
        self._said: set[str] = set()
        self._geometric = GeometricReasoner()
        if model is None:
            self._tell(problem)

    def ask(
        self,
        question: str,
        scene: SceneGraph,
        seen: Seen = NOTHING_SEEN,
        listener: Listener = NOBODY,
    ) -> Answer:
        """The model's answer, or geometry's with a warning. :class:`Cancelled`: nobody listens.

        Where the scene is not metric, what geometry refuses for that reason no model is asked: it
        would make up what the scene does not have.
        """
        if not scene.metric:
            refusal = self._geometric.ask(question, scene)
            if refusal.text == NOT_METRIC:
                return refusal
        if self._model is None:
            return self._instead(question, scene, self._problem)
        try:
            with self._turns.turn(listener.gone):
                return self._model.ask(question, scene, seen, listener)
        except Cancelled:
            raise
        except Exception as error:  # out of memory, a model that its own code does not run ...
            return self._instead(question, scene, reason(error))

    def _instead(self, question: str, scene: SceneGraph, problem: str) -> Answer:
        self._tell(problem)
        answer = self._geometric.ask(question, scene)
        warning = f"answered by geometric instead of {self.name}: {problem}"
        return dataclasses.replace(answer, warnings=(warning, *answer.warnings))

    def _tell(self, problem: str) -> None:
        if problem not in self._said:
            self._said.add(problem)
            self._say(f"reasoner {self.name} cannot answer, geometric answers instead: {problem}")


def reason(error: Exception) -> str:
    """What went wrong, in one line; errors that this project does not raise with their kind."""
    text = str(error).strip().split("\n")[0]
    if type(error).__name__ == "OutOfMemoryError":
        return f"not enough memory: take a smaller model, or fewer tokens of the scene ({text})"
    known = isinstance(error, (ValueError, TimeoutError))
    return text if known and text else f"{type(error).__name__}: {text}"
