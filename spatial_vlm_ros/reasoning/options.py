"""Multiple choice: which of the lettered options an answer is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from spatial_vlm_ros.reasoning import units
from spatial_vlm_ros.reasoning.answer import Answer
from spatial_vlm_ros.reasoning.inflection import singular
from spatial_vlm_ros.reasoning.scale import SIGMAS

_ARTICLES = {"the", "a", "an", "to", "my", "your", "it", "is"}
_NUMERAL = r"-?[0-9]*\.?[0-9]+"
_WORD = re.compile(rf"(?<![a-z0-9]){_NUMERAL}(?![a-z0-9])|[a-z0-9]+")


def choose(answer: Answer, options: Mapping[str, str]) -> Answer:
    """``answer`` with the matching option as its value and its letter said first.

    A number takes the nearest number among the options, with half the confidence where its spread
    leaves open which that is. Where no option says what the scene says, the answer is a refusal
    that tells both.
    """
    if not options or not answer.answered or answer.value is None:
        return answer
    numbers = {} if isinstance(answer.value, str) else _numbers(answer.unit, options)
    value = 0.0 if isinstance(answer.value, str) else answer.value
    letter = min(numbers, key=lambda each: abs(numbers[each] - value), default=None)
    letter = letter or _same(str(answer.value), options)
    if letter is None:
        text = f"None of the options fits. {answer.text}"
        return replace(answer, text=text, answered=False, confidence=0.0)
    text = f"{letter}. {options[letter]}: {answer.text}"
    chosen = replace(answer, text=text, value=options[letter], spread=0.0)
    # Halfway to another number is where that one becomes the nearest.
    borders = [(numbers[letter] + n) / 2 for n in numbers.values() if n != numbers[letter]]
    if all(abs(border - value) >= SIGMAS * answer.spread for border in borders):
        return chosen
    warnings = (*answer.warnings, "another option may be right: the scale leaves that open")
    return replace(chosen, confidence=round(answer.confidence / 2, 4), warnings=warnings)


def _numbers(unit: str, options: Mapping[str, str]) -> dict[str, float]:
    """The options that have a number, and these in ``unit``, meant where none is written."""
    found = {letter: units.read_number(text) for letter, text in options.items()}
    known = {letter: parts for letter, parts in found.items() if parts}
    return {letter: units.convert(n, its or unit, unit) for letter, (n, its) in known.items()}


def _same(value: str, options: Mapping[str, str]) -> str | None:
    wanted = _words(value)
    return next((letter for letter, text in options.items() if _words(text) == wanted), None)


def _words(text: str) -> list[str]:
    """In the singular, without articles; "-0.30" is "-0.3"."""
    found = _WORD.findall(text.lower().replace("−", "-"))
    return [
        f"{float(word) + 0.0:.15g}" if re.fullmatch(_NUMERAL, word) else singular(word)
        for word in found
        if word not in _ARTICLES
    ]
