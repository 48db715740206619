"""Proxies of a scene that is still being seen: kept up to date image by image, within bounds."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spatial_vlm_ros.config import ProxyConfig
from spatial_vlm_ros.proxies.cell_memory import CellMemory
from spatial_vlm_ros.proxies.cells import Cells, merged
from spatial_vlm_ros.proxies.clustering import cluster
from spatial_vlm_ros.proxies.nearest import nearest_of_group
from spatial_vlm_ros.proxies.sequence import ProxySequence
from spatial_vlm_ros.proxies.serialisation import serialise
from spatial_vlm_ros.proxies.triplets import PatchTriplets


class ProxyMemory:
    """The proxies of all patches seen so far, clustered from a bounded number of cells.

    Which cells make a proxy, and the order of the proxies, stay until the structure changes: a
    group comes or goes, or its share or its number of new cells has changed by more than
    ``settled``. ``revision`` counts these changes, so that what was computed from the order, such
    as a language model's cache, can be kept in between.
    """

    def __init__(self, config: ProxyConfig) -> None:
        self.config = config
        self.revision = 0
        self._memory: CellMemory | None = None
        self._given: dict[int, int] = {}  # proxies by group, at the last change of structure
        self._order: NDArray[np.int64] = np.empty(0, np.int64)

    @property
    def bytes_used(self) -> int:
        """Bytes of the cells, at most ``max_megabytes``."""
        return 0 if self._memory is None else self._memory.bytes_used

    @property
    def groups(self) -> set[int]:
        """The groups that there are patches of."""
        return set() if self._memory is None else set(self._memory.cells.groups.tolist())

    def update(self, triplets: PatchTriplets, stamp_ns: int) -> None:
        """Take in the patches of one image.

        ``ValueError``, and nothing changed, when features are not finite or not as long as before,
        or when the byte cap has no room for one cell per proxy and those of the image.
        """
        memory, features = self._memory, triplets.features
        if memory is None:
            memory = CellMemory(self.config, features.shape[1], features.device)
        memory.update(triplets, stamp_ns)
        self._memory = memory

    def state(self) -> dict[str, Tensor]:
        """All that is kept, by name; see :meth:`restored`. Empty before the first image."""
        if self._memory is None:
            return {}
        return self._memory.state() | {
            "given": torch.tensor(sorted(self._given.items()), dtype=torch.int64).view(-1, 2),
            "order": torch.from_numpy(self._order),
        }

    @classmethod
    def restored(
        cls, config: ProxyConfig, state: Mapping[str, Tensor], device: torch.device
    ) -> ProxyMemory:
        """What had this :meth:`state`, of the same settings. ``ValueError``, ``KeyError``: it
        cannot have.
        """
        memory = cls(config)
        if state:
            memory._memory = CellMemory.restored(config, state, device)
            memory._given = dict(state["given"].tolist())
            memory._order = state["order"].numpy()
            if sorted(memory._order.tolist()) != list(range(sum(memory._given.values()))):
                raise ValueError("the order is not one of the proxies")
        return memory

    def forget(self, group: int) -> None:
        """Remove a group: its object is gone."""
        if self._memory is not None:
            self._memory.forget(group)

    def rename(self, group: int, to: int) -> None:
        """Make a group part of another: two objects have turned out to be one."""
        if self._memory is not None and group != to:
            self._memory.rename(group, to)

    def sequence(self, minimum_of: Mapping[int, int] | None = None) -> ProxySequence:
        """The proxies in the order in which they are read: the same while ``revision`` is.

        With ``minimum_of``, proxies by group for the objects a question is about, they are
        allocated and clustered for this call alone, whatever the revision. A group has no more
        proxies than cells, which are at most ``detail`` times what it has without.
        """
        if self._memory is None:
            return _nothing()
        ids, member, wanted = self._memory.allocation(minimum_of)
        cells = self._memory.cells
        if minimum_of:
            anew = torch.ones_like(wanted, dtype=torch.bool)
            found = _proxies(cells, member, wanted, self._clustered(cells, member, wanted, anew))
            return _read(found, self._ordered(found))
        given = ids.new_tensor([self._given.get(group, -1) for group in ids.tolist()])
        stale = self._stale(cells, member, wanted, given)
        if stale.any() or len(self._given) != len(ids):
            anew = stale | (wanted != given)
            cells.proxies[:] = self._clustered(cells, member, wanted, anew)
            found = _proxies(cells, member, wanted, cells.proxies)
            self._given = dict(zip(ids.tolist(), wanted.tolist(), strict=True))
            self._order = self._ordered(found)
            self.revision += 1
        else:
            found = _proxies(cells, member, given, cells.proxies)
        return _read(found, self._order)

    def _stale(self, cells: Cells, member: Tensor, wanted: Tensor, given: Tensor) -> Tensor:
        """(G,) groups whose clustering is too old: new, much changed, or with an empty proxy."""
        groups = len(given)
        old = cells.proxies >= 0
        new_cells = torch.bincount(member[~old], minlength=groups)
        all_cells = torch.bincount(member, minlength=groups)
        most = max([0, *given.tolist()])
        filled = torch.zeros(groups, most, dtype=torch.bool, device=member.device)
        filled[member[old], cells.proxies[old]] = True
        empty = filled.sum(1) < given
        moved = (wanted - given).abs() > torch.clamp(self.config.settled * given, min=1.0)
        return empty | moved | (given < 0) | (new_cells > self.config.settled * all_cells)

    def _clustered(self, cells: Cells, member: Tensor, wanted: Tensor, anew: Tensor) -> Tensor:
        """(M,) the proxy of its group that each cell is in; as before where not ``anew`` (G,)."""
        counts = torch.where(anew, wanted, 0)
        pooling = cluster(
            cells.points, member, counts, weights=cells.counts, lloyd=self.config.lloyd
        )
        first = counts.cumsum(0) - counts
        proxy = torch.arange(len(pooling.groups), device=member.device) - first[pooling.groups]
        result = torch.where(anew[member], -1, cells.proxies)
        result[pooling.patches] = torch.repeat_interleave(proxy, pooling.counts)
        return result

    def _ordered(self, found: Cells) -> NDArray[np.int64]:
        points, groups = found.points.cpu().numpy(), found.groups.cpu().numpy()
        return serialise(points, groups, self.config.order, self.config.graph_degree)


def _proxies(cells: Cells, member: Tensor, counts: Tensor, proxies: Tensor) -> Cells:
    """Each proxy as one cell, group by group; ``counts`` (G,) of each group's proxies.

    Cells that came after the last clustering count with the proxy nearest to them.
    """
    first, number = counts.cumsum(0) - counts, int(counts.sum())
    old = proxies >= 0
    found = merged(cells, (first[member] + proxies)[old], number, torch.nonzero(old)[:, 0])
    late = cells.take(~old & (counts[member] > 0))
    if len(late) == 0:
        return found
    nearest, _ = nearest_of_group(late.points, late.groups, found.points, found.groups)
    owner = torch.cat([torch.arange(number, device=member.device), nearest])
    return merged(Cells.concatenate([found, late]), owner, number)


def _read(found: Cells, order: NDArray[np.int64]) -> ProxySequence:
    read = found.take(torch.from_numpy(order).to(found.groups.device))
    return ProxySequence(read.features, read.points, read.groups, read.counts.round().long())


def _nothing() -> ProxySequence:
    none = torch.empty(0, dtype=torch.int64)
    return ProxySequence(torch.empty(0, 0), torch.empty(0, 3), none, none)
