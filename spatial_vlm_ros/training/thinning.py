"""Some proxies of a scene only, each where it would stand among all: a lesson costs less so.

What is learnt of them holds for all, since nothing else moves: look-ups find what is alike, however
much else there is.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from spatial_vlm_ros.training.scenes import Shown


def thinned(
    prefix: Tensor, positions: Tensor, shown: Shown, most: int, random: np.random.Generator
) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """A prompt up to the question with at most so many proxies of each group, drawn.

    prefix: (n,) ids; positions: (3, n). The same of fewer tokens come back, and the scene's inputs.
    """
    if shown.groups is None:
        return prefix, positions, shown.inputs
    order = torch.from_numpy(random.permutation(len(shown.groups)))
    drawn = shown.groups[order]
    same = drawn[:, None] == drawn
    before = torch.tril(same, -1).sum(1)  # of the same group
    kept = torch.zeros(len(order), dtype=torch.bool)
    kept[order] = before < most
    of_scene = prefix == shown.placeholders[0]
    stays = ~of_scene
    stays[of_scene] = kept
    inputs = {name: values[kept] for name, values in shown.inputs.items()}
    return prefix[stays], positions[:, stays], inputs
