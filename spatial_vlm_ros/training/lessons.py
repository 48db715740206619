"""What a model is asked and should say: a row in the words in which that model is asked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase

import numpy as np

from spatial_vlm_ros.data.row import Row
from spatial_vlm_ros.reasoners.numbering import Numbering
from spatial_vlm_ros.reasoners.question_form import Form, FormKind, question_form
from spatial_vlm_ros.reasoning.answer import Answer
from spatial_vlm_ros.reasoning.wording import read
from spatial_vlm_ros.scene.graph import SceneGraph
from spatial_vlm_ros.serving.answer_form import form_regex

#: What Proxy3D says where a phrase means nothing.
NONE = "None"
#: Units of answers that are one number, where the question names no unit.
_UNITS = {
    **dict.fromkeys(("distance", "object_size", "depth", "coordinates"), "m"),
    "room_size": "m2",
}
_NUMBER = re.compile(r"[0-9.]+")
#: Where a question is read without anything to ask it about.
NO_SCENE = SceneGraph((), (), (), (), None, None, 0, 0)
#: An object that no number of the model stands for. Numbers of gaps are of no object.
_GAP = -2


class Unteachable(ValueError):
    """Why a model cannot learn a row: the same words for all of a kind, to count them by."""


@dataclass(frozen=True)
class Lesson:
    """question: as the model reads it, with what tells the form. answer: what it should say.

    form: what an answer is held to when the model is asked.
    """

    question: str
    answer: str
    form: Form


def lesson(row: Row, kind: str, numbering: Numbering) -> Lesson:
    """For a model of a kind, proxy3d or ssr, that knows objects by ``numbering``.

    :class:`Unteachable` where it cannot know what is asked, or cannot say the answer.
    """
    form = form_of(row)
    question = "\n".join(
        part for part in (numbering.to_model(asked(row)), form.instruction) if part
    )
    by_number = kind == "proxy3d" and _by_number(row, form)
    answer = numbering.to_model(_identifiers(row) if by_number else row.answer)
    for text in (question, answer):
        if any("#" in cited.written for cited in numbering.citations(text)):
            raise Unteachable(
                "names objects by number, which images do not show"
                if kind == "ssr"
                else "names an object that has no number for the model"
            )
    return Lesson(question, answer, form)


def asked(row: Row) -> str:
    """The question with its options, as ``reasoning/wording.py`` reads them."""
    return with_options(row.question, lettered(row.options))


def lettered(options: Sequence[str]) -> tuple[str, ...]:
    """Like "A. sofa"."""
    return tuple(f"{ascii_uppercase[n]}. {option}" for n, option in enumerate(options))


def with_options(question: str, options: Sequence[str]) -> str:
    """A question with its lettered options, if it has any, one below the other."""
    return "\n".join([question, *(["Options:", *options] if options else [])])


def form_of(row: Row) -> Form:
    """The form to which the reasoner would hold the answer, where the row's fits it."""
    question = asked(row)
    form = question_form(question, _read(row), NO_SCENE)
    fits = re.fullmatch(form_regex(form), row.answer) if form.kind is not FormKind.FREE else True
    return form if fits else Form()


def drawn(ids: Sequence[int], most: int, random: np.random.Generator) -> Numbering:
    """Objects at numbers drawn from 0 to ``most`` - 1, so that all are learnt in small scenes."""
    known = sorted(ids)[:most]
    slots = np.full(most, _GAP)
    slots[random.permutation(most)[: len(known)]] = known
    return Numbering(tuple(slots.tolist()))


def numbered(numbering: Numbering) -> dict[int, int]:
    """Object to its number."""
    return {item: number for number, item in enumerate(numbering.ids) if item != _GAP}


def _read(row: Row) -> Answer:
    """What the geometric reasoner makes of a question, as far as the form depends on it."""
    text, kind, unit = row.answer, "unknown", ""
    if row.task == "counting" and text.isdecimal():
        kind = "count"
    elif row.task in _UNITS and _NUMBER.fullmatch(text):
        kind, unit = row.task, read(row.question).unit or _UNITS[row.task]
    return Answer(text, answered=kind != "unknown", kind=kind, value=None, unit=unit)


def _by_number(row: Row, form: Form) -> bool:
    """Whether objects are asked for, not boxes or options."""
    return row.task == "grounding" and form.kind is FormKind.FREE


def _identifiers(row: Row) -> str:
    if row.targets:
        return ", ".join(f"#{number}" for number in row.targets)
    if row.answer == "[]":
        return NONE
    raise Unteachable("grounding without numbers of its objects")
