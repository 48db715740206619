"""OWL-ViT and OWLv2: each patch of the image proposes a box, which is compared with each word."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spatial_vlm_ros.frame import Detection
from spatial_vlm_ros.naming.boxes import best_of, corners, detections
from spatial_vlm_ros.naming.config import DetectorConfig
from spatial_vlm_ros.naming.vocabulary import Vocabulary, refuse_long
from spatial_vlm_ros.naming.words import ReadsWords, text_features

_TEMPLATE = "a photo of a {}"  # what it was trained to find words in


class Owl(ReadsWords[DetectorConfig, Tensor]):
    """A :class:`spatial_vlm_ros.naming.detector.TextDetector`; more words cost next to nothing."""

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
        square = self._network.config.model_type == "owlv2"
        pixels = in_pixels(corners(boxes[0].float()), size, square)
        return detections(vocabulary.names, labels, logit.sigmoid(), pixels, size, self._config)

    def _learn(self, vocabulary: Vocabulary) -> Tensor:
        """(phrases, D) of length one."""
        owl = getattr(self._network, self._network.base_model_prefix)
        longest = self._network.config.text_config.max_position_embeddings
        texts = [_TEMPLATE.format(phrase) for phrase in vocabulary.phrases]
        tokens = self._tokenizer(texts)["input_ids"]
        for phrase, ids in zip(vocabulary.phrases, tokens, strict=True):
            refuse_long(phrase, len(ids), longest)
        filled = {"padding": "max_length", "max_length": longest}
        return text_features(owl, self._tokenizer, texts, **filled).to(self._network.dtype)


def in_pixels(boxes: Tensor, size: tuple[int, int], square: bool) -> Tensor:
    """(n, 4) pixels of an image (height, width) of boxes (n, 4) in shares of what was seen.

    square: whether that was made square by a border at the right and below (OWLv2), not by being
    stretched (OWL-ViT).
    """
    height, width = size
    sides = [max(size), max(size)] if square else [width, height]
    return boxes * boxes.new_tensor([*sides, *sides])
