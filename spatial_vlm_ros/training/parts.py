"""A model's parts, which learn at rates of their own or not at all, and adapters in their place."""

from __future__ import annotations

from typing import Any

from peft import LoraConfig, inject_adapter_in_model
from torch import Tensor, nn

from spatial_vlm_ros.training.config import LoraSettings, Rates

#: Where each part's weights are; the first that fits counts.
_PLACES = {
    "gate": ("position.gate",),
    "position": ("position.",),
    "spatial": ("spatial.",),
    "merger": ("model.visual.merger.",),
    "vision": ("model.visual.",),
    "language": ("model.language_model.", "lm_head."),
}
#: What sharding puts into names.
_WRAPPED = "_fsdp_wrapped_module."
_ADAPTER = "lora_"


def part_of(name: str) -> str:
    """The part that a weight with this name belongs to."""
    name = name.replace(_WRAPPED, "").removeprefix("module.")
    return next(part for part, places in _PLACES.items() if name.startswith(places))


def is_adapter(name: str) -> bool:
    """Whether a weight is an adapter's."""
    return _ADAPTER in name


def add_adapters(model: nn.Module, lora: LoraSettings) -> None:
    """Low-rank adapters beside the layers that the settings name; at first they change nothing.

    ``ValueError``: no layer is called so.
    """
    targets = [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
        and name.rpartition(".")[2] in lora.modules
        and part_of(name) in lora.parts
    ]
    if not targets:
        raise ValueError(f"lora.modules: no layer of {lora.parts} is called {lora.modules}")
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,  # type: ignore[arg-type]
        lora_dropout=lora.dropout,
        target_modules=targets,
    )
    inject_adapter_in_model(config, model)


def freeze(model: nn.Module, rates: Rates, adapted: tuple[str, ...] = ()) -> None:
    """Let parts learn that have a rate; of the ``adapted`` parts the adapters only.

    ``ValueError``: a part has a rate that the model has not.
    """
    there = {part_of(name) for name, _ in model.named_parameters()}
    for part, rate in vars(rates).items():
        if rate and part not in there:
            raise ValueError(f"rates.{part}: the model has no such part: freeze it")
    for name, weight in model.named_parameters():
        part = part_of(name)
        learns = bool(getattr(rates, part)) and (part not in adapted or is_adapter(name))
        weight.requires_grad_(learns)


def groups(model: nn.Module, rates: Rates, decay: float) -> list[dict[str, Any]]:
    """Of an optimiser: each part's weights at its rate, matrices with decay and the others without.

    Named, so that logs can tell their rates.
    """
    found: dict[tuple[str, bool], list[Tensor]] = {}
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            found.setdefault((part_of(name), _decays(name)), []).append(weight)
    return [
        {
            "params": weights,
            "lr": getattr(rates, part),
            "weight_decay": decay if decays else 0.0,
            "part": part,
        }
        for (part, decays), weights in found.items()
    ]


def merged(state: dict[str, Tensor], scale: float) -> dict[str, Tensor]:
    """The weights of a model as if it had no adapters: W + scale B A, under W's own name."""
    whole = {}
    for name, weight in state.items():
        if is_adapter(name):
            continue
        stem, base, rest = name.partition(".base_layer.")
        if base and rest == "weight":
            up, down = (state[f"{stem}.lora_{side}.default.weight"] for side in "BA")
            change = scale * (up.float() @ down.float())
            weight = (weight.float() + change.to(weight.device)).to(weight.dtype)
        whole[f"{stem}.{rest}" if base else name] = weight
    return whole


def _decays(name: str) -> bool:
    return not (name.endswith((".bias", "position.gate")) or "norm" in name or "ln_q" in name)
