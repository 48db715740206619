"""The directions that a text says."""

from __future__ import annotations

import re

_SIDE = re.compile(
    r"\b(?:(front|back|rear)[ -]*)?(left|right)\b|\b(front|behind|back|ahead|rear)\b"
)
_PLAIN = {"behind": "back", "rear": "back", "ahead": "front"}


def sides(text: str) -> set[frozenset[str]]:
    """The directions in a text: "front-left" is both front and left."""
    found = _SIDE.findall(text.lower())
    return {frozenset(_PLAIN.get(part, part) for part in parts if part) for parts in found}


def side_name(side: frozenset[str] | None) -> str | None:
    """Like "front-left"."""
    return None if side is None else "-".join(sorted(side, key=lambda part: part[0] not in "fb"))
