"""Singular and plural of English nouns."""

from __future__ import annotations

_IRREGULAR = {
    "people": "person",
    "knives": "knife",
    "mice": "mouse",
    "men": "man",
    "women": "woman",
    "leaves": "leaf",
    "buses": "bus",
    "cookies": "cookie",
    "loaves": "loaf",
    "children": "child",
    "clothes": "clothes",
    "stairs": "stairs",
    "scissors": "scissors",
    "blinds": "blinds",
}


def singular(word: str) -> str:
    """The singular of an English noun; the word itself when it is one already."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word.endswith("shelves"):
        return word[:-3] + "f"
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes", "zzes")):
        return word[:-2]
    if len(word) > 2 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def plural(noun: str) -> str:
    """The plural of an English noun, its last word bent."""
    bent = {one: many for many, one in _IRREGULAR.items()}
    *front, last = noun.split(" ")
    if last in bent:
        last = bent[last]
    elif singular(last) != last:
        return noun
    elif last.endswith("shelf"):
        last = last[:-1] + "ves"
    elif last.endswith(("s", "sh", "ch", "x", "z")):
        last += "es"
    elif last.endswith("y") and last[-2:-1] not in "aeiou":
        last = last[:-1] + "ies"
    else:
        last += "s"
    return " ".join([*front, last])
