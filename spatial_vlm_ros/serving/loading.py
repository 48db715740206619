"""A language model and its tokenizer, from a checkpoint onto a device."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import (
    CONFIG_MAPPING,
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING,
    AutoModelForImageTextToText,
    AutoTokenizer,
)

from spatial_vlm_ros import shipped
from spatial_vlm_ros.errors import kind_and_line
from spatial_vlm_ros.models.proxy3d import Proxy3DForConditionalGeneration
from spatial_vlm_ros.models.ssr import SSRForConditionalGeneration
from spatial_vlm_ros.reasoners.config import ModelConfig
from spatial_vlm_ros.vision.checkpoint import Checkpoint
from spatial_vlm_ros.vision.device import device_of, dtype_of
from spatial_vlm_ros.vision.networks import load_network

_PLAIN = "qwen2_5_vl"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadedModel:
    """A model in the state to answer, what turns text into its tokens, and where both are from.

    name: what was asked for, or what ships where nothing was.
    """

    model: Any
    tokenizer: Any
    checkpoint: Checkpoint
    name: str

    @property
    def device(self) -> torch.device:
        """Where its inputs have to be."""
        device: torch.device = self.model.device
        return device


def load_proxy3d(config: ModelConfig) -> LoadedModel:
    """A Proxy3D, or a plain Qwen2.5-VL to which its new parts are added; the small one that ships
    where no checkpoint is given. Errors as below.
    """
    return _load(config, Proxy3DForConditionalGeneration)


def load_ssr(config: ModelConfig) -> LoadedModel:
    """An SSR, or a plain Qwen2.5-VL, which is an untrained SSR-2D; the small one that ships where
    no checkpoint is given. Errors as below.
    """
    return _load(config, SSRForConditionalGeneration)


def load_chat(config: ModelConfig) -> LoadedModel:
    """Any model that transformers knows and that answers text about images.

    Nothing is downloaded. ``ValueError`` says what to change: the checkpoint is not there, not
    whole or of another kind of model, the device is not there or has too little memory.
    """
    return _load(config, AutoModelForImageTextToText)


def _load(config: ModelConfig, architecture: Any) -> LoadedModel:
    own = getattr(architecture, "config_class", None)
    name = config.checkpoint or ("" if own is None else shipped.default(own.model_type))
    if not name:
        raise ValueError("no checkpoint is given: set it to a model's folder or hub name")
    device = device_of(config.device, "the model")
    checkpoint = Checkpoint.find(name)
    plain = own is not None and is_plain(checkpoint, name, own.model_type)
    kind = checkpoint.settings().get("model_type")
    if own is None and not _sees(kind):
        raise ValueError(
            f"checkpoint {name} has model_type {kind}, which transformers "
            f"{transformers.__version__} does not know as a model of text and images"
        )
    dtype = dtype_of(config.dtype, device)
    _refuse_too_large(checkpoint, name, device, dtype)
    tokenizer = load_fast_tokenizer(checkpoint, name)
    model = load_network(
        architecture,
        checkpoint,
        config,
        "the model",
        auto=torch.bfloat16,
        new=architecture.new_parts if plain else (),
        attn_implementation=_attention(device),
    )
    if plain:
        _log.warning(
            "checkpoint %s is a plain Qwen2.5-VL: what %s adds to it is not trained",
            name,
            architecture.__name__,
        )
    return LoadedModel(model, tokenizer, checkpoint, name)


def is_plain(checkpoint: Checkpoint, name: str, own: str) -> bool:
    """Whether it is a plain Qwen2.5-VL, which lacks parts of model type ``own``. ``ValueError``: it
    is of neither type.
    """
    kind = checkpoint.settings().get("model_type")
    if kind not in (_PLAIN, own):
        raise ValueError(f"checkpoint {name} has model_type {kind}, not {own} or {_PLAIN}")
    return bool(kind == _PLAIN)


def _refuse_too_large(
    checkpoint: Checkpoint, name: str, device: torch.device, dtype: torch.dtype
) -> None:
    """``ValueError``: there is not as much memory; on a CPU the system would end the process."""
    settings = checkpoint.settings()
    stored = settings.get("dtype") or settings.get("torch_dtype")
    bytes_stored = 4 if stored == "float32" else 2
    needed = checkpoint.size * dtype.itemsize // bytes_stored
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else _free_memory()
    if needed > free:
        raise ValueError(
            f"checkpoint {name} takes {needed / 1e9:.1f} GB as {dtype}, and {device} has "
            f"{free / 1e9:.1f} GB free: choose a smaller one, another device, or dtype bfloat16"
        )


def _free_memory() -> int:
    """Bytes that programs can still get."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return 1024 * int(line.split()[1])
    raise ValueError("/proc/meminfo does not say how much memory is free")


def load_fast_tokenizer(checkpoint: Checkpoint, name: str) -> Any:
    """``ValueError``: it is not there, where transformers would make one without words; or slow."""
    names = "tokenizer.json", "tokenizer.model", "vocab.json", "tokenizer_config.json"
    if not any((checkpoint.folder / name).is_file() for name in names):
        raise ValueError(f"{checkpoint.folder / names[0]} is missing; {checkpoint.remedy}")
    try:
        tokenizer = AutoTokenizer.from_pretrained(checkpoint.folder, local_files_only=True)
    except Exception as error:  # whatever tokenizers raise
        raise ValueError(
            f"the tokenizer of checkpoint {name} cannot be loaded: {kind_and_line(error)}; "
            f"{checkpoint.remedy}"
        ) from error
    if not tokenizer.is_fast:
        raise ValueError(
            f"checkpoint {name} cannot be used: {type(tokenizer).__name__} is not a fast "
            "tokenizer, which holding answers to a form needs; is tokenizer.json missing?"
        )
    return tokenizer


def _sees(kind: Any) -> bool:
    """Whether models of a model_type are asked with text and images."""
    return kind in CONFIG_MAPPING and CONFIG_MAPPING[kind] in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING


def _attention(device: torch.device) -> str | None:
    """The fastest that is installed; None: SDPA, where the model can."""
    flash = device.type == "cuda" and find_spec("flash_attn") is not None
    return "flash_attention_2" if flash else None
