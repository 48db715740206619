"""What of a scene a question is about."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from spatial_vlm_ros.reasoning.geometric import GeometricReasoner
from spatial_vlm_ros.reasoning.lexicon import Lexicon
from spatial_vlm_ros.reasoning.wording import Wording, read
from spatial_vlm_ros.scene.graph import ObjectState, SceneGraph, SceneObject


@dataclass(frozen=True)
class Touched:
    """Ids of objects, most important first: ``meant`` by the question, and ``related`` to these."""

    meant: tuple[int, ...] = ()
    related: tuple[int, ...] = ()


def touched(question: str, scene: SceneGraph) -> Touched:
    """The confirmed and missing objects a question is about; none where it names none.

    Meant are those called by number ("#7"), those the geometric reasoner answers with, those its
    answer rests on and those it doubts between, then what the nouns of the question and of its
    options cover. Related is what the meant stand in a relation to.
    """
    known = [item for item in scene.objects if item.state is not ObjectState.TENTATIVE]
    answer = GeometricReasoner().ask(question, scene)
    called = [
        *map(int, re.findall(r"#(\d{1,18})\b", question)),
        *(*answer.objects, *answer.evidence, *answer.candidates),
        *_named(read(question), known),
    ]
    there = {item.id for item in known}
    meant = dict.fromkeys(number for number in called if number in there)
    ends = [(r.subject, r.object) for r in scene.relations]
    ends += [(other, one) for one, other in ends]
    related = {other for one, other in ends if one in meant and other not in meant}
    return Touched(tuple(meant), tuple(sorted(related)))


def _named(wording: Wording, objects: list[SceneObject]) -> Iterator[int]:
    """Ids of the objects that the nouns of a question cover; "thing" covers none."""
    lexicon = Lexicon(item.label for item in objects)
    labels: set[str] = set()
    for words in (wording.words, *(read(option).words for option in wording.options.values())):
        at = 0
        while at < len(words):
            length, noun = next(lexicon.nouns(words[at:]), (1, None))
            labels |= noun.labels if noun else set()
            at += length
    return (item.id for item in sorted(objects, key=lambda o: o.id) if item.label in labels)
