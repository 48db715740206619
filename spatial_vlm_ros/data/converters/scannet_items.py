"""What data sets about ScanNet scenes share: files of splits, objects by number, answers.

Objects are numbered from 0: ``object_id`` in all of these files is ``objectId`` of ScanNet's
aggregation file (daveredrum/ScanRefer 9d74830, README.md; ATR-DBI/ScanQA, docs/dataset.md), written
as text in ScanRefer's and as a number in the others'. Only arrays that those projects prepare for
their own use (``_ins_label.npy``) count from 1. Scenes numbered so would give wrong boxes without a
word, therefore names are compared as well: see :func:`object_of`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from spatial_vlm_ros.data.building import Unit
from spatial_vlm_ros.data.converters import pieces
from spatial_vlm_ros.data.converters.converter import Scenes, converted, read_json
from spatial_vlm_ros.data.row import Row
from spatial_vlm_ros.data.scenes import AnnotatedObject, AnnotatedScene
from spatial_vlm_ros.data.unusable import Unusable
from spatial_vlm_ros.language.names import label_words
from spatial_vlm_ros.reasoning.inflection import singular

Make = Callable[[Any], Row | Iterable[Row]]


def split_files(
    root: Path, converter: str, layout: str, names: Mapping[str, Sequence[str]]
) -> dict[str, Path]:
    """Split to file; of several names of a split the first that is there.

    ``ValueError`` when there is none of any split.
    """
    found = {
        split: next(path for path in map(root.joinpath, each) if path.is_file())
        for split, each in names.items()
        if any((root / name).is_file() for name in each)
    }
    if not found:
        wanted = ", ".join(name for each in names.values() for name in each)
        raise ValueError(f"{root} has none of {wanted}; {converter} is read from\n{layout}")
    return found


def read_list(path: Path, converter: str, layout: str) -> list[Any]:
    """A JSON list. ``ValueError`` says what is instead."""
    return _list(str(path), read_json(path, converter, layout))


def read_lists(path: Path, converter: str, layout: str, *keys: str) -> dict[str, list[Any]]:
    """Lists of a JSON object under those of the keys that are there.

    ``ValueError`` when none is, or something else is there.
    """
    content = read_json(path, converter, layout)
    found = [key for key in keys if isinstance(content, dict) and key in content]
    if not found:
        raise ValueError(f"{path} has no {' or '.join(keys)}: expected lists there")
    return {key: _list(f"{key} of {path}", content[key]) for key in found}


def _list(name: str, content: Any) -> list[Any]:
    if not isinstance(content, list):
        raise ValueError(f"{name} is a {type(content).__name__}: expected a list")
    return content


def units_of(
    converter: str, split: str, file: str, items: Sequence[Any], make: Make
) -> Iterator[Unit]:
    """Units of ``pieces.PIECE`` items, each item known by ``file`` and its index there."""

    def name(start: int) -> str:
        return f"{converter}-{split}-{start // pieces.PIECE:04d}"

    def rows(start: int, stop: int) -> pieces.Rows:
        return converted(((f"{file}[{n}]", items[n]) for n in range(start, stop)), make)

    return pieces.units(len(items), name, rows)


def units_of_lists(
    converter: str,
    layout: str,
    root: Path,
    names: Mapping[str, Sequence[str]],
    row: Callable[[str, Any], Row],
) -> Iterator[Unit]:
    """Units of files that are lists, of all splits that are there; ``row`` of split and item."""
    for split, path in split_files(root, converter, layout, names).items():
        items = read_list(path, converter, layout)
        yield from units_of(converter, split, path.name, items, partial(row, split))


def scene_of(name: str, scenes: Scenes) -> AnnotatedScene:
    """A scene that coordinates are needed of."""
    if name not in scenes:
        raise Unusable("scene not known", name)
    return scenes[name]


def object_of(scene: AnnotatedScene, number: int) -> AnnotatedObject:
    """The object with this number."""
    try:
        return scene[number]
    except KeyError:
        raise Unusable("object not known", f"{scene.name} has no object {number}") from None


def check_name(called: str, objects: Sequence[AnnotatedObject]) -> None:
    """That one of the objects is called so, in any word: else they are numbered otherwise."""
    wanted = _words(called)
    if objects and not any(wanted & _words(item.category) for item in objects):
        others = ", ".join(f"{item.category} ({item.id})" for item in objects)
        raise Unusable("object is called otherwise", f"{called!r}, in the scene {others}")


def _words(name: str) -> set[str]:
    return {singular(word) for word in label_words(name).split()}


def answers_of(texts: Any) -> tuple[str, tuple[str, ...]]:
    """The first answer, and all others that differ from it."""
    if not isinstance(texts, list):
        raise TypeError(f"answers are a {type(texts).__name__}: expected a list")
    said = list(dict.fromkeys(text.strip() for text in texts if text.strip()))
    if not said:
        raise Unusable("no answer")
    return said[0], tuple(said[1:])


def words_of(item: Mapping[str, Any], key: str) -> str:
    """A text that must not be empty."""
    text = item[key]
    if not isinstance(text, str):
        raise TypeError(f"{key} is a {type(text).__name__}: expected a text")
    if not text.strip():
        raise Unusable(f"no {key}")
    return text.strip()
