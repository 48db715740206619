"""What detectors and the namer share: words that a network learns anew while it is at work."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from spatial_vlm_ros.naming.vocabulary import Vocabulary

_AT_ONCE = 64  # texts

Learnt = TypeVar("Learnt")
Config = TypeVar("Config")


class ReadsWords(Generic[Config, Learnt]):
    """A network with its tokenizer and what prepares its images, and what it made of the words.

    Who uses them takes both from ``_known`` at once, and ends with the words it began with.
    """

    def __init__(
        self, network: Any, tokenizer: Any, images: Any, config: Config, words: Sequence[str]
    ) -> None:
        self._network, self._tokenizer = network, tokenizer
        self._images, self._config = images, config
        self._lock = Lock()
        self._known: tuple[Vocabulary, Learnt]
        self.set_vocabulary(words)

    def set_vocabulary(self, words: Sequence[str]) -> None:
        """From now on look for these, by the rules of :class:`naming.vocabulary.Vocabulary`.

        May be called from another thread. ``ValueError`` names a word that cannot be used; the old
        ones stay.
        """
        with self._lock:
            vocabulary = Vocabulary.of(words)
            self._known = vocabulary, self._learn(vocabulary)

    def _learn(self, vocabulary: Vocabulary) -> Learnt:
        """What the network needs of the words. ``ValueError`` names one that it cannot take."""
        raise NotImplementedError


def text_features(network: Any, tokenizer: Any, texts: Sequence[str], **options: Any) -> Tensor:
    """(n, D) float32 of length one: what texts mean to a network of images and texts.

    options: of the tokenizer.
    """
    found = []
    with torch.inference_mode():
        for first in range(0, len(texts), _AT_ONCE):
            tokens = tokenizer(
                list(texts[first : first + _AT_ONCE]), return_tensors="pt", **options
            ).to(network.device)
            given = {
                name: tokens[name] for name in ("input_ids", "attention_mask") if name in tokens
            }
            out = network.get_text_features(**given).pooler_output.float()
            found.append(out / out.norm(dim=-1, keepdim=True))
    return torch.cat(found)
