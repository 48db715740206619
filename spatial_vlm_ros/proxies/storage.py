"""Proxies as a safetensors file: all that the memory of them keeps, and the sequence to read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from spatial_vlm_ros.config import ProxyConfig
from spatial_vlm_ros.proxies.sequence import ProxySequence
from spatial_vlm_ros.proxies.streaming import ProxyMemory

_FORMAT = "spatial_vlm_ros proxies 1"
_STATE, _SEQUENCE = "state.", "sequence."
_PARTS = tuple(field.name for field in fields(ProxySequence))


def packed(memory: ProxyMemory, labels: Mapping[str, str]) -> bytes:
    """The file's content; in the sequence to read features have half precision."""
    sequence = memory.sequence()
    tensors = {_STATE + name: part for name, part in memory.state().items()}
    tensors |= {_SEQUENCE + name: getattr(sequence, name).cpu() for name in _PARTS}
    tensors[_SEQUENCE + "features"] = sequence.features.cpu().half()
    metadata = {"format": _FORMAT, "settings": _settings(memory.config), **labels}
    metadata["revision"] = str(memory.revision)
    return save({name: part.contiguous() for name, part in tensors.items()}, metadata)


def read_labels(path: Path) -> dict[str, str]:
    """The labels it was saved with. ``ValueError``: it is missing, damaged or something else."""
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as reason:
        raise ValueError(f"{path} cannot be read: {reason}") from reason
    if metadata.get("format") != _FORMAT:
        raise ValueError(f"{path} is no file of proxies")
    return metadata


def labels_of(path: Path, scene: str) -> dict[str, str]:
    """The labels of proxies of that scene. ``ValueError``: as above, or they are of another."""
    labels = read_labels(path)
    if labels.get("scene") != scene:
        raise ValueError(f"{path} is of another scene than the files beside it: delete it")
    return labels


def read_memory(path: Path, config: ProxyConfig, device: torch.device) -> ProxyMemory:
    """The memory of proxies; clustered anew where it was saved with other settings."""
    labels, state = read_labels(path), _tensors(path, _STATE)
    try:
        if state and labels["settings"] != _settings(config):
            state["cells.proxies"].fill_(-1)
            state |= {"given": state["given"][:0], "order": state["order"][:0]}
        memory = ProxyMemory.restored(config, state, device)
        memory.revision = int(labels["revision"])
    except (ValueError, KeyError, TypeError, RuntimeError) as reason:
        raise ValueError(f"{path} is damaged: {type(reason).__name__}: {reason}") from reason
    return memory


def read_sequence(path: Path) -> ProxySequence:
    """The proxies as they are to be read, features in half precision."""
    read_labels(path)
    tensors = _tensors(path, _SEQUENCE)
    if set(tensors) != set(_PARTS):
        raise ValueError(f"{path} is damaged: it has no whole sequence")
    return ProxySequence(**tensors)


def _tensors(path: Path, prefix: str) -> dict[str, Tensor]:
    with safe_open(path, "pt") as file:
        names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118
        return {name.removeprefix(prefix): file.get_tensor(name) for name in names}


def _settings(config: ProxyConfig) -> str:
    return json.dumps(asdict(config))
