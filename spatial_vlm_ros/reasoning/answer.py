"""A question's answer with everything it rests on, and what a reasoner is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from spatial_vlm_ros.language.box_text import NamedBox
from spatial_vlm_ros.scene.graph import SceneGraph

if TYPE_CHECKING:  # both need torch or OpenCV, which a reasoner without a model does not
    from spatial_vlm_ros.keyframes import Keyframe
    from spatial_vlm_ros.proxies.scene_proxies import Reading

#: What the geometric reasoner says to another one's answer.
AGREES, DISAGREES, UNCHECKED = "agrees", "disagrees", "unchecked"


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
    ``boxes`` are of things that are none of the scene's objects. ``reasoner`` says who answered,
    ``warnings`` what to know about the answer. ``check`` is what geometry says to a model's answer
    (AGREES, DISAGREES or UNCHECKED), ``check_text`` its own answer then. ``prompt_tokens`` is what
    a model was asked with, ``cached_tokens`` of these were known from the question before.
    ``spread`` is 1 sigma of a ``value`` that was measured, in ``unit``, as far as the scale of the
    scene is to blame.
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
    boxes: tuple[NamedBox, ...] = ()
    reasoner: str = "geometric"
    warnings: tuple[str, ...] = ()
    check: str = UNCHECKED
    check_text: str = ""
    prompt_tokens: int = 0
    cached_tokens: int = 0
    first_token_s: float = 0.0
    spread: float = 0.0


@dataclass(frozen=True)
class Seen:
    """What a mapper told of a scene beside its graph: proxies, and images in the order of time.

    more: whether that is of more than the graph, which is then of a region only.
    """

    proxies: Reading | None = None
    keyframes: tuple[Keyframe, ...] = ()
    more: bool = False


#: To a reasoner that has the graph only.
NOTHING_SEEN = Seen()


class Cancelled(Exception):
    """Who asked does not want the answer any more."""


@dataclass(frozen=True)
class Listener:
    """Who asked. ``hear`` gets the answer as far as it goes, ``gone`` says whether to stop."""

    hear: Callable[[str], None] = lambda text: None
    gone: Callable[[], bool] = lambda: False


#: Waits for the end.
NOBODY = Listener()


class Reasoner(Protocol):
    """Answers questions in plain language about a scene."""

    name: str

    def ask(
        self,
        question: str,
        scene: SceneGraph,
        seen: Seen = NOTHING_SEEN,
        listener: Listener = NOBODY,
    ) -> Answer:
        """Answer from what is given alone; never raises for what a user may type.

        :class:`Cancelled` when the listener is gone. ``ValueError`` says what a model lacks to
        answer at all, for example proxies.
        """
        ...
