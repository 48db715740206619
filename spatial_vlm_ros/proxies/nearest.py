"""The nearest point of the same group."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor


def nearest_of_group(
    points: Tensor, groups: Tensor, to: Tensor, to_groups: Tensor
) -> tuple[Tensor, Tensor]:
    """For points (n, 3) of groups (n,) the index of the nearest of ``to`` (m, 3), m > 0, that has
    the same group, and its distance (n,), double; infinite where there is none.
    """
    there, here = to.double().cpu().numpy(), points.double().cpu().numpy()
    # Groups become layers of a fourth axis, further from each other than any two points.
    extent = np.ptp(np.concatenate([there, here]), axis=0)
    apart = 2 * float(np.linalg.norm(extent)) + 1
    layer = apart * torch.unique(torch.cat([to_groups, groups]), return_inverse=True)[1].double()
    to_layer, of_layer = np.split(layer.cpu().numpy(), [len(there)])
    tree = cKDTree(np.column_stack([there, to_layer]))
    distance, index = tree.query(np.column_stack([here, of_layer]), distance_upper_bound=apart / 2)
    index = np.where(np.isinf(distance), 0, index)  # the tree says m for none
    device = points.device
    return torch.from_numpy(index).to(device), torch.from_numpy(distance).to(device)
