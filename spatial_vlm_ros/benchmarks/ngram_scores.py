"""BLEU, ROUGE-L and CIDEr-D over a set of captions, as pycocoevalcap computes them, from tokens.

A hypothesis and its references belong together by their place. Scores are 0..1, CIDEr 0..10.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

Tokens = Sequence[str]
_SMALL, _TINY = 1e-9, 1e-15
_BETA = 1.2
_SIGMA = 6.0


def bleu(hypotheses: Sequence[Tokens], references: Sequence[Sequence[Tokens]]) -> list[float]:
    """Corpus BLEU-1 to BLEU-4 (Papineni et al. 2002). Length: of the reference that is closest, of
    two equally close ones the shorter.
    """
    right, guessed = np.zeros(4), np.zeros(4)
    length = reference_length = 0
    for hypothesis, own in zip(hypotheses, references, strict=True):
        length += len(hypothesis)
        reference_length += min(
            (len(each) for each in own), key=lambda n: (abs(n - len(hypothesis)), n)
        )
        for n in range(1, 5):
            most: Counter[Tokens] = Counter()
            for each in own:
                most |= _grams(each, n)
            right[n - 1] += (_grams(hypothesis, n) & most).total()
            guessed[n - 1] += max(0, len(hypothesis) - n + 1)
    shares = np.cumprod((right + _TINY) / (guessed + _SMALL)) ** (1 / np.arange(1, 5))
    ratio = (length + _TINY) / (reference_length + _SMALL)
    found: list[float] = (shares * (math.exp(1 - 1 / ratio) if ratio < 1 else 1.0)).tolist()
    return found


def rouge_l(hypotheses: Sequence[Tokens], references: Sequence[Sequence[Tokens]]) -> float:
    """Mean F of the longest common subsequence (Lin 2004), recall weighing 1.44 times precision;
    best precision and best recall may be of two references.
    """
    found = []
    for hypothesis, own in zip(hypotheses, references, strict=True):
        common = [_longest_common(hypothesis, each) for each in own]
        precision = max(common) / max(len(hypothesis), 1)
        recall = max(
            n / len(each) if len(each) else 0.0 for n, each in zip(common, own, strict=True)
        )
        both = precision * recall
        found.append((1 + _BETA**2) * both / (recall + _BETA**2 * precision) if both else 0.0)
    return sum(found) / len(found)


def cider(hypotheses: Sequence[Tokens], references: Sequence[Sequence[Tokens]]) -> list[float]:
    """CIDEr-D of each (Vedantam et al. 2015): likeness of 1- to 4-grams, weighed by how few of the
    references' sets have them, so that it means nothing over a part of a benchmark. What is
    compared is the number of bigrams, where the paper compares lengths.
    """
    having: Counter[Tokens] = Counter()
    for own in references:
        having.update({gram for each in own for n in range(1, 5) for gram in _grams(each, n)})
    documents = math.log(len(references)) if references else 0.0

    def weighed(tokens: Tokens) -> list[dict[Tokens, float]]:
        return [
            {
                gram: count * (documents - math.log(max(1, having[gram])))
                for gram, count in _grams(tokens, n).items()
            }
            for n in range(1, 5)
        ]

    found = []
    for hypothesis, own in zip(hypotheses, references, strict=True):
        given, total = weighed(hypothesis), 0.0
        for each in own:
            longer = max(0, len(hypothesis) - 1) - max(0, len(each) - 1)
            near = math.exp(-(longer**2) / (2 * _SIGMA**2))
            alike = map(_alike, given, weighed(each))
            total += near * sum(alike) / 4
        found.append(10 * total / len(own))
    return found


def _alike(given: dict[Tokens, float], right: dict[Tokens, float]) -> float:
    product = sum(
        min(weight, right[gram]) * right[gram] for gram, weight in given.items() if gram in right
    )
    lengths = math.sqrt(sum(w**2 for w in given.values()) * sum(w**2 for w in right.values()))
    return product / lengths if lengths else product


def _grams(tokens: Tokens, n: int) -> Counter[Tokens]:
    return Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))


def _longest_common(first: Tokens, second: Tokens) -> int:
    row = [0] * (len(second) + 1)
    for token in first:
        before = 0
        for i, other in enumerate(second, 1):
            before, row[i] = row[i], before + 1 if token == other else max(row[i], row[i - 1])
    return row[-1]
