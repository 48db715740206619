"""The geometric reasoner on scenes as a mapper perceives them: what models are compared with."""

from __future__ import annotations

import re
from functools import cached_property

import numpy as np

from spatial_vlm_ros.data.row import Row
from spatial_vlm_ros.data.scenes import AnnotatedScene
from spatial_vlm_ros.language.box_text import KEY, NamedBox, write_boxes
from spatial_vlm_ros.memory import SpatialMemory
from spatial_vlm_ros.reasoners.numbering import Numbering
from spatial_vlm_ros.reasoners.question_form import FormKind
from spatial_vlm_ros.reasoning import units
from spatial_vlm_ros.reasoning.answer import Answer
from spatial_vlm_ros.reasoning.geometric import GeometricReasoner
from spatial_vlm_ros.reasoning.wording import read
from spatial_vlm_ros.scene.graph import SceneGraph
from spatial_vlm_ros.training.lessons import NONE, Lesson, asked
from spatial_vlm_ros.training.precompute import Scene

_NEAR = 0.5  # metres from where an object is to where it was perceived
_NUMBER = re.compile(r"#([0-9]+)")


class Perceived:
    """One scene, mapped from its images, whose objects are known by their true numbers too."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    @cached_property
    def graph(self) -> SceneGraph:
        """What the mapper makes of the images."""
        memory = SpatialMemory()
        for frame in self._scene.frames:
            memory.observe(frame)
        return memory.graph()

    @cached_property
    def ids(self) -> dict[int, int]:
        """True number to the id that the mapper gave to the nearest object of that name."""
        return matched(self._scene.annotation, self.graph)

    def answer(self, row: Row, taught: Lesson, numbering: Numbering) -> str:
        """In the form of the lesson; "" where the reasoner refuses, or an object that is named by
        number was not found.
        """
        question = asked(row)
        if not {int(number) for number in _NUMBER.findall(question)} <= set(self.ids):
            return ""
        question = _NUMBER.sub(lambda found: f"#{self.ids[int(found[1])]}", question)
        answer = GeometricReasoner().ask(question, self.graph)
        if not answer.answered:
            return ""
        if taught.form.kind is FormKind.OPTION:
            options = read(question).options
            return next((each for each, text in options.items() if text == answer.value), "")
        return self._written(answer, row, taught, numbering)

    def _written(self, answer: Answer, row: Row, taught: Lesson, numbering: Numbering) -> str:
        form, value = taught.form, answer.value
        if KEY in taught.answer or taught.answer == "[]":
            objects = [self.graph[number] for number in answer.objects]
            return write_boxes([NamedBox(item.box, item.label) for item in objects])
        if isinstance(value, float | int):
            if form.kind is FormKind.NUMBER and answer.unit:
                value = units.convert(value, answer.unit, form.unit)
            return f"{value:.3g}"
        if value is None or row.task == "grounding" or (row.targets and answer.objects):
            return self._cited(answer.objects, numbering)
        true = {own: number for number, own in self.ids.items()}
        text = _NUMBER.sub(lambda found: f"#{true.get(int(found[1]), found[1])}", str(value))
        return numbering.to_model(text)

    def _cited(self, objects: tuple[int, ...], numbering: Numbering) -> str:
        """Objects by the model's words, in the order of their numbers."""
        words = numbering.words()
        known = sorted(number for number, own in self.ids.items() if own in objects)
        return ", ".join(words[number] for number in known if number in words) or NONE


def matched(annotation: AnnotatedScene, graph: SceneGraph) -> dict[int, int]:
    """Annotated number to the id of the nearest object of that name; each id once."""
    pairs = [
        (float(np.linalg.norm(np.subtract(item.box.center, other.box.center))), item.id, other.id)
        for item in annotation.objects
        for other in graph.present()
        if other.label == item.category
    ]
    found: dict[int, int] = {}
    for apart, number, own in sorted(pairs):
        if apart < _NEAR and number not in found and own not in found.values():
            found[number] = own
    return found
