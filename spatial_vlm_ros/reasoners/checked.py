"""A model's words as an answer: what they cite is looked up, and geometry asked too."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from spatial_vlm_ros.language.names import scene_names
from spatial_vlm_ros.reasoners.evidence import evidence
from spatial_vlm_ros.reasoners.numbering import Numbering, settled
from spatial_vlm_ros.reasoners.question_form import Form, FormKind, question_form
from spatial_vlm_ros.reasoners.second_opinion import compare
from spatial_vlm_ros.reasoning.answer import AGREES, DISAGREES, Answer, GoalPose, Listener
from spatial_vlm_ros.reasoning.geometric import GeometricReasoner
from spatial_vlm_ros.reasoning.goal import goal_pose
from spatial_vlm_ros.reasoning.scale import Scale
from spatial_vlm_ros.reasoning.units import names_length
from spatial_vlm_ros.reasoning.view import Unclear, View
from spatial_vlm_ros.scene.graph import ObjectState, SceneGraph
from spatial_vlm_ros.serving.generation import Generated

#: A warning.
MADE_UP = "the scene is not metric: nothing that the model was told says how long a metre is"
#: Said to a model that is told of lengths that are no metres.
NO_METRES = "The unit of length of the scene is unknown: compare lengths, but give none in metres."


@dataclass(frozen=True)
class Asked:
    """A question about a scene, the numbers its objects have for the model, and what is known
    before the model answers: geometry's answer, and the form that follows from its reading.
    """

    question: str
    scene: SceneGraph
    numbering: Numbering
    geometric: Answer
    form: Form

    @classmethod
    def of(cls, question: str, scene: SceneGraph, numbering: Numbering) -> Asked:
        """Geometry is asked first; that takes milliseconds."""
        geometric = GeometricReasoner().ask(question, scene)
        form = question_form(question, geometric, scene)
        return cls(question, scene, numbering, geometric, form)

    @property
    def words(self) -> str:
        """The question as the model reads it."""
        scale = "" if self.scene.metric else NO_METRES
        parts = self.numbering.to_model(self.question), self.form.instruction, scale
        return "\n".join(part for part in parts if part)

    def heard_by(self, listener: Listener) -> Listener:
        """One that hears the model's words as people read them."""
        names = scene_names(self.scene)

        def hear(text: str) -> None:
            listener.hear(self.numbering.to_people(settled(text), names))

        return replace(listener, hear=hear)


def checked(name: str, asked: Asked, generated: Generated, *warnings: str) -> Answer:
    """The answer of reasoner ``name``. What does not exist is warned of and never shown."""
    form, scene, geometric = asked.form, asked.scene, asked.geometric
    names = scene_names(scene)
    text = asked.numbering.to_people(generated.text, names)
    found = evidence(generated.text, asked.numbering, scene)
    opinion = compare(text, form, geometric, scene)
    agreed = geometric if opinion.state == AGREES else None
    objects = found.ids or (agreed.objects if agreed else ())
    cut = () if generated.ended else (f"cut off after {len(generated.probabilities)} tokens",)
    gone = [names[i] for i in found.ids if scene[i].state is ObjectState.MISSING]
    missing = [f"{each} is missing: no longer there" for each in gone]
    doubts = (*geometric.warnings, *((opinion.text,) if opinion.state == DISAGREES else ()))
    value = form.value(generated.text) if opinion.value is None else opinion.value
    unit, scale = form.unit or geometric.unit, Scale(scene.scale_spread)
    spread = scale.of(value, unit) if isinstance(value, float) else 0.0
    unknown = not scene.metric and (bool(form.unit) or names_length(text))
    made_up = (MADE_UP,) if unknown else ()
    return Answer(
        text=form.readable(text, spread) or "The model gave no answer.",
        answered=bool(text),
        kind=form.kind.value if geometric.kind == "unknown" else geometric.kind,
        value=value,
        unit=unit,
        objects=objects,
        evidence=tuple(sorted({*objects, *(agreed.evidence if agreed else ())})),
        goal=_goal(asked, objects),
        confidence=_confidence(generated, form),
        boxes=found.boxes,
        reasoner=name,
        warnings=(*warnings, *found.warnings, *missing, *cut, *made_up, *doubts),
        check=opinion.state,
        check_text=opinion.text,
        prompt_tokens=generated.prompt,
        cached_tokens=generated.reused,
        first_token_s=generated.first_token_s,
        spread=spread,
    )


def _confidence(generated: Generated, form: Form) -> float:
    """How probable the answer is among those of its form; of longer ones the mean token."""
    short = form.kind in (FormKind.OPTION, FormKind.COUNT, FormKind.NUMBER)
    probability = generated.probability if short else generated.token_probability
    if math.isnan(probability):
        raise ValueError("the model computes what is no number: choose another dtype for it")
    return probability


def _goal(asked: Asked, objects: tuple[int, ...]) -> GoalPose | None:
    """Where to drive when the question is a command and the model names an object.

    Nobody is sent by lengths of an unknown unit.
    """
    geometric, scene = asked.geometric, asked.scene
    if geometric.kind != "command" or not objects or not scene.metric:
        return None
    if geometric.objects[:1] == objects[:1]:
        return geometric.goal
    view, target = View(scene, scene.present()), scene[objects[0]]
    if scene.floor is None or not scene.floor.seen.any() or target not in view.objects:
        return None
    try:
        return goal_pose(target, view.robot, scene.floor, view.objects, view.carriers(target))
    except Unclear:
        return None
