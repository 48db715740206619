"""Short answers compared as words: exact match, and refined (EM, EM-R) of ScanQA and SQA3D.

``clean`` is what LEO, Chat-Scene, Video-3D-LLM and SQA3D's own script do to answers, in the same
order: typing errors of the data sets' answers, numbers as words, no articles.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

_SMALL = (
    *("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"),
    *("twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
    "twenty",
)
_WORDS = {
    "letf": "left",
    "let": "left",
    "tehre": "there",
    "rigth": "right",
    "brght": "right",
    "behine": "behind",
    "tv": "TV",
    "chai": "chair",
    "wasing": "washing",
    "waslked": "walked",
    "oclock": "o'clock",
    "o'[ ]+clock": "o'clock",
    "0": "zero",
    "none": "zero",
    **{str(number): word for number, word in enumerate(_SMALL, 1)},
    "23": "twenty-three",
}
_SUBSTITUTIONS = [
    (re.compile(pattern), by)
    for pattern, by in (
        (r"[ ]+$", ""),
        (r"^[ ]+", ""),
        (r" {2,}", " "),
        (r"[^a-zA-Z0-9,'\s\-:]+", ""),
        *((rf"\b{pattern}\b", word) for pattern, word in _WORDS.items()),
        (r"\b([a-zA-Z]+)([0-9])\b", r"\1"),
        *((rf"\b{article}\b ([a-zA-Z]+)", r"\1") for article in ("a", "an", "the")),
        (r"\bbackwards\b", "backward"),
    )
]


def clean(text: str) -> str:
    """An answer as the four evaluators above compare it."""
    text = text.lower()
    for pattern, by in _SUBSTITUTIONS:
        text = pattern.sub(by, text)
    return text


class Match(NamedTuple):
    """Exact match, and refined, which takes a part of either for the other."""

    exact: bool
    refined: bool


#: Of a text and the answers that count.
Matching = Callable[[str, Sequence[str]], Match]


def strict(text: str, answers: Sequence[str]) -> Match:
    """Exact: one of the answers letter by letter (ScanQA's scripts/score.py). Refined: the rule of
    ``chatscene`` with answers cleaned too.
    """
    refined = _contained(clean(_unfinished(text)), [clean(answer) for answer in answers])
    return Match(text in answers, refined.refined)


def chatscene(text: str, answers: Sequence[str], raw: bool) -> Match:
    """Chat-Scene's ``utils/helper.py``. raw: answers are compared as they are, as it does with
    ScanQA's, of which it overwrites what it has cleaned.
    """
    return _contained(clean(_unfinished(text)), answers if raw else list(map(clean, answers)))


def leo(text: str, answers: Sequence[str]) -> Match:
    """LEO's ``evaluator/scanqa_eval.py``: the first answer that has anything to do with the text
    decides; no text at all is a part of any answer.
    """
    said = clean(text)
    for answer in map(clean, answers):
        if said == answer:
            return Match(True, True)
        if _within(said, answer):
            return Match(False, True)
    return Match(False, False)


def _unfinished(text: str) -> str:
    """Without a full stop at its end and a capital at its beginning."""
    if len(text) > 1:
        text = text.removesuffix(".")
        text = text[:1].lower() + text[1:]
    return text


def _contained(said: str, answers: Sequence[str]) -> Match:
    if not said:
        return Match(False, False)
    exact = said in answers
    return Match(exact, exact or any(_within(said, answer) for answer in answers))


def _within(first: str, second: str) -> bool:
    """Whether either is in the other, whatever the spaces."""
    first, second = ("".join(text.split()) for text in (first, second))
    return first in second or second in first
