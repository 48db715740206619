"""What a field of a row must be; errors name the field and show what it is instead."""

from __future__ import annotations

import dataclasses
import math
import numbers
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from spatial_vlm_ros.scene.box import Box

T = TypeVar("T")

#: Whole numbers are kept in 64 bits.
_MOST = 2**63


def text(name: str, value: Any) -> str:
    """A string that UTF-8 can write."""
    if not isinstance(value, str):
        raise ValueError(f"{name} is {_shown(value)}, not text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name} has half a character (a lone surrogate): {value!r}") from None
    return str(value)


def below(name: str, value: Any) -> str:
    """A path that stays below the folder it is relative to."""
    path = text(name, value)
    if "\0" in path or any(part in ("", ".", "..") for part in path.split("/")):
        raise ValueError(f"{name} is {_shown(path)}, not a path below a folder")
    return path


def whole(name: str, value: Any) -> int:
    """A whole number from 0."""
    if type(value) is not int and (
        isinstance(value, bool) or not isinstance(value, numbers.Integral)
    ):
        raise ValueError(f"{name} is {_shown(value)}, not a whole number")
    if not 0 <= int(value) < _MOST:
        raise ValueError(f"{name} is {value}, not a number from 0")
    return int(value)


def number(name: str, value: Any) -> float:
    """A finite number."""
    if type(value) is not float and (
        isinstance(value, bool) or not isinstance(value, numbers.Real)
    ):
        raise ValueError(f"{name} is {_shown(value)}, not a number")
    if not math.isfinite(value):
        raise ValueError(f"{name} is not finite: {value}")
    return float(value)


def each(name: str, values: Any, check: Callable[[str, Any], T]) -> tuple[T, ...]:
    """A list of what ``check`` checks, of which the name is "options[2]"."""
    is_list = isinstance(values, (list, tuple)) or (
        isinstance(values, Iterable) and not isinstance(values, (str, bytes, Mapping))
    )
    if not is_list:
        raise ValueError(f"{name} is {_shown(values)}, not a list")
    return tuple(check(f"{name}[{n}]", value) for n, value in enumerate(values))


def box(name: str, value: Any) -> Box:
    """A box, or its seven numbers."""
    numbers_ = each(name, value.to_tuple() if isinstance(value, Box) else value, number)
    try:
        return Box.from_tuple(numbers_)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def members(name: str, content: Any, kind: type) -> dict[str, Any]:
    """Fields of the dataclass ``kind``: all that it needs, and no others."""
    if not isinstance(content, Mapping):
        raise ValueError(f"{name} is {_shown(content)}, not an object with fields")
    fields = {field.name: field.default is dataclasses.MISSING for field in _fields(kind)}
    if unknown := sorted(str(key) for key in content if key not in fields):
        raise ValueError(f"{name} has unknown fields: {', '.join(unknown)}")
    if missing := [key for key, is_needed in fields.items() if is_needed and key not in content]:
        raise ValueError(f"{name} has no {', '.join(missing)}")
    return dict(content)


def _fields(kind: Any) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(kind)


def _shown(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
