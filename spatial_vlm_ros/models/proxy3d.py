"""Proxy3D: a language model that reads a scene as a short sequence of 3D proxies (section 3).

A proxy's feature f, what the vision tower makes of it, enters as ``h = R(z) f + phi(x, y)``
(eq. 4) in the place of one placeholder token (eq. 5).
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor

from spatial_vlm_ros.config import EncoderConfig
from spatial_vlm_ros.models.qwen_checkpoints import register
from spatial_vlm_ros.models.scene_model import SceneConfig, SceneModel
from spatial_vlm_ros.proxies.position import PositionConfig, PositionEmbedding
from spatial_vlm_ros.vision.qwen import QwenTower


class Proxy3DConfig(SceneConfig):
    """A Qwen2.5-VL's settings and those of the proxies.

    proxy_token_id: the placeholder, by default <|vision_pad|>, which follows <|vision_end|> in the
    vocabulary and which Qwen2.5-VL does not use. position: fields of :class:`PositionConfig` less
    ``dimension``; by default all channels are rotated, as in the paper, but the gate is shut, so
    that a plain checkpoint begins with the features as they are. identifiers: how many object
    numbers, from 0, the model has been trained with.
    """

    model_type = "proxy3d"

    proxy_token_id: int | None = None
    position: dict[str, Any] | None = None
    identifiers: int = 100

    def __post_init__(self, **others: Any) -> None:
        super().__post_init__(**others)
        if self.proxy_token_id is None:
            self.proxy_token_id = self.vision_end_token_id + 1
        defaults = {"rotated": self.text_config.hidden_size, "initial_gate": 0.0}
        self.position = asdict(self._position(defaults | (self.position or {})))
        del self.position["dimension"]

    def position_config(self) -> PositionConfig:
        """Shape of the position embedding."""
        return self._position(self.position or {})

    def _position(self, fields: dict[str, Any]) -> PositionConfig:
        return PositionConfig(dimension=self.text_config.hidden_size, **fields)


class Proxy3DForConditionalGeneration(SceneModel):
    """Qwen2.5-VL with proxies in its prompt.

    Scene inputs: proxy_features (N, D), and proxy_positions (N, 3) metres, x and y in the scene
    frame, z above the floor; one per placeholder, those of a batch's prompts one after the other.
    """

    config_class = Proxy3DConfig
    scene_inputs = ("proxy_features", "proxy_positions")
    new_parts = ("position",)

    def __init__(self, config: Proxy3DConfig) -> None:
        super().__init__(config)
        self.position = PositionEmbedding(config.position_config())
        self.post_init()

    def placeholders(self, input_ids: Tensor) -> Tensor:
        """(B, S) bool: tokens that stand for a proxy."""
        return input_ids == self.config.proxy_token_id

    def embed_scene(
        self, input_ids: Tensor, proxy_features: Tensor, proxy_positions: Tensor
    ) -> Tensor:
        """(B, S, D) embeddings (eq. 5). ``ValueError``: not as many proxies as placeholders."""
        places = self.placeholders(input_ids)
        embeddings = self.get_input_embeddings()(input_ids)
        shapes = [tuple(proxy_features.shape), tuple(proxy_positions.shape)]
        count, dimension = int(places.sum()), embeddings.shape[-1]
        if shapes != [(count, dimension), (count, 3)]:
            raise ValueError(
                f"{count} placeholders of proxies need features {(count, dimension)} and positions "
                f"{(count, 3)}, not {shapes[0]} and {shapes[1]}"
            )
        points_scene = proxy_positions.to(embeddings.device)
        proxies = self.position(proxy_features.to(embeddings), points_scene)  # eq. 4
        return embeddings.masked_scatter(places[..., None], proxies)

    def scene_rows(self, input_ids: Tensor, **scene: Tensor) -> dict[str, list[int]]:
        """As many features and positions as the prompt has placeholders."""
        counts = self.placeholders(input_ids).sum(1).tolist()
        return dict.fromkeys(scene, counts)

    def encoder(self, pixels: int = EncoderConfig.pixels) -> QwenTower:
        """The model's own vision tower, as it is now, for features of images and identifiers."""
        label = Path(self.config.name_or_path).name or self.config.model_type
        return QwenTower.of(self.model.visual, label, pixels)


register(Proxy3DConfig, Proxy3DForConditionalGeneration)
