"""Small random networks for metric depth, with the files and settings of the published ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from transformers import (
    BeitConfig,
    DepthAnythingConfig,
    DepthAnythingForDepthEstimation,
    DepthProConfig,
    DepthProForDepthEstimation,
    Dinov2Config,
    ZoeDepthConfig,
    ZoeDepthForDepthEstimation,
)

IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
COMMON = {"do_rescale": True, "do_normalize": True, "do_resize": True, "rescale_factor": 1 / 255}
#: preprocessor_config.json as published, but for the sizes.
DPT = {
    **COMMON,
    **IMAGENET,
    "do_pad": False,
    "ensure_multiple_of": 14,
    "image_processor_type": "DPTImageProcessor",
    "keep_aspect_ratio": True,
    "resample": 3,
    "size": {"height": 70, "width": 70},
    "size_divisor": None,
}
ZOE = {
    **COMMON,
    "do_pad": True,
    "ensure_multiple_of": 32,
    "image_mean": [0.5, 0.5, 0.5],
    "image_processor_type": "ZoeDepthImageProcessor",
    "image_std": [0.5, 0.5, 0.5],
    "keep_aspect_ratio": True,
    "resample": 2,
    "size": {"height": 64, "width": 96},
}
PRO = {
    **COMMON,
    "image_mean": [0.5, 0.5, 0.5],
    "image_processor_type": "DepthProImageProcessorFast",
    "image_std": [0.5, 0.5, 0.5],
    "resample": 2,
    "size": {"height": 64, "width": 64},
}


def save_depth_anything(folder: Path, kind: str = "metric", seed: int = 0) -> Path:
    backbone = Dinov2Config(
        image_size=70,
        patch_size=14,
        hidden_size=24,
        num_hidden_layers=4,
        num_attention_heads=2,
        out_indices=[1, 2, 3, 4],
        reshape_hidden_states=False,
        apply_layernorm=True,
    )
    config = DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=24,
        neck_hidden_sizes=[8, 8, 16, 16],
        fusion_hidden_size=16,
        head_hidden_size=8,
        depth_estimation_type=kind,
        max_depth=20 if kind == "metric" else 1,
    )
    return _save(folder, DepthAnythingForDepthEstimation, config, DPT, seed)


def save_zoedepth(folder: Path, seed: int = 0) -> Path:
    """With two heads, for rooms and for streets, and a router, as zoedepth-nyu-kitti."""
    backbone = BeitConfig(
        image_size=64,
        patch_size=16,
        hidden_size=24,
        intermediate_size=48,
        num_hidden_layers=4,
        num_attention_heads=2,
        use_relative_position_bias=True,
        reshape_hidden_states=False,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    config = ZoeDepthConfig(
        backbone_config=backbone,
        neck_hidden_sizes=[8, 8, 16, 16],
        fusion_hidden_size=16,
        bottleneck_features=16,
        num_relative_features=8,
        num_attractors=[4, 2, 1, 1],
        bin_embedding_dim=8,
        bin_configurations=[
            {"name": "nyu", "n_bins": 8, "min_depth": 0.001, "max_depth": 10.0},
            {"name": "kitti", "n_bins": 8, "min_depth": 0.001, "max_depth": 80.0},
        ],
        num_patch_transformer_layers=4,
        patch_transformer_hidden_size=128,
        patch_transformer_intermediate_size=16,
        patch_transformer_num_attention_heads=2,
    )
    return _save(folder, ZoeDepthForDepthEstimation, config, ZOE, seed)


def save_depth_pro(folder: Path, seed: int = 0) -> Path:
    """With the network that guesses the field of view, as published."""
    encoder = {
        "model_type": "dinov2",
        "image_size": 32,
        "patch_size": 8,
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    config = DepthProConfig(
        patch_size=32,
        fusion_hidden_size=16,
        intermediate_hook_ids=[1, 0],
        intermediate_feature_dims=[8, 8],
        scaled_images_ratios=[0.5, 1.0],
        scaled_images_overlap_ratios=[0.0, 0.5],
        scaled_images_feature_dims=[8, 8],
        use_fov_model=True,
        num_fov_head_layers=1,
        image_model_config=dict(encoder),
        patch_model_config=dict(encoder),
        fov_model_config=dict(encoder),
    )
    return _save(folder, DepthProForDepthEstimation, config, PRO, seed)


def _save(
    folder: Path, architecture: Any, config: Any, settings: dict[str, Any], seed: int
) -> Path:
    torch.manual_seed(seed)
    model = architecture(config).eval()
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if weights.dim() > 1:  # large enough that the depth is not the same everywhere
                fan = weights[0].numel()
                weights.copy_(torch.randn(weights.shape, generator=random) * (1.5 / fan) ** 0.5)
            elif "head" in name and name.endswith("bias"):
                weights.fill_(0.3)
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(settings, indent=2))
    return folder
