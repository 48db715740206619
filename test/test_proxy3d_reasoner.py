"""Proxy3D as a reasoner: which proxies it reads, and what its model gets of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hand_built_room import room
from opened_models import encoder_of, model_of, opened, reading, saved
from small_vlm import save_small_vlm, small_tokenizer
from torch import Tensor

from spatial_vlm_ros.config import EncoderConfig
from spatial_vlm_ros.models.proxy3d import Proxy3DForConditionalGeneration
from spatial_vlm_ros.proxies.fusion import fuse
from spatial_vlm_ros.proxies.scene_proxies import Reading
from spatial_vlm_ros.reasoners.prompt import plain
from spatial_vlm_ros.reasoning.answer import Answer, Reasoner, Seen
from spatial_vlm_ros.scene.graph import SceneGraph
from spatial_vlm_ros.scene.region import within
from spatial_vlm_ros.vision.qwen import QwenTower
from spatial_vlm_ros.vision.reference_features import ReferenceFeatures

QUESTION = "How many chairs are there?"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("proxy3d")
    save_small_vlm(folder / "plain")
    model = Proxy3DForConditionalGeneration.from_pretrained(folder / "plain")
    return saved(model, folder / "plain", folder / "small")


@pytest.fixture(scope="module")
def reasoner(checkpoint: Path) -> Reasoner:
    return opened("proxy3d", checkpoint, max_tokens=6)


def shown(reasoner: Reasoner, scene: SceneGraph, proxies: Reading) -> tuple[Answer, Tensor]:
    """The answer, and what the model had at the places of proxies (n, D)."""
    answer = reasoner.ask(QUESTION, scene, Seen(proxies))
    model = model_of(reasoner)
    places = model._prefix.ids[0] == model._generator.model.config.proxy_token_id
    return answer, model._prefix.embeddings[0][places]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_whatever_it_computes_in_it_knows_the_mappers_encoder(checkpoint: Path, dtype: str) -> None:
    mapper = QwenTower.open(EncoderConfig(str(checkpoint), "cpu", "float32"))
    reasoner = opened("proxy3d", checkpoint, dtype, max_tokens=4)
    scene = room()
    answer = reasoner.ask(QUESTION, scene, Seen(reading(mapper.name, scene)))
    assert answer.reasoner == "proxy3d", answer.warnings
    assert str(model_of(reasoner)._generator.model.dtype) == f"torch.{dtype}"


def test_each_proxy_has_the_number_that_its_object_is_called_by(
    reasoner: Reasoner, checkpoint: Path
) -> None:
    scene = room()
    proxies = reading(encoder_of(reasoner), scene)
    _, got = shown(reasoner, scene, proxies)
    tower = QwenTower.open(EncoderConfig(str(checkpoint), "cpu"))
    ids = sorted(item.id for item in scene.present())
    numbers = ReferenceFeatures(tower, None).identifiers(range(len(ids)))
    sequence = proxies.sequence
    want = fuse(sequence.features.float(), sequence.groups, dict(zip(ids, numbers, strict=True)))
    torch.testing.assert_close(got, want)  # positions add nothing before they are trained
    background = sequence.groups == 0
    assert torch.equal(got[background], sequence.features[background].float())


@pytest.mark.parametrize(("part", "value"), [("features", torch.nan), ("points_scene", torch.inf)])
def test_proxies_that_are_no_numbers_are_refused(
    reasoner: Reasoner, part: str, value: float
) -> None:
    scene = room()
    proxies = reading(encoder_of(reasoner), scene)
    damaged = getattr(proxies.sequence, part).clone()
    damaged[3] = value
    sequence = replace(proxies.sequence, **{part: damaged})
    answer = reasoner.ask(QUESTION, scene, Seen(replace(proxies, sequence=sequence)))
    assert (answer.reasoner, answer.value) == ("geometric", 3.0)
    assert "no numbers" in answer.warnings[0]


def test_of_a_region_only_its_objects_and_the_background_are_shown(reasoner: Reasoner) -> None:
    scene = room()
    proxies = reading(encoder_of(reasoner), scene)
    sofa = scene[1].box
    square = np.array([(-0.6, -0.6), (0.6, -0.6), (0.6, 0.6), (-0.6, 0.6)])
    corners = square + np.array([sofa.x, sofa.y])
    part = within(scene, corners)
    inside = {item.id for item in part.objects}
    assert 1 in inside and len(inside) < len(scene.objects)
    answer, got = shown(reasoner, part, proxies)
    assert answer.reasoner == "proxy3d", answer.warnings
    groups = proxies.sequence.groups.tolist()
    assert len(got) == sum(group == 0 or group in inside for group in groups)
    assert set(answer.objects) <= inside


def test_without_any_object_the_background_is_left(reasoner: Reasoner) -> None:
    scene = room()
    empty = replace(scene, objects=(), relations=(), cogmaps=(), unplaced=())
    answer, got = shown(reasoner, empty, reading(encoder_of(reasoner), scene))
    assert answer.reasoner == "proxy3d", answer.warnings
    assert len(got) == 5


def test_numbers_that_the_model_has_not_learnt_are_told(checkpoint: Path, tmp_path: Path) -> None:
    model = Proxy3DForConditionalGeneration.from_pretrained(checkpoint)
    model.config.identifiers = 4
    few = opened("proxy3d", saved(model, checkpoint, tmp_path / "few"), max_tokens=4)
    scene = room()
    answer, _ = shown(few, scene, reading(encoder_of(few), scene))
    count = len(scene.present())
    said = f"{count - 4} of {count} objects have no number for the model, which knows 4"
    assert said in answer.warnings


def test_numbers_that_are_tokens_of_their_own_stay_what_they_are() -> None:
    tokenizer = small_tokenizer()
    tokenizer.add_tokens([f"<OBJ{number:03d}>" for number in range(5)])
    assert plain(tokenizer, "Is <OBJ003> red?<|im_end|>") == "Is <OBJ003> red?< |im_end|>"
