"""Presets: parameter files of the mapper, read without ROS."""

from __future__ import annotations

import difflib
import sysconfig
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml

from spatial_vlm_ros.settings import build, check, default_of, flat

Config = TypeVar("Config")


def config_folder() -> Path:
    """Where the package's own files of settings are: in the source tree or the share folder."""
    in_source_tree = Path(__file__).resolve().parents[1] / "config"
    installed = Path(sysconfig.get_path("data"), "share", "spatial_vlm_ros", "config")
    for folder in (in_source_tree, installed):
        if folder.is_dir():
            return folder
    from ament_index_python.packages import get_package_share_directory

    return Path(get_package_share_directory("spatial_vlm_ros")) / "config"


def names() -> list[str]:
    """Of the presets: what the robot's camera gives, and what makes objects of it."""
    return sorted(path.stem for path in config_folder().glob("rgb*.yaml"))


def preset_file(name: str) -> Path:
    """The file of a preset. ``ValueError`` lists them all."""
    if name not in names():
        raise ValueError(f"preset {name!r} is not one of {', '.join(names())}")
    return config_folder() / f"{name}.yaml"


def load(config_type: type[Config], *files: Path, given: Mapping[str, Any] | None = None) -> Config:
    """Settings from ROS parameter files, later ones over earlier ones, and ``given`` over all.

    ``ValueError`` names the file and the parameter that is unknown or cannot be.
    """
    known = {name: kind for name, _, kind in flat(config_type)}
    values = {name: default_of(field) for name, field, _ in flat(config_type)}
    for file in files:
        for name, value in _parameters(file):
            if name not in known:
                close = difflib.get_close_matches(name, known, 1)
                hint = f", did you mean {close[0]}?" if close else ""
                raise ValueError(f"{file}: parameter {name} is not known{hint}")
            values[name] = _typed(value, known[name], f"{file}: {name}")
    values |= given or {}
    config: Config = build(config_type, lambda name, kind: values[name])
    try:
        check(config)
    except ValueError as error:
        raise ValueError(f"{', '.join(map(str, files)) or 'settings'}: {error}") from None
    return config


def read_yaml(file: Path) -> Any:
    """Content of a file. ``ValueError`` says in one line why there is none."""
    try:
        return yaml.safe_load(file.read_text())
    except FileNotFoundError:
        raise ValueError(f"{file} does not exist") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"{file} cannot be read: {' '.join(str(error).split())}") from None


def _parameters(file: Path) -> Iterator[tuple[str, Any]]:
    """Names joined by dots, and values, of all nodes named mapper in a file."""
    content = read_yaml(file)
    if not isinstance(content, dict):
        raise ValueError(f"{file} is no file of ROS parameters")
    for node, its in content.items():
        if str(node).split("/")[-1] in ("mapper", "**"):
            if not isinstance(its, dict) or not isinstance(its.get("ros__parameters"), dict):
                raise ValueError(f"{file}: {node} has no ros__parameters")
            yield from _flat(its["ros__parameters"])


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _typed(value: Any, kind: Any, where: str) -> Any:
    """ROS is strict: a whole number is no float. So is this, or a file would work here only."""
    wanted = typing.get_origin(kind) or kind
    if type(value) is not wanted:
        raise ValueError(f"{where} is {value!r}, which is no {wanted.__name__}")
    return value
