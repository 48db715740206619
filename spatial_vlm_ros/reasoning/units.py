"""Units that lengths and areas are asked for in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from spatial_vlm_ros.reasoning.vocabulary import NUMBERS, WITHIN

#: Metres in each unit of length; square metres in each unit of area. The first is the usual one.
LENGTHS = {"m": 1.0, "cm": 0.01, "mm": 0.001, "ft": 0.3048, "in": 0.0254}
AREAS = {"m2": 1.0, "ft2": 0.3048**2}

_SQUARE = r"(?:square |sq )"
#: How units are written, the longer first: "square metres" before "metres".
WRITTEN = {
    "m2": rf"{_SQUARE}met(?:er|re)s?|{_SQUARE}m|m2|sqm",
    "ft2": rf"{_SQUARE}(?:feet|foot|ft)|ft2|sqft",
    "cm": r"centi ?met(?:er|re)s?|cms?",
    "mm": r"milli ?met(?:er|re)s?|mms?",
    "ft": r"feet|foot|ft",
    "in": r"inch(?:es)?",
    "m": r"met(?:er|re)s?|m",
}
_NUMBER = re.compile(
    r"(?<![#\d.])(-?(?:\d+(?:\.\d+)?|\.\d+))\s*(?:("
    + ")|(".join(WRITTEN.values())
    + r"))?(?![a-z0-9])",
    re.IGNORECASE,
)
_SAID = re.compile(
    rf"(?<![\w.#])(?:\d*\.?\d+|{'|'.join(NUMBERS)})[\s-]*(?:cubic\s+)?"
    rf"(?:{'|'.join(WRITTEN.values())}|m[23²³])(?![a-z0-9²³])",
    re.IGNORECASE,
)

_PLACE = re.compile(" (?:, )?".join([r"(-?\d+(?:\.\d+)?)"] * 3))
_IN_WORDS = {"a": "1", "an": "1", "half a": "0.5", **{w: str(n) for w, n in NUMBERS.items()}}


def convert(value: float, unit: str, wanted: str) -> float:
    """``value`` in another unit of the same kind; as it is where the kinds differ."""
    for table in (LENGTHS, AREAS):
        if unit in table and wanted in table:
            return value * table[unit] / table[wanted]
    return value


def of_length(unit: str) -> str:
    """A unit of length; metres where it is none."""
    return unit if unit in LENGTHS else "m"


def read_number(text: str) -> tuple[float, str] | None:
    """The first number of ``text`` and the unit written after it, "" for none."""
    found = _NUMBER.search(text)
    return _parts(found) if found else None


def names_length(text: str) -> bool:
    """Whether a length, area or volume is said in it: "2.1 m", "two feet", "30 square metres".

    Without a number before it a foot may be part of a stool.
    """
    return _SAID.search(text) is not None


def read_length(words: Sequence[str]) -> float | None:
    """Metres, where exactly these words are a length: "1 point 5 m", "two feet", "a metre"."""
    number = _IN_WORDS.get(" ".join(words[:-1]), "")
    written = [number, *words[-1:]] if number else words
    found = _NUMBER.fullmatch(" ".join(written).replace(" point ", "."))
    value, unit = _parts(found) if found else (0.0, "")
    return value * LENGTHS[unit] if unit in LENGTHS else None


def read_place(words: Sequence[str]) -> tuple[float, float, float] | None:
    """x, y and z, where exactly these words are three numbers: "1 point 2 , minus 4 , 3"."""
    found = _PLACE.fullmatch(" ".join(words).replace(" point ", ".").replace("minus ", "-"))
    if found is None:
        return None
    x, y, z = map(float, found.groups())
    return x, y, z


def read_reaches(words: Sequence[str]) -> Iterator[tuple[float, int]]:
    """Metres, and how many words said it, where these begin like "within 1.5 m of"."""
    for start in (n for n in (1, 2, 3) if " ".join(words[:n]) in WITHIN):
        for stop in range(start + 1, len(words)):
            reach = read_length(words[start:stop])
            rest = [word for word in words[stop : stop + 2] if word != "away"]
            if reach is not None and rest and rest[0] in ("of", "from", "to"):
                yield reach, stop + 1 + (words[stop] == "away")


def _parts(found: re.Match[str]) -> tuple[float, str]:
    written = zip(WRITTEN, found.groups()[1:], strict=True)
    return float(found[1]), next((unit for unit, text in written if text), "")
