"""``spatial-vlm train``: a Proxy3D or SSR model learns from rows and precomputed scenes."""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from typing import Any

#: That nothing else needs.
_PACKAGES = ("accelerate", "peft", "tensorboard")


def add(commands: Any) -> None:
    """The command and its arguments."""
    train = commands.add_parser("train", help="train a Proxy3D or SSR model")
    train.set_defaults(command=train_model)
    train.add_argument(
        "config", help="file of settings, or the name of a shipped one, e.g. proxy3d_stage1"
    )
    train.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="another setting, e.g. training.steps=100; as often as needed",
    )
    train.add_argument(
        "--resume", action="store_true", help="go on from the last checkpoint of the folder"
    )


def train_model(arguments: argparse.Namespace) -> int:
    """Exit status 0; errors are ``ValueError``."""
    from spatial_vlm_ros.training.config_file import find, load

    config = load(find(arguments.config), arguments.set)
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise ValueError(
            f"training needs {', '.join(missing)}: "
            "python -m pip install 'spatial_vlm_ros[training]'"
        )
    from spatial_vlm_ros.training.run import train

    train(config, arguments.resume)
    return 0
