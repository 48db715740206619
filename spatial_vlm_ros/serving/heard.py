"""An answer as it grows: told to who listens, timed, and stopped when nobody does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from transformers import LogitsProcessor, StoppingCriteria
from transformers.generation.streamers import BaseStreamer

from spatial_vlm_ros.reasoning.answer import Listener


class Heard(BaseStreamer):
    """The tokens so far: told to the listener as text, and timed."""

    def __init__(self, tokenizer: Any, listener: Listener, start: float, seconds: float) -> None:
        self.tokens: list[int] = []
        self.text, self.first_token_s = "", 0.0
        self.probabilities = Probabilities()
        self._tokenizer, self._listener, self._start = tokenizer, listener, start
        self._seconds, self._prompt_came = seconds, False

    def put(self, value: Tensor) -> None:
        """The prompt's tokens, later one token at a time."""
        if not self._prompt_came:  # it comes first
            self._prompt_came = True
            return
        if not self.tokens:
            self.first_token_s = time.monotonic() - self._start
        self.tokens += value.flatten().tolist()
        text = self._tokenizer.decode(self.tokens, skip_special_tokens=True)
        self.text = text.rstrip("\ufffd").strip()  # a character may be several tokens
        self._listener.hear(self.text)

    def end(self) -> None:
        """Nothing is left to tell."""

    def over(self) -> bool:
        """Whether to stop before the answer's end."""
        return self._listener.gone() or time.monotonic() - self._start > self._seconds


class Stop(StoppingCriteria):
    """Asks after every token whether to stop."""

    def __init__(self, over: Callable[[], bool]) -> None:
        self._over = over

    def __call__(self, input_ids: Tensor, scores: Tensor, **_: Any) -> Tensor:
        """(1,) bool for ``input_ids`` (1, n)."""
        return torch.full((len(input_ids),), self._over(), device=input_ids.device)


class Probabilities(LogitsProcessor):
    """Notes how probable the token is that will be chosen; comes behind the form."""

    def __init__(self) -> None:
        self.of_tokens: list[float] = []

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """``scores`` (1, tokens), as they came."""
        self.of_tokens.append(float(scores.float().softmax(dim=-1).max()))
        return scores
