"""OWL-ViT and OWLv2: each patch of the image proposes a box, which is compared with each word."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spatial_vlm_ros.frame import Detection
from spatial_vlm_ros.naming.boxes import best_of, corners, detections
from spatial_vlm_ros.naming.config import DetectorConfig
from spatial_vlm_ros.naming.vocabulary import Vocabulary, refuse_long
from spatial_vlm_ros.vision.networks import Images

_TEMPLATE = "a photo of a {}"  # what it was trained to find words in
_AT_ONCE = 64  # texts


class Owl:
    """A :class:`spatial_vlm_ros.naming.detector.TextDetector`; more words cost next to nothing.

    square: whether an image is made square by a border at the right and below (OWLv2), not by
    being stretched (OWL-ViT).
    """

    def __init__(
        self,
        network: Any,
        tokenizer: Any,
        images: Images,
        config: DetectorConfig,
        words: Sequence[str],
    ) -> None:
        self._network, self._tokenizer = network, tokenizer
        self._images, self._config = images, config
        self._square = network.config.model_type == "owlv2"
        self._lock = Lock()
        self.set_vocabulary(words)

    def set_vocabulary(self, words: Sequence[str]) -> None:
        """See :class:`spatial_vlm_ros.naming.detector.TextDetector`."""
        with self._lock:
            vocabulary = Vocabulary.of(words)
            self._known = vocabulary, self._meanings(vocabulary.phrases)

    def find(self, rgb: NDArray[np.uint8]) -> tuple[Detection, ...]:
        """See :class:`spatial_vlm_ros.naming.detector.TextDetector`."""
        vocabulary, meanings = self._known
        with torch.inference_mode():
            grid, _ = self._network.image_embedder(**self._images(rgb))
            patches = grid.flatten(1, 2)
            logits, _ = self._network.class_predictor(patches, meanings[None])
            boxes = self._network.box_predictor(patches, grid)
        best = best_of(logits[0].float(), vocabulary.owners, len(vocabulary.names))
        logit, labels = best.max(dim=1)
        size = rgb.shape[0], rgb.shape[1]
        pixels = in_pixels(corners(boxes[0].float()), size, self._square)
        return detections(vocabulary.names, labels, logit.sigmoid(), pixels, size, self._config)

    def _meanings(self, phrases: Sequence[str]) -> Tensor:
        """(phrases, D) of length one. ``ValueError`` names one that is too long."""
        owl = getattr(self._network, self._network.base_model_prefix)
        longest = self._network.config.text_config.max_position_embeddings
        texts = [_TEMPLATE.format(phrase) for phrase in phrases]
        for phrase, ids in zip(phrases, self._tokenizer(texts)["input_ids"], strict=True):
            refuse_long(phrase, len(ids), longest)
        found = []
        with torch.inference_mode():
            for first in range(0, len(texts), _AT_ONCE):
                tokens = self._tokenizer(
                    texts[first : first + _AT_ONCE],
                    padding="max_length",
                    max_length=longest,
                    return_tensors="pt",
                ).to(self._network.device)
                out = owl.get_text_features(
                    input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]
                ).pooler_output
                found.append(out / out.norm(dim=-1, keepdim=True))
        return torch.cat(found)


def in_pixels(boxes: Tensor, size: tuple[int, int], square: bool) -> Tensor:
    """(n, 4) pixels of an image (height, width) of boxes (n, 4) in shares of what was seen."""
    height, width = size
    sides = [max(size), max(size)] if square else [width, height]
    return boxes * boxes.new_tensor([*sides, *sides])
