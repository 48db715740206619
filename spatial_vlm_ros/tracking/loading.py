"""SAM 2 and EdgeTAM from a checkpoint onto a device, and the tracker that uses them."""

from __future__ import annotations

import copy
from typing import Any

import torch
from transformers import EdgeTamVideoConfig, EdgeTamVideoModel, Sam2VideoConfig, Sam2VideoModel

from spatial_vlm_ros.tracking.config import TrackerConfig
from spatial_vlm_ros.tracking.network import Network
from spatial_vlm_ros.tracking.repvit import RepVitConfig
from spatial_vlm_ros.tracking.sam2 import Sam2Propagator
from spatial_vlm_ros.tracking.tracker import Tracker
from spatial_vlm_ros.vision.checkpoint import Checkpoint
from spatial_vlm_ros.vision.images import IMAGENET_MEAN, IMAGENET_STD
from spatial_vlm_ros.vision.networks import load_network

_SAM2, _EDGETAM = ("sam2_video", "sam2"), ("edgetam_video", "edgetam")
_REMEMBERS = ("memory_temporal_positional_encoding",)  # small, and only in models for video


def open_tracker(config: TrackerConfig) -> Tracker:
    """A tracker with the network of its checkpoint. Errors as below."""
    return Tracker(config, open_propagator(config))


def open_propagator(config: TrackerConfig) -> Sam2Propagator:
    """The network of the checkpoint, on the device. Nothing is downloaded.

    ``ValueError`` says what to change: the device is not there or too small, or the checkpoint is
    not there, not whole, or neither a SAM 2 nor an EdgeTAM for video.
    """
    checkpoint = Checkpoint.find(config.checkpoint)
    architecture, settings = _architecture(checkpoint)
    if not checkpoint.tensors(_REMEMBERS):
        raise ValueError(
            f"checkpoint {config.checkpoint} holds the model for single images; take one for video"
        )
    model = load_network(
        architecture,
        checkpoint,
        config,
        "the tracker",
        auto=torch.bfloat16,
        exact=True,
        config=settings,
    )
    images = checkpoint.optional("preprocessor_config.json")
    colours = [images.get("image_mean", IMAGENET_MEAN), images.get("image_std", IMAGENET_STD)]
    return Sam2Propagator(Network(model), colours, config.batch)


def _architecture(checkpoint: Checkpoint) -> tuple[Any, Any]:
    """The class of the model, and its settings."""
    found = copy.deepcopy(checkpoint.settings())
    kind = found.pop("model_type", None)
    if kind not in _SAM2 + _EDGETAM:
        raise ValueError(
            f"{checkpoint.folder / 'config.json'} has model_type {kind}, not {_SAM2[0]} or "
            f"{_EDGETAM[0]}; take for instance facebook/sam2.1-hiera-tiny or yonigozlan/EdgeTAM-hf"
        )
    try:
        if kind in _SAM2:
            return Sam2VideoModel, Sam2VideoConfig(**found)
        vision = found.setdefault("vision_config", {})
        backbone = RepVitConfig.of_timm(vision.get("backbone_config") or {})
        vision["backbone_config"] = backbone.to_dict()
        return EdgeTamVideoModel, EdgeTamVideoConfig(**found)
    except Exception as error:  # whatever transformers says of settings
        raise ValueError(
            f"{checkpoint.folder / 'config.json'} is not understood: {error}"
        ) from error
