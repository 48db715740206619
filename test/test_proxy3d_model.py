"""Proxy3D's network: a plain Qwen2.5-VL at first, the same however it is batched or cached."""

from __future__ import annotations

import copy
import json
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from small_vlm import save_small_vlm
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoModelForImageTextToText,
    AutoTokenizer,
    DynamicCache,
    Qwen2_5_VLForConditionalGeneration,
)

from spatial_vlm_ros.config import EncoderConfig
from spatial_vlm_ros.models.proxy3d import Proxy3DConfig, Proxy3DForConditionalGeneration
from spatial_vlm_ros.vision.qwen import QwenTower
from spatial_vlm_ros.vision.reference_features import ReferenceFeatures

WEIGHTS = "model.safetensors"
NEW = {
    "position.gate",
    "position.directions.weight",
    "position.mlp.0.weight",
    "position.mlp.0.bias",
    "position.mlp.2.weight",
    "position.mlp.2.bias",
}
#: Behind the last layer of phi, which starts at zero, nothing can have a gradient yet.
BEHIND_ZERO = {"position.directions.weight", "position.mlp.0.weight", "position.mlp.0.bias"}


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    """A plain checkpoint. Not to be written to."""
    folder = tmp_path_factory.mktemp("checkpoints") / "small"
    save_small_vlm(folder)
    return folder


@pytest.fixture(scope="module")
def plain(small):
    return Qwen2_5_VLForConditionalGeneration.from_pretrained(small, dtype=torch.float32).eval()


@pytest.fixture
def fresh(small):
    """Made from the plain checkpoint, not trained."""
    return loaded(small)


@pytest.fixture(scope="module")
def trained(small):
    """Where all parts of the position embedding matter. Not to be written to."""
    return moved(loaded(small))


def loaded(folder: Path, dtype=torch.float32, **settings):
    model = Proxy3DForConditionalGeneration.from_pretrained(folder, dtype=dtype, **settings)
    return model.eval()


