"""One layout of the whole scene from its local maps, and which maps contradict the others.

Seen as complex numbers, a map says c - a = ratio (b - a): linear in the three places. Two places
are given, the rest follow by least squares (up to the quantisation of cells). Maps that a model
predicts, or that are held against tracked places, may be wrong: what they miss by tells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import block_array, csr_array, diags_array
from scipy.sparse.linalg import spsolve

from spatial_vlm_ros.scene.cogmap import Array, Indices
from spatial_vlm_ros.scene.graph import CELL_A, LocalCogMap

Complex = NDArray[np.complex128]
Place = tuple[float, float]

#: Maps that miss by more than this many cells are doubted: rounding alone is 0.71 at most, and the
#: rounding of those it is held against adds to it.
CONTRADICTION = 1.5
#: At most so many steps are made to refine a layout.
_ROUNDS = 60


@dataclass(frozen=True)
class Layout:
    """Where the maps together put the objects.

    places: id to (x, y); in the scale and axes of the places given, else in those of the first map
    (anchor a at the origin, anchor b on the negative y axis, metres where the map knows them, else
    cells). missed: (maps,) cells by which each misses, nan where one of its objects has no place.
    undetermined: ids that the maps do not tie to the first map.
    """

    places: dict[int, Place]
    missed: Array
    undetermined: tuple[int, ...]


def solve_layout(maps: Sequence[LocalCogMap], given: Mapping[int, Place] | None = None) -> Layout:
    """The layout that misses the maps' cells least. ``given`` are two or more known places.

    ``ValueError`` where nothing is given and there is no map, or fewer than two are given.
    """
    if given is None:
        if not maps:
            raise ValueError("no maps and no places are given: there is nothing to lay out")
        given = _of_first(maps[0])
    if len(given) < 2:
        raise ValueError("two places must be given to fix scale and direction")
    known = _determined(maps, set(given))
    used = [m for m in maps if known.issuperset(m.ids)]
    ids = sorted(known)
    index = {number: i for i, number in enumerate(ids)}
    rows = [[index[number] for number in m.ids] for m in used]
    triplets = np.array(rows, dtype=np.intp).reshape(-1, 3)
    spacing = np.array([m.spacing for m in used], dtype=float)
    fixed = {index[number]: complex(*place) for number, place in given.items()}
    ratios = _ratios(used)
    z = least_squares(triplets, ratios, 1.0 / spacing, len(ids), fixed)
    z = _refined(z, triplets, ratios, spacing, list(fixed))
    places = {number: (float(z[i].real), float(z[i].imag)) for number, i in index.items()}
    named = {number for m in maps for number in m.ids}
    return Layout(places, missed_by(maps, places), tuple(sorted(named - known)))


def least_squares(
    triplets: Indices, ratios: Complex, weights: Array, count: int, fixed: Mapping[int, complex]
) -> Complex:
    """(count,) places z that miss z_c - z_a = ratio (z_b - z_a) least; those ``fixed`` are given.

    triplets (m, 3): a, b, c of each map; ratios and weights (m,). Every place must be determined.
    """
    values = np.stack([ratios - 1, -ratios, np.ones(len(ratios))], axis=1) * weights[:, None]
    matrix = _matrix(values, triplets, count)
    z = np.zeros(count, dtype=complex)
    z[list(fixed)] = list(fixed.values())
    free = np.setdiff1d(np.arange(count), list(fixed))
    if len(free):
        # Solved for residuals and places at once: as exact as the maps are, where the normal
        # equations would square the error that a long chain of maps makes.
        A = matrix[:, free]
        system = block_array([[diags_array(np.ones(len(triplets))), A], [A.conj().T, None]])
        right = np.concatenate([-(matrix @ z), np.zeros(len(free))])
        z[free] = spsolve(system.tocsc(), right)[len(triplets) :]
    return z


def _refined(
    z: Complex, triplets: Indices, ratios: Complex, spacing: Array, fixed: list[int]
) -> Complex:
    """``z`` moved to where the maps are missed least in cells, by Levenberg and Marquardt's method.

    Linear least squares measures in metres, so where cells are rounded it draws distant anchors
    together. Maps that miss by more than a cell count with their distance, not its square.
    """
    free = np.setdiff1d(np.arange(len(z)), fixed)
    damping, cost = 1e-3, np.inf
    best = z
    for _ in range(_ROUNDS if len(free) else 0):
        a, b, c = z[triplets.T]
        way = b - a
        # No exact zero: targets rounded to an anchor's cell put two objects in one place.
        apart = np.maximum(np.abs(way), 1e-3 * np.abs(c - a) + 1e-12)
        inverse = way.conj() / apart**2
        error = spacing * ((c - a) * inverse - ratios)
        size = np.abs(error)
        now = float(np.where(size < 1, size**2, 2 * size - 1).sum())
        if now < cost:
            settled = cost - now < 1e-9 * cost
            best, cost, damping = z, now, damping / 10
            if settled:
                break
            slopes = np.stack([(c - b) * inverse**2, (a - c) * inverse**2, inverse], axis=1)
            weights = 1 / np.sqrt(np.maximum(size, 1.0))
            slopes *= (spacing * weights)[:, None]
            J = _matrix(slopes, triplets, len(z))[:, free]
            normal, gradient = (J.conj().T @ J).tocsc(), J.conj().T @ (error * weights)
        else:
            damping *= 10
        steep = normal.diagonal().real
        # A place that moves no residual has no slope, and stays.
        held = np.maximum(damping * steep, 1e-9 * steep.max(initial=0.0) + 1e-300)
        step = spsolve(normal + diags_array(held), -gradient)
        z = best.copy()
        z[free] += step
    return best


def _matrix(values: NDArray[Any], triplets: Indices, count: int) -> csr_array:
    """(m, count) sparse: in each map's row its three values (m, 3), where its places are."""
    rows = np.repeat(np.arange(len(triplets)), 3)
    return csr_array((values.ravel(), (rows, triplets.ravel())), (len(triplets), count))


