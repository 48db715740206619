"""Small random Qwen2.5-VL checkpoints that can be asked: model, tokenizer, template, processor."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from small_qwen import PREPROCESSOR
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
)

from spatial_vlm_ros.serving.generation import ScenePrefix
from spatial_vlm_ros.small.tokenizer import SPECIAL, train_tokenizer

_TEMPLATE = (
    "{% set image_count = namespace(value=0) %}{% set video_count = namespace(value=0) %}"
    "{% for message in messages %}{% if loop.first and message['role'] != 'system' %}"
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
    "<|im_start|>{{ message['role'] }}\n{% if message['content'] is string %}"
    "{{ message['content'] }}<|im_end|>\n{% else %}{% for content in message['content'] %}"
    "{% if content['type'] == 'image' or 'image' in content or 'image_url' in content %}"
    "{% set image_count.value = image_count.value + 1 %}{% if add_vision_id %}"
    "Picture {{ image_count.value }}: {% endif %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif content['type'] == 'video' or 'video' in content %}"
    "{% set video_count.value = video_count.value + 1 %}{% if add_vision_id %}"
    "Video {{ video_count.value }}: {% endif %}<|vision_start|><|video_pad|><|vision_end|>"
    "{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}<|im_end|>\n"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_TEXT = """You are a helpful assistant. The chair nearest the window is left of the table and behind
the sofa, 1.25 m from the lamp. How many chairs are there? There are three. Where is the red mug? It
is on the desk beside the monitor: {"label": "mug", "bbox_3d": [1.20, -0.45, 0.80, 0.10, 0.10, 0.12,
0.00]}. Objects: centre x y z, size length width height, yaw, colour, missing, in no map. Relations:
on under above below inside beside. Answer with the option's letter. <OBJ012> yes no front-left."""


def small_tokenizer(vocabulary: int = 700) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer that cuts text as Qwen2.5's does, of at most this many tokens."""
    tokenizer = train_tokenizer([_TEXT] * 3, vocabulary)
    tokenizer.chat_template = _TEMPLATE
    tokenizer.model_max_length = 131072
    return tokenizer


def save_small_vlm(
    folder: Path,
    seed: int = 0,
    layers: int = 2,
    hidden: int = 48,
    heads: int = 4,
    *,
    endless: bool = False,
    **sizes: Any,
) -> None:
    """A plain Qwen2.5-VL checkpoint with random weights; those of another seed differ.

    hidden: of the language model, a multiple of 8 * heads. endless: free answers have no end.
    sizes: more fields of the text config.
    The vision tower has two blocks, one with attention in windows. The weights are so large that
    what is in the prompt matters.
    """
    tokenizer = small_tokenizer()
    ids = {name: tokenizer.convert_tokens_to_ids(name) for name in SPECIAL}
    head = hidden // heads
    config = Qwen2_5_VLConfig(
        text_config={
            "hidden_size": hidden,
            "intermediate_size": 2 * hidden,
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
            "num_key_value_heads": max(heads // 2, 1),
            "vocab_size": len(tokenizer),
            "max_position_embeddings": 32768,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1e6,
                "mrope_section": _mrope_section(head),
            },
            "bos_token_id": ids["<|endoftext|>"],
            "eos_token_id": ids["<|im_end|>"],
            "pad_token_id": ids["<|endoftext|>"],
            "initializer_range": 0.2,
            **sizes,
        },
        vision_config={
            "depth": 2,  # attention in windows of 4 x 4 cells, then in the whole image
            "fullatt_block_indexes": [1],
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_heads": 2,
            "out_hidden_size": hidden,
            "tokens_per_second": 2,
            "initializer_range": 0.2,
        },
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=False,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Qwen2_5_VLForConditionalGeneration(config)
    if endless:
        with torch.no_grad():  # another token is always likelier
            model.lm_head.weight[[ids["<|im_end|>"], ids["<|endoftext|>"]]] = 0
    model.generation_config.eos_token_id = [ids["<|im_end|>"], ids["<|endoftext|>"]]
    model.generation_config.pad_token_id = ids["<|endoftext|>"]
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    _name_tokenizer_class(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR))


def _mrope_section(head: int) -> list[int]:
    """Shares of a head's frequencies for time, height and width, as 16 : 24 : 24 at 128."""
    time = head // 8
    height = (head // 2 - time + 1) // 2
    return [time, height, head // 2 - time - height]


def _name_tokenizer_class(folder: Path) -> None:
    """The name that the real checkpoints' tokenizers have."""
    path = folder / "tokenizer_config.json"
    path.write_text(
        json.dumps(json.loads(path.read_text()) | {"tokenizer_class": "Qwen2Tokenizer"})
    )


def teach(
    model: Any, tokenizer: Any, lessons: Sequence[tuple[ScenePrefix, str, str]], steps: int = 600
) -> None:
    """Train a small model until it gives the answer to each (scene, question, answer)."""
    model.requires_grad_(True)
    layers = [*model.model.language_model.parameters(), *model.lm_head.parameters()]
    optimiser = torch.optim.AdamW(layers, lr=3e-3)
    embed = model.get_input_embeddings()
    for _ in range(steps):
        loss = torch.zeros(())
        for prefix, question, answer in lessons:
            asked = tokenizer(question, add_special_tokens=False, return_tensors="pt")["input_ids"]
            ended = f"{answer}<|im_end|>"
            told = tokenizer(ended, add_special_tokens=False, return_tensors="pt")["input_ids"]
            words = torch.cat([asked, told], dim=1)
            after = int(prefix.positions.max()) + 1 + torch.arange(words.shape[1])
            positions = torch.cat([prefix.positions, after.expand(3, 1, -1)], dim=2)
            embeddings = torch.cat([prefix.embeddings.clone(), embed(words)], dim=1)
            logits = model(inputs_embeds=embeddings, position_ids=positions).logits
            given = logits[0, -told.shape[1] - 1 : -1]
            loss = loss + torch.nn.functional.cross_entropy(given, told[0])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if loss < 0.01 * len(lessons):
            break
    else:
        raise AssertionError(f"the model has not learnt its lessons: loss {float(loss):.2f}")
    model.requires_grad_(False)
