"""What is published of Qwen2.5-VL-7B-Instruct: its config.json, and what its weights are called."""

from __future__ import annotations

import torch
from torch import Tensor

#: As on the hub, where the settings of the language model are not in a text_config.
CONFIG = {
    "architectures": ["Qwen2_5_VLForConditionalGeneration"],
    "attention_dropout": 0.0,
    "bos_token_id": 151643,
    "eos_token_id": 151645,
    "vision_start_token_id": 151652,
    "vision_end_token_id": 151653,
    "vision_token_id": 151654,
    "image_token_id": 151655,
    "video_token_id": 151656,
    "hidden_act": "silu",
    "hidden_size": 3584,
    "initializer_range": 0.02,
    "intermediate_size": 18944,
    "max_position_embeddings": 128000,
    "max_window_layers": 28,
    "model_type": "qwen2_5_vl",
    "num_attention_heads": 28,
    "num_hidden_layers": 28,
    "num_key_value_heads": 4,
    "rms_norm_eps": 1e-06,
    "rope_theta": 1000000.0,
    "sliding_window": 32768,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "transformers_version": "4.41.2",
    "use_cache": True,
    "use_sliding_window": False,
    "vision_config": {
        "depth": 32,
        "hidden_act": "silu",
        "hidden_size": 1280,
        "intermediate_size": 3420,
        "num_heads": 16,
        "in_chans": 3,
        "out_hidden_size": 3584,
        "patch_size": 14,
        "spatial_merge_size": 2,
        "spatial_patch_size": 14,
        "window_size": 112,
        "fullatt_block_indexes": [7, 15, 23, 31],
        "tokens_per_second": 2,
        "temporal_patch_size": 2,
    },
    "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]},
    "vocab_size": 152064,
}
#: Of model.safetensors.index.json; numbers of 16 bits.
TENSORS, BYTES = 729, 16584333312
#: Parameters of the vision tower alone.
VISION_PARAMETERS = 676550144

_ONCE = {
    "lm_head.weight": (152064, 3584),
    "model.embed_tokens.weight": (152064, 3584),
    "model.norm.weight": (3584,),
    "visual.patch_embed.proj.weight": (1280, 3, 2, 14, 14),
    "visual.merger.ln_q.weight": (1280,),
    "visual.merger.mlp.0.weight": (5120, 5120),
    "visual.merger.mlp.0.bias": (5120,),
    "visual.merger.mlp.2.weight": (3584, 5120),
    "visual.merger.mlp.2.bias": (3584,),
}
_LAYER = {
    "input_layernorm.weight": (3584,),
    "self_attn.q_proj.weight": (3584, 3584),
    "self_attn.q_proj.bias": (3584,),
    "self_attn.k_proj.weight": (512, 3584),
    "self_attn.k_proj.bias": (512,),
    "self_attn.v_proj.weight": (512, 3584),
    "self_attn.v_proj.bias": (512,),
    "self_attn.o_proj.weight": (3584, 3584),
    "post_attention_layernorm.weight": (3584,),
    "mlp.gate_proj.weight": (18944, 3584),
    "mlp.up_proj.weight": (18944, 3584),
    "mlp.down_proj.weight": (3584, 18944),
}
_BLOCK = {
    "norm1.weight": (1280,),
    "attn.qkv.weight": (3840, 1280),
    "attn.qkv.bias": (3840,),
    "attn.proj.weight": (1280, 1280),
    "attn.proj.bias": (1280,),
    "norm2.weight": (1280,),
    "mlp.gate_proj.weight": (3420, 1280),
    "mlp.gate_proj.bias": (3420,),
    "mlp.up_proj.weight": (3420, 1280),
    "mlp.up_proj.bias": (3420,),
    "mlp.down_proj.weight": (1280, 3420),
    "mlp.down_proj.bias": (1280,),
}


def published_weights() -> dict[str, Tensor]:
    """All weights by their names on the hub, with shapes and types but without values."""
    shapes = dict(_ONCE)
    for i in range(28):
        shapes |= {f"model.layers.{i}.{name}": shape for name, shape in _LAYER.items()}
    for i in range(32):
        shapes |= {f"visual.blocks.{i}.{name}": shape for name, shape in _BLOCK.items()}
    meta = {"dtype": torch.bfloat16, "device": "meta"}
    return {name: torch.empty(shape, **meta) for name, shape in shapes.items()}
