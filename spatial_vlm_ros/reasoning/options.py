"""Multiple choice: which of the lettered options an answer is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from spatial_vlm_ros.reasoning import units
from spatial_vlm_ros.reasoning.answer import Answer
from spatial_vlm_ros.reasoning.inflection import singular

_ARTICLES = {"the", "a", "an", "to", "my", "your", "it", "is"}


def choose(answer: Answer, options: Mapping[str, str]) -> Answer:
    """``answer`` with the matching option as its value and its letter said first.

    A number takes the nearest number among the options. Where no option says what the scene says,
    the answer is a refusal that tells both.
    """
    if not options or not answer.answered or answer.value is None:
        return answer
    letter = _nearest(answer, options) or _same(str(answer.value), options)
    if letter is None:
        text = f"None of the options fits. {answer.text}"
        return replace(answer, text=text, answered=False, confidence=0.0)
    text = f"{letter}. {options[letter]}: {answer.text}"
    return replace(answer, text=text, value=options[letter])


def _nearest(answer: Answer, options: Mapping[str, str]) -> str | None:
    """The option whose number, in the unit written with it or else the answer's, is nearest."""
    if isinstance(answer.value, str) or answer.value is None:
        return None
    off = {}
    for letter, text in options.items():
        found = units.read_number(text)
        if found:
            value, unit = found
            off[letter] = abs(units.convert(value, unit or answer.unit, answer.unit) - answer.value)
    return min(off, key=off.__getitem__) if off else None


def _same(value: str, options: Mapping[str, str]) -> str | None:
    wanted = _words(value)
    return next((letter for letter, text in options.items() if _words(text) == wanted), None)


def _words(text: str) -> list[str]:
    found = re.findall(r"[a-z0-9]+", text.lower())
    return [singular(word) for word in found if word not in _ARTICLES]
