"""The words that are looked for, as the user lists them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Vocabulary:
    """What things are called, and in which words they are looked for.

    names: in small letters, each once. phrases: all words, those of a name together. owners: which
    name each phrase is for, as an index into ``names``.
    """

    names: tuple[str, ...]
    phrases: tuple[str, ...]
    owners: tuple[int, ...]

    @staticmethod
    def of(words: Sequence[str]) -> Vocabulary:
        """A user's list; "tv|television" looks for both and calls them tv.

        Empty and repeated ones are left out. ``ValueError``: one is no word, or none are left.
        """
        names: dict[str, int] = {}
        phrases: dict[str, int] = {}
        for word in words:
            if not isinstance(word, str):
                raise ValueError(f"vocabulary: {word!r} is no text")
            meant = [tidy for part in word.split("|") if (tidy := " ".join(part.lower().split()))]
            for phrase in meant:
                if not any(map(str.isalnum, phrase)):
                    raise ValueError(f"vocabulary: {phrase!r} has no letter or digit")
                if phrase not in phrases:
                    phrases[phrase] = names.setdefault(meant[0], len(names))
        if not phrases:
            raise ValueError("vocabulary: there is no word in it; give at least one")
        ordered = sorted(phrases.items(), key=lambda item: item[1])
        return Vocabulary(
            tuple(names), tuple(name for name, _ in ordered), tuple(owner for _, owner in ordered)
        )


def refuse_long(phrase: str, tokens: int, most: int) -> None:
    """``ValueError`` when a network does not take so many tokens."""
    if tokens > most:
        raise ValueError(
            f"vocabulary: {phrase!r} is {tokens} tokens long, and the network takes {most}; "
            "choose a shorter word"
        )
