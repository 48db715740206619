"""Small checkpoints before they are trained: the classes and files of the full models."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from spatial_vlm_ros.models.proxy3d import Proxy3DConfig, Proxy3DForConditionalGeneration
from spatial_vlm_ros.models.scene_model import SceneModel
from spatial_vlm_ros.models.ssr import SSRConfig, SSRForConditionalGeneration
from spatial_vlm_ros.small.first_weights import begin
from spatial_vlm_ros.small.layout import NUMBERS, PLACE, WIDTH
from spatial_vlm_ros.small.tower_training import TOWER
from spatial_vlm_ros.vision.images import CLIP_MEAN, CLIP_STD

#: Weights of a trained vision tower (TOWER.md).
TRAINED_TOWER = Path(__file__).with_name("tower.safetensors")
#: Pixels of the images that each model sees: 640 x 480 becomes 336 x 252, and 224 x 168.
PIXELS = {"proxy3d": 86_000, "ssr": 38_500}


@dataclass(frozen=True)
class SmallSizes:
    """Of the language model, the position embedding of proxies and the encoder of points.

    hidden: a multiple of 8 * heads. identifiers: object numbers that Proxy3D knows. frames: images
    of a scene that SSR is shown.
    """

    hidden: int = WIDTH
    intermediate: int = 512
    layers: int = 4
    heads: int = 3
    kv_heads: int = 3
    fourier: int = 256
    position_hidden: int = 256
    gamma: float = 2.0
    initial_gate: float = 0.3
    points_width: int = 128
    identifiers: int = NUMBERS
    frames: int = 8


def new_model(
    kind: str,
    tokenizer: Any,
    tower: Mapping[str, Tensor] | None = None,
    sizes: SmallSizes | None = None,
    spatial: Mapping[str, Any] | None = None,
    seed: int = 0,
    language: SceneModel | None = None,
) -> SceneModel:
    """An untrained "proxy3d" or "ssr", but for its vision tower's weights ``tower``.

    tower: as :func:`read_tower` gives them; None for random ones. spatial: of SSR-3D; None for
    SSR-2D. language: a model of these sizes and this tokenizer, whose trained language model it
    begins with; ``ValueError``: it is of others.
    """
    sizes = sizes or SmallSizes()
    fields = _fields(tokenizer, sizes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if kind == "proxy3d":
            position = {
                "rotated": min(PLACE.stop, sizes.hidden),
                "fourier": sizes.fourier,
                "hidden": sizes.position_hidden,
                "gamma": sizes.gamma,
                "initial_gate": sizes.initial_gate,
            }
            settings = Proxy3DConfig(position=position, identifiers=sizes.identifiers, **fields)
            model: SceneModel = Proxy3DForConditionalGeneration(settings)
        elif kind == "ssr":
            given = None if spatial is None else {"width": sizes.points_width, **spatial}
            model = SSRForConditionalGeneration(
                SSRConfig(spatial=given, frames=sizes.frames, **fields)
            )
        else:
            raise ValueError(f"{kind!r} is neither proxy3d nor ssr")
        if tower is not None:
            model.model.visual.load_state_dict(tower)
            if language is None:
                begin(model, tokenizer)
            if hasattr(model, "spatial"):
                model.spatial.start_from(model.model.visual.merger)
    if language is not None:
        _take_language(model, language)
    generation = model.generation_config
    generation.eos_token_id = [
        tokenizer.convert_tokens_to_ids(word) for word in ("<|im_end|>", "<|endoftext|>")
    ]
    generation.pad_token_id = tokenizer.convert_tokens_to_ids("<|endoftext|>")
    return model.eval()


def _take_language(model: SceneModel, other: SceneModel) -> None:
    for name in ("model.language_model", "lm_head"):
        weights = other.get_submodule(name).state_dict()
        own = model.get_submodule(name).state_dict()
        if [part.shape for part in own.values()] != [part.shape for part in weights.values()]:
            raise ValueError("language: its language model has other sizes")
        model.get_submodule(name).load_state_dict(weights)


def save(folder: Path, model: SceneModel, tokenizer: Any, pixels: int) -> None:
    """All files of a checkpoint. pixels: of an image as the tower has learnt to see it."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    named = json.loads(path.read_text()) | {"tokenizer_class": "Qwen2Tokenizer"}
    path.write_text(json.dumps(named, indent=1))
    preprocessor = {
        "min_pixels": 4 * 28**2,
        "max_pixels": pixels,
        "patch_size": 14,
        "temporal_patch_size": 2,
        "merge_size": 2,
        "image_mean": CLIP_MEAN,
        "image_std": CLIP_STD,
        "image_processor_type": "Qwen2VLImageProcessor",
        "processor_class": "Qwen2_5_VLProcessor",
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor, indent=1))


def read_tower(path: Path) -> dict[str, Tensor]:
    """The tower's weights, as ``small/tower_training.py`` writes them."""
    return {name: weight.float() for name, weight in load_file(path).items()}


def _fields(tokenizer: Any, sizes: SmallSizes) -> dict[str, Any]:
    """Of the configuration, what all kinds share."""

    def token(word: str) -> int:
        return int(tokenizer.convert_tokens_to_ids(word))

    head = sizes.hidden // sizes.heads
    time = head // 8
    height = (head // 2 - time + 1) // 2
    return {
        "text_config": {
            "hidden_size": sizes.hidden,
            "intermediate_size": sizes.intermediate,
            "num_hidden_layers": sizes.layers,
            "num_attention_heads": sizes.heads,
            "num_key_value_heads": sizes.kv_heads,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": 32768,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1e10,
                "mrope_section": [time, height, head // 2 - time - height],
            },
            "bos_token_id": token("<|endoftext|>"),
            "eos_token_id": token("<|im_end|>"),
            "pad_token_id": token("<|endoftext|>"),
        },
        "vision_config": {**TOWER, "out_hidden_size": sizes.hidden},
        "image_token_id": token("<|image_pad|>"),
        "video_token_id": token("<|video_pad|>"),
        "vision_start_token_id": token("<|vision_start|>"),
        "vision_end_token_id": token("<|vision_end|>"),
        "tie_word_embeddings": False,
    }
