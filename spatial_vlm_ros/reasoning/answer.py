"""A question's answer with everything it rests on, and what a reasoner is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from spatial_vlm_ros.scene.graph import SceneGraph


@dataclass(frozen=True)
class GoalPose:
    """Where a mobile base should stand: scene coordinates, metres, radians, on the floor."""

    x: float
    y: float
    z: float
    yaw: float


@dataclass(frozen=True)
class Answer:
    """What a reasoner says.

    ``answered`` is False when the question was not understood, names something unknown or is
    ambiguous; ``text`` then says why. ``value`` is the bare answer (a number in ``unit``, a word
    such as "front-left", or None). ``objects`` are the ids asked for, ``evidence`` all ids the
    answer rests on, ``candidates`` the ids an ambiguous phrase could mean. ``confidence`` is 0..1.
    """

    text: str
    answered: bool
    kind: str
    value: float | str | None = None
    unit: str = ""
    objects: tuple[int, ...] = ()
    evidence: tuple[int, ...] = ()
    candidates: tuple[int, ...] = ()
    goal: GoalPose | None = None
    confidence: float = 0.0


class Reasoner(Protocol):
    """Answers questions in plain language about a scene."""

    name: str

    def ask(self, question: str, scene: SceneGraph) -> Answer:
        """Answer from ``scene`` alone; never raises for what a user may type."""
        ...
