"""Small random checkpoints of many vision-language models, with the files of published ones.

Sizes are small; names of files, settings and special tokens, and the form of the chat templates are
the real ones. Special tokens have other ids.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers
from small_qwen import PREPROCESSOR
from small_vlm import small_tokenizer

from spatial_vlm_ros.vision.images import CLIP_MEAN, CLIP_STD

_HALF = [0.5, 0.5, 0.5]
_HIDDEN = 32
_CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for content in message['content'] %}{% if content['type'] == 'image' %}IMAGE"
    "{% elif content['type'] == 'text' %}{{ content['text'] }}{% endif %}{% endfor %}{% endif %}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_IDEFICS3 = (
    "<|im_start|>{% for message in messages %}{{ message['role'] | capitalize }}"
    "{% if message['content'][0]['type'] == 'image' %}{{ ':' }}{% else %}{{ ': ' }}{% endif %}"
    "{% for line in message['content'] %}{% if line['type'] == 'text' %}{{ line['text'] }}"
    "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n"
    "{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
#: All images of a message come before its text.
_LLAVA = (
    "{% for message in messages %}{% if message['role'] != 'system' %}"
    "{{ message['role'].upper() + ': ' }}{% endif %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}"
    "{{ '<image>\n' }}{% endfor %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}"
    "{{ content['text'] + ' ' }}{% endfor %}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)
#: Who it is comes at the beginning of what the user says.
_GEMMA3 = (
    "{{ bos_token }}{%- if messages[0]['role'] == 'system' -%}"
    "{%- set first_user_prefix = messages[0]['content'][0]['text'] + '\n\n' -%}"
    "{%- set loop_messages = messages[1:] -%}{%- else -%}{%- set first_user_prefix = '' -%}"
    "{%- set loop_messages = messages -%}{%- endif -%}{%- for message in loop_messages -%}"
    "{%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/...') }}"
    "{%- endif -%}{%- set role = 'model' if message['role'] == 'assistant' else message['role'] -%}"
    "{{ '<start_of_turn>' + role + '\n' + (first_user_prefix if loop.first else '') }}"
    "{%- for item in message['content'] -%}{%- if item['type'] == 'image' -%}"
    "{{ '<start_of_image>' }}{%- elif item['type'] == 'text' -%}{{ item['text'] | trim }}"
    "{%- endif -%}{%- endfor -%}{{ '<end_of_turn>\n' }}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<start_of_turn>model\n' }}{%- endif -%}"
)
#: As of Mistral and the first Gemma: there is no role for who the model is.
NO_SYSTEM = (
    "{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}{{ '[INST] ' }}"
    "{% for content in message['content'] %}{% if content['type'] == 'image' %}IMAGE"
    "{% else %}{{ content['text'] }}{% endif %}{% endfor %}{{ ' [/INST]' }}{% endfor %}"
)


def save_qwen3_vl(folder: Path, seed: int = 0) -> None:
    """DeepStack: what two inner blocks of the vision tower say is added in the first layers."""
    tokenizer, image = small_tokenizer(), "<|vision_start|><|image_pad|><|vision_end|>"
    tokenizer.chat_template = _CHATML.replace("IMAGE", image)
    config = transformers.Qwen3VLConfig(
        text_config=_text(tokenizer) | _qwen3_heads(),
        vision_config=_qwen3_vision() | {"deepstack_visual_indexes": [0, 1]},
        **_qwen_tokens(tokenizer),
    )
    template = {"chat_template": tokenizer.chat_template}
    _save(folder, config, tokenizer, seed, _qwen3_files() | {"chat_template.json": template})


def save_qwen3_5(folder: Path, seed: int = 0) -> None:
    """Half of the layers keep a state instead of keys and values; it thinks unless told not to."""
    tokenizer, image = small_tokenizer(), "<|vision_start|><|image_pad|><|vision_end|>"
    tokenizer.chat_template = _CHATML.replace("IMAGE", image) + (
        "{% if add_generation_prompt %}{% if enable_thinking is defined and enable_thinking is "
        "false %}<think>\n\n</think>\n\n{% else %}<think>\n{% endif %}{% endif %}"
    )
    config = transformers.Qwen3_5Config(
        text_config=_text(tokenizer)
        | _qwen3_heads()
        | {
            "layer_types": ["linear_attention", "full_attention"],
            "linear_key_head_dim": 8,
            "linear_value_head_dim": 8,
            "linear_num_key_heads": 2,
            "linear_num_value_heads": 4,
        },
        vision_config=_qwen3_vision(),
        **_qwen_tokens(tokenizer),
    )
    _save(folder, config, tokenizer, seed, _qwen3_files())


def _qwen3_heads() -> dict[str, Any]:
    rope = {"rope_type": "default", "rope_theta": 5e6, "mrope_interleaved": True}
    return {"head_dim": 16, "rope_parameters": rope | {"mrope_section": [4, 2, 2]}}


def _qwen3_vision() -> dict[str, Any]:
    return {
        "depth": 3,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_heads": 2,
        "num_position_embeddings": 64,
        "out_hidden_size": _HIDDEN,
        "initializer_range": 0.2,
    }


def _qwen3_files() -> dict[str, dict[str, Any]]:
    preprocessor = {
        "size": {"shortest_edge": 4096, "longest_edge": 16777216},
        "patch_size": 16,
        "temporal_patch_size": 2,
        "merge_size": 2,
        "image_mean": _HALF,
        "image_std": _HALF,
        "processor_class": "Qwen3VLProcessor",
        "image_processor_type": "Qwen2VLImageProcessorFast",
    }
    video = preprocessor | {"video_processor_type": "Qwen3VLVideoProcessor"}
    return {"preprocessor_config.json": preprocessor, "video_preprocessor_config.json": video}


def save_qwen2_vl(folder: Path, seed: int = 0) -> None:
    """Full attention in the vision tower."""
    tokenizer = small_tokenizer()
    config = transformers.Qwen2VLConfig(
        text_config=_text(tokenizer)
        | {
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1e6,
                "mrope_section": [2, 1, 1],
            }
        },
        vision_config={
            "depth": 2,
            "embed_dim": 32,
            "hidden_size": _HIDDEN,
            "num_heads": 2,
            "initializer_range": 0.2,
        },
        **_qwen_tokens(tokenizer),
    )
    preprocessor = PREPROCESSOR | {"processor_class": "Qwen2VLProcessor"}
    template = {"chat_template": tokenizer.chat_template}
    files = {"preprocessor_config.json": preprocessor, "chat_template.json": template}
    _save(folder, config, tokenizer, seed, files)


def save_idefics3(folder: Path, seed: int = 0, kind: str = "Idefics3") -> None:
    """SmolVLM's architecture: an image is cut into tiles, each of them many tokens.

    kind: SmolVLM for the second version, whose processor reads videos too.
    """
    tiles = [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]
    names = ["<fake_token_around_image>", "<image>", "<global-img>", "<end_of_utterance>", *tiles]
    tokenizer = _tokenizer(names, _IDEFICS3, "<end_of_utterance>")
    config = getattr(transformers, f"{kind}Config")(
        text_config=_text(tokenizer) | {"model_type": "llama"},
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 32,
            "patch_size": 4,
            "initializer_range": 0.2,
        },
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        scale_factor=2,
    )
    preprocessor = {
        "do_convert_rgb": True,
        "do_image_splitting": True,
        "do_normalize": True,
        "do_pad": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": _HALF,
        "image_processor_type": f"{kind}ImageProcessor",
        "image_std": _HALF,
        "max_image_size": {"longest_edge": 32},
        "processor_class": f"{kind}Processor",
        "resample": 1,
        "rescale_factor": 1 / 255,
        "size": {"longest_edge": 64},
    }
    files = {
        "preprocessor_config.json": preprocessor,
        "processor_config.json": {"image_seq_len": 16, "processor_class": f"{kind}Processor"},
        "chat_template.json": {"chat_template": _IDEFICS3},
    }
    _save(folder, config, tokenizer, seed, files)


def save_llava(folder: Path, seed: int = 0) -> None:
    """LLaVA 1.5: every image is cropped to a square, and shown before all text."""
    tokenizer = _tokenizer(["<image>"], _LLAVA, "<|endoftext|>")
    config = transformers.LlavaConfig(
        text_config=_text(tokenizer) | {"model_type": "llama"},
        vision_config=_clip("clip_vision_model"),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=16,
    )
    preprocessor = {
        "crop_size": {"height": 56, "width": 56},
        "do_center_crop": True,
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": CLIP_MEAN,
        "image_processor_type": "CLIPImageProcessor",
        "image_std": CLIP_STD,
        "processor_class": "LlavaProcessor",
        "resample": 3,
        "rescale_factor": 1 / 255,
        "size": {"shortest_edge": 56},
    }
    processor = {
        "image_token": "<image>",
        "num_additional_image_tokens": 1,
        "patch_size": 14,
        "processor_class": "LlavaProcessor",
        "vision_feature_select_strategy": "default",
    }
    files = {
        "preprocessor_config.json": preprocessor,
        "processor_config.json": processor,
        "chat_template.json": {"chat_template": _LLAVA},
    }
    _save(folder, config, tokenizer, seed, files)


def save_llava_onevision(folder: Path, seed: int = 0) -> None:
    """An image alone is cut into tiles of any arrangement; with others it is one tile."""
    template = _CHATML.replace("IMAGE", "<image>\n")
    tokenizer = _tokenizer(["<image>", "<video>"], template, "<|im_end|>")
    grid = [[56 * rows, 56 * columns] for rows in range(1, 4) for columns in range(1, 4)]
    config = transformers.LlavaOnevisionConfig(
        text_config=_text(tokenizer) | {"model_type": "qwen2"},
        vision_config=_clip("siglip_vision_model") | {"vision_use_head": False},
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        video_token_index=tokenizer.convert_tokens_to_ids("<video>"),
        image_grid_pinpoints=grid,
    )
    preprocessor = {
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_pad": True,
        "do_rescale": True,
        "do_resize": True,
        "image_grid_pinpoints": grid,
        "image_mean": _HALF,
        "image_processor_type": "LlavaOnevisionImageProcessor",
        "image_std": _HALF,
        "processor_class": "LlavaOnevisionProcessor",
        "resample": 3,
        "rescale_factor": 1 / 255,
        "size": {"height": 56, "width": 56},
    }
    processor = {
        "image_token": "<image>",
        "num_image_tokens": 16,
        "processor_class": "LlavaOnevisionProcessor",
        "video_token": "<video>",
        "vision_feature_select_strategy": "full",
    }
    files = {
        "preprocessor_config.json": preprocessor,
        "processor_config.json": processor,
        "chat_template.json": {"chat_template": template},
    }
    _save(folder, config, tokenizer, seed, files)


def save_gemma3(folder: Path, seed: int = 0, window: int = 64) -> None:
    """Most layers see the last ``window`` tokens only; the tokens of an image see one another."""
    names = ["<bos>", "<start_of_turn>", "<end_of_turn>"]
    names += ["<start_of_image>", "<end_of_image>", "<image_soft_token>"]
    tokenizer = _tokenizer(names, _GEMMA3, "<end_of_turn>")
    tokenizer.bos_token = "<bos>"
    ids = {name: tokenizer.convert_tokens_to_ids(name) for name in names}
    config = transformers.Gemma3Config(
        text_config=_text(tokenizer)
        | {
            "head_dim": 8,
            "query_pre_attn_scalar": 8,
            "num_hidden_layers": 3,
            "sliding_window": window,
            "layer_types": ["sliding_attention", "sliding_attention", "full_attention"],
            "bos_token_id": ids["<bos>"],
            "tie_word_embeddings": True,
        },
        vision_config=_clip("siglip_vision_model") | {"vision_use_head": False},
        mm_tokens_per_image=4,
        boi_token_index=ids["<start_of_image>"],
        eoi_token_index=ids["<end_of_image>"],
        image_token_index=ids["<image_soft_token>"],
    )
    preprocessor = {
        "do_convert_rgb": None,
        "do_normalize": True,
        "do_pan_and_scan": None,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": _HALF,
        "image_processor_type": "Gemma3ImageProcessor",
        "image_seq_length": 4,
        "image_std": _HALF,
        "processor_class": "Gemma3Processor",
        "resample": 2,
        "rescale_factor": 1 / 255,
        "size": {"height": 56, "width": 56},
    }
    files = {
        "preprocessor_config.json": preprocessor,
        "processor_config.json": {"image_seq_length": 4, "processor_class": "Gemma3Processor"},
        "chat_template.json": {"chat_template": _GEMMA3},
    }
    extra = {
        "boi_token": "<start_of_image>",
        "eoi_token": "<end_of_image>",
        "image_token": "<image_soft_token>",
    }
    _save(folder, config, tokenizer, seed, files, extra)


def save_internvl(folder: Path, seed: int = 0) -> None:
    """An image is cut into up to 12 tiles and a thumbnail."""
    names = ["<img>", "</img>", "<IMG_CONTEXT>", "<video>"]
    template = _CHATML.replace("IMAGE", "<IMG_CONTEXT>\n")
    tokenizer = _tokenizer(names, template, "<|im_end|>")
    config = transformers.InternVLConfig(
        text_config=_text(tokenizer) | {"model_type": "qwen2"},
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": [56, 56],
            "patch_size": [14, 14],
            "initializer_range": 0.2,
        },
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=4,
    )
    preprocessor = {
        "crop_size": None,
        "crop_to_patches": True,
        "do_center_crop": None,
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": CLIP_MEAN,
        "image_processor_type": "GotOcr2ImageProcessorFast",
        "image_std": CLIP_STD,
        "max_patches": 12,
        "min_patches": 1,
        "processor_class": "InternVLProcessor",
        "resample": 3,
        "rescale_factor": 1 / 255,
        "size": {"height": 56, "width": 56},
    }
    files = {
        "preprocessor_config.json": preprocessor,
        "processor_config.json": {"image_seq_length": 4, "processor_class": "InternVLProcessor"},
    }
    extra = {
        "start_image_token": "<img>",
        "end_image_token": "</img>",
        "context_image_token": "<IMG_CONTEXT>",
        "video_token": "<video>",
    }
    _save(folder, config, tokenizer, seed, files, extra)


def save_mllama(folder: Path, seed: int = 0) -> None:
    """Llama 3.2 Vision: images are no part of the sequence, some layers look across at them.

    The tokenizer has one token more than the model has scores, that of images.
    """
    template = _CHATML.replace("IMAGE", "<|image|>")
    tokenizer = _tokenizer(
        ["<|image|>", "<|begin_of_text|>", "<|python_tag|>"], template, "<|im_end|>"
    )
    tokenizer.bos_token = "<|begin_of_text|>"
    text = _text(tokenizer) | {"num_hidden_layers": 3, "cross_attention_layers": [1]}
    text["bos_token_id"] = tokenizer.bos_token_id
    text["vocab_size"] = tokenizer.convert_tokens_to_ids("<|image|>")
    config = transformers.MllamaConfig(
        text_config=text,
        vision_config={
            "hidden_size": 32,
            "attention_heads": 2,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_global_layers": 1,
            "intermediate_layers_indices": [0],
            "vision_output_dim": 64,
            "image_size": 56,
            "patch_size": 14,
            "max_num_tiles": 4,
            "supported_aspect_ratios": [
                [1, 1],
                [1, 2],
                [1, 3],
                [1, 4],
                [2, 1],
                [2, 2],
                [3, 1],
                [4, 1],
            ],
        },
        image_token_index=tokenizer.convert_tokens_to_ids("<|image|>"),
    )
    preprocessor = {
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_pad": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": CLIP_MEAN,
        "image_processor_type": "MllamaImageProcessor",
        "image_std": CLIP_STD,
        "max_image_tiles": 4,
        "processor_class": "MllamaProcessor",
        "resample": 2,
        "rescale_factor": 1 / 255,
        "size": {"height": 56, "width": 56},
    }
    files = {
        "preprocessor_config.json": preprocessor,
        "chat_template.json": {"chat_template": template},
    }
    _save(folder, config, tokenizer, seed, files)


#: By model_type.
SAVE: dict[str, Callable[..., None]] = {
    "qwen3_vl": save_qwen3_vl,
    "qwen3_5": save_qwen3_5,
    "qwen2_vl": save_qwen2_vl,
    "idefics3": save_idefics3,
    "llava": save_llava,
    "llava_onevision": save_llava_onevision,
    "gemma3": save_gemma3,
    "internvl": save_internvl,
    "mllama": save_mllama,
}


def save_text_only(folder: Path) -> None:
    """A language model that sees no images."""
    tokenizer = small_tokenizer()
    _save(folder, transformers.Qwen2Config(**_text(tokenizer)), tokenizer, 0, {})


def _tokenizer(special: list[str], template: str, end: str) -> Any:
    """The small tokenizer with more special tokens."""
    tokenizer = small_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": special})
    tokenizer.chat_template, tokenizer.eos_token = template, end
    return tokenizer


def _text(tokenizer: Any) -> dict[str, Any]:
    """A language model of two layers; its weights are so large that what is said matters."""
    return {
        "hidden_size": _HIDDEN,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": len(tokenizer) + 4,  # rounded up, as published ones are
        "max_position_embeddings": 32768,
        "pad_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "bos_token_id": None,
        "initializer_range": 0.2,
        "tie_word_embeddings": False,
    }


def _clip(kind: str) -> dict[str, Any]:
    return {
        "model_type": kind,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "image_size": 56,
        "patch_size": 14,
        "projection_dim": 32,
        "initializer_range": 0.2,
    }


def _qwen_tokens(tokenizer: Any) -> dict[str, int]:
    names = {"image": "image_pad", "video": "video_pad"}
    names |= {"vision_start": "vision_start", "vision_end": "vision_end"}
    return {
        f"{field}_token_id": tokenizer.convert_tokens_to_ids(f"<|{name}|>")
        for field, name in names.items()
    }


def _save(
    folder: Path,
    config: Any,
    tokenizer: Any,
    seed: int,
    files: dict[str, dict[str, Any]],
    extra_tokens: dict[str, str] | None = None,
) -> None:
    """config.json, weights, tokenizer and template, and what else the processor reads.

    extra_tokens: that the tokenizer has as attributes.
    """
    kinds = transformers.AutoModelForImageTextToText, transformers.AutoModelForCausalLM
    kind = kinds[type(config) is transformers.Qwen2Config]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = kind.from_config(config)
        for name, parameter in model.named_parameters():  # some are made too small to matter
            if name.endswith("attn_gate"):
                torch.nn.init.ones_(parameter)
            elif parameter.ndim > 1 and parameter.std() < 0.1:
                torch.nn.init.normal_(parameter, std=0.2)
    model.generation_config.eos_token_id = [tokenizer.eos_token_id]
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text())
    if extra_tokens:
        settings["extra_special_tokens"] = extra_tokens
    path.write_text(json.dumps(settings))
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content))
