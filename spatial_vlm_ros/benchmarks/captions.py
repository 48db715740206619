"""How alike answers or captions and their references are: CIDEr, BLEU, METEOR, ROUGE-L, in percent.

Published numbers take tokens from Stanford's PTB tokenizer and METEOR from its own program, both in
Java: pycocoevalcap brings them (``published``). Without, tokens are cut by a rule of our own, and
what comes out is labelled: it cannot be compared with published numbers.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from spatial_vlm_ros.benchmarks.ngram_scores import bleu, cider, rouge_l

#: PTB's tokens, nearly: words with their hyphens, n't and 's by themselves, numbers whole.
_TOKEN = re.compile(r"\d+(?:[.,:]\d+)*|n't\b|'(?:s|re|ve|ll|d|m)\b|[^\W_]+?(?=n't\b)|\w+(?:-\w+)*")
_BREAKS = re.compile(r"[\r\n\v\f\x85\u2028\u2029]+")


class Words(Protocol):
    """How texts become tokens. label: behind the names of scores."""

    label: str

    def tokens(self, texts: Sequence[str]) -> list[list[str]]:
        """Of each text, lower case and without punctuation."""
        ...

    def meteor(self, texts: Sequence[str], references: Sequence[Sequence[str]]) -> float | None:
        """Of tokens joined by spaces; None where it cannot be computed."""
        ...


class JavaFree:
    """Without Java."""

    label = " (java-free, not comparable)"

    def tokens(self, texts: Sequence[str]) -> list[list[str]]:
        """See :class:`Words`."""
        return [_TOKEN.findall(text.lower()) for text in texts]

    def meteor(self, texts: Sequence[str], references: Sequence[Sequence[str]]) -> float | None:
        """See :class:`Words`."""
        return None


class Published:
    """Through pycocoevalcap. ``ValueError``: it, or Java, is not there."""

    label = ""

    def __init__(self) -> None:
        try:
            from pycocoevalcap.meteor.meteor import Meteor
            from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer
        except ImportError as error:
            raise ValueError(
                f"published caption scores need pycocoevalcap ({error}): python -m pip install "
                "pycocoevalcap; or take --captions java-free, which cannot be compared"
            ) from error
        if shutil.which("java") is None:
            raise ValueError(
                "published caption scores need a Java runtime: install default-jre-headless, or "
                "take --captions java-free, which cannot be compared"
            )
        self._tokenizer, self._meteor = PTBTokenizer(), Meteor

    def tokens(self, texts: Sequence[str]) -> list[list[str]]:
        """See :class:`Words`."""
        lines = {n: [{"caption": _BREAKS.sub(" ", text)}] for n, text in enumerate(texts)}
        found: Mapping[int, list[str]] = self._tokenizer.tokenize(lines) if lines else {}
        return [found[n][0].split() for n in lines]

    def meteor(self, texts: Sequence[str], references: Sequence[Sequence[str]]) -> float | None:
        """See :class:`Words`."""
        given = {n: [text] for n, text in enumerate(texts)}
        found, _ = self._meteor().compute_score(dict(enumerate(references)), given)
        return float(found)


def words(profile: str) -> Words:
    """Of "published" or "java-free". ``ValueError``: what it needs is not there."""
    return Published() if profile == "published" else JavaFree()


class Captions(NamedTuple):
    """Texts and the references of each, all of one benchmark, as tokens."""

    given: list[list[str]]
    right: list[list[list[str]]]

    @classmethod
    def of(cls, given: Sequence[str], right: Sequence[Sequence[str]], words: Words) -> Captions:
        """Cut by the same rule."""
        tokens = iter(words.tokens([*given, *(text for own in right for text in own)]))
        return cls([next(tokens) for _ in given], [[next(tokens) for _ in own] for own in right])


def caption_scores(captions: Captions, words: Words) -> dict[str, float]:
    """Percent by name; CIDEr up to 1000."""
    given, right = captions
    ciders, joined = cider(given, right), [" ".join(tokens) for tokens in given]
    found = {"CIDEr": sum(ciders) / len(ciders)}
    found |= {f"BLEU-{n}": value for n, value in enumerate(bleu(given, right), 1)}
    meteor = words.meteor(joined, [[" ".join(tokens) for tokens in own] for own in right])
    if meteor is not None:
        found["METEOR"] = meteor
    found["ROUGE-L"] = rouge_l(given, right)
    return {f"{name}{words.label}": 100 * value for name, value in found.items()}
