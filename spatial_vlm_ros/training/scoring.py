"""How right an answer is, 0..1, by the form that was asked for."""

from __future__ import annotations

import re
from collections.abc import Set

import numpy as np
from scipy.optimize import linear_sum_assignment

from spatial_vlm_ros.data.row import Row
from spatial_vlm_ros.language.box_text import KEY, read_boxes
from spatial_vlm_ros.reasoners.numbering import Numbering
from spatial_vlm_ros.reasoners.question_form import FormKind
from spatial_vlm_ros.scene.box import Box, ious
from spatial_vlm_ros.training.lessons import Lesson

#: A number is as right as the share of these relative errors that it does not exceed (VSI-Bench).
_ERRORS = np.arange(10, 0, -1) * 0.05
#: Places and sizes in metres; cells are whole numbers.
_METRES = re.compile(r"\[-?\d+\.\d+(, ?-?\d+\.\d+)*\]")
#: Boxes are the same from this overlap on.
_SAME = 0.25
_ARTICLES = ("a", "an", "the")


def score(row: Row, taught: Lesson, numbering: Numbering, text: str) -> float:
    """Of a model's ``text``, which answers the lesson made of the row."""
    kind = taught.form.kind
    if kind is FormKind.NUMBER:
        return _relative(text, row.answer)
    if _METRES.fullmatch(row.answer):
        return _relative_to_all(text, row.answer)
    if KEY in taught.answer or taught.answer == "[]":
        given = [named.box for named in read_boxes(text).boxes]
        return boxes_f1(given, [named.box for named in read_boxes(taught.answer).boxes])
    if kind is FormKind.FREE and row.task == "grounding":
        cited = {cited.id for cited in numbering.citations(text) if cited.id is not None}
        return _f1(cited, set(row.targets))
    right = [taught.answer, *map(numbering.to_model, row.accepted)]
    return float(_plain(text) in map(_plain, right))


def _relative(text: str, answer: str) -> float:
    try:
        given, right = float(text), float(answer)
    except ValueError:
        return 0.0
    return _rightness(abs(given - right) / right if right else float(given != right))


def _relative_to_all(text: str, answer: str) -> float:
    """Of several numbers: how far they are off together, over how long they are together."""
    if not _METRES.fullmatch(text.strip()):
        return 0.0
    given, right = (np.array(re.findall(r"[-.\d]+", part), float) for part in (text, answer))
    if len(given) != len(right):
        return 0.0
    off, away = (float(np.linalg.norm(each)) for each in (given - right, right))
    return _rightness(off / max(away, 1e-9))


def _rightness(error: float) -> float:
    """Of a relative error."""
    return float((error <= _ERRORS + 1e-9).mean())


def boxes_f1(given: list[Box], right: list[Box]) -> float:
    """F1 of boxes that overlap by 0.25, each standing for one at most; 1 of none and none."""
    if not given or not right:
        return float(not given and not right)
    overlaps = ious(given, right)
    rows, columns = linear_sum_assignment(-overlaps)
    hits = int((overlaps[rows, columns] >= _SAME).sum())
    return 2 * hits / (len(given) + len(right))


def _f1(given: Set[int], right: Set[int]) -> float:
    if not given or not right:
        return float(not given and not right)
    return 2 * len(given & right) / (len(given) + len(right))


def _plain(text: str) -> tuple[str, ...]:
    words = re.findall(r"<obj\d+>|[\w.-]*\w", text.lower())
    return tuple(word for word in words if word not in _ARTICLES)
