"""The vision tower of Qwen2.5-VL as the encoder of images, without its language model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers.models.qwen2_5_vl.configuration_qwen2_5_vl import Qwen2_5_VLVisionConfig
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import (
    Qwen2_5_VisionTransformerPretrainedModel,
)

from spatial_vlm_ros.config import EncoderConfig
from spatial_vlm_ros.vision.checkpoint import Checkpoint, fingerprint
from spatial_vlm_ros.vision.device import device_of, dtype_of
from spatial_vlm_ros.vision.images import (
    CLIP_MEAN,
    CLIP_STD,
    as_tensor,
    fit_size,
    normalised,
    patches,
    resized,
)

#: Whose vision tower is Qwen2.5-VL's.
_MODEL_TYPES = ("qwen2_5_vl", "proxy3d", "ssr")
_PREFIXES = ("visual.", "model.visual.")  # both are written
#: What of its settings makes a tower compute something else.
_SHAPE = (
    "depth",
    "fullatt_block_indexes",
    "hidden_act",
    "num_heads",
    "patch_size",
    "spatial_merge_size",
    "temporal_patch_size",
    "window_size",
)

Colours = Sequence[Sequence[float]]


class QwenTower:
    """A :class:`spatial_vlm_ros.vision.encoder.VisionEncoder`: each image by itself.

    The features are those that the language model gets: after the merger, one per cell of 2 x 2
    patches. The tower stays where it is. name: its own for each tower and colours. colours: mean
    and deviation of red, green and blue. pixels: an image with more is made smaller.
    """

    def __init__(
        self,
        tower: Qwen2_5_VisionTransformerPretrainedModel,
        name: str,
        colours: Colours,
        pixels: int,
    ) -> None:
        config: Any = tower.config
        self.name = name
        self.dimension: int = config.out_hidden_size
        self.cell: int = config.patch_size * config.spatial_merge_size
        self.pixels = pixels
        self.device: torch.device = tower.device
        self._tower = tower
        self._mean, self._std = torch.tensor(colours, device=self.device)
        self._patch: int = config.patch_size
        self._merge: int = config.spatial_merge_size
        self._frames: int = config.temporal_patch_size

    @classmethod
    def open(cls, config: EncoderConfig) -> QwenTower:
        """The tower of the checkpoint, on the device.

        ``ValueError`` when the device is not there, and when the checkpoint is not there, not
        whole, or not a Qwen2.5-VL.
        """
        device = device_of(config.device, "the encoder")
        dtype = dtype_of(config.dtype, device)
        checkpoint = Checkpoint.find(config.checkpoint)
        settings = checkpoint.settings()
        if settings.get("model_type") not in _MODEL_TYPES:
            raise ValueError(
                f"checkpoint {config.checkpoint} has model_type {settings.get('model_type')}, not "
                f"{_MODEL_TYPES[0]}"
            )
        colours = checkpoint.colours()
        tensors = checkpoint.tensors(_PREFIXES)
        try:
            cast = {key: tensor.to(device, dtype) for key, tensor in tensors.items()}
            tower = _tower(settings.get("vision_config", {}), cast, device)
        except ValueError as error:
            raise ValueError(f"checkpoint {config.checkpoint}: {error}") from error
        name = f"{checkpoint.name}-{_digits(tower, colours, tensors)}"
        return cls(tower, name, colours, checkpoint.pixels(config.pixels))

    @classmethod
    def of(
        cls,
        tower: Qwen2_5_VisionTransformerPretrainedModel,
        label: str,
        pixels: int,
        colours: Colours = (CLIP_MEAN, CLIP_STD),
    ) -> QwenTower:
        """A tower that is loaded, as it is now: when it is trained or moved, wrap it again.

        label: of its model. The digits behind it are those of :meth:`open` for the same weights.
        """
        name = f"{label}-{_digits(tower, colours, tower.state_dict())}"
        return cls(tower, name, colours, pixels)

    def encode(self, rgb: NDArray[np.uint8]) -> Tensor:
        """See :meth:`spatial_vlm_ros.vision.encoder.VisionEncoder.encode`.

        ``ValueError`` when ``rgb`` is no image, or one side is more than 200 times the other.
        """
        image = as_tensor(rgb)
        height, width = fit_size(image.shape[1], image.shape[2], self.cell, self.pixels)
        with torch.inference_mode():
            seen = resized(image, (height, width)).to(self.device)
            seen = normalised(seen, self._mean, self._std)
            pixels = patches(seen, self._patch, self._merge, self._frames)
            grid = [[1, height // self._patch, width // self._patch]]
            out = self._tower(pixels, grid_thw=torch.tensor(grid, device=pixels.device))
        # A copy, since nobody can write to a tensor of the inference mode, nor learn from it.
        features = out.pooler_output.to(torch.float32, copy=True)
        return features.view(height // self.cell, width // self.cell, self.dimension)


def _digits(
    tower: Qwen2_5_VisionTransformerPretrainedModel, colours: Colours, tensors: Mapping[str, Tensor]
) -> str:
    """What tells a tower of these weights from others."""
    shape = {name: getattr(tower.config, name) for name in _SHAPE}
    return fingerprint([shape, [list(part) for part in colours]], tensors)


def _tower(
    vision: dict[str, Any], tensors: Mapping[str, Tensor], device: torch.device
) -> Qwen2_5_VisionTransformerPretrainedModel:
    """The tower that ``vision``, a vision_config, describes, of these weights on the device."""
    with torch.device("meta"):
        tower = Qwen2_5_VisionTransformerPretrainedModel(_vision_config(vision))
    _check(tower.state_dict(), tensors)
    tower.load_state_dict(tensors, assign=True)
    # No file has the rotary frequencies; a tower without blocks has the same.
    short = Qwen2_5_VisionTransformerPretrainedModel(_vision_config({**vision, "depth": 0}))
    for name, _ in list(tower.named_buffers()):
        module, _, buffer = name.rpartition(".")
        setattr(tower.get_submodule(module), buffer, short.get_buffer(name).to(device))
    return tower.requires_grad_(False).train(False)


def _vision_config(vision: dict[str, Any]) -> Qwen2_5_VLVisionConfig:
    return Qwen2_5_VLVisionConfig(**{**vision, "attn_implementation": "sdpa"})


def _check(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    """``ValueError`` when the weights found are not those expected."""
    missing, unknown = sorted(expected.keys() - found), sorted(found.keys() - expected)
    if missing:
        raise ValueError(f"{len(missing)} tensors are missing, first visual.{missing[0]}")
    if unknown:
        raise ValueError(f"{len(unknown)} tensors are not known, first visual.{unknown[0]}")
    for name, tensor in expected.items():
        if found[name].shape != tensor.shape:
            raise ValueError(
                f"visual.{name} has shape {tuple(found[name].shape)}, not {tuple(tensor.shape)} as "
                "config.json says"
            )
