"""The option that a model's text chooses, as each published scorer reads it; None: none."""

from __future__ import annotations

import re
from collections.abc import Mapping

from spatial_vlm_ros.benchmarks.numbers_said import first_word

_LETTERS = "ABCDE"


def vsi(text: str) -> str | None:
    """The first word, if it is a letter (VSI-Bench, VSTI-Bench: ``first_word``)."""
    word = first_word(text).upper()
    return word if re.fullmatch("[A-Z]", word) else None


def view_spatial(text: str) -> str | None:
    """The first of A to D that stands alone in the last line, of any case, so that the article "a"
    counts (ViewSpatial-Bench's evaluate.py, lmms-eval).
    """
    found = re.search(r"\b[A-D]\b", text.split("\n")[-1], re.IGNORECASE)
    return found[0].upper() if found else None


def view_spatial_strict(text: str) -> str | None:
    """The same of capitals only, in the last line that is not empty."""
    found = re.search(r"\b[A-D]\b", text.strip().split("\n")[-1])
    return found[0] if found else None


#: In the order in which they are tried, behind a letter with a full stop. What MindCube's code
#: tries beside these needs such a letter too, and is never reached.
_MINDCUBE_TAGGED = (r"[Mm]y answer is ([A-E])", r"[Tt]he answer is ([A-E])", r"\b([A-E])\b")
_MINDCUBE = (
    r"(?:^|\n)(?:Answer: )?([A-E])(?:$|\s)",
    r"[*\"]([A-E])[*\"]",
    r"\bAnswer:?\s*([A-E])\b",
    r"[Mm]y answer is ([A-E])",
    r"answer is ([A-E])",
)


def mindcube(text: str) -> str | None:
    """By the first pattern that is found, its last place (MindCube's extractors.py). White space is
    made single spaces first, as its inference does.
    """
    text = " ".join(text.split())
    tagged = re.search(r"<Answer>(.*?)(?:<|$)", text)
    parts = [((r"([A-E])\.",), text), (_MINDCUBE, text)]
    if tagged:
        parts.insert(1, (_MINDCUBE_TAGGED, tagged[1]))
    for patterns, part in parts:
        for pattern in patterns:
            if found := re.findall(pattern, part):
                return str(found[-1])
    alone = re.search(r"\b[A-E]\b", text)
    return alone[0] if alone else None


#: What may stand before and behind a letter.
_AROUND = (
    *(("", end) for end in (".", ",", ":", ")", ").")),
    *(("(", end) for end in (")", ").")),
    *((":", end) for end in ("", ",", ".", ")", ").")),
)


def space10(text: str, options: Mapping[str, str]) -> str | None:
    """MMBench's rules that need no other model to read answers: a letter that is a word of its own,
    else the one option whose text is in it (SpaCE-10's cc_utils.py, less its call to GPT).
    """
    words = text.split()
    plain = [letter for letter in _LETTERS if letter in words]
    if len(plain) == 1 and not ("A" in words and len(words) > 3):  # else it is an article
        return plain[0]
    for before, behind in _AROUND:
        marked = [letter for letter in _LETTERS if f"{before}{letter}{behind}" in words]
        if len(marked) == 1:
            return marked[0]
    said = [letter for letter, option in options.items() if option.lower() in text.lower()]
    return said[0] if len(said) == 1 else None


def space10_offline(text: str) -> str | None:
    """A single character as it is, else all letters with a full stop, sorted (its evaluator.py)."""
    if len(text) == 1:
        return text
    return "".join(sorted(set(re.findall(r"([A-F])\.", text)))) or None
