"""SSR-2D and SSR-3D: a language model that reads frames, and their geometry (section 3.1).

SSR-2D is Qwen2.5-VL whose frames are stills at times 0, 1, 2, ... SSR-3D adds, after the visual
tokens of each frame, as many spatial tokens, in which geometry is fused with what is seen.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor
from transformers.models.qwen2_5_vl.configuration_qwen2_5_vl import Qwen2_5_VLVisionConfig

from spatial_vlm_ros.models.qwen_checkpoints import register
from spatial_vlm_ros.models.scene_model import SceneConfig, SceneModel
from spatial_vlm_ros.models.spatial_branch import SpatialBranch, SpatialSettings, by_cells
from spatial_vlm_ros.models.ssr_positions import FrameLayout


class SSRConfig(SceneConfig):
    """A Qwen2.5-VL's settings and those of the 3D branch.

    spatial: fields of :class:`SpatialSettings`; None for SSR-2D. spatial_token_id: the placeholder
    of spatial tokens, by default <|vision_pad|>, which follows <|vision_end|> in the vocabulary and
    which Qwen2.5-VL does not use; visual tokens have its own <|video_pad|>.
    """

    model_type = "ssr"

    spatial: dict[str, Any] | None = None
    spatial_token_id: int | None = None

    def __post_init__(self, **others: Any) -> None:
        super().__post_init__(**others)
        if self.spatial_token_id is None:
            self.spatial_token_id = self.vision_end_token_id + 1
        self.complete()

    def complete(self) -> None:
        """Let ``spatial`` have all its fields. ``ValueError`` when it has others."""
        settings = self.spatial_settings
        self.spatial = None if settings is None else asdict(settings)

    @property
    def spatial_settings(self) -> SpatialSettings | None:
        """None for SSR-2D."""
        return None if self.spatial is None else SpatialSettings.of(self.spatial)


class SSRForConditionalGeneration(SceneModel):
    """Qwen2.5-VL with the frames of a video, and their geometry, in its prompt.

    pixel_values_videos: (n, 1176) patches of all frames, each a still: both of its temporal slots
    the same. video_grid_thw: (N, 3) frames, height and width in patches of each block of frames.
    spatial_values: of the same patches, but row by row, (n, C) tokens, or (n, 3) scene points in
    metres, NaN where unknown, in single precision whatever the model's; without them the geometry
    is off (s' = 0), which is also what an evaluation compares with.

    Made from a plain or an SSR-2D checkpoint (``from_pretrained(name, spatial={...})``) the
    spatial tokens begin as the visual ones.
    """

    config: SSRConfig
    config_class = SSRConfig
    scene_inputs = ("pixel_values_videos", "video_grid_thw", "spatial_values")
    new_parts = ()  # the spatial branch needs the merger to begin with

    def __init__(self, config: SSRConfig) -> None:
        config.complete()  # options of from_pretrained have not been seen by it
        super().__init__(config)
        settings, vision = config.spatial_settings, _vision(config)
        if settings is not None:
            self.spatial = SpatialBranch(settings, vision)
        placeholder: Any = config.spatial_token_id
        self.layout = FrameLayout(
            visual=config.video_token_id,
            spatial=placeholder,
            merge=vision.spatial_merge_size,
            insertion=settings.insertion if settings else None,
        )
        self.post_init()

    def frame_tokens(self, frames: int, height: int, width: int) -> list[int]:
        """The placeholders of frames of height x width patches, without vision_start and _end."""
        return self.layout.tokens(frames, height, width)

    def initialize_weights(self) -> None:
        """Where no checkpoint has them, spatial weights begin as the visual ones."""
        super().initialize_weights()
        if hasattr(self, "spatial"):  # not yet while the plain model is being built
            self.spatial.start_from(self.model.visual.merger)

    def placeholders(self, input_ids: Tensor) -> Tensor:
        """See :class:`SceneModel`."""
        visual = input_ids == self.layout.visual
        if self.layout.insertion is None:
            return visual
        return visual | (input_ids == self.layout.spatial)

    def prompt_positions(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, **scene: Any
    ) -> Tensor:
        """(3, B, S) M-RoPE positions; 0 at padding. ``ValueError``: see :class:`FrameLayout`."""
        return self.layout.positions(input_ids, attention_mask, _given("video_grid_thw", scene))

    def embed_scene(self, input_ids: Tensor, **scene: Any) -> Tensor:
        """(B, S, D). ``ValueError`` when placeholders, grids and features are not as many."""
        patches, grids = _given("pixel_values_videos", scene), _given("video_grid_thw", scene)
        values = scene.get("spatial_values")
        self._check(patches, grids, values)
        embeddings = self.get_input_embeddings()(input_ids)
        vision = self.model.visual
        seen = vision(patches.to(vision.dtype), grid_thw=grids, return_dict=True)
        embeddings = _put(embeddings, input_ids == self.layout.visual, seen.pooler_output)
        if self.layout.insertion is None:
            return embeddings
        visual = by_cells(seen.last_hidden_state, grids, _vision(self.config))
        spatial = self.spatial(visual, values, grids)
        return _put(embeddings, input_ids == self.layout.spatial, spatial)

    def scene_rows(self, input_ids: Tensor, **scene: Any) -> dict[str, list[int]]:
        """See :class:`SceneModel`."""
        grids = _given("video_grid_thw", scene)
        blocks = self.layout.blocks(input_ids)
        patches = [int(of_prompt.prod(-1).sum()) for of_prompt in torch.split(grids, blocks)]
        rows = dict.fromkeys(scene, patches)
        return rows | {"video_grid_thw": blocks}

    def _supports_mm_encoder_outputs(self) -> bool:
        return False  # generate() would encode the frames alone, and keep only the visual tokens

    def _check(self, patches: Tensor, grids: Tensor, values: Tensor | None) -> None:
        count = int(grids.prod(-1).sum())
        if len(patches) != count:
            raise ValueError(f"{len(patches)} rows of pixel_values_videos for {count} patches")
        if values is None:
            return
        settings = self.config.spatial_settings
        if settings is None:
            raise ValueError("SSR-2D takes no spatial_values; make it with spatial={...}")
        if values.shape != (count, settings.channels):
            raise ValueError(
                f"spatial_values have shape {tuple(values.shape)}, not ({count}, "
                f"{settings.channels}): {count} patches, source {settings.source}"
            )


def _vision(config: SSRConfig) -> Qwen2_5_VLVisionConfig:
    vision: Any = config.vision_config
    return vision


def _given(name: str, scene: dict[str, Any]) -> Tensor:
    if name not in scene:
        raise ValueError(f"frames need {name}")
    return scene[name]


def _put(embeddings: Tensor, where: Tensor, tokens: Tensor) -> Tensor:
    """Embeddings (B, S, D) with the tokens (n, D) where the mask (B, S) says."""
    count = int(where.sum())
    if count != len(tokens):
        raise ValueError(f"{count} placeholders for {len(tokens)} tokens")
    return embeddings.masked_scatter(where[..., None], tokens.to(embeddings.dtype))


register(SSRConfig, SSRForConditionalGeneration)
