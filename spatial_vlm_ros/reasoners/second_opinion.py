"""A model's answer compared with the geometric reasoner's to the same question.

Only what geometry measures is compared: numbers, choices, directions, yes or no, which object, what
stands where. What is not understood, or what geometry is not sure of, is never called wrong.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from spatial_vlm_ros.reasoners import written
from spatial_vlm_ros.reasoners.mentions import mentions, said_in
from spatial_vlm_ros.reasoners.question_form import Form, FormKind
from spatial_vlm_ros.reasoners.sides_said import side_name, sides
from spatial_vlm_ros.reasoning import units
from spatial_vlm_ros.reasoning.answer import AGREES, DISAGREES, UNCHECKED, Answer
from spatial_vlm_ros.reasoning.lexicon import text_words
from spatial_vlm_ros.reasoning.scale import SIGMAS, plus_minus
from spatial_vlm_ros.reasoning.vocabulary import NUMBERS, RELATIONS
from spatial_vlm_ros.scene.graph import SceneGraph, SceneObject

#: Measures agree within this share of geometry's or its spread, lengths at least within this [m].
SHARE, LENGTH_M = 0.25, 0.25
#: A geometric answer no surer than this contradicts nobody; a near tie halves its confidence.
SURE = 0.5
#: Longer reasons are left out.
_LONGEST_REASON = 160

_YES = frozenset("yes yeah yep true correct".split())
_NO = frozenset("no nope false incorrect".split())
_NOTHING = frozenset("nothing none no empty".split())
#: Kinds of question whose answer is one of several objects, or their order.
_CHOICES = ("closer", "compare", "appearance")
_ARTICLES = frozenset("the a an".split())
_TURN = re.compile(r"\bturn (left|right|back)\b")
_ID = re.compile(r"\(?#[0-9]+\)?")
_NUMBER_START = re.compile(r"(?<![\w.])[0-9]")


@dataclass(frozen=True)
class Opinion:
    """``state``: AGREES, DISAGREES or UNCHECKED. ``text``: what geometry says, like "geometry says
    2.1 m". ``value``: the model's answer as a bare value, a number in the unit of geometry's.
    """

    state: str = UNCHECKED
    text: str = ""
    value: float | str | None = None


def compare(text: str, form: Form, geometric: Answer, scene: SceneGraph) -> Opinion:
    """What geometry says to a model's answer. ``text``: as for people, objects named "chair (#7)"
    where several are chairs; in ``form``, or any words. ``geometric``: the geometric reasoner's
    answer to the same question about the same ``scene``.
    """
    if geometric.kind == "command" and len(geometric.objects) == 1:  # the answer is where to go
        target = scene[geometric.objects[0]]
        geometric = replace(geometric, value=f"{target.label} (#{target.id})")
    if not geometric.answered or geometric.value is None:
        return Opinion(value=form.value(text))
    value, agrees = _compared(text, form, geometric, scene)
    said = f"geometry says {_said(geometric, form)}"
    if agrees is None:
        return Opinion(value=value)
    if agrees:
        return Opinion(AGREES, said, value)
    if geometric.confidence <= SURE:
        return Opinion(UNCHECKED, f"{said}, but is not sure", value)
    return Opinion(DISAGREES, said, value)


def _compared(
    text: str, form: Form, geometric: Answer, scene: SceneGraph
) -> tuple[float | str | None, bool | None]:
    """The model's bare value, and whether it is geometry's; None where that cannot be told."""
    true = geometric.value
    if form.kind is FormKind.OPTION:
        chosen = _chosen_option(text, form.options)
        return chosen, None if chosen is None else chosen == true
    if isinstance(true, float):
        number = _number(text, form, geometric)
        return number, None if number is None else _near(number, true, geometric)
    if _bare_words(text) == _bare_words(str(true)):
        return true, True
    if true in ("yes", "no"):
        said = _yes_no(text)
        return said, None if said is None else said == true
    if geometric.kind == "direction":
        ways = sides(text)
        one = next(iter(ways)) if len(ways) == 1 else None
        theirs = next(iter(sides(str(true))), frozenset())
        return side_name(one), None if one is None else one <= theirs or theirs <= one
    if geometric.kind == "route":
        said_turns = _TURN.findall(text.lower())
        return None, said_turns == _TURN.findall(str(true)) if said_turns else None
    if geometric.kind in (*_CHOICES, "command") and geometric.objects:
        return None, _same_choice(text, geometric, scene)
    if geometric.kind in written.KINDS:
        return None, written.same(text, geometric, scene)
    if geometric.kind == "list":
        return None, _same_list(text, geometric, scene)
    if geometric.kind == "check":
        return None, _same_place(text, str(true))
    if geometric.kind == "where":
        return None, _same_support(text, geometric, scene)
    return None, None


def _said(geometric: Answer, form: Form) -> str:
    """Geometry's answer in short."""
    value = geometric.value
    if form.kind is FormKind.OPTION:
        letter = next((k for k, option in form.options.items() if option == value), "")
        return f"{letter}. {value}"
    if isinstance(value, float):
        number = f"{value:.{2 if value >= 1 else 3}f}".rstrip("0").rstrip(".")
        return f"{number} {geometric.unit}{plus_minus(geometric.spread)}".strip()
    reason = geometric.text.removesuffix(".")
    if value in ("yes", "no") and len(reason) <= _LONGEST_REASON:
        return reason[:1].lower() + reason[1:]
    if geometric.kind in _CHOICES and len(geometric.objects) == 1:
        return f"{value} (#{geometric.objects[0]})"
    return str(value)


