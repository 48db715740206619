"""How many proxies each group gets (Proxy3D section 3.1, "Proxy allocation")."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray


def allocate(
    sizes: NDArray[np.int64],
    budget: int,
    minimum: int = 1,
    minimum_of: Mapping[int, int] | None = None,
    most: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]:
    """Proxies per group, by share of the patches on top of a minimum.

    sizes: (G,) patches of each group. minimum: proxies that each group gets before shares count;
    minimum_of: the same for single groups by index, as for an object that is asked about (Table 5).
    No group gets more than ``most`` (G,), by default its patches. The sum is ``budget``, or that
    of ``most`` where it is less. Where the minima alone exceed the budget, groups with a minimum
    of their own keep it first, then the largest groups get theirs, the last one perhaps a part of
    it, and the rest get none. Ties go to the lower index.

    ``ValueError`` for a negative size, minimum or budget.
    """
    sizes = np.asarray(sizes, np.int64)
    floor = np.full(len(sizes), minimum, np.int64)
    own = np.zeros(len(sizes), np.bool_)
    for index, value in (minimum_of or {}).items():
        floor[index], own[index] = value, True
    if budget < 0 or (sizes < 0).any() or (floor < 0).any():
        raise ValueError("group sizes, minimum and budget of proxies must not be negative")
    most = sizes if most is None else most
    floor = np.minimum(floor, most)
    budget = min(budget, int(most.sum()))
    if floor.sum() > budget:
        order = np.lexsort((np.arange(len(sizes)), -sizes, ~own))
        before = np.cumsum(floor[order]) - floor[order]
        given = np.zeros(len(sizes), np.int64)
        given[order] = np.clip(budget - before, 0, floor[order])
        return given
    return _by_share(sizes, floor, most, budget)


def _by_share(
    sizes: NDArray[np.int64], floor: NDArray[np.int64], most: NDArray[np.int64], budget: int
) -> NDArray[np.int64]:
    """``floor`` and the rest of the budget by what a group's share exceeds its floor."""
    given = floor.copy()
    while given.sum() < budget:  # again when a group is full and leaves some over
        rest = budget - given.sum()
        open_ = given < most
        wish = np.where(open_, np.maximum(budget * sizes / sizes.sum() - given, 0.0), 0.0)
        if not wish.any():
            wish = np.where(open_, sizes, 0).astype(np.float64)
        exact = np.minimum(rest * wish / wish.sum(), most - given)
        whole = np.floor(exact + 1e-9).astype(np.int64)
        left = int(rest - whole.sum())
        fraction = np.where(given + whole < most, exact - whole, -1.0)
        order = np.lexsort((np.arange(len(sizes)), -sizes, -np.round(fraction, 9)))
        extra = order[: min(left, int((fraction >= 0).sum()))]
        whole[extra] += 1
        given += whole
    return given