def moved(model):
    """New parameters away from their first values."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        for name, weights in model.named_parameters():
            if name in NEW:
                torch.nn.init.normal_(weights, std=0.3)
    return model


@dataclass
class Prompt:
    """Words, proxies between the marks of vision, words."""

    ids: Tensor  # (S,)
    features: Tensor  # (N, D)
    positions: Tensor  # (N, 3)

    @property
    def scene(self) -> dict[str, Tensor]:
        return {"proxy_features": self.features, "proxy_positions": self.positions}

    @property
    def inputs(self) -> dict[str, Tensor]:
        return {"input_ids": self.ids[None], **self.scene}


def prompt(model, proxies: int, words: int = 6, seed: int = 0) -> Prompt:
    random = torch.Generator().manual_seed(seed)
    config = model.config
    text = torch.randint(0, 400, (2, words), generator=random)
    start, end = config.vision_start_token_id, config.vision_end_token_id
    block = [start] + [config.proxy_token_id] * proxies + [end]
    return Prompt(
        torch.cat([text[0], torch.tensor(block), text[1]]),
        torch.randn(proxies, config.text_config.hidden_size, generator=random),
        torch.rand(proxies, 3, generator=random) * torch.tensor([8.0, 8.0, 2.5]),
    )


def batch(prompts: list[Prompt], side: str, model) -> dict[str, Tensor]:
    """Prompts of unequal lengths side by side."""
    longest = max(len(each.ids) for each in prompts)
    ids = torch.full((len(prompts), longest), model.config.text_config.pad_token_id)
    mask = torch.zeros_like(ids)
    for row, each in enumerate(prompts):
        place = slice(longest - len(each.ids), None) if side == "left" else slice(len(each.ids))
        ids[row, place], mask[row, place] = each.ids, 1
    return {
        "input_ids": ids,
        "attention_mask": mask,
        "proxy_features": torch.cat([each.features for each in prompts]),
        "proxy_positions": torch.cat([each.positions for each in prompts]),
    }


def logits(model, **inputs) -> Tensor:
    with torch.no_grad():
        return model(**inputs).logits


def put_in(plain, asked: Prompt) -> Tensor:
    """(1, S, D): the features in the places of the proxies, by hand."""
    embeddings = plain.get_input_embeddings()(asked.ids).detach().clone()
    pads = (asked.ids == plain.config.vision_end_token_id + 1).nonzero()[:, 0]
    for feature, place in zip(asked.features, pads, strict=True):
        embeddings[place] = feature
    return embeddings[None]


# -- the start of training


@pytest.mark.parametrize("proxies", [1, 17])
def test_at_first_it_is_the_plain_model(fresh, plain, proxies):
    asked = prompt(fresh, proxies)
    expected = logits(plain, inputs_embeds=put_in(plain, asked))
    torch.testing.assert_close(logits(fresh, **asked.inputs), expected, rtol=0, atol=1e-5)


def test_at_first_text_is_answered_as_by_the_plain_model(fresh, plain):
    ids = prompt(fresh, 0).ids[None]
    assert torch.equal(logits(fresh, input_ids=ids), logits(plain, input_ids=ids))
    answers = [m.generate(ids, max_new_tokens=8, do_sample=False) for m in (fresh, plain)]
    assert torch.equal(*answers)


def test_images_are_answered_as_by_the_plain_model(fresh, plain):
    image = fresh.config.image_token_id
    ids = torch.tensor([[5, fresh.config.vision_start_token_id, image, image, 9, 8]])
    inputs = {
        "input_ids": ids,
        "mm_token_type_ids": (ids == image).int(),
        "pixel_values": torch.randn(8, 1176, generator=torch.Generator().manual_seed(0)),
        "image_grid_thw": torch.tensor([[1, 2, 4]]),
    }
    assert torch.equal(logits(fresh, **inputs), logits(plain, **inputs))
    answers = [m.generate(**inputs, max_new_tokens=8, do_sample=False) for m in (fresh, plain)]
    assert torch.equal(*answers)


def test_once_trained_it_is_another_model(trained, plain):
    """The rotation and phi both show, each for itself."""
    asked = prompt(trained, 17)
    expected = logits(plain, inputs_embeds=put_in(plain, asked))
    for still in ("gate", "mlp.2.weight", "mlp.2.bias", None):
        part = copy.deepcopy(trained)
        if still is not None:
            part.position.get_parameter(still).data.zero_()
        assert (logits(part, **asked.inputs) - expected).abs().max() > 0.01


def test_a_proxy_is_rotated_by_its_height_and_moved_by_its_place(fresh):
    """Eq. 4 by hand, of one proxy 0.25 m above the floor: two steps."""
    asked = prompt(fresh, 1)
    asked.positions[0] = torch.tensor([1.5, -2.0, 0.25])
    position = moved(fresh).position
    gate, (directions, first, b1, last, b2) = position.gate.item(), list(position.parameters())[1:]
    turns = directions @ torch.tensor([1.5, -2.0])
    wave = torch.cat([turns.cos(), turns.sin()]) / 768**0.5
    phi = last @ torch.nn.functional.gelu(first @ wave + b1) + b2
    expected = asked.features[0].clone()
    for m in range(24):
        angle = torch.tensor(gate * 2 * 10000 ** (-2 * m / 48))
        a, b = asked.features[0, 2 * m], asked.features[0, 2 * m + 1]
        expected[2 * m] = a * angle.cos() - b * angle.sin()
        expected[2 * m + 1] = a * angle.sin() + b * angle.cos()
    embeddings, _ = fresh.embed_prompt(asked.ids[None], **asked.scene)
    torch.testing.assert_close(embeddings[0, 7], expected + phi, rtol=1e-4, atol=1e-5)


def test_what_it_begins_with(fresh):
    """Also where the weights come from a checkpoint that lacks these."""
    position = fresh.position
    assert position.gate.item() == 0
    assert 0.8 < position.directions.weight.std() * position.config.gamma < 1.2
    assert 0 < position.mlp[0].weight.abs().max() <= 768**-0.5
    assert all(not weights.any() for weights in position.mlp[2].parameters())


# -- files


def test_saved_and_loaded(trained, tmp_path):
    trained.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["model_type"] == "proxy3d"
    again, info = Proxy3DForConditionalGeneration.from_pretrained(
        tmp_path, output_loading_info=True, dtype=torch.float32
    )
    assert not any(info.values())
    asked = prompt(trained, 9)
    assert torch.equal(logits(again.eval(), **asked.inputs), logits(trained, **asked.inputs))
    assert again.config.position == trained.config.position


def test_saved_and_loaded_by_what_its_files_say(trained, small, tmp_path):
    trained.save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(small).save_pretrained(tmp_path)
    assert type(AutoConfig.from_pretrained(tmp_path)) is Proxy3DConfig
    again = AutoModelForImageTextToText.from_pretrained(tmp_path, dtype=torch.float32).eval()
    assert type(again) is Proxy3DForConditionalGeneration
    asked = prompt(trained, 9)
    assert torch.equal(logits(again, **asked.inputs), logits(trained, **asked.inputs))
    pad = AutoTokenizer.from_pretrained(tmp_path).convert_tokens_to_ids("<|vision_pad|>")
    assert again.config.proxy_token_id == pad


def published_name(name: str) -> str:
    """Of a weight on the hub, by its name in transformers 5."""
    name = name.replace("model.visual.", "visual.")
    return name.replace("model.language_model.", "model.")


def test_both_spellings_of_the_names_are_the_same_weights(small, plain, tmp_path):
    weights = {name: tensor.clone() for name, tensor in plain.state_dict().items()}
    published = {published_name(name): tensor for name, tensor in weights.items()}
    assert {name.split(".")[0] for name in published} == {"visual", "model", "lm_head"}
    found = []
    for spelling in (weights, published):
        folder = tmp_path / str(len(found))
        folder.mkdir()
        (folder / "config.json").write_bytes((small / "config.json").read_bytes())
        save_file(spelling, folder / WEIGHTS, {"format": "pt"})
        model, info = Proxy3DForConditionalGeneration.from_pretrained(
            folder, output_loading_info=True, dtype=torch.float32
        )
        assert set(info["missing_keys"]) == NEW
        assert not info["unexpected_keys"]
        assert not info["mismatched_keys"]
        found.append(model.state_dict())
    for name, tensor in weights.items():
        assert torch.equal(found[0][name], tensor)
        assert torch.equal(found[1][name], tensor)


def test_settings_as_they_are_on_the_hub(small, fresh, tmp_path):
    """Those of the language model beside all others, under their old names."""
    settings = json.loads((small / "config.json").read_text())
    text, vision = settings.pop("text_config"), settings["vision_config"]
    rope = text.pop("rope_parameters")
    del text["model_type"], text["layer_types"], vision["model_type"]
    del vision["rope_parameters"]
    scaling = {"type": "mrope", "mrope_section": rope["mrope_section"]}
    flat = settings | text | {"rope_theta": rope["rope_theta"], "rope_scaling": scaling}
    flat["vision_config"] = vision | {"in_chans": vision.pop("in_channels")}
    (tmp_path / "config.json").write_text(json.dumps(flat))
    (tmp_path / WEIGHTS).write_bytes((small / WEIGHTS).read_bytes())
    asked = prompt(fresh, 9)
    assert torch.equal(logits(loaded(tmp_path), **asked.inputs), logits(fresh, **asked.inputs))


def test_tied_embeddings(small, tmp_path):
    """As of the published 3B: there is no lm_head among the weights."""
    settings = json.loads((small / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(settings | {"tie_word_embeddings": True}))
    weights = load_file(small / WEIGHTS)
    del weights["lm_head.weight"]
    save_file(weights, tmp_path / WEIGHTS, {"format": "pt"})
    model, info = Proxy3DForConditionalGeneration.from_pretrained(
        tmp_path, output_loading_info=True, dtype=torch.float32
    )
    assert set(info["missing_keys"]) == NEW
    assert model.lm_head.weight is model.get_input_embeddings().weight
    model.save_pretrained(tmp_path / "own")
    asked = prompt(model, 5)
    found = logits(loaded(tmp_path / "own"), **asked.inputs)
    assert torch.equal(found, logits(model.eval(), **asked.inputs))


def test_it_is_saved_with_the_names_of_the_hub(trained, tmp_path):
    """So that tools that know Qwen2.5-VL find their way, and a plain model can be made of it."""
    trained.save_pretrained(tmp_path)
    saved = load_file(tmp_path / WEIGHTS)
    expected = {published_name(name) for name in trained.state_dict()}
    assert set(saved) == expected
    plain, info = Qwen2_5_VLForConditionalGeneration.from_pretrained(
        tmp_path, output_loading_info=True, dtype=torch.float32
    )
    assert set(info["unexpected_keys"]) == NEW
    assert not info["missing_keys"]
    assert torch.equal(plain.lm_head.weight, trained.lm_head.weight)


def test_a_plain_checkpoint_is_no_reason_to_warn_of_another_model(small, caplog):
    logger = logging.getLogger("transformers.configuration_utils")
    logger.addHandler(caplog.handler)
    try:
        assert Proxy3DConfig.from_pretrained(small).model_type == "proxy3d"
    finally:
        logger.removeHandler(caplog.handler)
    assert "You are using a model of type" not in caplog.text


def test_settings_of_the_position_embedding(small, tmp_path):
    model = loaded(small, position={"rotated": 12, "hidden": 16, "initial_gate": 1.0})
    assert model.position.config.rotated == 12
    assert model.position.config.fourier == 768
    assert model.position.gate.item() == 1
    model.save_pretrained(tmp_path)
    assert loaded(tmp_path).position.config == model.position.config
    assert loaded(tmp_path, identifiers=200).config.identifiers == 200


# -- batches


@pytest.mark.parametrize("side", ["left", "right"])
def test_batches_are_their_prompts_one_by_one(trained, side):
    prompts = [
        prompt(trained, proxies, words, seed)
        for seed, (proxies, words) in enumerate([(3, 4), (11, 2), (0, 5), (6, 9)])
    ]
    together = logits(trained, **batch(prompts, side, trained))
    for row, each in enumerate(prompts):
        inputs = each.inputs if len(each.features) else {"input_ids": each.ids[None]}
        alone = logits(trained, **inputs)[0]
        length = len(each.ids)
        found = together[row, -length:] if side == "left" else together[row, :length]
        torch.testing.assert_close(found, alone, rtol=1e-4, atol=1e-4)


def test_a_left_padded_batch_is_continued_as_its_prompts_are(trained):
    prompts = [prompt(trained, n, words, n) for n, words in [(3, 4), (11, 2), (6, 9)]]
    together = trained.generate(
        **batch(prompts, "left", trained), max_new_tokens=10, do_sample=False, eos_token_id=None
    )
    for row, each in enumerate(prompts):
        alone = trained.generate(
            **each.inputs, max_new_tokens=10, do_sample=False, eos_token_id=None
        )
        assert torch.equal(together[row, -10:], alone[0, -10:])


def test_several_answers_each_see_the_scene(trained):
    """Of a batch, drawn among one token: all are the answer that is given alone."""
    prompts = [prompt(trained, 3, 4, 0), prompt(trained, 8, 2, 1)]
    how = {"max_new_tokens": 8, "eos_token_id": None}
    drawn = {"do_sample": True, "top_k": 1, "num_return_sequences": 3}
    together = trained.generate(**batch(prompts, "left", trained), **how, **drawn)
    for row, each in enumerate(prompts):
        alone = trained.generate(**each.inputs, **how, do_sample=False)[0, -8:]
        assert together[3 * row : 3 * row + 3, -8:].tolist() == [alone.tolist()] * 3


def test_beams_are_at_least_as_probable(trained):
    """Each sees the scene: the probability that beam search found is that of a new look."""
    asked = prompt(trained, 8)
    how = {"max_new_tokens": 6, "do_sample": False, "eos_token_id": None}
    sums = []
    for beams in (1, 4):
        ids = trained.generate(**asked.inputs, **how, num_beams=beams)
        words = torch.log_softmax(logits(trained, input_ids=ids, **asked.scene), dim=-1)
        sums.append(words[0, -7:-1].gather(1, ids[0, -6:, None]).sum().item())
    assert sums[1] >= sums[0] - 1e-4


# -- caches


def in_chunks(model, embeddings: Tensor, positions: Tensor, sizes: list[int]):
    """(1, n, V) logits of the first n tokens, and the cache that holds them."""
    cache, at, found = DynamicCache(config=model.config), 0, []
    for size in sizes:
        part = slice(at, at + size)
        with torch.no_grad():
            out = model(
                inputs_embeds=embeddings[:, part],
                position_ids=positions[..., part],
                past_key_values=cache,
                use_cache=True,
            )
        found.append(out.logits)
        at += size
    return torch.cat(found, dim=1), cache


def test_logits_with_a_cache_are_those_without(trained):
    asked = prompt(trained, 20)
    embeddings, positions = trained.embed_prompt(asked.ids[None], **asked.scene)
    assert torch.equal(positions, torch.arange(len(asked.ids)).expand(3, 1, -1))
    whole = logits(trained, **asked.inputs)
    length = len(asked.ids)
    for sizes in ([length], [1] * length, [5, 13, length - 18], [length - 1, 1]):
        found, _ = in_chunks(trained, embeddings, positions, sizes)
        torch.testing.assert_close(found, whole, rtol=0, atol=1e-4)


def greedy(model, asked: Prompt, count: int) -> list[int]:
    """Without any cache: the whole sequence again for each token."""
    ids = asked.ids
    for _ in range(count):
        now = logits(model, input_ids=ids[None], **asked.scene)
        ids = torch.cat([ids, now[0, -1:].argmax(-1)])
    return ids[len(asked.ids) :].tolist()


def test_generating_gives_the_same_tokens_in_every_way(trained):
    asked = prompt(trained, 20)
    length = len(asked.ids)
    how = {"max_new_tokens": 12, "do_sample": False, "eos_token_id": None}
    expected = greedy(trained, asked, 12)
    assert len(set(expected)) > 3
    with_scene = trained.generate(**asked.inputs, **how)[0, length:]
    assert with_scene.tolist() == expected
    assert trained.model.rope_deltas.tolist() == [[0]]
    no_cache = trained.generate(**asked.inputs, **how, use_cache=False)[0, length:]
    assert no_cache.tolist() == expected

    embeddings, positions = trained.embed_prompt(asked.ids[None], **asked.scene)
    _, cache = in_chunks(trained, embeddings, positions, [9, length - 10])
    trained.model.rope_deltas = positions.amax((0, 2))[:, None] + 1 - length
    from_cache = trained.generate(asked.ids[None], past_key_values=cache, **how)[0, length:]
    assert from_cache.tolist() == expected

    from_embeddings = trained.generate(inputs_embeds=embeddings, position_ids=positions, **how)
    assert from_embeddings[0, -12:].tolist() == expected


def test_a_model_that_counts_positions_otherwise(trained, monkeypatch):
    """As one with frames does: here each proxy takes three places, and all ways know of it."""

    def three_each(input_ids, attention_mask=None, **_):
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        steps = torch.where(trained.placeholders(input_ids), 3, 1) * mask
        return ((steps.cumsum(-1) - steps) * mask).expand(3, -1, -1)

    prompts = [prompt(trained, n, words, n) for n, words in [(3, 4), (11, 2)]]
    usual = greedy(trained, prompts[1], 8)
    monkeypatch.setattr(trained, "prompt_positions", three_each)
    expected = [greedy(trained, each, 8) for each in prompts]
    assert expected[1] != usual
    for each, answer in zip(prompts, expected, strict=True):
        length, count = len(each.ids), len(each.features)
        embeddings, positions = trained.embed_prompt(each.ids[None], **each.scene)
        found, cache = in_chunks(trained, embeddings, positions, [4, length - 5, 1])
        torch.testing.assert_close(found, logits(trained, **each.inputs), rtol=0, atol=1e-4)
        assert trained.model.rope_deltas.tolist() == [[2 * count]]
        cache.crop(-1)
        how = {"max_new_tokens": 8, "do_sample": False, "eos_token_id": None}
        again = trained.generate(each.ids[None], past_key_values=cache, **how)
        assert again[0, length:].tolist() == answer
    together = trained.generate(**batch(prompts, "left", trained), **how)
    assert trained.model.rope_deltas.tolist() == [[6], [22]]
    assert together[:, -8:].tolist() == expected


def test_a_cache_of_fixed_size_gives_the_same_tokens(trained):
    """As torch.compile wants it; generate() makes the mask of attention itself then."""
    prompts = [prompt(trained, n, words, n) for n, words in [(3, 4), (11, 2)]]
    inputs = batch(prompts, "left", trained)
    how = {"max_new_tokens": 8, "do_sample": False, "eos_token_id": None}
    expected = trained.generate(**inputs, **how)
    static = {"cache_implementation": "static", "disable_compile": True}
    assert torch.equal(trained.generate(**inputs, **how, **static), expected)


def test_an_empty_scene_is_text(trained):
    asked = prompt(trained, 0)
    expected = logits(trained, input_ids=asked.ids[None])
    torch.testing.assert_close(logits(trained, **asked.inputs), expected, rtol=0, atol=1e-5)


def test_a_prompt_does_not_remember_the_one_before(trained):
    """Of a batch of two with a scene, a text by itself and token by token from a cache."""
    ids = prompt(trained, 0).ids[None]
    expected = logits(trained, input_ids=ids)
    logits(trained, **batch([prompt(trained, 3), prompt(trained, 5)], "left", trained))
    cache = DynamicCache(config=trained.config)
    found = [
        logits(trained, input_ids=ids[:, i : i + 1], past_key_values=cache, use_cache=True)
        for i in range(ids.shape[1])
    ]
    torch.testing.assert_close(torch.cat(found, dim=1), expected, rtol=0, atol=1e-4)


# -- what is refused


def test_wrong_counts_are_named(trained):
    asked = prompt(trained, 5)
    with pytest.raises(ValueError, match=r"5 placeholders .*\(4, 48\) and \(5, 3\)"):
        trained(asked.ids[None], proxy_features=asked.features[:4], proxy_positions=asked.positions)
    with pytest.raises(ValueError, match=r"5 placeholders .*\(5, 48\) and \(4, 3\)"):
        trained(asked.ids[None], proxy_features=asked.features, proxy_positions=asked.positions[:4])
    with pytest.raises(ValueError, match=r"\(5, 48\) and positions \(5, 3\), not \(5, 24\)"):
        trained(
            asked.ids[None], proxy_features=asked.features[:, :24], proxy_positions=asked.positions
        )
    with pytest.raises(ValueError, match="5 placeholders of a scene, and no scene"):
        trained(asked.ids[None])
    with pytest.raises(ValueError, match="5 placeholders of a scene, and no scene"):
        trained.generate(asked.ids[None], max_new_tokens=1)
    with pytest.raises(ValueError, match="needs input_ids"):
        trained(inputs_embeds=torch.zeros(1, 3, 48), **asked.scene)


def test_images_beside_a_scene_are_refused(trained):
    for name in ("pixel_values", "pixel_values_videos"):
        with pytest.raises(ValueError, match="takes no images beside it"):
            trained(**prompt(trained, 5).inputs, **{name: torch.zeros(4, 1176)})


def test_misspelt_inputs_are_refused(trained):
    with pytest.raises(ValueError, match="proxy_feature'"):
        trained.generate(torch.tensor([[1, 2]]), proxy_feature=torch.zeros(1, 48))


# -- types of numbers


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_sixteen_bits(trained, tmp_path, dtype):
    trained.save_pretrained(tmp_path)
    half = loaded(tmp_path, dtype)
    assert {weights.dtype for weights in half.parameters()} == {dtype}
    prompts = [prompt(trained, 3, 4, 0), prompt(trained, 11, 2, 1)]
    inputs = batch(prompts, "left", trained)
    found, exact = logits(half, **inputs), logits(trained, **inputs)
    assert found.dtype == dtype
    real = inputs["attention_mask"].bool()
    error = (found.float() - exact)[real].norm() / exact[real].norm()
    assert error < 0.1
    answer = half.generate(**inputs, max_new_tokens=4, do_sample=False, eos_token_id=None)
    assert answer.shape[1] == inputs["input_ids"].shape[1] + 4


def test_attention_implementations_agree(trained, tmp_path):
    trained.save_pretrained(tmp_path)
    eager = loaded(tmp_path, attn_implementation="eager")
    sdpa = loaded(tmp_path, attn_implementation="sdpa")
    inputs = batch([prompt(trained, 3, 4), prompt(trained, 11, 2)], "left", trained)
    real = inputs["attention_mask"].bool()
    found = [logits(model, **inputs)[real] for model in (eager, sdpa)]
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-4)


# -- learning


def task(model) -> dict[str, Tensor]:
    """A batch whose last three words are to be learnt."""
    inputs = batch([prompt(model, 3, 4, 0), prompt(model, 11, 5, 1)], "left", model)
    labels = inputs["input_ids"].clone()
    labels[:, :-3] = -100
    return inputs | {"labels": labels}


def gradients(model) -> dict[str, Tensor | None]:
    return {name: weights.grad for name, weights in model.named_parameters()}


def has_gradient(weights: Tensor) -> bool:
    return weights.grad is not None and bool(weights.grad.abs().sum() > 0)


def test_only_labelled_words_count(trained):
    inputs = task(trained)
    with torch.no_grad():
        out = trained(**inputs)
    words = torch.log_softmax(out.logits[:, -4:-1].double(), dim=-1)
    right = words.gather(2, inputs["input_ids"][:, -3:, None])
    torch.testing.assert_close(out.loss.double(), -right.mean(), rtol=1e-5, atol=1e-5)


def test_gradients_reach_every_new_parameter(fresh):
    """At first not those behind the zero layer; after one step of the optimiser all."""
    optimiser = torch.optim.SGD(fresh.parameters(), lr=0.1)
    fresh(**task(fresh)).loss.backward()
    without = {name for name in NEW if not has_gradient(fresh.get_parameter(name))}
    assert without == BEHIND_ZERO
    optimiser.step()
    optimiser.zero_grad()
    fresh(**task(fresh)).loss.backward()
    assert all(has_gradient(fresh.get_parameter(name)) for name in NEW)


def test_it_learns(fresh):
    """The new parts alone make words that have nothing to do with the scene more likely."""
    for name, weights in fresh.named_parameters():
        weights.requires_grad_(name in NEW)
    optimiser = torch.optim.Adam(fresh.position.parameters(), lr=0.02)
    losses = []
    for _ in range(15):
        loss = fresh(**task(fresh)).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_gradient_checkpointing_changes_nothing(trained):
    once, twice = copy.deepcopy(trained).train(), copy.deepcopy(trained).train()
    twice.gradient_checkpointing_enable()
    calls = []
    attention = twice.model.language_model.layers[0].self_attn
    attention.register_forward_hook(lambda *_: calls.append(1))
    losses = []
    for model in (once, twice):
        loss = model(**task(model)).loss
        loss.backward()
        losses.append(loss.detach())
    assert len(calls) == 2  # computed again for the gradient
    assert torch.equal(*losses)
    expected, found = gradients(once), gradients(twice)
    for name in expected:
        assert (expected[name] is None) == (found[name] is None)
        if expected[name] is not None:
            torch.testing.assert_close(found[name], expected[name], rtol=1e-6, atol=1e-9)
    assert NEW <= {name for name in found if found[name] is not None}


LORA = LoraConfig(
    r=4,
    lora_alpha=8,
    target_modules=r".*language_model.*\.(q_proj|v_proj)",
    modules_to_save=["position"],
    task_type="CAUSAL_LM",
)


@pytest.mark.parametrize("target", [LORA.target_modules, "all-linear"])
def test_lora_trains_adapters_and_new_parts_only(small, tmp_path, target):
    settings = copy.deepcopy(LORA)
    settings.target_modules = target
    model = get_peft_model(loaded(small), settings)
    learning = {name for name, weights in model.named_parameters() if weights.requires_grad}
    others = {name for name in learning if "lora_" not in name}
    prefix = "base_model.model.position.modules_to_save.default."
    assert others == {prefix + name.removeprefix("position.") for name in NEW}
    before = {name: weights.clone() for name, weights in model.named_parameters()}
    optimiser = torch.optim.SGD([w for w in model.parameters() if w.requires_grad], lr=0.5)
    for _ in range(2):
        model(**task(model)).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    after = dict(model.named_parameters())
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert others < changed <= learning
    model.save_pretrained(tmp_path)
    again = PeftModel.from_pretrained(loaded(small), tmp_path).eval()
    inputs = task(model)
    assert torch.equal(logits(again, **inputs), logits(model.eval(), **inputs))
    asked = prompt(model, 4)
    how = {"max_new_tokens": 5, "do_sample": False, "eos_token_id": None}
    assert torch.equal(again.generate(**asked.inputs, **how), model.generate(**asked.inputs, **how))


def test_lora_with_gradient_checkpointing(small):
    """What freezes the embeddings must not cut the gradient off."""
    model = get_peft_model(loaded(small).train(), LORA)
    model.gradient_checkpointing_enable()
    model.enable_input_require_grads()
    model(**task(model)).loss.backward()
    learning = [n for n, w in model.named_parameters() if w.requires_grad and has_gradient(w)]
    assert any("lora_B" in name for name in learning)
    assert any(name.endswith("position.modules_to_save.default.gate") for name in learning)


def test_lora_can_be_merged(small):
    model = get_peft_model(loaded(small), LORA)
    optimiser = torch.optim.SGD([w for w in model.parameters() if w.requires_grad], lr=0.5)
    for _ in range(2):
        model(**task(model)).loss.backward()
        optimiser.step()
    asked = prompt(model, 4)
    expected = logits(model.eval(), **asked.inputs)
    merged = model.merge_and_unload()
    assert type(merged) is Proxy3DForConditionalGeneration
    torch.testing.assert_close(logits(merged, **asked.inputs), expected, rtol=1e-4, atol=1e-4)


# -- its own encoder


def test_its_encoder_is_the_tower_of_its_files(fresh, small, tmp_path):
    rgb = np.random.default_rng(0).integers(0, 256, (112, 140, 3), np.uint8)
    encoder = fresh.encoder()
    opened = QwenTower.open(EncoderConfig(checkpoint=str(small), device="cpu"))
    assert torch.equal(encoder.encode(rgb), opened.encode(rgb))
    assert (encoder.dimension, encoder.cell) == (48, 28)
    assert encoder.name == opened.name
    fresh.save_pretrained(tmp_path / "own")
    own = QwenTower.open(EncoderConfig(checkpoint=str(tmp_path / "own"), device="cpu"))
    assert torch.equal(own.encode(rgb), opened.encode(rgb))
    assert own.name == opened.name.replace("small", "own")


def test_identifiers_are_features_of_its_encoder(fresh, tmp_path):
    references = ReferenceFeatures(fresh.encoder(), tmp_path)
    found = references.identifiers([0, 7, 99])
    assert found.shape == (3, fresh.config.text_config.hidden_size)
    assert not torch.equal(found[0], found[1])
    asked = prompt(fresh, 3)
    assert logits(fresh, **(asked.inputs | {"proxy_features": found})).isfinite().all()
