"""Rows sorted into runs, one for each owner."""

from __future__ import annotations

import torch
from torch import Tensor


def by_owner(owner: Tensor, number: int, values: Tensor) -> tuple[Tensor, Tensor]:
    """(n,) indices of the rows, owner by owner, and (number,) where each owner's begin.

    owner: (n,) 0..number-1, each of them at least once. values: (n,); in a run the greatest come
    first, of equal ones the lower row.
    """
    order = torch.argsort(values, descending=True, stable=True)
    order = order[torch.argsort(owner[order], stable=True)]
    starts = torch.searchsorted(owner[order], torch.arange(number, device=owner.device))
    return order, starts
