"""The order of first appearance in words: "the second chair to appear", "... seen last"."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from spatial_vlm_ros.reasoning.lexicon import Words
from spatial_vlm_ros.reasoning.phrase import Rank
from spatial_vlm_ros.reasoning.vocabulary import ORDINALS

_SEE = ("saw", "see", "have seen", "noticed", "spotted")
_SEEN = (
    *("appeared", "appears", "appearing", "showed up", "came into view", "came into sight"),
    *("seen", "noticed", "spotted", "was seen", "were seen", "was noticed", "were noticed"),
    *(f"{one} {saw}" for one in ("i", "you", "we") for saw in _SEE),
)
_THAT = ("", "that ", "which ")


def _longest_first(ways: Iterable[str]) -> list[Words]:
    return sorted((tuple(way.split()) for way in ways), key=len, reverse=True)


_APPEARED = _longest_first(f"{that}{seen}" for that in _THAT for seen in _SEEN)
_TO_APPEAR = _longest_first(
    f"to {verb}"
    for verb in ("appear", "be seen", "be noticed", "show up", "come into view", "come into sight")
)
_BEING = _longest_first(f"{that}{be}" for that in _THAT[1:] for be in ("is", "was", "are", "were"))


def stops_after_ordinal(words: Words, start: int) -> Iterator[int]:
    """Where "to appear" and the like stop that begin at ``start``: "the second chair to appear"."""
    return (start + len(way) for way in (*_TO_APPEAR, *_APPEARED) if _has(way, words, start))


def ranks(words: Words, start: int) -> Iterator[tuple[Rank, int]]:
    """Readings like "that appeared second", "that was the last to appear", and their stops."""
    for way in _APPEARED:
        if _has(way, words, start):
            yield from _ordinal(words, start + len(way))
    for way in (*_BEING, ()):
        if _has(way, words, start):
            for rank, at in _ordinal(words, start + len(way)):
                yield from ((rank, stop) for stop in stops_after_ordinal(words, at))


def _ordinal(words: Words, at: int) -> Iterator[tuple[Rank, int]]:
    """Like "first", "the last"."""
    at += words[at : at + 1] == ("the",)
    place = ORDINALS.get(words[at], 0) if at < len(words) else 0
    if place:
        yield Rank("appearance", 1 if place < 0 else -1, abs(place)), at + 1


def _has(way: Words, words: Words, start: int) -> bool:
    return words[start : start + len(way)] == way
