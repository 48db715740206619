"""A question to the language model: time to the first token against the tokens of the scene.

The model is Qwen2.5-VL's with four layers of 1024 channels, in float32 on the CPU, and on a GPU the
one of 7 billion parameters, in bfloat16. The weights are random, which does not change the time.
Sequences are as long as Proxy3D's (450, 700, 1000) and those of what it is compared with (LLaVA-3D
3096, Video-3D-LLM and others 8000); what the vision encoder takes comes on top, for all.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from bench.harness import Row, Unavailable, benchmark
from spatial_vlm_ros.models.proxy3d import Proxy3DConfig, Proxy3DForConditionalGeneration
from spatial_vlm_ros.serving.generation import Generator, ScenePrefix
from spatial_vlm_ros.serving.loading import LoadedModel
from spatial_vlm_ros.vision.checkpoint import Checkpoint

#: 60 tokens each: there is a token for each character.
QUESTION = "How many chairs stand between the sofa and the large window?"
OTHER = "Which of the tables is nearest to the door: red, or white?  "
SHORT, LONG = 700, 8000
FASTER, FASTER_AGAIN = 8.0, 5.0
SCALED = {
    "hidden_size": 1024,
    "intermediate_size": 5412,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 1,
}
FULL = {
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
}
GPU_BYTES = 24 * 2**30


def _tokenizer() -> PreTrainedTokenizerFast:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>")


@lru_cache(maxsize=1)
def _loaded(full: bool) -> LoadedModel:
    if full and not torch.cuda.is_available():
        raise Unavailable("no CUDA device")
    if full and torch.cuda.get_device_properties(0).total_memory < GPU_BYTES:
        raise Unavailable("less than 24 GiB of GPU memory")
    sizes = FULL if full else SCALED
    tokenizer = _tokenizer()
    vision = {"depth": 1, "hidden_size": 64, "intermediate_size": 64, "num_heads": 1}
    config = Proxy3DConfig(
        text_config={
            **sizes,
            "vocab_size": 152064 if full else len(tokenizer),
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1e6,
                "mrope_section": [16, 24, 24],
            },
            "bos_token_id": None,
            "eos_token_id": tokenizer.eos_token_id,
        },
        vision_config={**vision, "out_hidden_size": sizes["hidden_size"]},
        proxy_token_id=0,  # any: the questions do not have it
    )
    device, dtype = ("cuda", torch.bfloat16) if full else ("cpu", torch.float32)
    torch.manual_seed(0)
    with torch.device(device):
        model: Any = Proxy3DForConditionalGeneration._from_config(config, dtype=dtype)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.eval().requires_grad_(False)
    return LoadedModel(model, tokenizer, Checkpoint("random", Path(), ""), "random")


@lru_cache(maxsize=16)
def _scene(full: bool, tokens: int) -> ScenePrefix:
    loaded = _loaded(full)
    random = torch.Generator().manual_seed(tokens)
    dimension = loaded.model.config.text_config.hidden_size
    scene = {
        "proxy_features": torch.randn(tokens, dimension, generator=random).to(loaded.device),
        "proxy_positions": torch.randn(tokens, 3, generator=random).to(loaded.device),
    }
    ids = torch.zeros(1, tokens, dtype=torch.int64, device=loaded.device)
    return Generator(loaded).encode(ids, scene)


@lru_cache(maxsize=16)
def _first_token_ms(full: bool, tokens: int) -> tuple[float, float]:
    """Of a question to a new scene, and of another one to the same scene; the best of some."""
    loaded, scene = _loaded(full), _scene(full, tokens)
    times = []
    for _ in range(1 if tokens > 2000 else 5):
        generator = Generator(loaded, max_tokens=2)
        first = generator.after_scene(scene, QUESTION)
        again = generator.after_scene(scene, OTHER)
        assert first.reused == 0
        assert again.reused == tokens
        times.append((first.first_token_s, again.first_token_s))
    cold, cached = np.min(times, axis=0)
    return 1e3 * float(cold), 1e3 * float(cached)


def _cold(full: bool, tokens: int) -> Row:
    cold, slow = _first_token_ms(full, tokens)[0], _first_token_ms(full, LONG)[0]
    bound = slow / FASTER if tokens == SHORT else None
    return Row(cold, "ms", f"{LONG} tokens", slow, bound=bound)


def _cached(full: bool, tokens: int) -> Row:
    cold, cached = _first_token_ms(full, tokens)
    bound = cold / FASTER_AGAIN if tokens == SHORT else None
    return Row(cached, "ms", "the scene computed anew", cold, bound=bound)


def _register(full: bool, tokens: int) -> None:
    what = f"first token, {'7B, ' if full else ''}{tokens} tokens of scene"

    @benchmark(f"{what}, new")
    def new() -> Row:
        return _cold(full, tokens)

    @benchmark(f"{what}, asked again")
    def asked_again() -> Row:
        return _cached(full, tokens)


for _full in (False, True):
    for _tokens in (450, SHORT, 1000, 3096, LONG):
        _register(_full, _tokens)
