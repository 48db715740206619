"""What models with a scene in their prompt share: Qwen2.5-VL with more tokens to embed."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ClassVar

import torch
from torch import Tensor
from transformers import Cache, initialization
from transformers.models.qwen2_5_vl.configuration_qwen2_5_vl import Qwen2_5_VLConfig
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VLForConditionalGeneration


class SceneConfig(Qwen2_5_VLConfig):
    """Of a scene model; a plain Qwen2.5-VL's settings serve, with what they lack at its default."""

    @classmethod
    def get_config_dict(cls, *names: Any, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """See ``PreTrainedConfig``, which warns of each plain checkpoint that it is another's."""
        settings, rest = super().get_config_dict(*names, **options)
        if settings.get("model_type") == Qwen2_5_VLConfig.model_type:
            settings["model_type"] = cls.model_type
        return settings, rest


class SceneModel(Qwen2_5_VLForConditionalGeneration):
    """Qwen2.5-VL that replaces placeholder tokens by what it makes of a scene.

    A subclass has ``embed_scene(input_ids, **scene)``: (B, S, D) embeddings of prompts with the
    scene in their placeholders, and ``scene_rows(input_ids, **scene)``: of each scene input, by
    name, how many of its rows belong to each of the B prompts. It has :meth:`prompt_positions` too
    where its tokens are not counted like words.

    scene_inputs: names of the scene's tensors, which ``forward`` and ``generate`` take beside the
    usual inputs. new_parts: names of the modules that a plain checkpoint lacks; each has
    ``reset_parameters``.
    """

    scene_inputs: ClassVar[tuple[str, ...]]
    new_parts: ClassVar[tuple[str, ...]] = ()
    embed_scene: Callable[..., Tensor]
    scene_rows: Callable[..., dict[str, list[int]]]

    def placeholders(self, input_ids: Tensor) -> Tensor:
        """(B, S) bool: tokens that stand for a part of the scene."""
        raise NotImplementedError

    def prompt_positions(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, **scene: Any
    ) -> Tensor:
        """(3, B, S) M-RoPE positions: here those of text; 0 at padding."""
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask.long()
        return ((mask.cumsum(-1) - 1) * mask).expand(3, -1, -1)

    def embed_prompt(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, **scene: Any
    ) -> tuple[Tensor, Tensor]:
        """What the language model reads: embeddings (B, S, D) and M-RoPE positions (3, B, S).

        input_ids: (B, S). attention_mask: (B, S), 0 at padding. ``forward`` of both, or of their
        tails with a cache of what is before, gives the logits that it gives of ids and scene.
        """
        positions = self.prompt_positions(input_ids, attention_mask, **scene)
        return self.embed_scene(input_ids, **scene), positions

    @wraps(Qwen2_5_VLForConditionalGeneration.forward)  # generate() looks up what it takes
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        **inputs: Any,
    ) -> Any:
        """As of Qwen2.5-VL; with a scene its placeholders stand for it."""
        scene = self._take_scene(inputs)
        if scene:
            images = [inputs.get(name) for name in ("pixel_values", "pixel_values_videos")]
            if input_ids is None or any(image is not None for image in images):
                raise ValueError("a scene needs input_ids, and takes no images beside it")
            inputs_embeds = self.embed_scene(input_ids, **scene)
            if position_ids is None:
                position_ids = self._begin(input_ids, attention_mask, **scene)
            input_ids = None
        elif input_ids is not None and not _length(past_key_values):
            if missing := int(self.placeholders(input_ids).sum()):
                raise ValueError(f"{missing} placeholders of a scene, and no scene for them")
            if position_ids is None:
                self.model.rope_deltas = None  # of the prompt before
        return super().forward(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            **inputs,
        )

    def initialize_weights(self) -> None:
        """Where no checkpoint has them, new parts begin as they themselves say."""
        super().initialize_weights()
        with torch.no_grad(), initialization.guard_torch_init_functions():
            for name in self.new_parts:
                if hasattr(self, name):  # not while the plain model is being made
                    getattr(self, name).reset_parameters()

    @wraps(Qwen2_5_VLForConditionalGeneration.prepare_inputs_for_generation)  # for the same reason
    def prepare_inputs_for_generation(
        self, input_ids: Tensor, is_first_iteration: bool | None = False, **inputs: Any
    ) -> dict[str, Any]:
        """As of any model; the scene is read once, with the prompt."""
        scene = self._take_scene(inputs)
        read = is_first_iteration or not inputs.get("use_cache", True)
        prepared: dict[str, Any] = super().prepare_inputs_for_generation(
            input_ids, is_first_iteration=is_first_iteration, **inputs
        )
        return prepared | scene if read else prepared

    def _validate_model_kwargs(self, model_kwargs: dict[str, Any]) -> None:
        others = {
            name: model_kwargs[name] for name in model_kwargs if name not in self.scene_inputs
        }
        super()._validate_model_kwargs(others)

    def _prepare_position_ids_for_generation(
        self, inputs_tensor: Tensor, model_kwargs: dict[str, Any]
    ) -> Tensor:
        scene = self._take_scene(dict(model_kwargs))
        if scene:
            return self._begin(inputs_tensor, model_kwargs.get("attention_mask"), **scene)
        positions: Tensor = super()._prepare_position_ids_for_generation(
            inputs_tensor, model_kwargs
        )
        return positions

    def _expand_inputs_for_generation(
        self, expand_size: int = 1, input_ids: Tensor | None = None, **inputs: Any
    ) -> tuple[Tensor, dict[str, Any]]:
        """Each prompt ``expand_size`` times (beams, several answers), with its scene."""
        scene = self._take_scene(inputs)
        rows = self.scene_rows(input_ids, **scene) if scene and expand_size > 1 else {}
        for name, counts in rows.items():
            parts = scene[name].split(counts)
            scene[name] = torch.cat([part for part in parts for _ in range(expand_size)])
        ids, others = super()._expand_inputs_for_generation(
            expand_size, input_ids=input_ids, **inputs
        )
        return ids, others | scene

    def _begin(self, input_ids: Tensor, attention_mask: Tensor | None, **scene: Any) -> Tensor:
        """(3, B, S) positions of a prompt. What is generated will follow the highest."""
        positions = self.prompt_positions(input_ids, attention_mask, **scene)
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        self.model.rope_deltas = (positions.amax((0, 2)) + 1 - mask.sum(1))[:, None]
        return positions

    def _take_scene(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """The scene inputs that are given, taken out of the inputs."""
        found = {name: inputs.pop(name, None) for name in self.scene_inputs}
        return {name: value for name, value in found.items() if value is not None}


def _length(cache: Cache | None) -> int:
    """Tokens in a cache."""
    return 0 if cache is None else int(cache.get_seq_length())
