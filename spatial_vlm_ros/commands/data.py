"""``spatial-vlm data``: training rows of data sets and of scenes, made and checked."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path
from textwrap import indent
from typing import Any

from spatial_vlm_ros.commands import data_works
from spatial_vlm_ros.commands.data_works import GENERATORS

_SHARD_ROWS = 10_000
_MOST = 20


def add(commands: Any) -> None:
    """The command and its arguments."""
    data = commands.add_parser("data", help="make rows to train on, of data sets and scenes")
    works = data.add_subparsers(dest="work", required=True, metavar="WORK")

    scenes = works.add_parser("scenes", help="read boxes and camera poses of scanned scenes")
    scenes.set_defaults(command=data_works.read_scenes)
    scenes.add_argument("kind", metavar="KIND", help="what they are of: --list tells")
    scenes.add_argument("root", type=Path, help="folder of the data set")
    scenes.add_argument("--list", action=_List, of="readers", help="which there are, and exit")
    scenes.add_argument("--output", type=Path, required=True, metavar="FILE.jsonl")

    convert = works.add_parser("convert", help="rows of a public data set's own files")
    convert.set_defaults(command=data_works.convert_data)
    convert.add_argument("dataset", metavar="NAME", help="which one: --list tells")
    convert.add_argument("root", type=Path, help="folder of the data set")
    convert.add_argument("--list", action=_List, of="converters", help="which there are, and exit")
    _add_scenes(convert, "that its rows are about, made by `data scenes`")
    convert.add_argument(
        "--only", metavar="PATTERN", help="units whose names are like this, such as '*train*'"
    )
    convert.add_argument("--output", type=Path, required=True, metavar="FOLDER")
    _add_build(convert)

    generate = works.add_parser("generate", help="rows about scenes, made of their boxes and poses")
    generate.set_defaults(command=data_works.generate_data)
    generate.add_argument("output", type=Path, metavar="FOLDER")
    _add_scenes(generate, "made by `data scenes`", required=True)
    generate.add_argument(
        "--kinds", nargs="+", choices=GENERATORS, default=GENERATORS, help="default: all"
    )
    generate.add_argument("--seed", type=int, default=0, help="default 0")
    generate.add_argument(
        "--most",
        type=int,
        default=_MOST,
        metavar="N",
        help=f"rows of each kind of question in a scene (default {_MOST})",
    )
    _add_build(generate)

    check = works.add_parser("check", help="whether rows are good, and how many of which there are")
    check.set_defaults(command=data_works.check_data)
    check.add_argument("paths", type=Path, nargs="+", metavar="PATH", help="file or folder of rows")
    _add_scenes(check, "that the rows' scenes and objects have to be in")


class _List(argparse.Action):
    """Prints names, licences and layouts, and exits."""

    def __init__(self, option_strings: list[str], dest: str, of: str, help: str) -> None:
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, help=help)
        self._of = of

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        package = import_module(f"spatial_vlm_ros.data.{self._of}")
        open_one = {"readers": "reader", "converters": "converter"}[self._of]
        for name in package.NAMES:
            found = getattr(package, open_one)(name)
            needs = "; needs --scenes" if getattr(found, "needs_scenes", False) else ""
            print(f"{name}: {found.license}{needs}\n{indent(found.layout, '  ')}\n")
        parser.exit()


def _add_scenes(parser: argparse.ArgumentParser, which: str, required: bool = False) -> None:
    parser.add_argument(
        "--scenes",
        type=Path,
        nargs="+",
        default=[],
        required=required,
        metavar="FILE",
        help=f"scenes {which}",
    )


def _add_build(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--format", choices=("jsonl", "parquet"), default="jsonl", help="default jsonl"
    )
    parser.add_argument(
        "--shard-rows",
        type=int,
        default=_SHARD_ROWS,
        metavar="N",
        help=f"rows of a file (default {_SHARD_ROWS})",
    )
    parser.add_argument(
        "--keep-going",
        action="store_true",
        help="count damaged files as rejected instead of stopping at them",
    )
