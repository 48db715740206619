"""``spatial-vlm precompute``: what models are trained on of scenes, computed once."""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spatial_vlm_ros.commands import without_simulation
from spatial_vlm_ros.commands.data_works import told

if TYPE_CHECKING:
    from spatial_vlm_ros.training.filling import Plan, Source

_VIEWS = 24


def add(commands: Any) -> None:
    """The command and its arguments."""
    precompute = commands.add_parser(
        "precompute",
        help="compute what models are trained on of scenes: proxies, or frames with geometry",
    )
    precompute.set_defaults(command=precompute_scenes)
    kinds = precompute.add_subparsers(dest="kind", required=True, metavar="KIND")
    proxies = kinds.add_parser("proxies", help="for Proxy3D")
    _add_shared(proxies)
    proxies.add_argument(
        "--budget", type=int, default=700, help="proxies of a scene (default %(default)s)"
    )
    frames = kinds.add_parser("frames", help="for SSR")
    _add_shared(frames)
    frames.add_argument(
        "--count", type=int, help="images of a scene (default: as many as the reasoner shows)"
    )
    frames.add_argument(
        "--spatial",
        choices=("points", "vggt", "none"),
        default="points",
        help="where geometry comes from (default %(default)s)",
    )
    frames.add_argument("--vggt", default="facebook/VGGT-1B", help="folder or hub name of VGGT")


def _add_shared(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("output", type=Path, help="folder; scenes that it has already are kept")
    parser.add_argument(
        "--checkpoint",
        required=True,
        help="whose vision tower sees the images: a folder, or fetched from the hub",
    )
    scenes = parser.add_mutually_exclusive_group(required=True)
    scenes.add_argument(
        "--simulated",
        metavar="FIRST:LAST",
        help="seeds of simulated buildings, LAST not among them",
    )
    scenes.add_argument(
        "--recordings", type=Path, nargs="+", metavar="FOLDER", help="of spatial-vlm simulate"
    )
    scenes.add_argument(
        "--scans",
        nargs=2,
        metavar=("KIND", "ROOT"),
        help="real ones, with images: scannet, scannetpp or arkitscenes, and its folder",
    )
    parser.add_argument("--rooms", type=int, default=1, help="of a building (default 1)")
    parser.add_argument(
        "--names",
        nargs="+",
        metavar="NAME",
        help="of scans, or a file with one a line (default: all that are there)",
    )
    parser.add_argument(
        "--views",
        type=int,
        default=_VIEWS,
        help="images of a building or scan, evenly spread, 0 for all (default %(default)s)",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, ... (default auto)")
    parser.add_argument("--workers", type=int, default=1, help="processes (default 1)")


def precompute_scenes(arguments: argparse.Namespace) -> int:
    """Exit status 0; errors are ``ValueError``."""
    from spatial_vlm_ros.data.files import write_rejected
    from spatial_vlm_ros.training.filling import fill

    if arguments.workers < 1:
        raise ValueError(f"--workers: {arguments.workers} is below 1")
    plan, sources = _plan(arguments), _sources(arguments)
    done, rejected = fill(arguments.output, plan, sources, arguments.workers)
    there = len(sources) - done - len(rejected)
    print(f"{done} scenes computed, {there} were there: {arguments.output}")
    aside = arguments.output / "rejected.jsonl"
    if rejected:
        write_rejected(aside, rejected)
        reasons = Counter(each.reason for each in rejected)
        print(f"rejected {len(rejected)}: {told(reasons)}")
        print(f"  each with what is wrong in {aside}")
    else:
        aside.unlink(missing_ok=True)
    return 0


def _plan(arguments: argparse.Namespace) -> Plan:
    from spatial_vlm_ros.config import MemoryConfig, ProxyConfig
    from spatial_vlm_ros.models.spatial_branch import SpatialSettings
    from spatial_vlm_ros.training.filling import FramePlan, ProxyPlan
    from spatial_vlm_ros.training.precompute import FrameSettings

    if arguments.kind == "proxies":
        memory = MemoryConfig(proxies=ProxyConfig(budget=arguments.budget))
        return ProxyPlan(arguments.checkpoint, arguments.device, memory=memory)
    settings = FrameSettings.of(arguments.checkpoint)
    if arguments.count:
        settings = replace(settings, count=arguments.count)
    spatial = None if arguments.spatial == "none" else SpatialSettings(arguments.spatial)
    return FramePlan(settings, spatial, arguments.vggt, arguments.device)


def _sources(arguments: argparse.Namespace) -> list[Source]:
    views = arguments.views or None
    if arguments.scans:
        from spatial_vlm_ros.training.scanned import found_scans

        kind, root = arguments.scans
        names, labels = _names(arguments.names or []), arguments.kind == "proxies"
        return [*found_scans(kind, Path(root), names, views, labels)]
    if arguments.names:
        raise ValueError("--names are of scans: name their kind and folder with --scans KIND ROOT")
    try:
        from spatial_vlm_ros.training.sources import Recorded, Simulated
    except ImportError as error:
        raise without_simulation(error) from error
    if arguments.recordings:
        return [Recorded(folder) for folder in arguments.recordings]
    return [Simulated(seed, arguments.rooms, views) for seed in _seeds(arguments.simulated)]


def _names(given: list[str]) -> list[str]:
    """Themselves, or the lines of a file. ``ValueError``: it has none."""
    if len(given) != 1 or not Path(given[0]).is_file():
        return given
    names = Path(given[0]).read_text(encoding="utf-8").split()
    if not names:
        raise ValueError(f"--names {given[0]} is a file without names")
    return names


def _seeds(text: str) -> range:
    """Of "3:7": 3, 4, 5, 6. ``ValueError``: it is something else."""
    first, _, last = text.partition(":")
    if not (first.isdigit() and last.isdigit() and int(first) < int(last)):
        raise ValueError(f"--simulated: {text!r} is not FIRST:LAST, such as 0:100")
    return range(int(first), int(last))
