"""The number that a model's text gives, as each published scorer reads it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from itertools import dropwhile, takewhile

_DIGITS = re.compile(r"-?\d+(?:\.\d+)?")
_SMALL = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    "nineteen",
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_WORDS = {word: value for value, word in enumerate(_SMALL)} | {
    word: 10 * value for value, word in enumerate(_TENS, 2)
}
_WORDS |= {"hundred": 100, "thousand": 1000}


def first_word(text: str) -> str:
    """Up to the first space, without dots at its end and then without white space.

    thinking-in-space, ``lmms_eval/tasks/vsibench/utils.py``; it takes no space at the beginning.
    """
    return text.split(" ")[0].rstrip(".").strip()


def vsi_2025(text: str) -> float | None:
    """The first word as a number: VSI-Bench as it was published (thinking-in-space, VLM-3R)."""
    try:
        number = float(first_word(text))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def lmms_2026(text: str) -> float | None:
    """The first number in digits or English words: lmms-eval's VSI-Bench since July 2026."""
    lowered = text.strip().lower()
    digits = _DIGITS.search(lowered)
    tokens = list(re.finditer(r"[a-z]+", lowered))
    words = list(dropwhile(lambda token: token[0] not in _WORDS, tokens))
    if words and (digits is None or words[0].start() < digits.start()):
        return float(_in_words(token[0] for token in words))
    return float(digits[0]) if digits else None


def _in_words(words: Iterable[str]) -> int:
    """The number with which they begin: "one hundred and five" is 105."""
    total = current = 0
    for word in takewhile(lambda word: word == "and" or word in _WORDS, words):
        if word == "hundred":
            current = 100 * max(current, 1)
        elif word == "thousand":
            total, current = total + 1000 * max(current, 1), 0
        else:
            current += _WORDS.get(word, 0)
    return total + current
