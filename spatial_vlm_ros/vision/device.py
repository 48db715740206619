"""Where a model runs and with which numbers."""

from __future__ import annotations

import torch


def device_of(name: str, what: str) -> torch.device:
    """The device; "auto" is the GPU where there is one. ``ValueError``: it is not on this machine.

    what: whose device it is, for the message.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.zeros(1, device=name).item()
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"device {name} of {what} is not on this machine; set device to auto or cpu"
        ) from error
    return torch.device(name)


def dtype_of(name: str, device: torch.device) -> torch.dtype:
    """The type; "auto" is bfloat16, and on a CPU, where that is slow, float32."""
    if name == "auto":
        return torch.float32 if device.type == "cpu" else torch.bfloat16
    dtype: torch.dtype = getattr(torch, name)
    return dtype
