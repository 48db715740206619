"""What a word before the noun says of what is meant: colour, size, most and least, number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from spatial_vlm_ros.reasoning import vocabulary as v
from spatial_vlm_ros.reasoning.lexicon import Lexicon
from spatial_vlm_ros.reasoning.phrase import NounPhrase, Rank


def adjective(word: str, so_far: NounPhrase, lexicon: Lexicon) -> Iterator[NounPhrase]:
    """The phrase with what the word adds to it; nothing where it is no adjective."""
    if word in lexicon.colours:
        yield replace(so_far, colours=(*so_far.colours, lexicon.colours[word]))
    elif word in v.SIZES:
        yield replace(so_far, sizes=(*so_far.sizes, word))
    elif word in v.SUPERLATIVES and (so_far.ordinal or 1) > 0:
        measure, sign = v.SUPERLATIVES[word]
        place = so_far.ordinal or 1
        rank = Rank(measure, sign, place)
        yield replace(so_far, ranks=(*so_far.ranks, rank), ordinal=None)
    elif word in v.ORDINALS:
        yield replace(so_far, ordinal=v.ORDINALS[word])
    elif word in v.NUMBERS or word.isdecimal():
        number = v.NUMBERS[word] if word in v.NUMBERS else int(word[:4])
        yield replace(so_far, number=number)
    elif word == "most" or (so_far.ranks and word in ("of", "the", "all", "these")):
        yield so_far
