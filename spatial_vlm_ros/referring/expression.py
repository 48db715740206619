"""A phrase that means exactly one object of a scene."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ReferringExpression:
    """``text`` means the object ``target``; ``anchors`` are the objects it is told from, by id.

    ``strategy`` is "proximity", "direction" or "appearance". The anchors of a direction are what
    one stands at and what one faces, in this order.
    """

    text: str
    strategy: str
    target: int
    anchors: tuple[int, ...] = ()
