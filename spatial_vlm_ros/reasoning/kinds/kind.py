"""What a kind of question is: the sentences that ask it, and how it is answered."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from spatial_vlm_ros.reasoning import measure
from spatial_vlm_ros.reasoning import vocabulary as v
from spatial_vlm_ros.reasoning.answer import Answer, GoalPose
from spatial_vlm_ros.reasoning.lexicon import Noun, text_words
from spatial_vlm_ros.reasoning.parser import Parser
from spatial_vlm_ros.reasoning.pattern import Bindings, Pattern
from spatial_vlm_ros.reasoning.phrase import NounPhrase
from spatial_vlm_ros.reasoning.resolve import Found
from spatial_vlm_ros.reasoning.sides import ONE_ANCHOR
from spatial_vlm_ros.reasoning.view import ROBOT_ID, Unclear, View
from spatial_vlm_ros.reasoning.wording import Wording
from spatial_vlm_ros.scene.graph import SceneObject

_NEARNESS = {word: s for word, (measured, s) in v.SUPERLATIVES.items() if measured == "distance"}
_MORE = {
    word: rank for word, rank in v.SUPERLATIVES.items() if rank[0] not in ("distance", "bearing")
}
#: Word tables that patterns may name.
TABLES: dict[str, dict[str, Any]] = {
    "colour": dict(v.COLOURS),
    "measure": dict(v.MEASURES),
    "nearness": _NEARNESS,
    "more": _MORE,
    "seen": {
        f"{seen} {first}": "first" if first in ("first", "earliest", "sooner") else "last"
        for seen in (
            "appeared|appears|appear|came|comes|showed up|was seen|were seen|did you see|was"
            "|did i see|is seen|have you seen|was noticed|did you notice|is|seen"
        ).split("|")
        for first in ("first", "earliest", "sooner", "last", "latest")
    },
    "ways": {
        "side": ("left", "right"),
        "direction": measure.EIGHT,
        "way": measure.EIGHT,
        "quadrant": ("front-left", "front-right", "back-left", "back-right"),
    },
    "order": {"first": "first", "earliest": "first", "last": "last", "latest": "last"},
    "relation": ONE_ANCHOR,
    "beside": {way: side for side in ("left", "right", "behind") for way in v.RELATIONS[side]},
    "holds": {
        **dict.fromkeys(("contain", "have in it", "have inside"), "inside"),
        **dict.fromkeys(("carry", "support", "have on it", "have on top"), "on"),
    },
    "bound": {
        **dict.fromkeys(("more than", "over"), operator.gt),
        **dict.fromkeys(("fewer than", "less than", "under"), operator.lt),
        "at least": operator.ge,
        **dict.fromkeys(v.AT_MOST, operator.le),
        **dict.fromkeys(("exactly", "only", "just"), operator.eq),
    },
    "outnumber": {
        "more": operator.gt,
        **dict.fromkeys(("fewer", "less"), operator.lt),
        **dict.fromkeys(("as many", "just as many", "the same number of"), operator.eq),
    },
    "at": {"at": True},
    "same": dict.fromkeys(("colour", "color"), True),
    "part": {
        **dict.fromkeys(("top", "upper edge"), "top"),
        **dict.fromkeys(("bottom", "lower edge"), "bottom"),
        **dict.fromkeys(("centre", "center", "middle"), "z"),
    },
    "before": {"before": "first", "earlier than": "first", "after": "last", "later than": "last"},
}

_ANYTHING = NounPhrase("object", Noun("object", generic=True), many=True)


@dataclass(frozen=True)
class Asked:
    """A question that fits a pattern: what fills its gaps, and the scene it is about."""

    gaps: Bindings
    wording: Wording
    view: View

    def phrases(self) -> list[NounPhrase]:
        """Readings of the noun asked for, with what the rest of the sentence says about it."""
        phrases: Sequence[NounPhrase] = self.gaps.get("x", (_ANYTHING,))
        if "colour" in self.gaps:
            phrases = [p.coloured(self.gaps["colour"]) for p in phrases]
        if "where" in self.gaps:
            return [p.placed(clauses) for p in phrases for clauses in self.gaps["where"]]
        return list(phrases)

    def offered(self) -> tuple[NounPhrase, ...]:
        """The objects to choose from: those listed, else the options. ``Unclear`` if none are."""
        if "list" in self.gaps:
            return tuple(self.gaps["list"][0])
        phrases = []
        for option in self.wording.options.values():
            words = text_words(option)
            parser = Parser(words, self.view.lexicon, guess=True)
            readings = parser.noun_phrases(0, len(words))
            if not readings:
                raise Unclear(f'I do not know what the option "{option}" is.')
            phrases.append(readings[0])
        if len(phrases) < 2:
            raise Unclear("Between which objects? Name at least two.")
        return tuple(phrases)


class Kind:
    """``name`` is Answer.kind; ``answer`` may raise ``Unclear`` to refuse with a reason."""

    def __init__(self, name: str, answer: Callable[[Asked], Answer], *patterns: str) -> None:
        self.name, self.answer = name, answer
        self.patterns = tuple(Pattern(text, TABLES) for text in patterns)


def reply(
    kind: str,
    text: str,
    value: float | str | None = None,
    *,
    objects: Iterable[SceneObject] = (),
    based_on: Iterable[Found] = (),
    unit: str = "",
    spread: float = 0.0,
    sureness: float = 1.0,
    goal: GoalPose | None = None,
    doubts: Iterable[str] = (),
) -> Answer:
    """An answer about ``objects`` that rests on them and on everything in ``based_on``.

    Its confidence is that of the least sure object found, times ``sureness``. ``doubts`` are said
    in its warnings, and what was found doubtful.
    """
    ids = [item.id for item in objects if item.id != ROBOT_ID]
    evidence, confidence, doubts = set(ids), 1.0, list(doubts)
    for found in based_on:
        evidence |= found.evidence | {item.id for item in found.objects}
        confidence = min(confidence, found.confidence)
        doubts += found.doubts
    return Answer(
        text=text[:1].upper() + text[1:],
        answered=True,
        kind=kind,
        value=value,
        unit=unit,
        objects=tuple(dict.fromkeys(ids)),
        evidence=tuple(sorted(evidence - {ROBOT_ID})),
        goal=goal,
        confidence=round(confidence * sureness, 4),
        warnings=tuple(dict.fromkeys(doubts)),
        spread=spread,
    )


def yes_no(
    kind: str,
    true: bool,
    why: str,
    *,
    objects: Iterable[SceneObject],
    based_on: Iterable[Found],
    sureness: float = 1.0,
    doubts: Iterable[str] = (),
) -> Answer:
    """:func:`reply` of a question that is answered yes or no, with the facts that say why."""
    text, value = f"{'Yes' if true else 'No'}: {why}", "yes" if true else "no"
    return reply(
        kind, text, value, objects=objects, based_on=based_on, sureness=sureness, doubts=doubts
    )


def phrase_text(phrase: NounPhrase) -> str:
    """A phrase as it was typed, without its article."""
    words = phrase.text.split(" ")
    return " ".join(words[1:] if words[0] in ("the", "a", "an") else words)
