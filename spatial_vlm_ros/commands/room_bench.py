"""``spatial-vlm room-bench``: simulated rooms, from bag to answer."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from spatial_vlm_ros.commands import without_simulation


def add(commands: Any) -> None:
    """The command and its arguments."""
    bench = commands.add_parser(
        "room-bench", help="ask the whole system, from bag to answer, about simulated rooms"
    )
    bench.set_defaults(command=run_room_bench)
    bench.add_argument(
        "--model",
        default="geometric",
        metavar="CHECKPOINT",
        help="who answers: geometric, or a model: its folder, its name on the hub, or one that "
        "ships (default %(default)s)",
    )
    bench.add_argument("--rooms", type=int, default=8, help="how many (default %(default)s)")
    bench.add_argument(
        "--data", type=Path, default=Path("rooms"), help="folder of bags (default %(default)s)"
    )
    bench.add_argument(
        "--output",
        type=Path,
        default=Path("room-bench"),
        help="folder of maps, answers and scores (default %(default)s)",
    )
    bench.add_argument(
        "--preset",
        default="rgbd_labels",
        help="what the camera gives the mapper, and what makes objects of it (default %(default)s)",
    )
    bench.add_argument("--device", default="auto", help="auto, cpu, cuda, ... (default auto)")


def run_room_bench(arguments: argparse.Namespace) -> int:
    """Exit status 0; errors are ``ValueError``."""
    if arguments.rooms < 1:
        raise ValueError(f"--rooms: {arguments.rooms} is below 1")
    try:
        from spatial_vlm_ros.benchmarks.whole_system import WholeSystem
    except ImportError as error:
        raise without_simulation(error) from error
    from spatial_vlm_ros import presets
    from spatial_vlm_ros.benchmarks.opening import reasoner_of
    from spatial_vlm_ros.nodes.mapper_config import MapperConfig  # the preset is of its parameters

    reasoner = reasoner_of(arguments.model)
    encoder = arguments.model if reasoner == "proxy3d" else "none"
    file = presets.preset_file(arguments.preset)
    mapper = presets.load(MapperConfig, file, given={"encoder.checkpoint": encoder})
    WholeSystem(
        reasoner,
        arguments.model,
        mapper,
        arguments.preset,
        arguments.data,
        arguments.output,
        arguments.rooms,
        arguments.device,
    ).run()
    return 0
