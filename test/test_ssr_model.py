"""SSR-2D and SSR-3D as transformers models: checkpoints, logits, caches, gradients."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from small_vlm import save_small_vlm
from ssr_inputs import POINTS, VGGT, opened, prompt, train_away_from_start
from transformers import (
    AutoConfig,
    AutoModelForImageTextToText,
    DynamicCache,
    Qwen2_5_VLForConditionalGeneration,
)

from spatial_vlm_ros.models.ssr import SSRConfig, SSRForConditionalGeneration

SEQUENTIAL = {**POINTS, "insertion": "sequential"}
KINDS = [None, VGGT, POINTS, SEQUENTIAL]
#: Per prompt, blocks of (frames, height, width) in patches; a window is 8 x 8 of them.
SIZES = [[(2, 12, 10)], [(1, 4, 6), (3, 2, 4)], []]
SCENE = SSRForConditionalGeneration.scene_inputs


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoints")
    save_small_vlm(folder)
    return folder


def trained(folder: Path, spatial, **options):
    """A model whose spatial tokens are not its visual tokens."""
    model = opened(folder, spatial, **options)
    if spatial is not None:
        train_away_from_start(model)
    return model


def logits(model, batch, **options) -> torch.Tensor:
    with torch.no_grad():
        return model(**batch, **options).logits


def one(batch, sizes, index: int) -> dict[str, torch.Tensor]:
    """Prompt ``index`` of a batch, without padding."""
    real = batch["attention_mask"][index].bool()
    blocks = [len(of) for of in sizes]
    first = sum(blocks[:index])
    grids = batch["video_grid_thw"]
    rows = grids.prod(-1).tolist()
    begin = sum(rows[:first])
    end = begin + sum(rows[first : first + blocks[index]])
    alone = {
        "input_ids": batch["input_ids"][index][real][None],
        "attention_mask": torch.ones(1, int(real.sum()), dtype=torch.long),
    }
    if blocks[index]:
        alone["video_grid_thw"] = grids[first : first + blocks[index]]
        for name in ("pixel_values_videos", "spatial_values"):
            if name in batch:
                alone[name] = batch[name][begin:end]
    return alone


def rewritten(folder: Path, target: Path, rename) -> Path:
    """The checkpoint with other names of its weights."""
    target.mkdir()
    (target / "config.json").write_text((folder / "config.json").read_text())
    weights = load_file(folder / "model.safetensors")
    save_file(
        {rename(name): tensor for name, tensor in weights.items()}, target / "model.safetensors"
    )
    return target


def published(name: str) -> str:
    return name.replace("model.visual.", "visual.").replace("model.language_model.", "model.")


def of_transformers_5(name: str) -> str:
    name = published(name)
    if name.startswith("visual."):
        return f"model.{name}"
    return name.replace("model.", "model.language_model.", 1) if name[0] == "m" else name


# --- from and to checkpoints


def test_ssr_2d_is_the_plain_model_on_a_video_of_stills(plain):
    """Where frames are no more than the longest side has tokens: beyond, transformers lets the
    text behind a video overlap its last frames."""
    sizes = [[(3, 12, 10)], [(2, 4, 6), (2, 8, 4)]]
    ssr = opened(plain)
    batch = prompt(ssr, sizes)
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(plain, dtype=torch.float32).eval()
    video = batch["input_ids"] == ssr.config.video_token_id
    step = 1 / model.config.vision_config.tokens_per_second
    expected = logits(
        model, batch, mm_token_type_ids=2 * video.int(), second_per_grid_ts=torch.full((3,), step)
    )
    real = batch["attention_mask"].bool()
    found = logits(ssr, batch)
    assert expected[real].std() > 0.1
    assert (found - expected)[real].abs().max() < 1e-5
    assert torch.equal(ssr.model.rope_deltas, model.model.rope_deltas)


@pytest.mark.parametrize("rename", [published, of_transformers_5])
@pytest.mark.parametrize("spatial", [None, VGGT])
def test_a_plain_checkpoint_is_read_with_either_names(plain, tmp_path, rename, spatial):
    folder = rewritten(plain, tmp_path / "renamed", rename)
    model, info = SSRForConditionalGeneration.from_pretrained(
        folder, spatial=spatial, output_loading_info=True
    )
    assert not info["unexpected_keys"]
    assert not info["mismatched_keys"]
    missing = set(info["missing_keys"])
    assert missing == {name for name in model.state_dict() if name.startswith("spatial.")}
    expected = Qwen2_5_VLForConditionalGeneration.from_pretrained(plain).state_dict()
    assert all(torch.equal(model.state_dict()[name], expected[name]) for name in expected)


@pytest.mark.parametrize("spatial", [VGGT, POINTS])
def test_spatial_weights_start_as_the_visual_ones(plain, tmp_path, spatial):
    """From a plain checkpoint and from an SSR-2D, and the same in a model made from a config."""
    opened(plain).save_pretrained(tmp_path)
    for model in (
        opened(plain, spatial),
        SSRForConditionalGeneration.from_pretrained(tmp_path, spatial=spatial),
        SSRForConditionalGeneration(opened(plain, spatial).config),
    ):
        merger, projector = model.model.visual.merger, model.spatial.projector
        assert merger.mlp[0].weight.std() > 0.01
        for new, old in zip(projector.parameters(), merger.parameters(), strict=True):
            assert torch.equal(new, old)
            assert new.data_ptr() != old.data_ptr()
        first, _, last = model.spatial.transform
        assert first.weight.std() > 0.01
        assert not last.weight.any()
        assert not last.bias.any()
        assert torch.equal(model.spatial.norm.weight, torch.ones_like(model.spatial.norm.weight))


def test_both_tokens_of_a_frame_are_the_same_before_training(plain):
    model = opened(plain, POINTS)
    batch = prompt(model, SIZES)
    with torch.no_grad():
        embeddings, _ = model.embed_prompt(**batch)
    ids = batch["input_ids"]
    visual = embeddings[ids == model.config.video_token_id]
    spatial = embeddings[ids == model.config.spatial_token_id]
    assert len(visual) == 60 + 6 + 6
    assert torch.equal(visual, spatial)


@pytest.mark.parametrize("spatial", KINDS)
def test_saved_and_read_again_it_answers_the_same(plain, tmp_path, spatial):
    model = trained(plain, spatial)
    batch = prompt(model, SIZES)
    model.save_pretrained(tmp_path)
    again, info = SSRForConditionalGeneration.from_pretrained(tmp_path, output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    assert again.config.spatial == model.config.spatial
    assert again.config.spatial_token_id == model.config.spatial_token_id
    assert torch.equal(logits(again.eval(), batch), logits(model, batch))
    names = load_file(tmp_path / "model.safetensors")
    assert "visual.merger.ln_q.weight" in names  # as published
    assert any(name.startswith("spatial.") for name in names) == (spatial is not None)


def test_auto_classes_find_it(plain, tmp_path):
    opened(plain, POINTS).save_pretrained(tmp_path)
    config = AutoConfig.from_pretrained(tmp_path)
    assert isinstance(config, SSRConfig)
    assert config.spatial_settings.width == 24
    model = AutoModelForImageTextToText.from_pretrained(tmp_path)
    assert isinstance(model, SSRForConditionalGeneration)


# --- what is computed


@pytest.mark.parametrize("spatial", KINDS)
def test_prompts_in_a_padded_batch_answer_as_they_do_alone(plain, spatial):
    model = trained(plain, spatial)
    batch = prompt(model, SIZES)
    together = logits(model, batch)
    for index in range(len(SIZES)):
        alone = one(batch, SIZES, index)
        length = alone["input_ids"].shape[1]
        assert (together[index, -length:] - logits(model, alone)[0]).abs().max() < 1e-4


@pytest.mark.parametrize("spatial", KINDS)
def test_logits_with_a_cache_equal_those_without(plain, spatial):
    model = trained(plain, spatial)
    batch = prompt(model, SIZES[:2])
    expected = logits(model, batch)
    deltas = model.model.rope_deltas.clone()
    embeddings, positions = model.embed_prompt(**batch)
    mask = batch["attention_mask"]
    length = mask.shape[1]
    assert torch.equal(positions.amax((0, 2)) + 1 - mask.sum(1), deltas[:, 0])
    for cut in (3, length // 2, length - 1):
        cache = DynamicCache(config=model.config)
        parts = []
        for begin, end in ((0, cut), (cut, length)):
            out = model(
                inputs_embeds=embeddings[:, begin:end],
                position_ids=positions[:, :, begin:end],
                attention_mask=mask[:, :end],
                past_key_values=cache,
            )
            parts.append(out.logits.detach())
        real = mask.bool()
        assert (torch.cat(parts, dim=1) - expected)[real].abs().max() < 1e-4


def greedy(model, batch, count: int) -> torch.Tensor:
    """(B, count) the likeliest tokens, each from the whole prompt again."""
    found = batch["input_ids"]
    for _ in range(count):
        mask = torch.ones_like(found)
        mask[:, : batch["attention_mask"].shape[1]] = batch["attention_mask"]
        following = logits(model, {**batch, "input_ids": found, "attention_mask": mask})[:, -1]
        found = torch.cat([found, following.argmax(-1, keepdim=True)], dim=1)
    return found[:, -count:]


@pytest.mark.parametrize("spatial", KINDS)
def test_it_generates_the_same_in_each_way(plain, spatial):
    """From the scene, from a cache of all but the last token, and without a cache."""
    model = trained(plain, spatial)
    for sizes in (SIZES, [SIZES[1]]):
        batch = prompt(model, sizes, seed=3)
        expected = greedy(model, batch, 6)
        length = batch["input_ids"].shape[1]
        options = {"max_new_tokens": 6, "min_new_tokens": 6, "do_sample": False}
        model.generation_config.eos_token_id = None
        assert torch.equal(model.generate(**batch, **options)[:, length:], expected)
        uncached = model.generate(**batch, **options, use_cache=False)[:, length:]
        assert torch.equal(uncached, expected)

        with torch.no_grad():
            embeddings, positions = model.embed_prompt(**batch)
            mask = batch["attention_mask"]
            cache = model(
                inputs_embeds=embeddings[:, :-1],
                position_ids=positions[:, :, :-1],
                attention_mask=mask[:, :-1],
                use_cache=True,
            ).past_key_values
        model.model.rope_deltas = (positions.amax((0, 2)) + 1 - mask.sum(1))[:, None]
        continued = model.generate(
            input_ids=batch["input_ids"], attention_mask=mask, past_key_values=cache, **options
        )
        assert torch.equal(continued[:, length:], expected)


def test_beams_each_see_their_own_frames(plain):
    model = trained(plain, POINTS)
    sizes = SIZES[:2]
    batch = prompt(model, sizes, seed=4)
    options = {"max_new_tokens": 4, "do_sample": False, "num_beams": 3}
    model.generation_config.eos_token_id = None
    together = model.generate(**batch, **options)[:, batch["input_ids"].shape[1] :]
    for index in range(2):
        alone = one(batch, sizes, index)
        length = alone["input_ids"].shape[1]
        assert torch.equal(model.generate(**alone, **options)[0, length:], together[index])


def test_frames_and_geometry_matter(plain):
    model = trained(plain, POINTS)
    batch = prompt(model, SIZES[:1])
    before = logits(model, batch)[:, -1]
    off = {name: value for name, value in batch.items() if name != "spatial_values"}
    moved = {**batch, "spatial_values": batch["spatial_values"].flip(0)}
    seen = {**batch, "pixel_values_videos": batch["pixel_values_videos"].flip(0)}
    for changed in (off, moved, seen):
        assert (logits(model, changed)[:, -1] - before).abs().max() > 0.01


def test_frames_whose_points_are_all_unknown_are_read(plain):
    model = trained(plain, POINTS)
    batch = prompt(model, SIZES, known=0.0)
    assert batch["spatial_values"].isnan().any(-1).all()
    assert logits(model, batch).isfinite().all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("spatial", [None, POINTS, VGGT])
def test_it_runs_in_half_precision(plain, dtype, spatial):
    exact = trained(plain, spatial)
    model = trained(plain, spatial, dtype=dtype)
    assert {weight.dtype for weight in model.parameters()} == {dtype}
    batch = prompt(model, SIZES)
    found = logits(model, batch)
    assert found.dtype == dtype
    real = batch["attention_mask"].bool()
    likely, exactly = (
        found[real].float().log_softmax(-1),
        logits(exact, batch)[real].log_softmax(-1),
    )
    assert (likely - exactly).abs().mean() < 0.1 * exactly.std()
    assert model.generate(**batch, max_new_tokens=2).shape[0] == len(SIZES)


def test_wrong_inputs_are_refused(plain):
    model = opened(plain, POINTS)
    batch = prompt(model, [[(2, 4, 6)]])

    def wrong(match: str, **changes) -> None:
        inputs = {name: value for name, value in {**batch, **changes}.items() if value is not None}
        with pytest.raises(ValueError, match=match):
            model(**inputs)

    ids = batch["input_ids"].clone()
    ids[ids == model.config.spatial_token_id] = 7
    wrong("0 placeholders for 12 tokens", input_ids=ids)
    wrong("47 rows.*48 patches", pixel_values_videos=batch["pixel_values_videos"][:-1])
    wrong(r"\(47, 3\), not \(48, 3\)", spatial_values=batch["spatial_values"][:-1])
    wrong(r"\(48, 4\), not \(48, 3\)", spatial_values=torch.zeros(48, 4))
    wrong(
        "24 frame placeholders.*have 12",
        video_grid_thw=torch.tensor([[1, 4, 6]] * 2),
    )
    wrong("video_grid_thw", video_grid_thw=None)
    wrong("pixel_values_videos", pixel_values_videos=None)
    wrong("placeholders", video_grid_thw=None, pixel_values_videos=None, spatial_values=None)
    flat = opened(plain)
    frames = prompt(flat, [[(2, 4, 6)]])
    with pytest.raises(ValueError, match="SSR-2D takes no spatial_values"):
        flat(**frames, spatial_values=torch.zeros(48, 3))


# --- training


def loss_of(model, batch) -> torch.Tensor:
    labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
    labels[labels == model.config.video_token_id] = -100
    labels[labels == model.config.spatial_token_id] = -100
    return model(**batch, labels=labels).loss


@pytest.mark.parametrize("spatial", [VGGT, POINTS])
def test_a_gradient_reaches_every_new_weight(plain, spatial):
    """At first all of MLP_trans but its last layer, and what is before it, have a gradient of 0,
    for that layer is 0; after one step they have one."""
    model = opened(plain, spatial).train()
    batch = prompt(model, SIZES)
    optimizer = torch.optim.SGD(model.spatial.parameters(), lr=0.1)
    loss_of(model, batch).backward()
    still = {name for name, w in model.spatial.named_parameters() if not w.grad.any()}
    before = {"norm.weight", "transform.0.weight", "transform.0.bias"}
    if spatial is POINTS:
        before |= {name for name, _ in model.spatial.named_parameters() if name[:6] == "points"}
    assert still == before
    optimizer.step()
    optimizer.zero_grad()
    loss_of(model, batch).backward()
    for name, weight in model.spatial.named_parameters():
        assert weight.grad.isfinite().all()
        assert weight.grad.abs().max() > 0, name


def test_labels_of_minus_100_do_not_count(plain):
    model = trained(plain, POINTS)
    batch = prompt(model, SIZES[:1])
    labels = torch.full_like(batch["input_ids"], -100)
    labels[0, -2] = batch["input_ids"][0, -2]
    expected = -logits(model, batch)[0, -3].log_softmax(-1)[labels[0, -2]]
    with torch.no_grad():
        assert torch.allclose(model(**batch, labels=labels).loss, expected, atol=1e-5)


def test_gradient_checkpointing_changes_nothing(plain):
    gradients = []
    for checkpointing in (False, True):
        model = trained(plain, POINTS).train()
        if checkpointing:
            model.gradient_checkpointing_enable()
            assert model.model.language_model.gradient_checkpointing
        loss_of(model, prompt(model, SIZES)).backward()
        gradients.append({name: weight.grad for name, weight in model.named_parameters()})
    for name, gradient in gradients[0].items():
        assert torch.allclose(gradient, gradients[1][name], atol=1e-6), name


def test_lora_trains_its_weights_and_the_spatial_branch(plain, tmp_path):
    model = opened(plain, POINTS)
    batch = prompt(model, SIZES)
    before = logits(model, batch)
    settings = LoraConfig(r=2, target_modules=["q_proj", "v_proj"], modules_to_save=["spatial"])
    tuned = get_peft_model(model, settings)
    assert torch.equal(logits(tuned, batch), before)
    trainable = {name for name, weight in tuned.named_parameters() if weight.requires_grad}
    assert all("lora_" in name or ".spatial." in name for name in trainable)
    assert (
        sum(".spatial." in name for name in trainable) == len(list(model.spatial.parameters())) // 2
    )
    optimizer = torch.optim.SGD([w for w in tuned.parameters() if w.requires_grad], lr=0.3)
    for _ in range(3):
        optimizer.zero_grad()
        loss_of(tuned.train(), batch).backward()
        optimizer.step()
    assert all(
        weight.grad.abs().max() > 0
        for _, weight in tuned.named_parameters()
        if weight.requires_grad
    )
    after = logits(tuned.eval(), batch)
    assert (after - before).abs().max() > 0.01
    tuned.generation_config.eos_token_id = None
    answer = tuned.generate(**batch, max_new_tokens=3, do_sample=False)[:, -3:]
    assert torch.equal(answer, greedy(tuned, batch, 3))

    tuned.save_pretrained(tmp_path)
    again = PeftModel.from_pretrained(opened(plain, POINTS), tmp_path).eval()
    assert torch.allclose(logits(again, batch), after, atol=1e-6)
    merged = again.merge_and_unload()
    assert torch.allclose(logits(merged, batch), after, atol=1e-4)
    merged.save_pretrained(tmp_path / "merged")
    read = SSRForConditionalGeneration.from_pretrained(tmp_path / "merged").eval()
    assert torch.allclose(logits(read, batch), after, atol=1e-4)
