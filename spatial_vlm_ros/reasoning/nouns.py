"""Which objects bear the noun of a phrase, or its number."""

from __future__ import annotations

from difflib import get_close_matches

from spatial_vlm_ros.reasoning import describe
from spatial_vlm_ros.reasoning.lexicon import Noun
from spatial_vlm_ros.reasoning.phrase import NounPhrase
from spatial_vlm_ros.reasoning.view import Unclear, View
from spatial_vlm_ros.scene.graph import ObjectState, SceneObject


def bearing(phrase: NounPhrase, view: View) -> tuple[SceneObject, ...]:
    """Perhaps none. ``Unclear`` for a word of no list, the floor, a number that is no object's, and
    one whose object is called otherwise.
    """
    noun = phrase.noun
    if not noun.known:
        seen = describe.joined(sorted({label.replace("_", " ") for label in view.lexicon.labels}))
        why = f'I do not know what "{noun.name}" is. I have seen: {seen or "nothing yet"}.'
        alike = get_close_matches(noun.name, view.lexicon.labels, 1)
        why += "".join(f' Did you mean "{label}"?' for label in alike)
        raise Unclear(why, known=False)
    if noun.floor:
        raise Unclear(f"The {noun.name} is no object to me. I can tell what is on it.")
    if phrase.id is not None:
        return (_numbered(phrase.id, noun, view),)
    return tuple(item for item in view.objects if noun.generic or item.label in noun.labels)


def _numbered(number: int, noun: Noun, view: View) -> SceneObject:
    item = next((item for item in view.scene.objects if item.id == number), None)
    if item is None:
        raise Unclear(f"I know no object #{number}.")
    if item not in view.objects:
        gone = item.state is ObjectState.MISSING
        why = "is no longer there" if gone else "is not certain to be there"
        raise Unclear(f"{describe.name(item)} {why}.")
    if not noun.generic and item.label not in noun.labels:
        raise Unclear(f"#{number} is the {describe.bare(item)}, no {noun.name}.")
    return item
