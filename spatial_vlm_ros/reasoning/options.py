"""Multiple choice: which of the lettered options an answer is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from spatial_vlm_ros.reasoning.answer import Answer
from spatial_vlm_ros.reasoning.vocabulary import singular

_ARTICLES = {"the", "a", "an", "to", "my", "your", "it", "is"}


def choose(answer: Answer, options: Mapping[str, str]) -> Answer:
    """``answer`` with the matching option as its value and its letter said first.

    A number takes the nearest number among the options. Where no option says what the scene says,
    the answer is a refusal that tells both.
    """
    if not options or not answer.answered or answer.value is None:
        return answer
    letter = _nearest(answer.value, options) or _same(str(answer.value), options)
    if letter is None:
        text = f"None of the options fits. {answer.text}"
        return replace(answer, text=text, answered=False, confidence=0.0)
    text = f"{letter}. {options[letter]}: {answer.text}"
    return replace(answer, text=text, value=options[letter])


def _nearest(value: float | str, options: Mapping[str, str]) -> str | None:
    if isinstance(value, str):
        return None
    numbers = {}
    for letter, text in options.items():
        found = re.search(r"-?\d+(?:\.\d+)?", text)
        if found:
            numbers[letter] = abs(float(found[0]) - value)
    return min(numbers, key=numbers.__getitem__) if numbers else None


def _same(value: str, options: Mapping[str, str]) -> str | None:
    wanted = _words(value)
    return next((letter for letter, text in options.items() if _words(text) == wanted), None)


def _words(text: str) -> list[str]:
    found = re.findall(r"[a-z0-9]+", text.lower())
    return [singular(word) for word in found if word not in _ARTICLES]
