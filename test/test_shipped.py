"""Checkpoints that ship: found by name, the default of their reasoners, in what is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hand_built_room import room
from opened_models import encoder_of, keyframe, model_of, opened, reading
from safetensors import safe_open
from small_shipped import NAMES

from spatial_vlm_ros import shipped
from spatial_vlm_ros.config import EncoderConfig
from spatial_vlm_ros.reasoners.config import ModelConfig, encoder_for
from spatial_vlm_ros.reasoners.opening import ReasonersConfig, open_reasoner
from spatial_vlm_ros.reasoners.ssr import NO_GEOMETRY
from spatial_vlm_ros.reasoning.answer import Answer, Seen
from spatial_vlm_ros.serving.loading import load_proxy3d, load_ssr
from spatial_vlm_ros.vision.checkpoint import Checkpoint
from spatial_vlm_ros.vision.qwen import QwenTower

ROOT = Path(__file__).parents[1]
QUESTION = "How many chairs are there?"


def asked(kind: str, checkpoint: str = "", **seen: object) -> Answer:
    """What a model says to a question about the room of these tests."""
    reasoner = opened(kind, checkpoint, max_tokens=8)
    scene = room()
    if kind == "proxy3d":
        encoder = QwenTower.open(EncoderConfig(encoder_for(kind, checkpoint), "cpu"))
        shown = Seen(reading(encoder.name, scene, encoder.dimension))
    else:
        shown = Seen(keyframes=(keyframe(1, [1]), keyframe(2, [2])))
    return reasoner.ask(QUESTION, scene, shown)


# Names ---------------------------------------------------------------------------------------


def test_names_are_those_of_the_folders_with_a_checkpoint(tmp_path: Path, monkeypatch) -> None:
    for name in ("ssr-small", "proxy3d-small", "empty"):
        (tmp_path / name).mkdir()
    assert shipped.FOLDER == ROOT / "spatial_vlm_ros" / "weights"
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    assert shipped.names() == []
    assert shipped.default("ssr") == ""
    for name in ("ssr-small", "proxy3d-small"):
        (tmp_path / name / "config.json").write_text("{}")
    assert shipped.names() == ["proxy3d-small", "ssr-small"]
    assert [shipped.default(name) for name in ("proxy3d", "ssr")] == shipped.names()
    assert shipped.default("chat") == shipped.default("geometric") == ""


def test_a_name_means_the_same_wherever_one_is(
    small_ship: Path, tmp_path: Path, monkeypatch
) -> None:
    mine = tmp_path / "ssr-small"
    shutil.copytree(small_ship / "ssr-small-2d", mine)
    monkeypatch.chdir(tmp_path)
    found = Checkpoint.find("ssr-small")
    assert found.folder == small_ship / "ssr-small" and found.name == "ssr-small"
    assert Checkpoint.find("./ssr-small").folder.resolve() == mine
    assert found.settings()["spatial"] and not Checkpoint.find(str(mine)).settings()["spatial"]


def test_who_asks_for_another_name_hears_what_ships(small_ship: Path) -> None:
    with pytest.raises(ValueError, match="that ship: proxy3d-small, ssr-small, ssr-small-2d;"):
        Checkpoint.find("proxy3d-smal")


def test_the_mapper_gets_the_encoder_whose_features_the_reasoner_reads(
    small_ship: Path, monkeypatch
) -> None:
    assert encoder_for("proxy3d", "") == "proxy3d-small"
    assert encoder_for("proxy3d", "/models/a") == "/models/a"
    for other in ("geometric", "ssr", "chat"):
        assert encoder_for(other, "/models/a") == "descriptors"
    monkeypatch.setattr(shipped, "FOLDER", small_ship / "none")
    assert encoder_for("proxy3d", "") == "descriptors"


# Reasoners -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["proxy3d", "ssr"])
def test_a_reasoner_without_a_checkpoint_opens_what_ships(small_ship: Path, kind: str) -> None:
    answer = asked(kind)
    assert answer.reasoner == kind, answer.warnings


def test_ssr_without_its_3d_branch_ships_too(small_ship: Path) -> None:
    assert asked("ssr", "ssr-small-2d").reasoner == "ssr"


def test_chat_has_none_and_says_so(small_ship: Path) -> None:
    said: list[str] = []
    open_reasoner(ReasonersConfig(reasoner="chat"), said.append)
    assert len(said) == 1 and "no checkpoint is given" in said[0]


@pytest.mark.parametrize("kind", ["proxy3d", "ssr"])
def test_weights_of_half_precision_compute_in_single_on_a_cpu(small_ship: Path, kind: str) -> None:
    load = {"proxy3d": load_proxy3d, "ssr": load_ssr}[kind]
    model = load(ModelConfig(device="cpu")).model
    with safe_open(small_ship / f"{kind}-small" / "model.safetensors", "pt") as file:
        stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    assert {weight.dtype for weight in stored.values()} == {torch.float16}
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert sum(weight.numel() for weight in stored.values()) == sum(
        weight.numel() for weight in model.parameters()
    )
    assert torch.equal(model.lm_head.weight, stored["lm_head.weight"].float())


def test_mapper_and_reasoner_agree_on_features_whatever_they_compute_in(small_ship: Path) -> None:
    name = encoder_for("proxy3d", "")
    mappers = {
        QwenTower.open(EncoderConfig(name, "cpu", dtype)).name
        for dtype in ("auto", "bfloat16", "float16")
    }
    reasoners = {encoder_of(opened("proxy3d", "", dtype)) for dtype in ("auto", "bfloat16")}
    assert mappers == reasoners and len(mappers) == 1


def test_a_scene_without_metres_is_shown_without_its_points(small_ship: Path) -> None:
    reasoner = opened("ssr", "", max_tokens=4)
    frames = (keyframe(1, [1]), keyframe(2, [2]))
    model = model_of(reasoner)._model
    torch.nn.init.normal_(model.spatial.transform[-1].weight)  # as if it were trained

    def shown(scale: float, *keyframes) -> tuple[torch.Tensor, bool]:
        scene = replace(room(), scale_spread=scale)
        answer = reasoner.ask("What do you see?", scene, Seen(keyframes=keyframes))
        assert answer.reasoner == "ssr", answer.warnings
        return model_of(reasoner)._prefix.embeddings, NO_GEOMETRY in answer.warnings

    metric, warned = shown(0.0, *frames)
    assert not warned
    without, warned = shown(np.inf, *frames)
    assert warned and not torch.equal(without, metric)
    blind = [replace(f, points_scene=np.full_like(f.points_scene, np.nan)) for f in frames]
    unknown, warned = shown(0.0, *(replace(f, id=f.id + 10) for f in blind))
    assert warned and torch.equal(unknown, without)
    again, warned = shown(0.0, *frames)
    assert not warned and torch.equal(again, metric)


# What is installed ---------------------------------------------------------------------------


def test_weights_are_installed_and_found_there(small_weights: Path, tmp_path: Path) -> None:
    sources, built = tmp_path / "sources", tmp_path / "built"
    sources.mkdir()
    for name in ("setup.py", "setup.cfg", "pyproject.toml"):
        shutil.copy(ROOT / name, sources)
    code = shutil.ignore_patterns("weights", "__pycache__")
    shutil.copytree(ROOT / "spatial_vlm_ros", sources / "spatial_vlm_ros", ignore=code)
    shutil.copytree(small_weights, sources / "spatial_vlm_ros" / "weights")
    command = [sys.executable, "setup.py", "--quiet", "build", "--build-lib", str(built)]
    done = subprocess.run(command, cwd=sources, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    program = (
        "from spatial_vlm_ros.vision.checkpoint import Checkpoint, shipped\n"
        "print(*[Checkpoint.find(name).folder for name in shipped.names()], sep='\\n')"
    )
    command = [sys.executable, "-c", program]
    environment = os.environ | {"PYTHONPATH": str(built)}
    found = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    folders = [Path(line) for line in found.stdout.split()]
    assert folders == [built / "spatial_vlm_ros" / "weights" / name for name in NAMES], found.stderr
    for folder in folders:
        files = {path.name: path.read_bytes() for path in (small_weights / folder.name).iterdir()}
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == files


# Those that ship -----------------------------------------------------------------------------

SHIPPED = shipped.names()


def test_what_ships_is_known_and_fits_into_thirty_megabytes() -> None:
    assert set(SHIPPED) <= set(NAMES)
    files = [path for path in shipped.FOLDER.rglob("*") if path.is_file()]
    assert {path.parent for path in files} == {shipped.FOLDER / name for name in SHIPPED}
    assert sum(path.stat().st_size for path in files) < 30e6


@pytest.mark.parametrize("name", SHIPPED)
def test_what_ships_is_whole_and_has_a_card(name: str) -> None:
    folder = shipped.FOLDER / name
    files = {path.name for path in folder.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "generation_config.json"} < files
    settings = Checkpoint.find(name).settings()
    assert settings["model_type"] == name.partition("-")[0]
    if settings["model_type"] == "ssr":
        source = (settings["spatial"] or {}).get("source")
        assert source == (None if name.endswith("-2d") else "points")
    card = (folder / "README.md").read_text().lower()
    for told in ("license", "data", "seed", "command", "hour", "score", "limit"):
        assert told in card, f"the model card does not tell of {told}"
    assert not [file for file in files if file.endswith((".bin", ".pt", ".py"))]


@pytest.mark.parametrize("name", SHIPPED)
def test_what_ships_answers(name: str) -> None:
    answer = asked(name.partition("-")[0], name)
    assert answer.reasoner == name.partition("-")[0], answer.warnings
    assert answer.value is not None and 0 < answer.confidence <= 1
