"""What a noun phrase says: "the second largest red mug on the table nearest the window"."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TypeAlias

from spatial_vlm_ros.reasoning.lexicon import Noun
from spatial_vlm_ros.reasoning.vocabulary import INDEFINITE


@dataclass(frozen=True)
class Rank:
    """Choose by a measure: the ``place``-th most (sign +1) or least (-1), or the best ``count``.

    ``anchors``: what a distance is measured to; none means the robot. The measure "appearance" is
    the time of the first image that showed an object.
    """

    measure: str
    sign: int
    place: int = 1
    anchors: tuple[NounPhrase, ...] = ()


@dataclass(frozen=True)
class Clause:
    """Placed by ``relation`` (a key of ``vocabulary.RELATIONS``) to ``anchors``.

    ``reach``: metres that count as near, where they are said: "within 2 m of". ``facing``: what is
    faced by one who stands at the anchor: "on the left when standing at the sofa and facing ...".
    """

    relation: str
    anchors: tuple[NounPhrase, ...]
    reach: float | None = None
    facing: NounPhrase | None = None


#: What places a noun, in the order it is said.
Clauses: TypeAlias = "tuple[Clause | Rank, ...]"


@dataclass(frozen=True)
class NounPhrase:
    """What a phrase asks for; see :mod:`resolve` for what it then means in a scene.

    ``id``: the object that is named by number; all else that is said must fit it. ``many``: all
    that fit are meant. ``parts``: the phrases that this one joins by "and", or by
    "or" (``either``); they then say what is meant.
    """

    text: str
    noun: Noun
    id: int | None = None
    robot: bool = False
    determiner: str = ""
    many: bool = False
    number: int | None = None
    ordinal: int | None = None
    colours: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
    ranks: tuple[Rank, ...] = ()
    clauses: tuple[Clause, ...] = ()
    parts: tuple[NounPhrase, ...] = ()
    either: bool = False

    @property
    def name(self) -> str:
        """The noun with its colours and sizes, without what places it."""
        if self.parts:
            return (" or " if self.either else " and ").join(part.name for part in self.parts)
        return " ".join([*self.sizes, *self.colours, self.said])

    @property
    def said(self) -> str:
        """The noun in an answer, with the number: "chair #7"."""
        return self.noun.said if self.id is None else f"{self.noun.said} #{self.id}"

    @property
    def numbered(self) -> bool:
        """Whether it is a number and nothing else."""
        plain = not (self.sizes or self.colours or self.ranks or self.clauses)
        return self.id is not None and self.noun.generic and plain and self.ordinal is None

    @property
    def indefinite(self) -> bool:
        """Whether any one that fits will do: "a chair", "any of the chairs", "something"."""
        return self.determiner in INDEFINITE or self.noun.name in ("anything", "something")

    @property
    def of_a_kind(self) -> bool:
        """Whether it says what something is: "a red chair", "books". Not how big or how many."""
        if self.parts or self.sizes or self.ranks or (self.ordinal, self.number) != (None, None):
            return False
        one = self.determiner in ("a", "an") and not self.noun.generic
        return one or (self.many and not self.determiner)

    @property
    def landmarked(self) -> bool:
        """Whether a landmark or a viewpoint tells it apart: "the chair farthest from the window",
        "the chair on the left when standing at the sofa and facing the tv".
        """
        return any(c.facing for c in self.clauses) or any(rank.anchors for rank in self.ranks)

    def placed(self, clauses: Iterable[Clause | Rank]) -> NounPhrase:
        """This phrase with more clauses."""
        more = tuple(clauses)
        return replace(
            self,
            parts=tuple(part.placed(more) for part in self.parts),
            clauses=self.clauses + tuple(c for c in more if isinstance(c, Clause)),
            ranks=self.ranks + tuple(c for c in more if isinstance(c, Rank)),
        )

    def coloured(self, colour: str) -> NounPhrase:
        """This phrase, of that colour."""
        parts = tuple(part.coloured(colour) for part in self.parts)
        return replace(self, parts=parts, colours=(*self.colours, colour))


ROBOT = NounPhrase("me", Noun("robot"), robot=True)
