"""Small random Qwen2.5-VL checkpoints, in the files and with the names of the real ones."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

from spatial_vlm_ros.vision.images import CLIP_MEAN, CLIP_STD

#: Of the real checkpoints.
PREPROCESSOR = {
    "min_pixels": 3136,
    "max_pixels": 12845056,
    "patch_size": 14,
    "temporal_patch_size": 2,
    "merge_size": 2,
    "image_mean": CLIP_MEAN,
    "image_std": CLIP_STD,
    "image_processor_type": "Qwen2VLImageProcessor",
    "processor_class": "Qwen2_5_VLProcessor",
}


def save_small_qwen(
    folder: Path,
    seed: int = 0,
    hidden: int = 32,
    out_hidden: int = 24,
    max_shard_size: str = "1GB",
) -> None:
    """A checkpoint with random weights; those of another seed differ.

    hidden: channels of the vision tower, a multiple of 8. out_hidden: of its output and of the
    language model, a multiple of 32. The weights are so large that attention matters.
    """
    config = Qwen2_5_VLConfig(
        text_config={
            "hidden_size": out_hidden,
            "intermediate_size": 2 * out_hidden,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "vocab_size": 64,
            "bos_token_id": None,
            "eos_token_id": None,
        },
        vision_config={
            "depth": 2,  # attention in windows of 4 x 4 cells, then in the whole image
            "fullatt_block_indexes": [1],
            "hidden_size": hidden,
            "intermediate_size": 2 * hidden,
            "num_heads": 2,
            "out_hidden_size": out_hidden,
            "initializer_range": 0.2,
        },
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Qwen2_5_VLForConditionalGeneration(config)
    model.save_pretrained(folder, max_shard_size=max_shard_size)
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR))
