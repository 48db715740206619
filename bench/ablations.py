"""What each choice of the proxies is worth: ``python -m bench.ablations``.

Simulated drives through two rooms, with true labels and features without weights. No test uses
their seeds. No language model is asked: the tables say what it would be given to read. They are
means over the drives, printed and written to build/ablations.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from bench.proxy_scene import ImageMaps, geometry
from spatial_vlm_ros.config import EncoderConfig, PointsConfig, ProxyConfig
from spatial_vlm_ros.proxies.sequence import ProxySequence, build
from spatial_vlm_ros.proxies.serialisation import ORDERS
from spatial_vlm_ros.proxies.triplets import PatchTriplets
from spatial_vlm_ros.simulation.record import simulate
from spatial_vlm_ros.sources import open_source
from spatial_vlm_ros.vision.descriptors import Descriptors

Scene = Mapping[int, PatchTriplets]  # by how many times finer the feature maps were made
Table = dict[str, dict[str, float]]  # by row, then column

FOLDER, OUTPUT = Path("build/bench"), Path("build/ablations.json")
DRIVE: dict[str, Any] = {"rooms": 2, "fps": 0.5}  # about 30 images
CONFIG = ProxyConfig()
BUDGETS = (100, 225, 450, 700, 1000)
CHANGES: dict[str, dict[str, Any]] = {
    "defaults": {},
    "lloyd 0": {"lloyd": 0},
    "neighbours 2": {"neighbours": 2.0},
    "upsample 1": {"upsample": 1},
}
_OTHER = 1e3  # metres by which proxies of other groups count as further


def order_table(scenes: Sequence[Scene]) -> Table:
    """How near each other proxies are that follow each other; "random" is a shuffle."""
    return _averaged([_orders(scene[CONFIG.upsample]) for scene in scenes])


def _orders(patches: PatchTriplets) -> Table:
    rows = {order: _steps(build(patches, replace(CONFIG, order=order))) for order in ORDERS}
    found = build(patches, CONFIG)
    shuffled = torch.from_numpy(np.random.default_rng(0).permutation(len(found)))
    columns = (found.features, found.points_scene, found.groups, found.counts)
    rows["random"] = _steps(ProxySequence(*(column[shuffled] for column in columns)))
    return rows


def _steps(read: ProxySequence) -> dict[str, float]:
    """Over successive proxies, and from each run of proxies of one group to the next."""
    ids, member = torch.unique(read.groups, return_inverse=True)
    centres = torch.stack([read.points_scene[member == g].mean(0) for g in range(len(ids))])
    runs = centres[torch.unique_consecutive(member)]
    return {
        "step, m": float(read.points_scene.diff(dim=0).norm(dim=1).mean()),
        "group step, m": float(runs.diff(dim=0).norm(dim=1).mean()),
        "same group": float((member.diff() == 0).double().mean()),
    }


def grouping_table(scenes: Sequence[Scene]) -> Table:
    """Whether proxies are of one object each, and small objects have proxies at all."""
    return _averaged([_groupings(scene[CONFIG.upsample]) for scene in scenes])


def _groupings(patches: PatchTriplets) -> Table:
    ids, member = torch.unique(patches.groups, return_inverse=True)
    shown = replace(patches, features=one_hot(member).float())  # a proxy's mean: objects' shares
    small = ids[torch.bincount(member) < len(patches) / CONFIG.budget]
    rows = {}
    for on in (True, False):
        proxies = build(shown, replace(CONFIG, grouping=on))
        own = proxies.features.amax(1).double() * proxies.counts
        rows["on" if on else "off"] = {
            "purity": float(own.sum() / proxies.counts.sum()),
            "small objects": float(len(small)),
            "with a proxy": float(torch.isin(small, proxies.groups).double().mean()),
        }
    return rows


def error_tables(scenes: Sequence[Scene]) -> tuple[Table, Table]:
    """By K, how far patches are from the nearest proxy of their group: in position, in features.

    Always of the patches made with the default upsampling, whatever the proxies are made of.
    """
    pairs = [_errors(scene) for scene in scenes]
    return _averaged([pair[0] for pair in pairs]), _averaged([pair[1] for pair in pairs])


def _errors(scene: Scene) -> tuple[Table, Table]:
    patches, position, features = scene[CONFIG.upsample], Table(), Table()
    spread = (patches.features - patches.features.mean(0)).square().sum()
    for budget in map(str, BUDGETS):
        position[budget], features[budget] = {}, {}
        for name, changes in CHANGES.items():
            config = replace(CONFIG, budget=int(budget), **changes)
            proxies = build(scene[config.upsample], config)
            nearest = _nearest(patches, proxies)
            apart = patches.points_scene - proxies.points_scene[nearest]
            lost = patches.features - proxies.features[nearest]
            position[budget][name] = float(apart.square().sum(1).mean().sqrt())
            features[budget][name] = float(lost.square().sum() / spread)
    return position, features


def _nearest(patches: PatchTriplets, proxies: ProxySequence) -> Tensor:
    """(N,) the nearest proxy of each patch's group; of any group where that has none."""
    apart = torch.cdist(patches.points_scene, proxies.points_scene)
    apart.add_(patches.groups[:, None] != proxies.groups, alpha=_OTHER)
    return apart.argmin(1)


