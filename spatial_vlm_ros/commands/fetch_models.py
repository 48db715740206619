"""``spatial-vlm fetch-models``: checkpoints from the hub, or what there is to fetch."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """The command and its arguments."""
    fetch = commands.add_parser(
        "fetch-models", help="bring checkpoints to this machine, or list those that can be used"
    )
    fetch.set_defaults(command=fetch_models)
    fetch.add_argument("names", nargs="*", metavar="NAME", help="of a model on the hub")
    fetch.add_argument(
        "--list", action="store_true", help="print a table with sizes and licences instead"
    )
    fetch.add_argument(
        "--folder",
        type=Path,
        help="where a folder of each model goes (default: the hub's cache; names find it there)",
    )


def fetch_models(arguments: argparse.Namespace) -> int:
    """Exit status 0; errors are ``ValueError``."""
    from spatial_vlm_ros.serving import catalogue, fetching

    if arguments.list or not arguments.names:
        print(catalogue.table(fetching.present))
        return 0
    for name in arguments.names:
        offer = fetching.look_up(name)
        licence = offer.licence or "not stated by its author"
        forbidden = ", which forbids commercial use" if catalogue.forbids_commerce(licence) else ""
        print(f"{name}: {offer.gigabytes:.1f} GB, licence {licence}{forbidden}", flush=True)
        folder = arguments.folder and arguments.folder.expanduser() / name.split("/")[-1]
        place = fetching.fetch(offer, folder)
        print(f"{name} is in {place}; name it with --checkpoint {folder or name}")
    return 0
