"""What converters of annotation formats share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from spatial_vlm_ros.data.building import Unit
from spatial_vlm_ros.data.row import Rejected, Row
from spatial_vlm_ros.data.scenes import AnnotatedScene
from spatial_vlm_ros.data.unusable import WRONG, Unusable, rejected

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
