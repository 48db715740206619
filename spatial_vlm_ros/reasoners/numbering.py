"""Objects by the numbers a model knows them by: ``<OBJ003>`` is the fourth object, by ascending id.

A model is trained with a hundred or so numbers (``vision/identifiers.py``), a scene's ids grow for
ever and are what people see: ``#7``, or in a name ``chair (#7)``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from spatial_vlm_ros.vision.identifiers import COUNT, identifier_text

#: Whatever names an object by number: as the model's words are, with the brackets that models
#: lose, or with any number of digits; or by id as the names of scene texts do.
_NUMBER = (
    r"(?:<OBJ(?P<number>[0-9]+)>|(?<!\w)OBJ(?P<bare>[0-9]{3})(?!\w)"
    r"|(?<![\w&#])#(?P<id>[0-9]+)(?!\w))"
)
_CITED = re.compile(rf"\(?{_NUMBER}\)?")
#: The same in a question: there people name ids.
_ASKED = re.compile(r"\(#([0-9]+)\)|(?<![\w&#])#([0-9]+)(?!\w)")
#: The end of a text that may be read otherwise when it goes on: a number begun, or brackets, or a
#: number that its noun may follow.
_OPEN = re.compile(
    r"(?:\(|\(?(?:<(?:O(?:B(?:J[0-9]*)?)?)?|(?<!\w)O(?:B(?:J[0-9]*)?)?|#[0-9]*)"
    rf"|\(?{_NUMBER}\)?(?: [^\W\d_]*)?)?\Z"
)
#: Longer numbers are of no object; Python itself refuses to read very long ones.
_MOST_DIGITS = 18


class Citation(NamedTuple):
    """A place of a text that names an object: ``written`` as it stands there, id None if none has
    that number.
    """

    start: int
    end: int
    written: str
    id: int | None


@dataclass(frozen=True)
class Numbering:
    """Number n is the object ``ids[n]``. Ids ascend, so numbers stay while no object goes."""

    ids: tuple[int, ...]

    @classmethod
    def of(cls, ids: Iterable[int], limit: int) -> Numbering:
        """Numbers from 0 to at most ``limit`` - 1 for these objects; what is beyond has none."""
        return cls(tuple(sorted(set(ids))[: max(min(limit, COUNT), 0)]))

    def words(self) -> dict[int, str]:
        """Object id to what the model calls it, "<OBJ003>"."""
        return {number: identifier_text(n) for n, number in enumerate(self.ids)}

    def to_model(self, text: str) -> str:
        """A question with "#7" and "(#7)" as the model's words; ids without a number stay."""
        words = self.words()

        def word(found: re.Match[str]) -> str:
            return words.get(_integer(found[1] or found[2]), found[0])

        return _ASKED.sub(word, text)

    def to_people(self, text: str, names: Mapping[int, str]) -> str:
        """A model's text with names (id to name, as ``scene_names`` gives them) for numbers.

        Where the name stands before its number it is not said again, nor a word that stands behind
        it: "<OBJ002> chair" is "chair (#7)". What names no object is left as it is written, with
        "(no such object)" after it.
        """
        parts, at = [], 0
        for cited in self.citations(text):
            before = text[at : cited.start]
            name = names.get(cited.id) if cited.id is not None else None
            if name is None:
                parts += [before, cited.written, " (no such object)"]
            else:
                parts += _named(before, cited.written, name)
            at = cited.end + (0 if name is None else _said_again(text, cited.end, name))
        return "".join([*parts, text[at:]])

    def citations(self, text: str) -> Iterator[Citation]:
        """Everything in a model's text that names an object, in its order; O(length)."""
        for found in _CITED.finditer(text):
            start, end = found.span()
            # Brackets are part of it only where both are there: "(see <OBJ003>)".
            if not (found[0][0] == "(" and found[0][-1] == ")"):
                start += found[0][0] == "("
                end -= found[0][-1] == ")"
            yield Citation(start, end, text[start:end], self._object(found))

    def _object(self, found: re.Match[str]) -> int | None:
        if found["id"]:
            return _integer(found["id"])
        number = _integer(found["number"] or found["bare"])
        return self.ids[number] if 0 <= number < len(self.ids) else None


def settled(text: str) -> str:
    """As much of a text that is still being written as :meth:`Numbering.to_people` will not read
    otherwise when it goes on.
    """
    end = _OPEN.search(text)
    assert end is not None  # it matches nothing, too
    return text[: end.start()].rstrip()


def _named(before: str, written: str, name: str) -> tuple[str, str]:
    """What comes before a number, and what to write for it."""
    noun, _, number = name.partition(" (#")
    said = before.rstrip()
    rest = said[: -len(noun)]
    if said[len(rest) :].lower() == noun.lower() and not rest[-1:].isalnum():
        return (before, f"(#{number}") if number else (said, "")
    return before, f"({name})" if written.startswith("(") else name


def _said_again(text: str, end: int, name: str) -> int:
    """Length of what follows a number, if it is its noun."""
    noun = f" {name.partition(' (#')[0]}"
    behind = text[end : end + len(noun) + 1]
    again = behind[: len(noun)].lower() == noun.lower() and noun[1:].isalpha()
    return len(noun) if again and not behind[len(noun) :].isalnum() else 0


def _integer(digits: str) -> int:
    """-1, which is nothing's number, for far too many digits."""
    return int(digits) if len(digits) <= _MOST_DIGITS else -1
