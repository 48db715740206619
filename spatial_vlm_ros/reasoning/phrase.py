"""What a noun phrase says: "the second largest red mug on the table nearest the window"."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TypeAlias

from spatial_vlm_ros.reasoning.lexicon import Noun


@dataclass(frozen=True)
class Rank:
    """Choose by a measure: the ``place``-th most (sign +1) or least (-1), or the best ``count``.

    ``anchors``: what a distance is measured to; none means the robot.
    """

    measure: str
    sign: int
    place: int = 1
    anchors: tuple[NounPhrase, ...] = ()


@dataclass(frozen=True)
class Clause:
    """Placed by ``relation`` (a key of ``vocabulary.RELATIONS``) to ``anchors``."""

    relation: str
    anchors: tuple[NounPhrase, ...]


#: What places a noun, in the order it is said.
Clauses: TypeAlias = "tuple[Clause | Rank, ...]"


@dataclass(frozen=True)
class NounPhrase:
    """What a phrase asks for; see :mod:`resolve` for what it then means in a scene."""

    text: str
    noun: Noun
    robot: bool = False
    determiner: str = ""
    many: bool = False
    number: int | None = None
    ordinal: int | None = None
    colours: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
    ranks: tuple[Rank, ...] = ()
    clauses: tuple[Clause, ...] = ()

    @property
    def name(self) -> str:
        """The noun with its colours and sizes, without what places it."""
        return " ".join([*self.sizes, *self.colours, self.noun.name])

    def placed(self, clauses: Iterable[Clause | Rank]) -> NounPhrase:
        """This phrase with more clauses."""
        more = tuple(clauses)
        return replace(
            self,
            clauses=self.clauses + tuple(c for c in more if isinstance(c, Clause)),
            ranks=self.ranks + tuple(c for c in more if isinstance(c, Rank)),
        )

    def coloured(self, colour: str) -> NounPhrase:
        """This phrase, of that colour."""
        return replace(self, colours=(*self.colours, colour))


ROBOT = NounPhrase("me", Noun("robot"), robot=True)