def _averaged(tables: Sequence[Table]) -> Table:
    return {
        row: {column: float(np.mean([t[row][column] for t in tables])) for column in columns}
        for row, columns in tables[0].items()
    }


# -- the command ----------------------------------------------------------------------------------


def scene_of(recording: Path) -> Scene:
    """The patches of all images of a simulated recording."""
    encoder = Descriptors(EncoderConfig().pixels)
    images = [
        ImageMaps(encoder.encode(frame.rgb), *geometry(frame, PointsConfig()))
        for frame in open_source(recording / "bag")
    ]
    return {
        factor: PatchTriplets.concatenate([image.patches(factor) for image in images])
        for factor in (1, CONFIG.upsample)
    }


def _simulated(seed: int) -> Scene:
    folder = FOLDER / f"drive-{seed}"
    simulate(folder, seed=seed, **DRIVE)
    return scene_of(folder)


SHOWN = {
    "order": (
        "Metres between successive proxies, and between the centres of successive groups; share "
        "of successive proxies of one group.",
        CONFIG.order,
    ),
    "grouping": (
        "Share of patches that show the main object of their proxy; objects with fewer patches "
        "than a proxy on average, and share of them with a proxy of their own.",
        "on" if CONFIG.grouping else "off",
    ),
    "position": (
        "By K, metres from a patch to the nearest proxy of its group, root mean square.",
        str(CONFIG.budget),
    ),
    "features": (
        "By K, squared distance of features to that proxy's, over that to their mean.",
        str(CONFIG.budget),
    ),
}


def _print(name: str, table: Table) -> None:
    text, default = SHOWN[name]
    columns = next(iter(table.values()))
    print(f"\n{name}\n{fill(text, 100)}\n{'':10}" + "".join(f"{each:>16}" for each in columns))
    for row, values in table.items():
        mark = "*" if row == default else ""
        print(f"{row + mark:10}" + "".join(f"{value:16.3f}" for value in values.values()))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.ablations", description=__doc__)
    parser.add_argument("--scenes", type=int, default=4, help="drives (default %(default)s)")
    parser.add_argument("--seed", type=int, default=100, help="of the first (default %(default)s)")
    arguments = parser.parse_args()
    if arguments.scenes < 1:
        parser.error("--scenes must be at least 1")
    seeds = range(arguments.seed, arguments.seed + arguments.scenes)
    scenes = [_simulated(seed) for seed in seeds]
    print(f"means over {len(scenes)} drives")
    settings = ", ".join(f"{name} {value}" for name, value in asdict(CONFIG).items())
    print(fill(f"defaults (*): {settings}", 100))
    position, features = error_tables(scenes)
    tables = {
        "order": order_table(scenes),
        "grouping": grouping_table(scenes),
        "position": position,
        "features": features,
    }
    for name, table in tables.items():
        _print(name, table)
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    results = {"seeds": list(seeds), "defaults": asdict(CONFIG), **tables}
    OUTPUT.write_text(json.dumps(results, indent=2) + "\n")
    print(f"\nwritten: {OUTPUT}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
