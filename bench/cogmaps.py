"""What the rules of LocalCogMaps are worth: ``python -m bench.cogmaps``.

Furnished rooms that no test uses. Beside this project's rules: the paper's algorithm taken to the
letter (any order, the two nearest anchors however near to each other, always two cells between
them), ours with one rule less each, and one map of the whole room. Then, how well maps that are
wrong and objects in a wrong place stand out. Printed, and written to build/cogmaps.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import fill

import numpy as np
from tqdm import tqdm

from spatial_vlm_ros.language.global_map import quantisation_errors
from spatial_vlm_ros.scene.cogmap import (
    CELLS,
    MIN_ANCHOR_DISTANCE,
    Array,
    grid_coordinates,
    squared,
)
from spatial_vlm_ros.scene.cogmap_generation import (
    START_SIDE,
    by_id,
    hang,
    local_cogmaps,
    overlapping_cogmaps,
    start_triplet,
)
from spatial_vlm_ros.scene.graph import LocalCogMap, ObjectState, SceneObject
from spatial_vlm_ros.scene.layout import (
    CONTRADICTION,
    contradictory,
    missed_by,
    object_scores,
    solve_layout,
)
from spatial_vlm_ros.simulation.furnish import furnish
from spatial_vlm_ros.simulation.record import object_truth
from spatial_vlm_ros.simulation.rooms import make_plan

OUTPUT = Path("build/cogmaps.json")
ROWS = {
    "ours": "this project's rules",
    "ids": "ours, objects added in order of their ids instead of the nearest first",
    "two cells": "ours, with always two cells between the anchors",
    "literal": "the paper's algorithm 1, to the letter",
    "global": "one 10x10 map of the whole room (VSI-Bench)",
}
WRONG, MOVED = 0.1, 1.5  # share of maps; metres
DOUBTED = ("wrong maps", "right maps", "misplaced objects", "other objects")
COLUMNS = ("out of grid, %", "near anchors, %", "error, cells", "error, m", "worst, m", "unplaced")


@dataclass(frozen=True)
class Drawn:
    """One map of three places (2,), anchors ``spacing`` cells apart."""

    a: Array
    b: Array
    target: Array
    spacing: int


def room_objects(seed: int) -> list[SceneObject]:
    """All objects of a simulated room, as a perfect memory would have them."""
    rng = np.random.default_rng([seed, 4])
    world = furnish(make_plan(rng, 1), rng)
    truths = [object_truth(world, item, np.eye(4), 0, 1, 1.0) for item in world.objects]
    return [
        SceneObject(t.id, t.category, 1.0, t.box, ObjectState.CONFIRMED, t.colour, 1.0, 0, 0, 1)
        for t in truths
    ]


def ours(objects: Sequence[SceneObject]) -> list[Drawn]:
    ids, places = by_id(objects)
    place = dict(zip(ids.tolist(), places, strict=True))
    return [
        Drawn(place[m.anchor_a], place[m.anchor_b], place[m.target], m.spacing)
        for m in local_cogmaps(objects)[0]
    ]


def two_cells(objects: Sequence[SceneObject]) -> list[Drawn]:
    return [Drawn(made.a, made.b, made.target, 2) for made in ours(objects)]


def in_order_of_ids(objects: Sequence[SceneObject]) -> list[Drawn]:
    ids, places = by_id(objects)
    start = start_triplet(places)
    if start is None:
        return []
    made = [Drawn(places[start[0]], places[start[1]], places[start[2]], 4)]
    placed = sorted(start)
    for target in range(len(ids)):
        found, _ = hang(ids, places, target, np.array(placed)) if target not in start else (None, 0)
        if found is not None:
            a, b = np.searchsorted(ids, [found.anchor_a, found.anchor_b])
            made.append(Drawn(places[a], places[b], places[target], found.spacing))
            placed = sorted([*placed, target])
    return made


def literal(objects: Sequence[SceneObject]) -> list[Drawn]:
    """Algorithm 1 as printed; "pick u" takes objects as they are listed, k is 2."""
    _, places = by_id(objects)
    count, within = len(places), START_SIDE[1] ** 2
    start = next(
        (
            (i, j, k)
            for i in range(count)
            for j in range(i + 1, count)
            if squared(places[i], places[j]) <= within
            for k in range(j + 1, count)
            if max(squared(places[i], places[k]), squared(places[j], places[k])) <= within
        ),
        None,
    )
    if start is None:
        return []
    made = [Drawn(places[start[0]], places[start[1]], places[start[2]], 2)]
    placed = list(start)
    for u in range(count):
        if u not in start:
            nearest = sorted(placed, key=lambda v: float(squared(places[u], places[v])))
            made.append(Drawn(places[nearest[0]], places[nearest[1]], places[u], 2))
            placed.append(u)
    return made


def measured(rooms: Sequence[Sequence[SceneObject]]) -> dict[str, dict[str, float]]:
    """The table: rows as in ``ROWS``, columns as in ``COLUMNS``; one map has no anchors."""
    rules = {"ours": ours, "ids": in_order_of_ids, "two cells": two_cells, "literal": literal}
    table = {
        name: _figures([rule(room) for room in rooms], sum(map(len, rooms)))
        for name, rule in rules.items()
    }
    errors = np.concatenate([np.stack(quantisation_errors(room)) for room in rooms], axis=1)
    figures = {"out of grid, %": 0.0, "error, cells": errors[0].mean()}
    figures |= {"error, m": errors[1].mean(), "worst, m": errors[1].max(), "unplaced": 0}
    table["global"] = {name: float(figure) for name, figure in figures.items()}
    return table


def _figures(rooms: Sequence[Sequence[Drawn]], objects: int) -> dict[str, float]:
    maps = [made for room in rooms for made in room]
    near = np.array([squared(m.a, m.b) < MIN_ANCHOR_DISTANCE**2 for m in maps])
    outside, cells, metres = [], [], []
    for made in maps:
        length = float(np.sqrt(squared(made.a, made.b)))
        if length == 0:  # fixes no grid at all
            outside.append(True)
            continue
        exact = grid_coordinates(made.a, made.b, made.target, made.spacing)
        cell = np.floor(exact + 0.5)
        outside.append(bool((cell < 0).any() or (cell >= CELLS).any()))
        if not outside[-1]:
            cells.append(float(np.hypot(*(exact - cell))))
            metres.append(cells[-1] * length / made.spacing)
    figures = (
        100 * np.mean(outside),
        100 * near.mean(),
        np.mean(cells),
        np.mean(metres),
        np.max(metres),
        objects - sum(len(room) + 2 for room in rooms if room),
    )
    return dict(zip(COLUMNS, map(float, figures), strict=True))


def doubted(rooms: Sequence[Sequence[SceneObject]]) -> dict[str, float]:
    """Percent of wrong and right maps, and of misplaced and other objects, that are flagged.

    Every object has its chain's map and three more. Of all maps in a room ``WRONG`` get another
    cell, three or more away; in each room one object is moved by ``MOVED``, others hold.
    """
    rng = np.random.default_rng(0)
    flags: dict[str, list[bool]] = {name: [] for name in DOUBTED}
    for objects in rooms:
        chain = local_cogmaps(objects)[0]
        maps = tuple(dict.fromkeys((*chain, *overlapping_cogmaps(objects))))
        wrong = rng.choice(len(maps), max(1, round(WRONG * len(maps))), replace=False)
        said = [_lie(made, rng) if i in wrong else made for i, made in enumerate(maps)]
        found = contradictory(said, solve_layout(said).missed)
        for index, made in enumerate(said):
            flags["wrong maps" if index in wrong else "right maps"].append(made in found)
        ids, places = by_id(objects)
        moved = int(rng.integers(len(ids)))
        angle = rng.uniform(0, 2 * np.pi)
        places[moved] += MOVED * np.array([np.cos(angle), np.sin(angle)])
        tracked = dict(zip(ids.tolist(), map(tuple, places.tolist()), strict=True))
        scores = object_scores(maps, missed_by(maps, tracked))
        for number, score in scores.items():
            name = "misplaced objects" if number == ids[moved] else "other objects"
            flags[name].append(score > CONTRADICTION)
    return {name: 100 * float(np.mean(found)) for name, found in flags.items()}


def _lie(made: LocalCogMap, rng: np.random.Generator) -> LocalCogMap:
    while True:
        x, y = rng.integers(0, CELLS, 2).tolist()
        if max(abs(x - made.cell_target[0]), abs(y - made.cell_target[1])) >= 3:
            return replace(made, cell_target=(x, y))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.cogmaps", description=__doc__)
    parser.add_argument("--rooms", type=int, default=300, help="how many (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1000, help="of the first (default %(default)s)")
    arguments = parser.parse_args()
    if arguments.rooms < 1:
        parser.error("--rooms must be at least 1")
    seeds = range(arguments.seed, arguments.seed + arguments.rooms)
    rooms = [room_objects(seed) for seed in tqdm(seeds, "furnish", unit="room")]
    table = measured(rooms)
    sizes = [len(room) for room in rooms]
    print(f"{len(rooms)} rooms of {min(sizes)} to {max(sizes)} objects, {sum(sizes)} in all")
    for name, meaning in ROWS.items():
        print(fill(f"{name}: {meaning}", 100))
    print("Errors are of targets within their grid: from the unrounded place to the cell.")
    print(f"\n{'':10}" + "".join(f"{column:>16}" for column in COLUMNS))
    for name, values in table.items():
        said = (f"{values[column]:.3f}" if column in values else "-" for column in COLUMNS)
        print(f"{name:10}" + "".join(f"{figure:>16}" for figure in said))
    flagged = doubted(rooms)
    print(
        f"\nflagged as contradictory ({WRONG:.0%} of the maps wrong; one object {MOVED} m off), %"
    )
    print("   ".join(f"{name} {share:.1f}" for name, share in flagged.items()))
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    results = {"seeds": list(seeds), "objects": sum(sizes), "table": table, "doubted": flagged}
    OUTPUT.write_text(json.dumps(results, indent=2) + "\n")
    print(f"\nwritten: {OUTPUT}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
