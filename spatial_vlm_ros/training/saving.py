"""The trained model as a whole checkpoint, which reasoners open and further stages start from."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from spatial_vlm_ros.training.config import LoraSettings
from spatial_vlm_ros.training.parts import is_adapter, merged
from spatial_vlm_ros.vision.checkpoint import Checkpoint

#: What a checkpoint has beside its settings and weights.
_BESIDE = (
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    "added_tokens.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "chat_template.json",
    "preprocessor_config.json",
    "processor_config.json",
    "video_preprocessor_config.json",
)


def write_model(
    model: Any,
    state: dict[str, Tensor],
    folder: Path,
    start: Checkpoint,
    dtype: str,
    lora: LoraSettings,
) -> None:
    """Weights ``state`` of the model, adapters merged, with all that the checkpoint it started from
    has beside them. An older model in the folder is replaced when this one is there.

    dtype: of the weights; "checkpoint" as those of the start.
    """
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    named = _dtype(start) if dtype == "checkpoint" else dtype
    kind: torch.dtype = getattr(torch, named)
    whole = merged(state, lora.alpha / lora.rank) if lora.rank else state
    whole = {n: w.to(kind) if w.is_floating_point() else w for n, w in whole.items()}
    model.save_pretrained(part, state_dict=whole)
    settings = json.loads((part / "config.json").read_text())
    _say_dtype(settings, named)
    (part / "config.json").write_text(json.dumps(settings, indent=2) + "\n")
    for name in _BESIDE:
        if (start.folder / name).is_file():
            shutil.copyfile(start.folder / name, part / name)
    if lora.rank and lora.adapter:
        adapter = {n: w.contiguous() for n, w in state.items() if is_adapter(n)}
        save_file(adapter, part / "adapter.safetensors")
    shutil.rmtree(folder, ignore_errors=True)
    part.replace(folder)


def _dtype(start: Checkpoint) -> str:
    settings = start.settings()
    return settings.get("dtype") or settings.get("torch_dtype") or "float32"


def _say_dtype(settings: dict[str, Any], name: str) -> None:
    """What config.json says of the weights, wherever it does."""
    for key, value in settings.items():
        if isinstance(value, dict):
            _say_dtype(value, name)
        elif key in ("dtype", "torch_dtype"):
            settings[key] = name
