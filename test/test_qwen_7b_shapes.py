"""The real Qwen2.5-VL-7B will load: every weight's name and shape, without its values."""

from __future__ import annotations

import json

import pytest
import torch
from qwen_7b import BYTES, CONFIG, TENSORS, VISION_PARAMETERS, published_weights

from spatial_vlm_ros.models.proxy3d import Proxy3DConfig, Proxy3DForConditionalGeneration

#: At D = 3584: a gate, 384 directions, 768 -> 512 -> D with their biases.
NEW = {
    "position.gate": (1,),
    "position.directions.weight": (384, 2),
    "position.mlp.0.weight": (512, 768),
    "position.mlp.0.bias": (512,),
    "position.mlp.2.weight": (3584, 512),
    "position.mlp.2.bias": (3584,),
}


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> Proxy3DConfig:
    folder = tmp_path_factory.mktemp("qwen")
    (folder / "config.json").write_text(json.dumps(CONFIG))
    return Proxy3DConfig.from_pretrained(folder)


def load(config, weights):
    """What from_pretrained makes of files with these weights, and what it says about them."""
    return Proxy3DForConditionalGeneration.from_pretrained(
        None,
        config=config,
        state_dict=weights,
        device_map="meta",
        dtype=torch.bfloat16,
        ignore_mismatched_sizes=True,
        output_loading_info=True,
    )


def shapes(module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(weights.shape) for name, weights in module.named_parameters()}


def test_the_list_is_the_published_one():
    weights = published_weights()
    assert len(weights) == TENSORS
    assert sum(each.numel() * each.element_size() for each in weights.values()) == BYTES
    vision = [weights[name].numel() for name in weights if name.startswith("visual.")]
    assert sum(vision) == VISION_PARAMETERS


def test_the_published_weights_load(config):
    model, info = load(config, published_weights())
    assert set(info["missing_keys"]) == set(NEW)
    assert not info["unexpected_keys"]
    assert not info["mismatched_keys"]
    assert not info["error_msgs"]
    found = shapes(model)
    assert {name: found[name] for name in NEW} == NEW
    new = sum(model.get_parameter(name).numel() for name in NEW)
    assert sum(each.numel() for each in model.parameters()) - new == BYTES // 2


def test_names_and_shapes_are_those_of_the_list(config):
    """Independently of how transformers maps names: less a prefix they are the same."""
    with torch.device("meta"):
        model = Proxy3DForConditionalGeneration(config)
    named = {
        name.replace("model.visual.", "visual.").replace("model.language_model.", "model."): shape
        for name, shape in shapes(model).items()
    }
    expected = {name: tuple(each.shape) for name, each in published_weights().items()}
    assert named == expected | NEW


def test_settings_are_those_of_the_published_model(config):
    text, vision = config.text_config, config.vision_config
    assert text.rope_parameters["rope_theta"] == 1e6
    assert text.rope_parameters["mrope_section"] == [16, 24, 24]
    assert text.rope_parameters["rope_type"] == "default"
    assert (text.rms_norm_eps, text.max_position_embeddings) == (1e-6, 128000)
    assert set(text.layer_types) == {"full_attention"}
    assert (vision.tokens_per_second, vision.window_size) == (2, 112)
    assert config.proxy_token_id == CONFIG["vision_token_id"]
    assert config.position["rotated"] == 3584


def test_weights_that_do_not_fit_are_noticed(config):
    weights = published_weights()
    lost = weights.pop("visual.blocks.31.mlp.gate_proj.bias")
    weights["visual.blocks.32.mlp.gate_proj.bias"] = lost
    weights["model.layers.27.self_attn.q_proj.bias"] = lost
    _, info = load(config, weights)
    assert set(info["missing_keys"]) - set(NEW) == {"model.visual.blocks.31.mlp.gate_proj.bias"}
    assert info["unexpected_keys"] == {"model.visual.blocks.32.mlp.gate_proj.bias"}
    ((name, found, expected),) = info["mismatched_keys"]
    assert name == "model.language_model.layers.27.self_attn.q_proj.bias"
    assert (tuple(found), tuple(expected)) == ((3420,), (3584,))
