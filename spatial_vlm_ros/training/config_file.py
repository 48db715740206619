"""Settings of a training from a YAML file and ``name=value``, strictly: a slip is an error."""

from __future__ import annotations

import dataclasses
import difflib
import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from spatial_vlm_ros.presets import config_folder, read_yaml
from spatial_vlm_ros.settings import check
from spatial_vlm_ros.training.config import Source, TrainConfig

#: What may be written for a learning rate of 0.
FROZEN = "frozen"


def find(name: str) -> Path:
    """A file, or a shipped one by its name. ``ValueError`` lists those."""
    file = Path(name).expanduser()
    if file.exists() or file.suffix:
        return file
    shipped = {path.stem: path for path in (config_folder() / "train").glob("*.yaml")}
    if name not in shipped:
        raise ValueError(f"{name} is no file, and not one of {', '.join(sorted(shipped))}")
    return shipped[name]


def load(file: Path, changes: Iterable[str] = ()) -> TrainConfig:
    """Settings of a file, with changes like ``training.steps=100``, whose values are YAML.

    ``ValueError`` names the file or change, and the setting that is unknown or cannot be.
    """
    config: TrainConfig = _made(TrainConfig, read_yaml(file) or {}, f"{file}: ")
    for change in changes:
        config = _changed(config, change)
    try:
        check(config)
        for group in (config.data.train, config.data.held_out):
            for source in group:
                check(source, "data.")
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None
    return config


def write(config: TrainConfig, file: Path) -> None:
    """All settings, so that :func:`load` gives them again."""
    file.write_text(yaml.safe_dump(_plain(dataclasses.asdict(config)), sort_keys=False))


def _changed(config: TrainConfig, change: str) -> TrainConfig:
    name, equals, text = change.partition("=")
    where = f"--set {change}: "
    if not equals:
        raise ValueError(f"{where}expected name=value")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"{where}{' '.join(str(error).split())}") from None
    group, dot, last = name.partition(".")
    _refuse_unknown(TrainConfig, [group], where)
    if not dot:
        raise ValueError(f"{where}expected {group}.name=value")
    part = getattr(config, group)
    _refuse_unknown(type(part), [last], f"{where}{group}.")
    kind = typing.get_type_hints(type(part))[last]
    part = dataclasses.replace(part, **{last: _made(kind, value, where, name)})
    return dataclasses.replace(config, **{group: part})


def _made(kind: Any, content: Any, where: str, name: str = "") -> Any:
    """A setting of this type. where: of which file; name: of the setting."""
    if dataclasses.is_dataclass(kind):
        if kind is Source and isinstance(content, str):
            content = {"rows": content}
        if not isinstance(content, dict):
            raise ValueError(f"{where}{name or 'it'} is {content!r}, which is no group of settings")
        dot = f"{name}." if name else ""
        _refuse_unknown(kind, content, where + dot)
        types = typing.get_type_hints(kind)
        given = {key: _made(types[key], value, where, dot + key) for key, value in content.items()}
        return kind(**given)  # type: ignore[operator]
    if typing.get_origin(kind) is tuple:
        listed = content if isinstance(content, list) else [content]
        return tuple(_made(typing.get_args(kind)[0], item, where, name) for item in listed)
    if kind is float:
        if name.startswith("rates.") and content == FROZEN:
            return 0.0
        if isinstance(content, (int, str)) and not isinstance(content, bool):
            try:  # YAML takes 1e-5 for a text
                return float(content)
            except ValueError:
                pass
    if type(content) is not kind:
        raise ValueError(f"{where}{name} is {content!r}, which is no {kind.__name__}")
    return content


def _refuse_unknown(kind: Any, names: Iterable[str], where: str) -> None:
    known = [field.name for field in dataclasses.fields(kind)]
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(str(name), known, 1)
            hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
            raise ValueError(f"{where}{name} is not known, {hint}")


def _plain(value: Any) -> Any:
    """Without tuples, which YAML has not."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
