"""Grounding DINO, which reads all words at once: which of its tokens are which word."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spatial_vlm_ros.frame import Detection
from spatial_vlm_ros.naming.boxes import corners, detections
from spatial_vlm_ros.naming.config import DetectorConfig
from spatial_vlm_ros.naming.vocabulary import Vocabulary, refuse_long
from spatial_vlm_ros.naming.words import ReadsWords

_END = "."  # of a phrase; the network keeps what is between two of them apart
_ENDS = re.compile(r"[.?]")


@dataclass(frozen=True)
class Prompt:
    """As many phrases as the network reads at once: "chair. washing machine."

    tokens: (1, t) ids. spans: (p, t) bool, which tokens are of which phrase. owners: (p,) which
    name each phrase is for.
    """

    tokens: Tensor
    spans: Tensor
    owners: Tensor


class GroundingDino(ReadsWords[DetectorConfig, list[Prompt]]):
    """A :class:`spatial_vlm_ros.naming.detector.TextDetector`; MM Grounding DINO is one too.

    Longer vocabularies are read in several prompts, each of which costs as much as an image.
    """

    def __init__(self, network: Any, *others: Any) -> None:
        network.model.text_backbone = self._texts = _Once(network.model.text_backbone)
        super().__init__(network, *others)

    def find(self, rgb: NDArray[np.uint8]) -> tuple[Detection, ...]:
        """See :class:`spatial_vlm_ros.naming.detector.TextDetector`."""
        vocabulary, read = self._known
        found = []
        with torch.inference_mode():
            inputs = self._images(rgb)
            for prompt in read:
                out = self._network(
                    **inputs,
                    input_ids=prompt.tokens,
                    attention_mask=torch.ones_like(prompt.tokens),
                    token_type_ids=torch.zeros_like(prompt.tokens),
                )
                found.append((*judged(out.logits[0], prompt), corners(out.pred_boxes[0].float())))
        labels, scores, boxes = map(torch.cat, zip(*found, strict=True))
        height, width = rgb.shape[:2]
        boxes = boxes * boxes.new_tensor([width, height, width, height])
        return detections(vocabulary.names, labels, scores, boxes, (height, width), self._config)

    def _learn(self, vocabulary: Vocabulary) -> list[Prompt]:
        read = prompts(vocabulary, self._tokenizer, self._network.config.max_text_len)
        self._texts.forget()
        device = self._network.device
        return [
            Prompt(part.tokens.to(device), part.spans.to(device), part.owners.to(device))
            for part in read
        ]


def prompts(vocabulary: Vocabulary, tokenizer: Any, longest: int) -> list[Prompt]:
    """All phrases, in prompts of at most ``longest`` tokens.

    ``ValueError`` names a phrase that alone is longer.
    """
    end = tokenizer.convert_tokens_to_ids(_END)
    parts: list[list[tuple[list[int], int]]] = [[]]
    room = most = longest - 2  # for the tokens at both ends
    for phrase, owner in zip(vocabulary.phrases, vocabulary.owners, strict=True):
        ids = tokenizer(_ENDS.sub(" ", phrase), add_special_tokens=False)["input_ids"]
        refuse_long(phrase, len(ids) + 1, most)
        if len(ids) + 1 > room:
            parts.append([])
            room = most
        parts[-1].append((ids, owner))
        room -= len(ids) + 1
    return [_prompt(part, tokenizer, end) for part in parts]


def _prompt(phrases: list[tuple[list[int], int]], tokenizer: Any, end: int) -> Prompt:
    tokens, places = [tokenizer.cls_token_id], []
    for ids, _ in phrases:
        places.append((len(tokens), len(tokens) + len(ids)))
        tokens += [*ids, end]
    tokens.append(tokenizer.sep_token_id)
    spans = torch.zeros(len(phrases), len(tokens), dtype=torch.bool)
    for span, (first, behind) in zip(spans, places, strict=True):
        span[first:behind] = True
    return Prompt(torch.tensor([tokens]), spans, torch.tensor([owner for _, owner in phrases]))


def judged(logits: Tensor, prompt: Prompt) -> tuple[Tensor, Tensor]:
    """(n,) the name that each box is of, and (n,) how sure, of logits (n, t or more) per token.

    A box is of the phrase whose tokens are likely in the mean, since "washing machine" and "coffee
    machine" share one, and as sure as the likeliest of its tokens, which is what thresholds for
    this network are about.
    """
    likely = logits.float().sigmoid()[:, : prompt.tokens.shape[1]]
    weights = prompt.spans / prompt.spans.sum(dim=1, keepdim=True)
    best = (likely @ weights.T).argmax(dim=1)
    scores = likely.masked_fill(~prompt.spans[best], 0).amax(dim=1)
    return prompt.owners[best], scores


class _Once(nn.Module):
    """Computes what the text means once per text, not once per image."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self._known: dict[tuple[int, ...], Any] = {}

    def forget(self) -> None:
        """Other texts will be asked for."""
        self._known = {}

    def forward(self, tokens: Tensor, *others: Any, **named: Any) -> Any:
        """What the encoder says; all it is given besides the tokens follows from them."""
        text, known = tuple(tokens.flatten().tolist()), self._known
        if text not in known:
            known[text] = self.encoder(tokens, *others, **named)
        return known[text]
