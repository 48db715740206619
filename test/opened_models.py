"""Models as reasoners for tests: opened from small checkpoints, and what they are shown."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from spatial_vlm_ros.keyframes import Keyframe
from spatial_vlm_ros.proxies.scene_proxies import Reading
from spatial_vlm_ros.proxies.sequence import ProxySequence
from spatial_vlm_ros.reasoners.config import AnsweringConfig, ModelConfig
from spatial_vlm_ros.reasoners.opening import ReasonersConfig, open_reasoner
from spatial_vlm_ros.reasoning.answer import Reasoner
from spatial_vlm_ros.scene.graph import SceneGraph

#: Camera of the scene's own frame: x right, y down, z forward is y left, z up, x forward.
CAMERA = np.array([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])


def keyframe(number: int, visible: Sequence[int], place: tuple[float, float] = (0, 0)) -> Keyframe:
    """An image of noise with a plane 2 m ahead behind it."""
    random = np.random.default_rng(number)
    small = random.integers(0, 256, (12, 16, 3), dtype=np.uint8)
    image = cv2.resize(small, (448, 336), interpolation=cv2.INTER_NEAREST)
    T_scene_camera = CAMERA.copy()
    T_scene_camera[:2, 3] = place
    points = np.full((48, 64, 3), np.nan, np.float32)
    points[:, 8:] = (2, 0, 0.5)
    return Keyframe(
        id=number,
        stamp_ns=number * 10**9,
        frame="camera",
        jpeg=cv2.imencode(".jpg", image)[1].tobytes(),
        intrinsics=np.eye(3),
        T_scene_camera=T_scene_camera,
        points_scene=points,
        visible=tuple(visible),
    )


def saved(model: Any, plain: Path, folder: Path) -> Path:
    """The model with all else that the plain checkpoint has beside its own."""
    shutil.copytree(plain, folder, ignore=shutil.ignore_patterns("*.safetensors", "config.json"))
    model.save_pretrained(folder)
    return folder


def opened(kind: str, checkpoint: Path | str, dtype: str = "auto", **answering: Any) -> Reasoner:
    """The reasoner of that name; fails where it has anything to say."""
    said: list[str] = []
    config = ReasonersConfig(
        reasoner=kind,
        model=ModelConfig(str(checkpoint), device="cpu", dtype=dtype),
        answering=AnsweringConfig(**{"max_tokens": 200, **answering}),
    )
    reasoner = open_reasoner(config, said.append)
    assert said == []
    return reasoner


def model_of(reasoner: Reasoner) -> Any:
    """What is behind the fallback."""
    return reasoner._model  # type: ignore[attr-defined]


def reading(encoder: str, scene: SceneGraph, dimension: int = 48) -> Reading:
    """Two proxies of each object, and some of the background."""
    random = torch.Generator().manual_seed(0)
    present = scene.present()
    groups = torch.tensor([item.id for item in present for _ in range(2)] + [0] * 5)
    points = torch.tensor([item.box.center.tolist() for item in present for _ in range(2)])
    points = torch.cat([points, torch.zeros(5, 3)]).float()
    features = torch.randn(len(groups), dimension, generator=random).half()
    counts = torch.ones(len(groups), dtype=torch.int64)
    return Reading(ProxySequence(features, points, groups, counts), 1, 0, encoder)


def encoder_of(reasoner: Reasoner) -> str:
    """The name of the encoder whose proxies it reads."""
    name: str = model_of(reasoner)._encoder
    return name
