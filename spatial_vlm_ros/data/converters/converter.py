"""What converters of annotation formats share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from spatial_vlm_ros.data.building import Unit
from spatial_vlm_ros.data.row import Rejected, Row
from spatial_vlm_ros.data.scenes import AnnotatedScene
from spatial_vlm_ros.errors import kind_and_line

Scenes = Mapping[str, AnnotatedScene]


class Converter(NamedTuple):
    """Of one data set. layout: files below the user's root, one a line, for messages and docs.

    needs_scenes: whether rows have coordinates, which scenes must bring to the scene frame. units:
    of a root; ``ValueError`` names the file that is missing and how the folder should look.
    """

    name: str
    license: str
    layout: str
    needs_scenes: bool
    units: Callable[[Path, Scenes], Iterator[Unit]]


class Unusable(ValueError):
    """An item that makes no row. reason: the same words for all of a kind."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason, self.detail = reason, detail


#: What content of another form than expected raises, an infinite number where a whole one should be
#: among it.
WRONG = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError)


def rejected(error: Exception, source: str, content: Any = None) -> Rejected:
    """Why something makes no row, or no scene, in the same words for all data sets."""
    if isinstance(error, Unusable):
        return Rejected(error.reason, error.detail, source, content)
    if isinstance(error, KeyError):
        return Rejected("field missing", str(error), source, content)
    if isinstance(error, FileNotFoundError):
        return Rejected("file missing", str(error.filename), source, content)
    return Rejected("malformed", kind_and_line(error), source, content)


def converted(
    items: Iterable[tuple[str, Any]], make: Callable[[Any], Row | Iterable[Row]]
) -> Iterator[Row | Rejected]:
    """Rows of items, each with where it stands; what cannot be used comes out as well."""
    for source, item in items:
        try:
            if not isinstance(item, dict):
                raise Unusable("no object of JSON", type(item).__name__)
            made = make(item)
            rows = [made] if isinstance(made, Row) else list(made)
        except WRONG as error:
            yield rejected(error, source, item)
        else:
            yield from rows


def read_json(path: Path, converter: str, layout: str) -> Any:
    """Of a file that must be there. ``ValueError`` says how the folder should look."""
    try:
        with path.open(encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        raise ValueError(f"{path} is missing; {converter} is read from\n{layout}") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is no JSON: {error}") from None
