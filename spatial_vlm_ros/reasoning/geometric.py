"""The reasoner that needs no model: plain English in, exact geometry of the scene graph out."""

from __future__ import annotations

from collections.abc import Iterator

from spatial_vlm_ros.reasoning import describe, options, resolve, viewpoint
from spatial_vlm_ros.reasoning.answer import Answer, Listener, Seen
from spatial_vlm_ros.reasoning.kinds import (
    categories,
    commands,
    comparisons,
    coordinates,
    counts,
    directions,
    measures,
    objects,
    routes,
)
from spatial_vlm_ros.reasoning.kinds.kind import Asked, Kind
from spatial_vlm_ros.reasoning.parser import Parser
from spatial_vlm_ros.reasoning.scale import NOT_METRIC
from spatial_vlm_ros.reasoning.units import names_length
from spatial_vlm_ros.reasoning.view import Unclear, View
from spatial_vlm_ros.reasoning.wording import MAX_WORDS, Wording, read
from spatial_vlm_ros.scene.graph import SceneGraph

#: In order of trial: where two kinds fit a question, the earlier is meant.
KINDS: tuple[Kind, ...] = (
    *objects.OF_LANDMARKS,
    *coordinates.KINDS,
    *categories.KINDS,
    *directions.KINDS,
    *comparisons.KINDS,
    *measures.KINDS,
    *routes.KINDS,
    *counts.KINDS,
    *commands.KINDS,
    *objects.KINDS,
    *comparisons.OF_OPTIONS,
)
_NOT_UNDERSTOOD = (
    "I did not understand the question. I can count, find, list, compare and measure objects, tell "
    "directions, order of appearance and the size of the room, and say where to drive."
)


class GeometricReasoner:
    """Answers what the scene graph determines, and says so when it determines nothing.

    A question is matched with the sentences of ``KINDS``. Where words of no list stand in place of
    a noun, they are named in the refusal.
    """

    name = "geometric"

    def ask(
        self,
        question: str,
        scene: SceneGraph,
        seen: Seen | None = None,
        listener: Listener | None = None,
    ) -> Answer:
        """Answer from the confirmed objects of ``scene``; see docs/questions.md. Never raises."""
        wording = read(question)
        view = View(scene, scene.present(), wording.closest_of_many)
        if not wording.words:
            return _refusal("unknown", Unclear("There is no question."))
        if len(wording.words) > MAX_WORDS:
            return _refusal("unknown", Unclear(f"I read questions of up to {MAX_WORDS} words."))
        answers = _answers(wording, view)
        first = next(answers, None)
        if not scene.metric and (wording.unit or names_length(question)):
            return _refusal(first.kind if first else "unknown", Unclear(NOT_METRIC))
        if first is None:
            return _refusal("unknown", Unclear(_NOT_UNDERSTOOD))
        chosen = options.choose(first, wording.options)
        if chosen.answered or not first.answered:
            return chosen
        # No option fits: one that does tells which other way of understanding was meant.
        others = (options.choose(answer, wording.options) for answer in answers)
        return next((answer for answer in others if answer.answered), chosen)


def _answers(wording: Wording, view: View) -> Iterator[Answer]:
    """The answer to each way of understanding the question, known words before guessed nouns."""
    for parser in _parsers(wording, view):
        for kind in KINDS:
            for pattern in kind.patterns:
                for gaps in pattern.matches(parser):
                    try:
                        yield kind.answer(Asked(gaps, wording, view))
                    except Unclear as why:
                        yield _refusal(kind.name, why)


def _parsers(wording: Wording, view: View) -> Iterator[Parser]:
    """Of the words with a viewpoint put behind its side, and as they stand; then with guesses."""
    for guess in (False, True):
        parser = Parser(wording.words, view.lexicon, guess)
        for words in viewpoint.rearranged(parser):
            yield Parser(words, view.lexicon, guess)
        yield parser


def _refusal(kind: str, why: Unclear) -> Answer:
    text = str(why)
    text = text[:1].upper() + text[1:]
    return Answer(text, answered=False, kind=kind, candidates=why.candidates)


def find_objects(phrase: str, scene: SceneGraph, include_missing: bool = False) -> Answer:
    """Every object that fits a noun phrase ("chair", "the red mug on the table").

    Only confirmed objects unless ``include_missing``. ``answered`` is False when the phrase is not
    understood; it is True with no objects when nothing fits.
    """
    wording = read(phrase)
    view = View(scene, scene.objects if include_missing else scene.present())
    problem = Unclear("This is not a phrase for objects.")
    for parser in _parsers(wording, view) if len(wording.words) <= MAX_WORDS else ():
        readings = parser.noun_phrases(0, len(parser.words))
        if not readings:
            continue
        try:
            found = resolve.find(readings, view)
        except Unclear as why:
            problem = why
            break
        ids = tuple(item.id for item in found.objects)
        text = f"{describe.names(found.objects)}." if ids else found.why_none
        return Answer(
            text,
            True,
            "find",
            objects=ids,
            evidence=tuple(sorted({*ids, *found.evidence})),
            confidence=found.confidence,
            warnings=found.doubts,
        )
    return _refusal("find", problem)
