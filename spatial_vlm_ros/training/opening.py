"""The model that is trained, and how it is shown rows, from settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spatial_vlm_ros.config import EncoderConfig
from spatial_vlm_ros.data.scenes import AnnotatedScene, read_scenes
from spatial_vlm_ros.models.proxy3d import Proxy3DForConditionalGeneration
from spatial_vlm_ros.models.spatial_features import SpatialFeatures
from spatial_vlm_ros.models.ssr import SSRForConditionalGeneration
from spatial_vlm_ros.reasoners import proxy3d, ssr
from spatial_vlm_ros.reasoners.config import AnsweringConfig, ModelConfig
from spatial_vlm_ros.reasoners.scene_inputs import colours
from spatial_vlm_ros.serving.loading import LoadedModel, is_plain, load_fast_tokenizer
from spatial_vlm_ros.training.config import ModelSettings, TrainConfig
from spatial_vlm_ros.training.dataset import Teacher
from spatial_vlm_ros.training.row_images import RowImages
from spatial_vlm_ros.training.scenes import FrameScenes, NoScenes, ProxyScenes, Scenes
from spatial_vlm_ros.training.simplified import SymbolScenes
from spatial_vlm_ros.training.store import FrameStore, ProxyStore
from spatial_vlm_ros.vision.checkpoint import Checkpoint
from spatial_vlm_ros.vision.encoder import same_weights
from spatial_vlm_ros.vision.identifiers import COUNT
from spatial_vlm_ros.vision.networks import load_network
from spatial_vlm_ros.vision.qwen import QwenTower
from spatial_vlm_ros.vision.reference_features import ReferenceFeatures

_CLASSES: dict[str, Any] = {
    "proxy3d": (Proxy3DForConditionalGeneration, proxy3d.SYSTEM),
    "ssr": (SSRForConditionalGeneration, ssr.SYSTEM),
}


@dataclass(frozen=True)
class Pupil:
    """A model with its tokenizer, and the teacher that shows it rows."""

    loaded: LoadedModel
    teacher: Teacher


def open_pupil(config: TrainConfig) -> Pupil:
    """``ValueError`` says which setting or file does not fit."""
    loaded = load(config.model, weights_of(config))
    model, scenes = loaded.model, annotated(config.data.scenes)
    kind = config.model.kind
    numbers = min(model.config.identifiers, COUNT) if kind == "proxy3d" else 0
    teacher = Teacher(
        kind,
        loaded.tokenizer,
        model.config,
        _CLASSES[kind][1],
        _scenes(config, loaded, numbers, scenes),
        numbers,
        config.data.longest,
        _row_images(config, loaded),
    )
    return Pupil(loaded, teacher)


def weights_of(config: TrainConfig) -> torch.dtype:
    """Of the weights while they learn."""
    return torch.bfloat16 if config.training.precision == "bf16_weights" else torch.float32


def load(settings: ModelSettings, dtype: torch.dtype) -> LoadedModel:
    """On the CPU; the trainer puts it where it learns. What a checkpoint lacks begins anew."""
    architecture, _ = _CLASSES[settings.kind]
    checkpoint = Checkpoint.find(settings.checkpoint)
    plain = is_plain(checkpoint, settings.checkpoint, architecture.config_class.model_type)
    options: dict[str, Any] = {}
    new: tuple[str, ...] = architecture.new_parts if plain else ()
    if settings.identifiers:
        options["identifiers"] = settings.identifiers
    if settings.spatial:
        options["spatial"] = {
            "source": settings.spatial,
            "layer": settings.spatial_layer,
            "width": settings.spatial_width,
            "insertion": settings.insertion,
        }
        if not checkpoint.settings().get("spatial"):
            new = (*new, "spatial")
    runs = ModelConfig(settings.checkpoint, "cpu", str(dtype).removeprefix("torch."))
    model = load_network(
        architecture,
        checkpoint,
        runs,
        "the model",
        new=new,
        attn_implementation=settings.attention,
        **options,
    )
    tokenizer = load_fast_tokenizer(checkpoint, settings.checkpoint)
    return LoadedModel(model, tokenizer, checkpoint, settings.checkpoint)


def annotated(files: Iterable[str]) -> dict[str, AnnotatedScene]:
    """Of all files, by name."""
    found: dict[str, AnnotatedScene] = {}
    for file in files:
        path = Path(file).expanduser()
        if not path.is_file():
            raise ValueError(f"data.scenes: {path} does not exist")
        found |= read_scenes(path)
    return found


def _row_images(config: TrainConfig, loaded: LoadedModel) -> RowImages | None:
    """How rows about images of their own are shown, where frames are."""
    return row_images(loaded) if config.data.shown == "frames" else None


def row_images(loaded: LoadedModel, features: SpatialFeatures | None = None) -> RowImages:
    """How an SSR is shown images of no scene; ``features`` tell their geometry, if given."""
    pixels = loaded.checkpoint.pixels(AnsweringConfig.image_pixels)
    return RowImages(*_frames(loaded), pixels, features)


def _frames(loaded: LoadedModel) -> tuple[Any, Any, tuple[Tensor, Tensor], int | None]:
    """How an SSR takes frames: layout, tower, colours and channels of geometry."""
    model, settings = loaded.model, loaded.model.config.spatial_settings
    channels = None if settings is None else settings.channels
    return model.layout, model.config.vision_config, colours(loaded.checkpoint), channels


def _scenes(
    config: TrainConfig,
    loaded: LoadedModel,
    numbers: int,
    scenes: Mapping[str, AnnotatedScene],
) -> Scenes:
    shown, model = config.data.shown, loaded.model
    if shown == "nothing":
        return NoScenes(scenes)
    store = Path(config.data.store).expanduser()
    if shown == "frames":
        return FrameScenes(FrameStore.open(store), *_frames(loaded))  # type: ignore[arg-type]
    tower = QwenTower.open(EncoderConfig(str(loaded.checkpoint.folder), "cpu", "float32"))
    features = ReferenceFeatures(tower, None)
    placeholder = model.config.proxy_token_id
    if shown == "proxies":
        proxies = ProxyStore.open(store)
        if not same_weights(proxies.encoder, tower.name):
            raise ValueError(
                f"data.store: {store} has features of {proxies.encoder}, the model's own tower is "
                f"{tower.name}: precompute the proxies with the checkpoint that is trained"
            )
        identifiers = features.identifiers(range(numbers))
        return ProxyScenes(proxies, identifiers, placeholder, scenes)  # type: ignore[arg-type]
    placed = shown == "placed_symbols"
    return SymbolScenes(scenes, features, numbers, placeholder, placed)
