"""Small random SAM 2 and EdgeTAM checkpoints, in the files and with the names of the real ones."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path

import torch
from transformers import (
    EdgeTamVideoConfig,
    EdgeTamVideoModel,
    Sam2Config,
    Sam2Model,
    Sam2VideoConfig,
    Sam2VideoModel,
)

from spatial_vlm_ros.tracking.repvit import RepVitConfig

SIZE, HIDDEN = 128, 128  # pixels a side; channels: twice those of memory, as pointers are cut

#: Of the real checkpoints.
PREPROCESSOR = {
    "do_convert_rgb": True,
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
    "image_processor_type": "Sam2ImageProcessorFast",
    "mask_size": {"height": SIZE // 4, "width": SIZE // 4},
    "processor_class": "Sam2VideoProcessor",
    "resample": 2,
    "rescale_factor": 1 / 255,
    "size": {"height": SIZE, "width": SIZE},
}
_MAPS = {
    "backbone_feature_sizes": [[SIZE // 4] * 2, [SIZE // 8] * 2, [SIZE // 16] * 2],
    "fpn_hidden_size": HIDDEN,
}
_HEADS = {
    "prompt_encoder_config": {"hidden_size": HIDDEN, "image_size": SIZE},
    "mask_decoder_config": {
        "hidden_size": HIDDEN,
        "mlp_dim": 64,
        "num_attention_heads": 2,
        "iou_head_hidden_dim": 32,
    },
}
_MEMORY = {
    "image_size": SIZE,
    "memory_attention_hidden_size": HIDDEN,
    "memory_attention_num_layers": 2,
    "memory_attention_rope_feat_sizes": [SIZE // 16] * 2,
    "memory_encoder_hidden_size": HIDDEN,
    "mask_downsampler_embed_dim": HIDDEN,
    "memory_fuser_embed_dim": HIDDEN,
    "memory_fuser_intermediate_dim": 64,
}
_HIERA = {
    "model_type": "sam2_hiera_det_model",
    "hidden_size": 16,
    "image_size": [SIZE, SIZE],
    "blocks_per_stage": [1, 1, 2, 1],
    "embed_dim_per_stage": [16, 32, 64, 128],
    "num_attention_heads_per_stage": [1, 2, 2, 4],
    "global_attention_blocks": [3],
}
_CHANNELS, _BLOCKS = [16, 32, 64, 96], [1, 1, 2, 1]


def save_small_sam2(folder: Path, seed: int = 0, video: bool = True) -> None:
    """A SAM 2.1; video False: only what sees single images."""
    vision = {
        "model_type": "sam2_vision_model",
        "backbone_config": _HIERA,
        "backbone_channel_list": [128, 64, 32, 16],
        **_MAPS,
    }
    if video:
        small = {**_MEMORY, "memory_attention_feed_forward_hidden_size": 64}
        config = Sam2VideoConfig(**deepcopy({"vision_config": vision, **_HEADS, **small}))
        _save(Sam2VideoModel, config, folder, seed)
    else:
        _save(Sam2Model, Sam2Config(**deepcopy({"vision_config": vision, **_HEADS})), folder, seed)


def save_small_edgetam(folder: Path, seed: int = 0) -> None:
    """An EdgeTAM, whose backbone is named as timm's."""
    config = EdgeTamVideoConfig(
        vision_config={
            "model_type": "edgetam_vision_model",
            "backbone_config": RepVitConfig(_CHANNELS, _BLOCKS).to_dict(),
            "backbone_channel_list": _CHANNELS[::-1],
            **_MAPS,
        },
        enable_temporal_pos_encoding_for_object_pointers=False,
        enable_occlusion_spatial_embedding=False,
        memory_attention_mlp_hidden_size=64,
        memory_attention_rope_k_sizes=[4, 4],
        perceiver_resampler_num_latents=16,
        perceiver_resampler_num_latents_2d=16,
        **deepcopy({**_HEADS, **_MEMORY}),
    )
    _save(EdgeTamVideoModel, config, folder, seed)
    path = folder / "config.json"
    settings = json.loads(path.read_text())
    settings["vision_config"]["backbone_config"] = {
        "architecture": "repvit_m1",
        "model_args": {
            "embed_dim": _CHANNELS,
            "depth": _BLOCKS,
            "features_only": True,
            "in_chans": 3,
            "out_indices": [0, 1, 2, 3],
        },
        "model_type": "timm_wrapper",
    }
    path.write_text(json.dumps(settings))


def _save(architecture: type, config: object, folder: Path, seed: int) -> None:
    """Weights so large that each part changes what comes out."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = architecture(config).eval()
        with torch.no_grad():
            for name, tensor in model.named_parameters():
                if tensor.dim() > 1:
                    scale = 0.5 if "vision_encoder" in name else 1.0
                    tensor.normal_(0, scale * tensor[0].numel() ** -0.5 + 0.02)
                elif name.endswith("bias") or "norm" not in name:
                    tensor.normal_(0, 0.1)
            for name, tensor in model.named_buffers():
                if name.endswith("running_mean"):
                    tensor.normal_(0, 0.1)
                elif name.endswith("running_var"):
                    tensor.uniform_(0.5, 1.5)
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR))
