"""``spatial-vlm``: simulate a recording, map one, ask about it, hand its scene graph on, fetch
models for that, make data to train them, and find out what is wrong.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from spatial_vlm_ros.commands import (
    ask,
    data,
    evaluate,
    fetch_models,
    graph,
    precompute,
    room_bench,
    run,
    small,
    train,
    without_simulation,
)

# Everything heavy is imported by the command that needs it, so that --help is instant.


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 done, 1 done but not well (no answer, warnings), 2 the user must act."""
    name = ""
    try:
        try:
            arguments = _parser().parse_args(argv)
            name = f" {arguments.name}"
            return int(arguments.command(arguments))
        finally:
            sys.stdout.flush()  # here, where it may fail
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (OSError, ValueError) as error:
        print(f"spatial-vlm{name}: error: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="spatial-vlm", description=__doc__)
    commands = parser.add_subparsers(dest="name", required=True, metavar="COMMAND")

    simulate = commands.add_parser("simulate", help="write a simulated robot's bag with its truth")
    simulate.set_defaults(command=_simulate)
    simulate.add_argument("folder", type=Path, help="where bag/, truth.json, questions.json go")
    simulate.add_argument("--seed", type=int, default=0, help="which building (default 0)")
    simulate.add_argument("--rooms", type=int, default=2, help="how many, 1 to 3 (default 2)")
    simulate.add_argument("--seconds", type=float, help="cut the drive short (default: all rooms)")
    simulate.add_argument("--fps", type=float, default=10.0, help="images a second (default 10)")
    simulate.add_argument("--overwrite", action="store_true", help="replace another recording")

    run.add(commands)
    ask.add(commands)
    graph.add(commands)
    fetch_models.add(commands)
    data.add(commands)
    precompute.add(commands)
    small.add(commands)
    train.add(commands)
    evaluate.add(commands)
    room_bench.add(commands)

    doctor = commands.add_parser("doctor", help="say what is wrong with the set-up and with topics")
    doctor.set_defaults(command=_doctor)
    doctor.add_argument("--mapper", default="/mapper", help="full name of the mapper to look at")
    doctor.add_argument(
        "--seconds", type=float, default=4.0, help="how long topics are listened to"
    )
    return parser


def _simulate(arguments: argparse.Namespace) -> int:
    try:
        from spatial_vlm_ros.simulation.record import simulate
    except ImportError as error:
        raise without_simulation(error) from error
    simulate(
        arguments.folder,
        seed=arguments.seed,
        rooms=arguments.rooms,
        fps=arguments.fps,
        seconds=arguments.seconds,
        overwrite=arguments.overwrite,
    )
    print(f"written: {arguments.folder}")
    return 0


def _doctor(arguments: argparse.Namespace) -> int:
    from spatial_vlm_ros.doctor import diagnose, report

    return report(diagnose(arguments.mapper, arguments.seconds))


if __name__ == "__main__":
    sys.exit(main())
