"""SAM 3, which looks for one word at a time in what it made of the image."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutputWithPooling

from spatial_vlm_ros.frame import Detection
from spatial_vlm_ros.naming.boxes import detections
from spatial_vlm_ros.naming.config import DetectorConfig
from spatial_vlm_ros.naming.vocabulary import Vocabulary, refuse_long
from spatial_vlm_ros.naming.words import ReadsWords
from spatial_vlm_ros.vision.checkpoint import Checkpoint
from spatial_vlm_ros.vision.images import as_tensor, normalised, resized

_LONGEST = 32  # tokens of a phrase, with those at both ends
_AT_ONCE = 4  # phrases; each takes 66 MB for masks at full size
_HALF = [0.5, 0.5, 0.5]


class Sam3(ReadsWords[DetectorConfig, tuple[Tensor, Tensor]]):
    """A :class:`spatial_vlm_ros.naming.detector.TextDetector`: boxes, not masks.

    The image is encoded once; every phrase then costs a pass of the detector behind it.
    """

    def find(self, rgb: NDArray[np.uint8]) -> tuple[Detection, ...]:
        """See :class:`spatial_vlm_ros.naming.detector.TextDetector`."""
        vocabulary, (meanings, masks) = self._known
        found: list[tuple[Tensor, Tensor, Tensor]] = []
        with torch.inference_mode():
            seen = self._network.get_vision_features(self._images(rgb))
            for first in range(0, len(meanings), _AT_ONCE):
                part = meanings[first : first + _AT_ONCE]
                out = self._network(
                    vision_embeds=_repeated(seen, len(part)),
                    text_embeds=BaseModelOutputWithPooling(pooler_output=part),
                    attention_mask=masks[first : first + _AT_ONCE],
                )
                scores = out.pred_logits.float().sigmoid() * out.presence_logits.float().sigmoid()
                owners = torch.tensor(vocabulary.owners[first : first + _AT_ONCE])
                labels = owners[:, None].expand(scores.shape).to(scores.device)
                found.append((labels.flatten(), scores.flatten(), out.pred_boxes.flatten(0, 1)))
        labels, scores, boxes = map(torch.cat, zip(*found, strict=True))
        height, width = rgb.shape[:2]
        boxes = boxes.float() * torch.tensor([width, height, width, height], device=boxes.device)
        return detections(vocabulary.names, labels, scores, boxes, (height, width), self._config)

    def _learn(self, vocabulary: Vocabulary) -> tuple[Tensor, Tensor]:
        """(phrases, tokens, D) and (phrases, tokens) 0 behind the end."""
        phrases = list(vocabulary.phrases)
        for phrase, ids in zip(phrases, self._tokenizer(phrases)["input_ids"], strict=True):
            refuse_long(phrase, len(ids), _LONGEST)
        tokens = self._tokenizer(
            phrases, padding="max_length", max_length=_LONGEST, return_tensors="pt"
        ).to(self._network.device)
        mask = tokens["attention_mask"]
        with torch.inference_mode():
            out = self._network.get_text_features(tokens["input_ids"], attention_mask=mask)
        return out.pooler_output, mask


class SquareImages:
    """Images stretched to a square, as SAM 3's processor does, which needs torchvision."""

    def __init__(self, checkpoint: Checkpoint, network: Any) -> None:
        whole = checkpoint.optional("processor_config.json").get("image_processor", {})
        images = checkpoint.optional("preprocessor_config.json") or whole
        side = network.config.vision_config.image_size
        size = images.get("size", {"height": side, "width": side})
        self._size = size["height"], size["width"]
        self._device, self._dtype = network.device, network.dtype
        self._mean = torch.tensor(images.get("image_mean", _HALF), device=self._device)
        self._std = torch.tensor(images.get("image_std", _HALF), device=self._device)

    def __call__(self, rgb: NDArray[np.uint8]) -> Tensor:
        """(1, 3, side, side) of an image (H, W, 3). ``ValueError`` when it is none."""
        square = resized(as_tensor(rgb), self._size, "bilinear").to(self._device)
        return normalised(square, self._mean, self._std)[None].to(self._dtype)


def _repeated(seen: Any, times: int) -> Any:
    """What was seen, once per phrase, without a copy."""
    parts = ("fpn_hidden_states", "fpn_position_encoding")
    return type(seen)(**{name: tuple(map(_expander(times), getattr(seen, name))) for name in parts})


def _expander(times: int) -> Any:
    return lambda part: part.expand(times, -1, -1, -1)
