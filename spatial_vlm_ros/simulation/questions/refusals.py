"""Questions that must be refused: a thing that is not there, or several that could be meant."""

from __future__ import annotations

from collections.abc import Iterator

from spatial_vlm_ros.simulation.questions.asker import Asker
from spatial_vlm_ros.simulation.truth import TrueQuestion

ABSENT = ("piano", "bicycle", "aquarium", "ladder", "guitar", "fireplace")


def where_unknown(asker: Asker) -> Iterator[TrueQuestion]:
    """Where a thing is that is not there."""
    for noun in ABSENT:
        yield TrueQuestion(f"Where is the {noun}?", "unknown", None, answered=False)


def far_from_unknown(asker: Asker) -> Iterator[TrueQuestion]:
    """How far a thing is that is not there."""
    for noun in ABSENT:
        for item in asker.named:
            text = f"How far is the {noun} from the {asker.name(item)}?"
            yield TrueQuestion(text, "unknown", None, about=(item.id,), answered=False)


def ambiguous(asker: Asker) -> Iterator[TrueQuestion]:
    """A kind is named, one landmark, and the kind has several members."""
    for category, members in asker.groups():
        for landmark in asker.named:
            if landmark not in members:
                yield TrueQuestion(
                    f"How far is the {category} from the {asker.name(landmark)}?",
                    "ambiguous",
                    None,
                    about=(landmark.id,),
                    candidates=tuple(item.id for item in members),
                    answered=False,
                )
