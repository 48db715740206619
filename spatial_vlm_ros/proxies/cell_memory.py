"""A bounded number of cells for all patches ever seen, denser where a group has more proxies."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from spatial_vlm_ros.config import ProxyConfig
from spatial_vlm_ros.proxies.allocation import allocate
from spatial_vlm_ros.proxies.cells import CELL_FIELDS, Cells, CellStore, blended, merged
from spatial_vlm_ros.proxies.merging import ward
from spatial_vlm_ros.proxies.nearest import nearest_of_group
from spatial_vlm_ros.proxies.runs import by_owner
from spatial_vlm_ros.proxies.triplets import PatchTriplets

_LEFT = 0.9  # share of a group's most cells that it is merged down to
_OTHER_BYTES = 80  # of a cell, beside its feature


class CellMemory:
    """Patches join the nearest cell of their group or found one; full groups merge cells.

    dimension: D of the features. The cells' bytes never exceed ``max_megabytes``: with less room
    there are fewer cells per proxy, and groups too small for a proxy are forgotten when room is
    short, the one unseen for longest first.
    """

    def __init__(self, config: ProxyConfig, dimension: int, device: torch.device) -> None:
        self.config, self.dimension = config, dimension
        nothing = torch.empty(0, dtype=torch.int64, device=device)
        real = torch.empty(0, dimension + 3, device=device)
        self._cell_bytes = 4 * dimension + _OTHER_BYTES
        self._most = int(config.max_megabytes * 1e6 // self._cell_bytes)
        self._store = CellStore(
            Cells.of_patches(nothing, real[:, :dimension], real[:, dimension:], 0), self._most
        )
        self._radius: dict[int, float] = {}  # metres within which a patch joins a cell, by group

    def __len__(self) -> int:
        return len(self._store)

    @property
    def cells(self) -> Cells:
        """The cells; what is written to ``proxies`` stays."""
        return self._store.cells

    @property
    def bytes_used(self) -> int:
        """Bytes of the cells."""
        return len(self) * self._cell_bytes

    def state(self) -> dict[str, Tensor]:
        """All that is kept, by name; see :meth:`restored`."""
        cells = self.cells
        radius = sorted(self._radius.items())
        return {
            **{f"cells.{name}": getattr(cells, name).cpu() for name in CELL_FIELDS},
            "radius.groups": torch.tensor([group for group, _ in radius], dtype=torch.int64),
            "radius.metres": torch.tensor([metres for _, metres in radius], dtype=torch.float64),
        }

    @classmethod
    def restored(
        cls, config: ProxyConfig, state: Mapping[str, Tensor], device: torch.device
    ) -> CellMemory:
        """What had this :meth:`state`. ``ValueError``, ``KeyError``: it cannot have."""
        cells = Cells(*(state[f"cells.{name}"].to(device) for name in CELL_FIELDS))
        if any(len(getattr(cells, name)) != len(cells) for name in CELL_FIELDS):
            raise ValueError("cells are not complete")
        if not all(torch.isfinite(part).all() for part in (cells.features, cells.points)):
            raise ValueError("cells are not finite")
        memory = cls(config, cells.features.shape[1], device)
        memory._store.append(cells)
        groups, metres = state["radius.groups"].tolist(), state["radius.metres"].tolist()
        memory._radius = dict(zip(groups, metres, strict=True))
        if len(memory) > memory._most:
            memory._shrink(memory._most)
        return memory

    def update(self, triplets: PatchTriplets, stamp_ns: int) -> None:
        """Take in the patches of one image. ``ValueError``: unusable; nothing has changed then."""
        if triplets.features.shape[1] != self.dimension:
            length = triplets.features.shape[1]
            raise ValueError(f"features are {length} long, those before were {self.dimension}")
        if len(triplets) == 0:
            return
        new = self._pooled(triplets, stamp_ns)
        if not torch.isfinite(torch.stack(torch.aminmax(new.features))).all():
            raise ValueError("the image has features that are not finite")
        room = self._most - len(new)
        if room < self.config.budget:
            needed = (self.config.budget + len(new)) * self._cell_bytes / 1e6
            raise ValueError(
                f"{self.config.max_megabytes:g} MB have no room for {self.config.budget} proxies "
                f"and an image of features {self.dimension} long: raise max_megabytes to "
                f"{needed:.0f} or lower budget"
            )
        target = self._nearest_cells(new)
        joins, founds = (torch.nonzero(which)[:, 0] for which in (target >= 0, target < 0))
        self._join(new, joins, target[joins])
        if len(self) + len(founds) > self._most:
            self._shrink(room)
        self._store.append(new.take(founds))
        self._thin(room, torch.unique(new.groups))

    def forget(self, group: int) -> None:
        """Remove all cells of a group."""
        self._store.remove(torch.nonzero(self.cells.groups == group)[:, 0])
        self._radius.pop(group, None)

    def rename(self, group: int, to: int) -> None:
        """Make a group part of another."""
        own = self.cells.groups == group
        self.cells.groups[own], self.cells.proxies[own] = to, -1
        self._radius[to] = max(self._radius.pop(group, 0.0), self._radius.get(to, 0.0))

    def allocation(self, minimum_of: Mapping[int, int] | None = None) -> tuple[Tensor, ...]:
        """Group ids (G,) ascending, each cell's index among them (M,), and proxies (G,) by share
        of all patches ever seen, at most the cells.
        """
        ids, member = torch.unique(self.cells.groups, return_inverse=True)
        patches = torch.bincount(member, self.cells.counts, len(ids)).round().long().cpu().numpy()
        cells = torch.bincount(member, minlength=len(ids)).cpu().numpy()
        place = {group: index for index, group in enumerate(ids.tolist())}
        own = {place[g]: least for g, least in (minimum_of or {}).items() if g in place}
        counts = allocate(patches, self.config.budget, self.config.minimum, own, cells)
        return ids, member, torch.from_numpy(counts).to(ids.device)

    def _pooled(self, triplets: PatchTriplets, stamp_ns: int) -> Cells:
        """The image's patches, those of a group that share a voxel as one."""
        groups, points = triplets.groups, triplets.points_scene.float()
        voxel = torch.floor(points / self._radius_of(groups)[:, None]).long()
        owner = groups
        for axis in range(3):  # many times faster than unique rows
            owner = torch.unique(owner, return_inverse=True)[1]
            place = torch.unique(voxel[:, axis], return_inverse=True)[1]
            owner = owner * len(groups) + place
        owner = torch.unique(owner, return_inverse=True)[1]
        single = Cells.of_patches(groups, triplets.features.float(), points, stamp_ns)
        return merged(single, owner, int(owner.max()) + 1)

    def _radius_of(self, groups: Tensor) -> Tensor:
        """(n,) metres within which a patch of each group joins a cell."""
        ids, member = torch.unique(groups, return_inverse=True)
        radius = [self._radius.get(group, self.config.cell) for group in ids.tolist()]
        return torch.tensor(radius, device=groups.device)[member]

    def _nearest_cells(self, new: Cells) -> Tensor:
        """(n,) the cell that each new one joins, -1 for none."""
        cells = self.cells
        near = torch.nonzero(torch.isin(cells.groups, new.groups))[:, 0]
        if len(near) == 0:
            return torch.full_like(new.groups, -1)
        index, apart = nearest_of_group(
            new.points, new.groups, cells.points[near], cells.groups[near]
        )
        return torch.where(apart <= self._radius_of(new.groups), near[index], -1)

    def _join(self, new: Cells, joins: Tensor, rows: Tensor) -> None:
        """Let those of the new cells (n,) become part of the cells in the given rows (n,)."""
        targets, owner = torch.unique(rows, return_inverse=True)
        joined = blended(self.cells.take(targets), merged(new, owner, len(targets), joins))
        self.cells.put(targets, joined)

    def _thin(self, room: int, groups: Tensor) -> None:
        """Merge cells of those of the groups that have too many when ``room`` cells are there."""
        ids, member, counts = self.allocation()
        most = min(self.config.detail, room / self.config.budget) * counts
        most = most.long().clamp(min=1)
        full = (torch.bincount(member, minlength=len(ids)) > most) & torch.isin(ids, groups)
        gone = [
            self._merge(torch.nonzero(member == index)[:, 0], max(1, int(_LEFT * most[index])))
            for index in torch.nonzero(full)[:, 0].tolist()
        ]
        if gone:
            self._store.remove(torch.cat(gone))

    def _merge(self, rows: Tensor, left: int) -> Tensor:
        """Make ``left`` cells of a group's, in the first of their rows; the rows now unused."""
        owner = ward(self.cells.points[rows], self.cells.counts[rows], left)
        shared = torch.bincount(owner, minlength=left)[owner] > 1
        rows, (clusters, owner) = rows[shared], torch.unique(owner[shared], return_inverse=True)
        together = merged(self.cells, owner, len(clusters), rows)
        order, starts = by_owner(owner, len(clusters), torch.zeros_like(owner))
        first = order[starts]
        self.cells.put(rows[first], together)
        if len(together) > 1:
            tree = cKDTree(together.points.cpu().numpy())
            radius = float(np.median(tree.query(tree.data, 2)[0][:, 1])) / 2
            self._radius[int(together.groups[0])] = max(self.config.cell, radius)
        unused = torch.ones_like(rows, dtype=torch.bool)
        unused[first] = False
        return rows[unused]

    def _shrink(self, room: int) -> None:
        """Make all groups keep to ``room`` cells together."""
        self._thin(room, self.cells.groups)
        ids, member, counts = self.allocation()
        without = torch.nonzero(counts == 0)[:, 0].tolist()
        last = {index: int(self.cells.stamps[member == index].max()) for index in without}
        for index in sorted(without, key=lambda index: (last[index], index)):
            if len(self) <= room:
                return
            self.forget(int(ids[index]))
