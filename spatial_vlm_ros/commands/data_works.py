"""What ``spatial-vlm data`` does: reads scenes, makes rows, checks them."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spatial_vlm_ros.data.building import Unit
    from spatial_vlm_ros.data.scenes import AnnotatedScene

#: As in data/generators, which takes longer to import than --help may.
GENERATORS = "identifiers coordinates relations local_maps grounding captions vsi".split()


def read_scenes(arguments: argparse.Namespace) -> int:
    """Exit status 0; errors are ``ValueError``, as is a root without a scene that can be used."""
    from tqdm import tqdm

    from spatial_vlm_ros.data.files import write_rejected
    from spatial_vlm_ros.data.readers import reader
    from spatial_vlm_ros.data.row import Rejected
    from spatial_vlm_ros.data.scenes import write_scenes

    aside = arguments.output.with_suffix(".rejected.jsonl")
    rejected: list[Rejected] = []

    def usable() -> Iterator[AnnotatedScene]:
        found = 0
        made = reader(arguments.kind).read(arguments.root)
        for scene in tqdm(made, "scenes", unit="scene", disable=None):
            if isinstance(scene, Rejected):
                rejected.append(scene)
            else:
                found += 1
                yield scene
        if rejected:
            write_rejected(aside, rejected)
        else:
            aside.unlink(missing_ok=True)
        if not found:
            reasons = told(Counter(each.reason for each in rejected)) or "nothing was found"
            raise ValueError(f"{arguments.root} has no scene that can be used: {reasons} ({aside})")

    if arguments.output.is_dir():
        raise ValueError(f"--output {arguments.output} is a folder, not a file of scenes")
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    count = write_scenes(arguments.output, usable())
    print(f"written: {arguments.output}, {count} scenes")
    if rejected:
        reasons = Counter(each.reason for each in rejected)
        print(f"rejected {len(rejected)}: {told(reasons)}")
        print(f"  each with what is wrong in {aside}")
    return 0


def convert_data(arguments: argparse.Namespace) -> int:
    """Exit status 0, 1 when not one row came of it; errors are ``ValueError``."""
    from fnmatch import fnmatchcase

    from spatial_vlm_ros.data.converters import converter

    found = converter(arguments.dataset)
    if found.needs_scenes and not arguments.scenes:
        raise ValueError(
            f"{found.name} needs --scenes FILE, made by `spatial-vlm data scenes`: its rows have "
            "coordinates, which scenes bring to the frame of their first camera"
        )
    scenes, asked = _scenes(arguments.scenes)
    units = list(found.units(arguments.root, scenes))
    if arguments.only:
        names = [unit.name for unit in units]
        units = [unit for unit in units if fnmatchcase(unit.name, arguments.only)]
        if not units:
            raise ValueError(f"--only {arguments.only}: none of {', '.join(names[:5])}, ... is so")
    asked |= {"data": found.name, "root": str(arguments.root.resolve()), "only": arguments.only}
    return _build(arguments, units, asked)


def generate_data(arguments: argparse.Namespace) -> int:
    """Exit status 0, 1 when not one row came of it; errors are ``ValueError``."""
    from spatial_vlm_ros.data.building import Unit
    from spatial_vlm_ros.data.generators import generator

    if arguments.most < 1:
        raise ValueError(f"--most is {arguments.most}, not at least 1")
    scenes, asked = _scenes(arguments.scenes)
    kinds = [kind for kind in GENERATORS if kind in arguments.kinds]
    units = [
        Unit(
            f"{scene.name}/{kind}",
            partial(generator(kind), scene, arguments.seed, arguments.most),
        )
        for scene in scenes.values()
        for kind in kinds
    ]
    asked |= {"data": kinds, "seed": arguments.seed, "most": arguments.most}
    return _build(arguments, units, asked)


def check_data(arguments: argparse.Namespace) -> int:
    """Exit status 1 when something is bad; errors are ``OSError`` or ``ValueError``."""
    from spatial_vlm_ros.data.checking import check

    scenes = _scenes(arguments.scenes)[0] if arguments.scenes else None
    checked = check(*arguments.paths, scenes=scenes)
    for dataset in sorted({dataset for dataset, _ in checked.rows}):
        tasks = {task: count for (of, task), count in checked.rows.items() if of == dataset}
        print(f"{dataset}: {sum(tasks.values())} rows")
        for task, count in sorted(tasks.items()):
            print(f"  {task:<12} {count:>8}")
    if checked.reasons:
        print(f"rejected when made: {told(checked.reasons)}")
    for wrong in checked.told:
        print(f"bad: {wrong}")
    if checked.bad > len(checked.told):
        print(f"bad: {checked.bad - len(checked.told)} more")
    if not checked.rows and not checked.bad:
        print("no rows")
    return 1 if checked.bad or not checked.rows else 0


def _build(arguments: argparse.Namespace, units: list[Unit], asked: dict[str, Any]) -> int:
    from spatial_vlm_ros.data.building import build

    report = build(
        arguments.output,
        units,
        arguments.shard_rows,
        arguments.format,
        asked=asked,
        keep_going=arguments.keep_going,
    )
    before = f", {report.before} of them there before" if report.before else ""
    print(f"written: {report.folder}, {report.rows} rows{before}")
    if report.rows:
        print(f"  {told(report.tasks)}")
    if report.rejected:
        print(f"rejected {report.rejected}: {told(report.reasons)}")
        print(f"  each with what is wrong in {report.folder / 'rejected-*.jsonl'}")
    return 0 if report.rows else 1


def _scenes(paths: list[Path]) -> tuple[dict[str, AnnotatedScene], dict[str, Any]]:
    """All of them by name, and what tells these files from others."""
    from spatial_vlm_ros.data.files import sha256
    from spatial_vlm_ros.data.scenes import read_scenes

    scenes: dict[str, AnnotatedScene] = {}
    for path in paths:
        found = read_scenes(path)
        if twice := sorted(scenes.keys() & found):
            raise ValueError(f"{path} has scenes that another file has as well: {twice[0]}, ...")
        scenes |= found
    return scenes, {"scenes_sha256": [sha256(path) for path in paths]}


def told(counts: Mapping[str, int]) -> str:
    """As in "question 12, grounding 3": the most first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} {count}" for name, count in ordered)
