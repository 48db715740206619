"""Answers held to their form while they are generated: tokens that would leave it are ruled out.

The end is part of the form: an answer ends where it is complete, and not before. All forms are
finite, so every answer ends.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import llguidance
import llguidance.hf
import numpy as np
import torch
from torch import Tensor
from transformers import LogitsProcessor

from spatial_vlm_ros.language.box_text import KEY
from spatial_vlm_ros.reasoners.question_form import Form, FormKind

#: Whole and decimal numbers: at most four and six digits, and three after the point.
_COUNT = "(0|[1-9][0-9]{0,3})"
_DECIMALS = r"(\.[0-9]{1,3})?"
_NUMBER = rf"(0|[1-9][0-9]{{0,5}}){_DECIMALS}"
#: Metres of a place and of a size below 1000, radians below 4.
_PLACE = rf"-?(0|[1-9][0-9]{{0,2}}){_DECIMALS}"
_SIZE = rf"(0|[1-9][0-9]{{0,2}}){_DECIMALS}"
_YAW = rf"-?[0-3]{_DECIMALS}"
_LABEL = r'"label": ?"[^"\\{}\x00-\x1f\x7f-\x9f]{0,40}", ?'
_VALUES = ", ?".join([_PLACE] * 3 + [_SIZE] * 3 + [_YAW])
_BOX = rf'\{{({_LABEL})?"{KEY}": ?\[{_VALUES}\]\}}'
#: Boxes of one answer.
MOST_BOXES = 32
_BOXES = rf"{_BOX}|\[({_BOX}(, ?{_BOX}){{0,{MOST_BOXES - 1}}})?\]"


def form_regex(form: Form) -> str:
    """What the whole of an answer in this form matches; "" where anything does."""
    return {
        FormKind.FREE: "",
        FormKind.OPTION: "|".join(form.options),
        FormKind.COUNT: _COUNT,
        FormKind.NUMBER: _NUMBER,
        FormKind.BOXES: _BOXES,
    }[form.kind]


class AnswerForms:
    """Forms in the tokens of one model; made once, for it reads the whole vocabulary.

    tokenizer: a fast one. scores: how many tokens the model tells apart, which may be more than
    the tokenizer has. ends: all tokens that end an answer.
    """

    def __init__(self, tokenizer: Any, scores: int, ends: Iterable[int]) -> None:
        ends = sorted(set(ends))
        if not ends:
            raise ValueError("the model has no token that ends an answer: no form can be held to")
        self._tokens = llguidance.hf.from_tokenizer(tokenizer, n_vocab=scores, eos_token=ends)

    def processor(self, form: Form) -> LogitsProcessor | None:
        """For one call of ``generate`` with one prompt; None for the free form."""
        regex = form_regex(form)
        if not regex:
            return None
        grammar = llguidance.LLMatcher.grammar_from_regex(regex)
        return _HeldTo(llguidance.LLMatcher(self._tokens, grammar), form)


class _HeldTo(LogitsProcessor):
    """Rules out every token after which the text so far cannot become an answer of the form."""

    def __init__(self, matcher: llguidance.LLMatcher, form: Form) -> None:
        self._matcher, self._form = matcher, form
        self._read: int | None = None  # tokens of the prompt and of the answer taken in so far
        self._check()

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """``input_ids`` (1, n): the prompt, or nothing where it came as embeddings, and the answer.
        ``scores`` (1, tokens).
        """
        if len(scores) != 1:
            raise ValueError(f"{len(scores)} prompts at once: a form is for one")
        if self._read is None:
            self._read = input_ids.shape[1]
        self._matcher.consume_tokens(input_ids[0, self._read :].tolist())
        self._check()
        self._read = input_ids.shape[1]
        bits = np.frombuffer(self._matcher.compute_bitmask(), np.uint8)
        self._check()
        allowed = np.unpackbits(bits, bitorder="little", count=scores.shape[1]).astype(np.bool_)
        return scores.masked_fill(~torch.from_numpy(allowed).to(scores.device), -torch.inf)

    def _check(self) -> None:
        if self._matcher.is_error():
            why = self._matcher.get_error().splitlines()[0]
            raise RuntimeError(f"the form {self._form.kind.value} cannot be held to: {why}")
