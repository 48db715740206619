"""The geometric reasoner on scenes as a mapper perceives them: what models are compared with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property

import numpy as np

from spatial_vlm_ros.data.row import Row
from spatial_vlm_ros.data.scenes import AnnotatedScene
from spatial_vlm_ros.language.box_text import write_box
from spatial_vlm_ros.memory import SpatialMemory
from spatial_vlm_ros.reasoners.numbering import Numbering
from spatial_vlm_ros.reasoners.question_form import FormKind
from spatial_vlm_ros.reasoning import units
from spatial_vlm_ros.reasoning.answer import Answer
from spatial_vlm_ros.reasoning.geometric import GeometricReasoner
from spatial_vlm_ros.scene.graph import SceneGraph
from spatial_vlm_ros.simulation.palette import COLOURS
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
        number was not found, or cannot be told from others by name and colour.
        """
        question = asked(row)
        for number in {int(found) for found in _NUMBER.findall(question)}:
            name = self._name(number)
            if not name:
                return ""
            question = _written_with(question, number, self._category(number), name)
        answer = GeometricReasoner().ask(question, self.graph)
        return self._written(answer, taught, numbering) if answer.answered else ""

    def _category(self, number: int) -> str:
        return self._scene.annotation[number].category

    def _name(self, number: int) -> str:
        """What only the perceived object is called; "" where nothing is: the reasoner reads no
        numbers.
        """
        if number not in self.ids:
            return ""
        item, others = self.graph[self.ids[number]], self.graph.present()
        alike = [other for other in others if other.label == item.label]
        if len(alike) == 1:
            return f"the {item.label}"
        if sum(other.colour == item.colour for other in alike) == 1 and item.colour:
            return f"the {item.colour} {item.label}"
        return ""

    def _written(self, answer: Answer, taught: Lesson, numbering: Numbering) -> str:
        form, value = taught.form, answer.value
        if form.kind is FormKind.OPTION:
            return next((each for each, text in form.options.items() if text == value), "")
        if form.kind is FormKind.BOXES:
            objects = [self.graph[number] for number in answer.objects]
            return f"[{', '.join(write_box(item.box, item.label) for item in objects)}]"
        if isinstance(value, float | int):
            if form.kind is FormKind.NUMBER and answer.unit:
                value = units.convert(value, answer.unit, form.unit)
            return f"{value:.3g}"
        if value is not None:
            return str(value)
        return self._cited(answer.objects, numbering)

    def _cited(self, objects: tuple[int, ...], numbering: Numbering) -> str:
        """Objects by the model's words."""
        true: Mapping[int, int] = {own: number for number, own in self.ids.items()}
        words = numbering.words()
        known = [words[true[i]] for i in objects if i in true and true[i] in words]
        return ", ".join(known) or NONE


def _written_with(question: str, number: int, category: str, name: str) -> str:
    """The question with another name for an object that it names by number."""
    noun = rf"(?:\b(?:the|a|an) )?(?:\b(?:{'|'.join(COLOURS)}) )?\b{re.escape(category)}"
    written = re.compile(rf"{noun} \(#{number}\)|#{number}\b", re.IGNORECASE)
    return written.sub(name, question)


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
