"""What readers of annotated scenes share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from spatial_vlm_ros.data.row import Rejected
from spatial_vlm_ros.data.scenes import AnnotatedScene
from spatial_vlm_ros.data.unusable import WRONG, rejected

Scenes = Iterator[AnnotatedScene | Rejected]


class Reader(NamedTuple):
    """Of one data set. layout: files below the user's root, one a line, for messages and docs.

    read: the scenes of a root in order of their names, and what of it makes none. ``ValueError``
    where nothing of that layout is there.
    """

    name: str
    license: str
    layout: str
    read: Callable[[Path], Scenes]


def found_in(root: Path, pattern: str, name: str, layout: str) -> list[Path]:
    """Files of a data set, sorted. ``ValueError`` says how the folder should look."""
    files = sorted(root.glob(pattern))
    if not files:
        raise ValueError(f"{root} holds no {pattern}; {name} is read from\n{layout}")
    return files


def scenes_of(sources: Iterable[Path], read: Callable[[Path], Scenes]) -> Scenes:
    """All that ``read`` makes of each source; a scene it fails on comes out as rejected, whole.

    So does a scene whose name was there before.
    """
    known: dict[str, Path] = {}
    for source in sources:
        try:
            for made in list(read(source)):
                if isinstance(made, AnnotatedScene) and made.name in known:
                    first = f"{made.name} is in {known[made.name]} as well"
                    yield Rejected("scene repeats", first, str(source))
                    continue
                if isinstance(made, AnnotatedScene):
                    known[made.name] = source
                yield made
        except (*WRONG, OSError, RecursionError) as error:
            yield rejected(error, str(source))
