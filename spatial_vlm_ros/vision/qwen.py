"""The vision tower of Qwen2.5-VL as the encoder of images, without its language model."""

from __future__ import annotations

from collections.abc import Mapping
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
from spatial_vlm_ros.vision.images import (
    CLIP_MEAN,
    CLIP_STD,
    as_tensor,
    fit_size,
    normalised,
    resized,
)

_MODEL_TYPE = "qwen2_5_vl"
_PREFIXES = ("visual.", "model.visual.")  # both are written


class QwenTower:
    """A :class:`spatial_vlm_ros.vision.encoder.VisionEncoder`: each image by itself.

    The features are those that the language model gets: after the merger, one per cell of 2 x 2
    patches. pixels: an image is made smaller when it has more than this many.
    """

    def __init__(
        self,
        tower: Qwen2_5_VisionTransformerPretrainedModel,
        name: str,
        mean: Tensor,
        std: Tensor,
        pixels: int,
    ) -> None:
        config: Any = tower.config
        self.name = name
        self.dimension: int = config.out_hidden_size
        self.cell: int = config.patch_size * config.spatial_merge_size
        self.pixels = pixels
        self.device = mean.device
        self._tower, self._mean, self._std = tower, mean, std
        self._patch: int = config.patch_size
        self._merge: int = config.spatial_merge_size
        self._frames: int = config.temporal_patch_size

    @classmethod
    def open(cls, config: EncoderConfig) -> QwenTower:
        """The tower of the checkpoint, on the device.

        ``ValueError`` when the device is not there, and when the checkpoint is not there, not
        whole, or not a Qwen2.5-VL.
        """
        device = _device(config.device)
        dtype = _dtype(config.dtype, device)
        checkpoint = Checkpoint.find(config.checkpoint)
        settings = checkpoint.settings()
        if settings.get("model_type") != _MODEL_TYPE:
            raise ValueError(
                f"checkpoint {config.checkpoint} has model_type {settings.get('model_type')}, not "
                f"{_MODEL_TYPE}"
            )
        vision = settings.get("vision_config", {})
        images = checkpoint.optional("preprocessor_config.json")
        colours = [images.get("image_mean", CLIP_MEAN), images.get("image_std", CLIP_STD)]
        tensors = checkpoint.tensors(_PREFIXES)
        name = f"{checkpoint.name}-{fingerprint([vision, colours], tensors)}"
        tensors = {key: tensor.to(device, dtype) for key, tensor in tensors.items()}
        try:
            tower = _tower(vision, tensors, device)
        except ValueError as error:
            raise ValueError(f"checkpoint {config.checkpoint}: {error}") from error
        mean, std = torch.tensor(colours, device=device)
        return cls(tower, name, mean, std, config.pixels)

    def encode(self, rgb: NDArray[np.uint8]) -> Tensor:
        """See :meth:`spatial_vlm_ros.vision.encoder.VisionEncoder.encode`.

        ``ValueError`` when ``rgb`` is no image, or one side is more than 200 times the other.
        """
        image = as_tensor(rgb)
        height, width = fit_size(image.shape[1], image.shape[2], self.cell, self.pixels)
        with torch.inference_mode():
            seen = resized(image, (height, width)).to(self.device)
            seen = normalised(seen, self._mean, self._std)
            patches = _patches(seen, self._patch, self._merge, self._frames)
            grid = [[1, height // self._patch, width // self._patch]]
            out = self._tower(patches, grid_thw=torch.tensor(grid, device=patches.device))
        # A copy, since nobody can write to a tensor of the inference mode, nor learn from it.
        features = out.pooler_output.to(torch.float32, copy=True)
        return features.view(height // self.cell, width // self.cell, self.dimension)


def _patches(image: Tensor, patch: int, merge: int, frames: int) -> Tensor:
    """(n, 3 * frames * patch * patch) values of the patches of an image (3, H, W).

    The merge x merge patches of a cell follow each other, and the cells row by row. The image
    stands still over the ``frames`` that a patch lasts.
    """
    rows, columns = image.shape[1] // (merge * patch), image.shape[2] // (merge * patch)
    cells = image.reshape(3, rows, merge, patch, columns, merge, patch)
    cells = cells.permute(1, 4, 2, 5, 0, 3, 6)  # row, column; of the patch; colour; of the pixel
    still = cells.unsqueeze(5).expand(-1, -1, -1, -1, -1, frames, -1, -1)
    return still.flatten(0, 3).flatten(1)


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


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.zeros(1, device=name).item()
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"device {name} of the encoder is not on this machine; set device to auto or cpu"
        ) from error
    return torch.device(name)


def _dtype(name: str, device: torch.device) -> torch.dtype:
    if name == "auto":
        return torch.float32 if device.type == "cpu" else torch.bfloat16
    dtype: torch.dtype = getattr(torch, name)
    return dtype
