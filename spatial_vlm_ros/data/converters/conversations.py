"""Items of LLaVA style, as SPAR-7M, ViCA, VLM-3R and VSI-590K have them, beside images or a video:
``{"conversations": [{"from": "human", "value": ...}, {"from": "gpt", "value": ...}]}``.

What told the form of the answer is cut from a question: a row has options, or has none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from string import ascii_uppercase
from typing import Any, NamedTuple

from spatial_vlm_ros.data import checks
from spatial_vlm_ros.data.row import Row
from spatial_vlm_ros.data.unusable import Unusable

#: What stands where images go, with the number of a frame before it and a comma after it.
_IMAGE = re.compile(r"(?:Frame-\d+:\s*)?<(?:image|video)>,?[ \t]*\n?")
#: Said before a question (VSI-Bench, which VLM-3R and VSI-590K word their prompts like).
_BEFORE = ("These are frames of a video.",)
#: Said after it.
_AFTER = (
    "Answer with the option's letter from the given choices directly.",
    "Please answer the question using a single word or phrase.",
)
_OPTIONS = re.compile(r"(?:\n[ \t]*Options:)?(?:\n[ \t]*\(?[A-Z][.:)][^\n]*)+\Z")
_OPTION = re.compile(r"\s*\(?([A-Z])[.:)]+\s*(.*?)\s*")
_LETTER = re.compile(r"\(?([A-Z])(?:[.:)]+\s*(.*))?", re.DOTALL)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


class Asked(NamedTuple):
    """A question without what tells the form of its answer, and its options without letters."""

    question: str
    options: tuple[str, ...]


def exchanges(item: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Each question with its answer, without the places of images."""
    said = item["conversations"]
    speakers = [part["from"] for part in said]
    if not speakers or speakers != ["human", "gpt"] * (len(speakers) // 2):
        raise Unusable("no questions and answers in turn", ", ".join(map(str, speakers)))
    texts = [_IMAGE.sub("", part["value"]).strip() for part in said]
    if not all(texts):
        raise Unusable("no answer" if all(texts[::2]) else "no question")
    return list(zip(texts[::2], texts[1::2], strict=True))


def dialogue(turns: Sequence[str]) -> str:
    """Text of a question that others went before: turns of a person and the assistant, each in its
    own line, the last being the person's; a single one as it is.
    """
    if len(turns) == 1:
        return turns[0]
    speakers = ("Person", "Assistant")
    return "\n".join(f"{speakers[n % 2]}: {' '.join(t.split())}" for n, t in enumerate(turns))


def asked(text: str, after: Iterable[re.Pattern[str]] = ()) -> Asked:
    """What a prompt asks. after: more that may be said at its end, or before its options."""
    text = text.strip()
    for words in _BEFORE:
        text = text.removeprefix(words).lstrip()
    text = _cut(text, after)
    found = _OPTIONS.search(text)
    question = _cut(text[: found.start()], after) if found else text
    lines = found[0].strip().removeprefix("Options:").strip().splitlines() if found else []
    options = [_OPTION.fullmatch(line) for line in lines]
    letters = "".join(option[1] for option in options if option)
    if len(lines) == 1 or letters != ascii_uppercase[: len(lines)] or "Options:" in question:
        raise Unusable("options not understood", text[-200:])
    if not question:
        raise Unusable("no question")
    return Asked(question, tuple(option[2] for option in options if option))


def answered(question: Asked, answer: str, numeric: bool = False, **fields: Any) -> Row:
    """A row of a question and its answer: a letter where there are options, else the text.

    numeric: whether only a number can be right.
    """
    checks.each("images", fields.get("images", ()), checks.below)
    text = _letter(answer, question.options) if question.options else answer.strip()
    if numeric and not question.options and not _NUMBER.fullmatch(text):
        raise Unusable("the answer is no number", text[:200])
    return Row(question=question.question, options=question.options, answer=text, **fields)


def _letter(answer: str, options: tuple[str, ...]) -> str:
    """Of "B", "B." or "B. lamp", or of an option's text alone."""
    text = answer.strip()
    letters = dict(zip(ascii_uppercase, options, strict=False))
    if (found := _LETTER.fullmatch(text)) and found[1] in letters:
        said = (found[2] or "").strip()
        if not said or said == letters[found[1]]:
            return found[1]
    for letter, option in letters.items():
        if text == option:
            return letter
    raise Unusable("the answer is none of the options", text[:200])


def _cut(text: str, after: Iterable[re.Pattern[str]]) -> str:
    """Without what is said at its end about the answer."""
    text = text.rstrip()
    for words in _AFTER:
        text = text.removesuffix(words).rstrip()
    for pattern in after:
        found = pattern.search(text)
        text = text[: found.start()].rstrip() if found else text
    return text


def scene_of(video: str, datasets: Mapping[str, str]) -> str:
    """Scene of "scannet/scene0000_00.mp4". datasets: folders, and what their set is called here."""
    folder, _, rest = video.partition("/")
    if folder not in datasets or not rest:
        raise Unusable("not a scene of a known data set", video)
    return f"{datasets[folder]}/{rest.rpartition('.')[0] or rest}"
