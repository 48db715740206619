"""What form the answer to a question has: a letter, a number, boxes as JSON, or any words.

The geometric reasoner has read the question; its reading says the form, also where it can give no
answer itself. Only whether boxes are asked for is read here, for that it does not know.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum

from spatial_vlm_ros.reasoning.answer import Answer
from spatial_vlm_ros.reasoning.lexicon import split_words
from spatial_vlm_ros.reasoning.scale import plus_minus
from spatial_vlm_ros.reasoning.units import AREAS, of_length
from spatial_vlm_ros.reasoning.vocabulary import MEASURES
from spatial_vlm_ros.reasoning.wording import Wording, read
from spatial_vlm_ros.scene.graph import SceneGraph

_UNIT_NAMES = {
    "m": "metres",
    "cm": "centimetres",
    "mm": "millimetres",
    "ft": "feet",
    "in": "inches",
    "m2": "square metres",
    "ft2": "square feet",
    "m3": "cubic metres",
}
#: "3D boxes", "bbox_3d", "coordinates": no furniture is called so.
_BOXES = re.compile(r"\bbbox|\b(3d|bounding)[ _-]?box(es)?\b|\bcoordinates\b", re.IGNORECASE)
#: "the box of the sofa": a bounding box where the scene has no boxes.
_BOX_OF = re.compile(r"\bbox(es)? (of|for|around|that holds?)\b", re.IGNORECASE)


class FormKind(Enum):
    """What an answer is made of."""

    FREE = "free"
    OPTION = "option"
    COUNT = "count"
    NUMBER = "number"
    BOXES = "boxes"


@dataclass(frozen=True)
class Form:
    """The form of an answer. ``options``: letter to text; ``unit``: of a number."""

    kind: FormKind = FormKind.FREE
    options: dict[str, str] = field(default_factory=dict)
    unit: str = ""

    @property
    def instruction(self) -> str:
        """What a prompt says about it; "" where nothing need be said."""
        return {
            FormKind.FREE: "",
            FormKind.OPTION: "Answer with the letter of the right option only.",
            FormKind.COUNT: "Answer with one whole number only.",
            FormKind.NUMBER: f"Answer with one number only, in {_UNIT_NAMES.get(self.unit, '')}.",
            FormKind.BOXES: (
                'Answer with JSON only: [{"label": "...", "bbox_3d": [x, y, z, l, w, h, yaw]}, '
                "...], centre and size in metres, yaw in radians, [] if there is none."
            ),
        }[self.kind]

    def readable(self, text: str, spread: float = 0.0) -> str:
        """An answer in this form as people read it: "B. lamp", "2.1 m", "2.1 m ± 0.2"."""
        text = text.strip()
        if self.kind is FormKind.OPTION and text in self.options:
            return f"{text}. {self.options[text]}"
        if self.kind is FormKind.NUMBER and self.value(text) is not None:
            return f"{text} {self.unit}{plus_minus(spread)}"
        return text

    def value(self, text: str) -> float | str | None:
        """An answer in this form as a bare value: a number in ``unit``, the option's text.

        None where it is not in the form, or the form has no value.
        """
        text = text.strip()
        if self.kind is FormKind.OPTION:
            return self.options.get(text)
        if self.kind in (FormKind.COUNT, FormKind.NUMBER):
            return float(text) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) else None
        return None


def question_form(question: str, geometric: Answer, scene: SceneGraph) -> Form:
    """The form in which to answer ``question``. ``geometric``: the geometric reasoner's answer."""
    wording = read(question)
    if wording.options:
        return Form(FormKind.OPTION, wording.options)
    if _counted(geometric, wording):
        return Form(FormKind.COUNT)
    if unit := _measured_in(geometric, wording):
        return Form(FormKind.NUMBER, unit=unit)
    labels = {word for item in scene.objects for word in split_words(item.label)}
    if _BOXES.search(question) or ("box" not in labels and _BOX_OF.search(question)):
        return Form(FormKind.BOXES)
    return Form()


def _counted(geometric: Answer, wording: Wording) -> bool:
    """Whether it is asked how many. Whether there are more of these than of those is not."""
    if geometric.answered:
        return geometric.kind == "count" and not isinstance(geometric.value, str)
    if geometric.kind == "count":
        return wording.words[0] not in ("is", "are")
    return geometric.kind == "unknown" and wording.words[:2] == ("how", "many")


def _measured_in(geometric: Answer, wording: Wording) -> str:
    """The unit of the number that is asked for; "" where none is."""
    if geometric.answered:
        return geometric.unit
    if geometric.kind == "room_size":
        return wording.unit if wording.unit in AREAS else "m2"
    if geometric.kind == "size" and "volume" in {MEASURES.get(word) for word in wording.words}:
        return "m3"
    if geometric.kind in ("distance", "size"):
        return of_length(wording.unit)
    return ""