def _chosen_option(text: str, options: dict[str, str]) -> str | None:
    """The text of the option that is named by its letter, or as it is."""
    letter = re.match(r"\W*([A-H])(?![\w'])", text)
    if letter and letter[1] in options:
        return options[letter[1]]
    words = _bare_words(text)
    return next((option for option in options.values() if _bare_words(option) == words), None)


def _number(text: str, form: Form, geometric: Answer) -> float | None:
    """The first number of a text, in the unit of the geometric answer."""
    in_form = form.value(text)
    text = re.sub(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))", "", _ID.sub(" ", text))
    if geometric.kind == "count":
        return in_form if isinstance(in_form, float) else _counted(text)
    if isinstance(in_form, float):
        return units.convert(in_form, form.unit, geometric.unit)
    found = [units.read_number(text[m.start() : m.start() + 60])
             for m in _NUMBER_START.finditer(text)]  # fmt: skip
    for table in (units.LENGTHS, units.AREAS, {"": 1.0}):
        for value, unit in filter(None, found):
            if unit in table and (unit == "" or geometric.unit in table):
                return units.convert(value, unit or form.unit or geometric.unit, geometric.unit)
    return None


def _counted(text: str) -> float | None:
    """The first number in digits, else in words; "no chairs" are 0."""
    words = text_words(text)
    digits = [float(word) for word in words if re.fullmatch(r"[0-9]{1,9}", word)]
    known = NUMBERS | dict.fromkeys(_NOTHING, 0)
    return next(iter(digits), next((float(known[word]) for word in words if word in known), None))


def _near(number: float, true: float, geometric: Answer) -> bool:
    if geometric.kind == "count":
        return number == true
    least = units.convert(LENGTH_M, "m", geometric.unit) if geometric.unit in units.LENGTHS else 0
    return abs(number - true) <= max(SHARE * abs(true), least, SIGMAS * geometric.spread)


def _yes_no(text: str) -> str | None:
    """How a text begins; "There is no lamp" says neither."""
    first = text_words(text)[:1]
    return "yes" if _YES & set(first) else "no" if _NO & set(first) else None


def _same_choice(text: str, geometric: Answer, scene: SceneGraph) -> bool | None:
    """Whether the text names geometry's object, or all of them in its order.

    One that names others too is understood only where it begins with what it means.
    """
    value, words = str(geometric.value), text_words(text)
    if len(geometric.objects) > 1:
        places = [said_in(text_words(name), words) for name in value.split(", ")]
        known = [place for place in places if place is not None]
        return known == sorted(known) if len(known) == len(places) else None
    named = mentions(text, _about(geometric, scene))
    if geometric.objects[0] in named.ids:
        return True if named.ids[0] == geometric.objects[0] else None
    if named.vague:  # "the chair" is right where any of the chairs was meant
        return True if not named.ids and said_in(text_words(value), words) is not None else None
    return False if named.ids else None


def _same_list(text: str, geometric: Answer, scene: SceneGraph) -> bool | None:
    """Whether the text names all that geometry found, and besides only what that rests on."""
    named = mentions(text, scene.present())
    found, others = geometric.objects, set(named.ids) - set(geometric.objects)
    if others - set(geometric.evidence):
        return False
    if not found:
        return True if _NOTHING & set(text_words(text)) else None
    kinds = {item.label for item in scene.objects if item.id in found}
    if any(item.label in kinds for item in scene.objects if item.id in others):
        return None if named.ids[:1] == found else False  # "#7, which is nearer than #8"
    if set(found) <= set(named.ids):
        return True
    return False if named.ids and not named.vague else None


def _same_place(text: str, true: str) -> bool | None:
    """Whether the text says the place that geometry says, of the two that were asked for."""
    words, place = _bare_words(text), _bare_words(true)
    if "or" in words:
        return None
    if said_in(place, words) is not None:
        return True
    relations, theirs = _relations(words), _relations(place)
    return False if len(relations) == 1 and len(theirs) == 1 and relations != theirs else None


def _same_support(text: str, geometric: Answer, scene: SceneGraph) -> bool | None:
    """Whether the text says the relation that geometry says. A thing may well be beside another,
    too; but what is on one thing is not on another.
    """
    named, carriers = mentions(text, scene.present()), mentions(str(geometric.value), ()).ids
    said, true = (_relations(_bare_words(t)) for t in (text, str(geometric.value)))
    if true <= said and set(carriers) <= set(named.ids):
        return True
    others = set(named.ids) - set(geometric.objects)
    return False if said == true == {"on"} and others and not named.vague else None


def _bare_words(text: str) -> tuple[str, ...]:
    return tuple(word for word in text_words(text) if word not in _ARTICLES)


def _relations(words: tuple[str, ...]) -> set[str]:
    """The relations that words of place among these stand for."""
    ways = ((name, way) for name, said in RELATIONS.items() for way in said)
    return {name for name, way in ways if said_in(tuple(way.split()), words) is not None}


def _about(geometric: Answer, scene: SceneGraph) -> list[SceneObject]:
    """What a noun of the text can mean: what the answer rests on; in a command, anything."""
    if geometric.kind == "command":
        return list(scene.present())
    return [item for item in scene.objects if item.id in geometric.evidence]
