"""From what was typed to plain words: politeness, notes, units and options taken off."""

from __future__ import annotations

import re
from dataclasses import dataclass

from spatial_vlm_ros.reasoning.lexicon import NUMBER
from spatial_vlm_ros.reasoning.units import AREAS, WRITTEN
from spatial_vlm_ros.reasoning.vocabulary import MEASURES

#: Longer questions are refused, which bounds the time to parse one.
MAX_WORDS = 60

_CONTRACTIONS = {
    r"^(is|are|was|were|do|does|did|can|have|has)n't\b": r"\1",  # asks the same as without
    r"\b(what|where|that|how|who|there)'?s\b": r"\1 is",
    r"\b(which|it|here)'s\b": r"\1 is",
    r"\bi'm\b": "i am",
    r"\bi'd\b": "i would",
    r"\blet's\b": "let us",
    r"\b(is|are|do|does|did|ca)n't\b": r"\1 not",
    r"\((e?s)\)": r"\1",
    r"\bgoto\b": "go to",
}
#: Sentences that explain a term; what they say is how the reasoner understands the term anyway.
_NOTES = (
    r"the directions refer to [^.?]*",
    r"an object is to my back if [^.?]*",
    r"if multiple rooms are shown[^.?]*",
    r"\(note: for each [^)]*\)",
    r"(?<![\w.])\d+\.(?= (go forward|\[please fill in\]))",
    r"you have reached the final destination",
    r"measuring from the closest points?( of each object)?,?",
    r"measured from the closest points?( of each object)?,?",
)
_CLOSEST_OF_MANY = r"if there are multiple instances[^.?]*"
_POLITE = (
    r"(please|kindly|hey|hi|hello|ok|okay|robot|so|well|now|let us)",
    r"(can|could|would|will) you (please )?(tell me|say|show me|let me know)( please)?",
    r"(can|could|would|will) you( please)?(?= (go|drive|move|navigate|walk|find|bring|take|face|"
    r"turn|head|approach|look|lead|guide|come|stand|count|list|name|describe))",
    r"(tell me|give me|do you know|let me know|(i want|i would like|i need)( you)? to( know)?)",
)
#: What a number is asked in: "in cm", and "how many cm" with what that asks.
_IN_UNIT = {
    unit: rf"\b(measured |in |given |expressed )+(the )?({ways})\b"
    for unit, ways in WRITTEN.items()
}
_HOW_MANY = {unit: rf"\bhow many ({ways})\b" for unit, ways in WRITTEN.items()}
_MEASURED = "|".join(MEASURES)
#: Says where without narrowing anything: the whole remembered space.
_HERE = (
    r"\b(in|inside|within|around|of) (this|the|your|my|our) "
    r"(room|scene|house|home|flat|apartment|space|place|building|area"
    r"|(video|image|map)(?!.* as x\b))s?\b"  # which have coordinates of their own
    r"|\b(in|around) here\b"
    r"|\b(that )?(you|we|i) (can |could )?(see|know( of)?|remember|have seen|have)\b"
    r"(?! ?(the|a|an|any|my|your|first|last|earliest|latest|before|after)\b)"
)


@dataclass(frozen=True)
class Wording:
    """A question as words. ``options`` maps the letters of a multiple choice to their text.

    Commas, and all that separates like one, are the word ",", a minus is the word "minus", and
    objects are named by number as "#7" and "(#7)". ``unit`` is "" unless one is asked for.
    ``closest_of_many``: where a category has several members, the closest one is meant.
    """

    words: tuple[str, ...]
    options: dict[str, str]
    unit: str
    closest_of_many: bool


def read(text: str) -> Wording:
    """Understand the surface of ``text``; never fails."""
    text, options = _take_options(text)
    text = text.strip().lower().replace("’", "'").replace("‘", "'").replace("²", "2")
    text = re.sub(r"(?<![\w.])\.(?=\d)", "0.", re.sub("[−–](?=[\\d.])", "-", text))
    for pattern, plain in _CONTRACTIONS.items():
        text = re.sub(pattern, plain, text)
    closest_of_many = re.search(_CLOSEST_OF_MANY, text) is not None
    for pattern in (*_NOTES, _CLOSEST_OF_MANY):
        text = re.sub(pattern, " ", text)
    text = re.sub(rf"(?!{NUMBER})[^\w,;:.()?!'-]|_", " ", text)
    text, unit = _take_unit(" ".join(text.split()))
    text = re.sub(r"(?<=\d)\.(?=\d)", " point ", re.sub(r"(?<![^\s,(])-(?=\d)", "minus ", text))
    text = re.sub(r"['-]", " ", text)
    text = re.sub(rf"(\({NUMBER}\)|{NUMBER})|[;:.()?!,]", lambda m: f" {m[1] or ','} ", text)
    text = " ".join(text.split())
    text = _without_politeness(text)
    text = " ".join(re.sub(_HERE, " here ", text).split())
    return Wording(trimmed(tuple(text.split())), options, unit, closest_of_many)


def _take_unit(text: str) -> tuple[str, str]:
    """The text without the unit a number is asked in, and the unit, "" for none."""
    asked = ""
    for unit in WRITTEN:
        how = "how many square meters" if unit in AREAS else "how far"
        less, counted = re.subn(_HOW_MANY[unit], how, text)
        less, given = re.subn(_IN_UNIT[unit], " ", less)
        asked, text = asked or (unit if counted or given else ""), less
    return re.sub(rf"\bhow far (?=({_MEASURED})\b)", "how ", text), asked


def _take_options(text: str) -> tuple[str, dict[str, str]]:
    """The text before a list of lettered options, and the options."""
    marker = re.compile(r"(?:(?<=\s)|^|(?<=[?:,;]))\(?([A-H](?=[.):])|[a-h](?=\)))[.):]\s*")
    found = list(marker.finditer(text))
    letters = [m[1].upper() for m in found]
    start = next((i for i, c in enumerate(letters) if c == "A"), None)
    if start is None or letters[start : start + 2] != ["A", "B"]:
        return text, {}
    found = found[start:]
    ends = [m.start() for m in found[1:]] + [len(text)]
    options = {
        m[1].upper(): text[m.end() : end].strip().strip(",;.").strip()
        for m, end in zip(found, ends, strict=True)
    }
    heading = r"(?i)(options|choices|choose( one)?)\s*:?\s*$"
    return re.sub(heading, "", text[: found[0].start()]), options


def _without_politeness(text: str) -> str:
    """The text without what only makes it polite, at either end."""
    lead = re.compile(r"^(?:" + "|".join(_POLITE) + r")(?=\s|$)[ ,]*")
    while (shorter := lead.sub("", text, count=1)) != text:
        text = shorter
    return re.sub(
        r"([ ,]*\b(please|thanks|thank you|right now|now|so far|yet|again|for me|in total|in all|"
        r"altogether)|(?<!\bthe)[ ,]+robot)[ ,]*$",
        "",
        text,
    )


def trimmed(words: tuple[str, ...]) -> tuple[str, ...]:
    """Without separators at the ends."""
    kept = list(words)
    while kept and kept[-1] == ",":
        kept.pop()
    while kept and kept[0] == ",":
        kept.pop(0)
    return tuple(kept)
