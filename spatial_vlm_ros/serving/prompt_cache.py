"""What a model has computed on the last prompt, for the next one that begins alike."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

#: Tokens. What prompts have in common varies with the first words behind it, so it is cut at whole
#: steps; a copy is renewed for a gain only.
_STEP, _GAIN = 32, 128


class PromptCache:
    """Keys and values of the last prompt's tokens.

    A prompt is told by tensors (S, ...), one row for each token, for example its embeddings and
    positions. Where two prompts begin with equal rows, what is kept is what would be computed.
    """

    def __init__(self, config: Any) -> None:
        self._config = config
        self.forget()

    def forget(self) -> None:
        """Start empty: after an error it is not known what was written."""
        self.values = DynamicCache(config=self._config)
        self._rows: tuple[Tensor, ...] = ()
        self._alike, self._to_be_copied = 0, False
        self._trunk = DynamicCache(config=self._config)

    def __len__(self) -> int:
        return int(self.values.get_seq_length())

    def keep(self, *rows: Tensor) -> int:
        """Keep what serves a prompt of these rows, drop the rest; how many tokens that is.

        One token less than the prompt at most: from the last one the answer is computed.
        """
        length = min(len(self._rows[0]), len(rows[0]) - 1) if self._rows else 0
        alike = torch.ones(length, dtype=torch.bool, device=rows[0].device)
        for old, new in zip(self._rows, rows, strict=True) if length else ():
            alike &= (old[:length] == new[:length]).reshape(length, -1).all(dim=1)
        self._rows, self._alike = rows, int(alike.long().cumprod(0).sum())
        self.shorten(self._alike)
        return len(self)

    def shorten(self, length: int) -> None:
        """Drop all tokens but the first ``length``, or more, where the model's cache cannot be cut
        there.
        """
        surplus = len(self) - length
        if surplus <= 0:
            return
        whole = self._holds_tokens_alone()
        can_be_cut = whole and all(type(layer) is DynamicLayer for layer in self.values.layers)
        self._to_be_copied = whole and not can_be_cut
        if length and can_be_cut:
            self.values.crop(-surplus)
            return
        if self._trunk.get_seq_length() > length:
            self._trunk = DynamicCache(config=self._config)
        self.values = copy.deepcopy(self._trunk)

    def trunk(self) -> int:
        """Up to where to compute before :meth:`copy_trunk`; 0 where that does not pay.

        A cache that cannot be cut is copied where the prompts of different questions part: some
        layers keep only the last tokens (a sliding window), or one state of all.
        """
        end = self._alike // _STEP * _STEP
        pays = self._to_be_copied and end - len(self) >= _GAIN
        return end if pays else 0

    def copy_trunk(self) -> None:
        """The next prompts may begin with what is computed now."""
        self._trunk = copy.deepcopy(self.values)

    def _holds_tokens_alone(self) -> bool:
        """Whether there are no keys and values of anything else, as of images that layers look
        across at: of these nothing serves another prompt.
        """
        layers = [layer for layer in self.values.layers if isinstance(layer, DynamicLayer)]
        return all(layer.get_seq_length() == len(self) for layer in layers)
