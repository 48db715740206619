"""Which detector a checkpoint holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import transformers

from spatial_vlm_ros.naming.config import DetectorConfig
from spatial_vlm_ros.naming.detector import TextDetector
from spatial_vlm_ros.naming.grounding_dino import GroundingDino
from spatial_vlm_ros.naming.owl import Owl
from spatial_vlm_ros.naming.sam3 import Sam3, SquareImages
from spatial_vlm_ros.vision.checkpoint import Checkpoint
from spatial_vlm_ros.vision.networks import Images, load_network, load_tokenizer

#: By model_type: the network, what prepares images for it, and the detector around it.
_KINDS: dict[str, tuple[str, Any, Any]] = {
    "grounding-dino": ("GroundingDinoForObjectDetection", Images, GroundingDino),
    "mm-grounding-dino": ("MMGroundingDinoForObjectDetection", Images, GroundingDino),
    "owlvit": ("OwlViTForObjectDetection", Images, Owl),
    "owlv2": ("Owlv2ForObjectDetection", Images, Owl),
    "sam3": ("Sam3Model", SquareImages, Sam3),
    "sam3_video": ("Sam3Model", SquareImages, Sam3),  # as published: with a tracker
}


def open_detector(config: DetectorConfig, words: Sequence[str]) -> TextDetector:
    """The detector of a checkpoint on this machine, looking for ``words``.

    ``ValueError`` says what to change: the checkpoint is not there, not whole or of another kind,
    the device is not there or too small, or a word cannot be looked for.
    """
    checkpoint = Checkpoint.find(config.checkpoint)
    kind = checkpoint.settings().get("model_type")
    if kind not in _KINDS:
        raise ValueError(
            f"checkpoint {config.checkpoint} has model_type {kind}, which is no detector that is "
            f"known here; one of {', '.join(_KINDS)} is"
        )
    name, images, detector = _KINDS[kind]
    tokenizer = load_tokenizer(checkpoint)
    network = load_network(getattr(transformers, name), checkpoint, config, "the detector")
    found: TextDetector = detector(network, tokenizer, images(checkpoint, network), config, words)
    return found
