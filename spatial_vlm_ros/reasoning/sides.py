"""Lists of directions, "to my left, right, or back", and of relations, "on, under or beside"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from spatial_vlm_ros.reasoning.vocabulary import RELATIONS

_SIDE = r"(?:(front|back|rear) )?(left|right)|front|behind|back|ahead|rear"
_TERM = re.compile(
    rf"(?:to|on|at|in)? ?(?:the|my|your)? ?(?P<side>{_SIDE})"
    r"(?: hand)?(?: side)?(?: of (?:me|you|myself|yourself)| me| you| of)?"
)
#: Words of place to the relation to one thing that they mean.
ONE_ANCHOR = {
    way: name for name, ways in RELATIONS.items() for way in ways if name not in ("between", "with")
} | {side: side for side in ("left", "right")}
_BETWEEN = re.compile(r"[ ,]*(?:\bor\b)?[ ,]*")


def read_side(words: Sequence[str]) -> str:
    """The direction that exactly these words name; "" for none.

    >>> read_side("on my left hand side".split())
    'left'
    """
    term = _TERM.fullmatch(" ".join(words))
    return _plain(term["side"]) if term else ""


def _plain(side: str) -> str:
    return side.replace(" ", "-").replace("rear", "back")


def read_sides(words: Sequence[str]) -> tuple[str, ...]:
    """The directions that exactly these words offer; () unless there are two or more.

    >>> read_sides("to my front left , front right or back left".split())
    ('front-left', 'front-right', 'back-left')
    """
    text, at, sides = " ".join(words), 0, []
    while at < len(text):
        term = _TERM.match(text, at)
        if not term or not term["side"]:
            return ()
        sides.append(_plain(term["side"]))
        at = term.end()
        between = _BETWEEN.match(text, at)
        assert between is not None  # it matches nothing, too
        if at < len(text) and between.end() == at:
            return ()
        at = between.end()
    return tuple(dict.fromkeys(sides)) if len(sides) > 1 else ()


def read_relations(words: Sequence[str]) -> tuple[str, ...]:
    """The relations that exactly these words offer; () unless there are two or more.

    >>> read_relations("on , under or next to".split())
    ('on', 'under', 'beside')
    """
    ways = [way.strip() for way in re.split(r" or |,", f"{' '.join(words)} ")]
    found = [ONE_ANCHOR.get(way) for way in ways if way]
    known = tuple(dict.fromkeys(name for name in found if name))
    return known if len(known) > 1 and None not in found else ()