def missed_by(maps: Sequence[LocalCogMap], places: Mapping[int, Place]) -> Array:
    """(maps,) cells between a map's target and where ``places`` put it; nan without a place.

    Infinite where its anchors are in one place.
    """
    lost = (np.nan, np.nan)
    ends = [[complex(*places.get(number, lost)) for number in m.ids] for m in maps]
    a, b, c = np.array(ends, dtype=complex).reshape(-1, 3).T
    spacing = np.array([m.spacing for m in maps])
    apart = np.abs(b - a)
    off = np.abs(c - a - _ratios(maps) * (b - a)) * spacing
    return np.where(apart == 0, np.inf, off / np.where(apart == 0, 1.0, apart))


def contradictory(maps: Sequence[LocalCogMap], missed: Array) -> tuple[LocalCogMap, ...]:
    """The maps that miss by more than ``CONTRADICTION`` cells; those with nan are not known."""
    return tuple(made for made, cells in zip(maps, missed, strict=True) if cells > CONTRADICTION)


def object_scores(maps: Sequence[LocalCogMap], missed: Array) -> dict[int, float]:
    """Id to consistency score: the median of what the maps it takes part in miss by, in cells.

    One wrong map leaves the median low, an object in a wrong place raises it. Maps that miss by
    nan are not counted.
    """
    parts: dict[int, list[float]] = {}
    for made, cells in zip(maps, missed, strict=True):
        if not np.isnan(cells):
            for number in made.ids:
                parts.setdefault(number, []).append(float(cells))
    return {number: float(np.median(cells)) for number, cells in sorted(parts.items())}


def _ratios(maps: Sequence[LocalCogMap]) -> Complex:
    """(maps,): what (b - a) is multiplied with to give c - a, by the cells."""
    cells = np.array([m.cell_target for m in maps], dtype=float).reshape(-1, 2)
    spacing = np.array([m.spacing for m in maps], dtype=float)
    return 1j * (cells[:, 0] - 5 + 1j * (cells[:, 1] - 5)) / spacing


def _of_first(first: LocalCogMap) -> dict[int, Place]:
    scale = first.metres_per_cell if np.isfinite(first.metres_per_cell) else 1.0
    return {first.anchor_a: (0.0, 0.0), first.anchor_b: (0.0, -scale * first.spacing)}


def _determined(maps: Sequence[LocalCogMap], known: set[int]) -> set[int]:
    """``known`` and all that follows from it: two places of a map give the third.

    Unless the target's cell is that of the one known anchor, which says nothing of the other.
    """
    known = set(known)
    of: dict[int, list[LocalCogMap]] = {}
    for made in maps:
        for number in made.ids:
            of.setdefault(number, []).append(made)
    queue = sorted(known)
    while queue:
        for made in of.get(queue.pop(), ()):
            a, b, c = made.ids
            if {a, b} <= known:
                new = c
            elif {a, c} <= known and made.cell_target != CELL_A:
                new = b
            elif {b, c} <= known and made.cell_target != made.cell_b:
                new = a
            else:
                continue
            if new not in known:
                known.add(new)
                queue.append(new)
    return known
