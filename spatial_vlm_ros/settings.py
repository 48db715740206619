"""Settings as typed dataclasses, each declared once with default, range and a sentence.

A node declares its ROS parameters from these dataclasses, a YAML file or a command line fills
them, and :func:`check` is the single place that says a value is wrong.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Iterator
from typing import Any


def setting(
    default: Any,
    description: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] | None = None,
    read_only: bool = False,
) -> Any:
    """A dataclass field that carries its own description, inclusive range or choices.

    ``read_only`` marks what cannot change while a node runs.
    """
    metadata = {
        "description": description,
        "low": low,
        "high": high,
        "choices": choices,
        "read_only": read_only,
    }
    if isinstance(default, list):
        return dataclasses.field(default_factory=lambda: list(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


#: Types of a network's weights.
DTYPES = ("auto", "float32", "float16", "bfloat16")


def device_setting() -> Any:
    """Of a network."""
    where = "Where it runs: auto (a GPU where there is one), cpu, cuda, cuda:1 ..."
    return setting("auto", where, read_only=True)


def dtype_setting(on_gpu: str = "bfloat16") -> Any:
    """Of a network whose weights have the type ``on_gpu`` there unless another one is chosen."""
    meaning = f"Type of its weights; auto: {on_gpu} on a GPU, float32 on a CPU"
    return setting("auto", meaning, choices=DTYPES, read_only=True)


def flat(config_type: Any, prefix: str = "") -> Iterator[tuple[str, dataclasses.Field[Any], Any]]:
    """Name, field and type of every setting; names of nested ones are joined by dots."""
    types = typing.get_type_hints(config_type)
    for field in dataclasses.fields(config_type):
        name, kind = prefix + field.name, types[field.name]
        if dataclasses.is_dataclass(kind):
            yield from flat(kind, f"{name}.")
        else:
            yield name, field, kind


def default_of(field: dataclasses.Field[Any]) -> Any:
    """What a setting is when nothing is given."""
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def build(config_type: Any, value_of: Callable[[str, Any], Any], prefix: str = "") -> Any:
    """The dataclass, nested ones too, of the value of each setting by name and type."""
    types, values = typing.get_type_hints(config_type), {}
    for field in dataclasses.fields(config_type):
        name, kind = prefix + field.name, types[field.name]
        nested = dataclasses.is_dataclass(kind)
        values[field.name] = build(kind, value_of, f"{name}.") if nested else value_of(name, kind)
    return config_type(**values)


def check(config: Any, prefix: str = "") -> None:
    """Raise ``ValueError`` naming the first setting of ``config`` that is out of its range.

    Nested dataclasses are checked too, their names joined by dots. A dataclass whose settings can
    contradict each other has a method ``contradiction() -> str``, which is empty when they do not.
    """
    for field in dataclasses.fields(config):
        value, name = getattr(config, field.name), prefix + field.name
        if dataclasses.is_dataclass(value):
            check(value, name + ".")
            continue
        reason = refusal(field, value)
        if reason:
            raise ValueError(f"{name}: {reason}")
    contradiction = config.contradiction() if hasattr(config, "contradiction") else ""
    if contradiction:
        raise ValueError(prefix + contradiction)


def refusal(field: dataclasses.Field[Any], value: Any) -> str:
    """Why ``value`` cannot be given to ``field``; empty when it can."""
    low, high = field.metadata.get("low"), field.metadata.get("high")
    choices = field.metadata.get("choices")
    if choices is not None and value not in choices:
        return f"{value!r} is not one of {', '.join(map(repr, choices))}"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if value != value:
            return "is not a number"
        if low is not None and value < low:
            return f"{value} is below the minimum {low}"
        if high is not None and value > high:
            return f"{value} is above the maximum {high}"
    return ""
