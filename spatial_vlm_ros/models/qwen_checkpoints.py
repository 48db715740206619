"""Models on Qwen2.5-VL made known to transformers: their names, and those of their weights."""

from __future__ import annotations

from transformers import AutoConfig, AutoModelForImageTextToText, PreTrainedModel
from transformers.conversion_mapping import (
    get_checkpoint_conversion_mapping,
    register_checkpoint_conversion_mapping,
)
from transformers.models.qwen2_5_vl.configuration_qwen2_5_vl import Qwen2_5_VLConfig


def register(config_class: type[Qwen2_5_VLConfig], model_class: type[PreTrainedModel]) -> None:
    """Let auto classes find a model, and let it read and write weights as Qwen2.5-VL does.

    On the hub the weights are called ``visual.*``, ``model.*`` and ``lm_head.weight``; transformers
    5 calls them ``model.visual.*``, ``model.language_model.*`` and ``lm_head.weight``. It maps the
    former to the latter by the name of the class, which a subclass does not inherit.
    """
    published = get_checkpoint_conversion_mapping("Qwen2_5_VLForConditionalGeneration")
    register_checkpoint_conversion_mapping(model_class.__name__, published, overwrite=True)
    AutoConfig.register(config_class.model_type, config_class, exist_ok=True)
    AutoModelForImageTextToText.register(config_class, model_class, exist_ok=True)
