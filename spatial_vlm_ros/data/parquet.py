"""Rows in Parquet files: columns with types, which other programs read too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from spatial_vlm_ros.data.row import VERSION, Row

#: Key of the files' metadata under which the version of the rows stands.
_VERSION_KEY = b"spatial_vlm_ros.rows"
_BOX = ("x", "y", "z", "length", "width", "height", "yaw")
_STANDS_AT = ("x", "y", "z", "yaw")
_CORNER = ("u", "v")
_BATCH = 1000


def write(file: BinaryIO, rows: Iterable[Row]) -> int:
    """The number of rows; the same rows give the same bytes."""
    pa, pq = pyarrow()
    count, rows, schema = 0, iter(rows), _schema(pa)
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        while batch := [_to_columns(row) for row in islice(rows, _BATCH)]:
            writer.write_table(pa.Table.from_pylist(batch, schema=schema))
            count += len(batch)
    return count


def read(path: Path) -> Iterator[Any]:
    """What of each row ``Row.from_json`` reads. ``ValueError`` where the file cannot be read."""
    with opened(path) as file:
        _check_version(path, file.schema_arrow.metadata or {})
        yield from map(_from_columns, rows_of(file))


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Any Parquet file. ``ValueError`` where it cannot be read, also later."""
    pa, pq = pyarrow()
    try:
        with pq.ParquetFile(path) as file:
            yield file
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise ValueError(f"{path} cannot be read as Parquet: {error}") from None


def rows_of(file: Any) -> Iterator[Any]:
    """Rows of an opened file, some at a time."""
    for batch in file.iter_batches(_BATCH):
        yield from batch.to_pylist()


def ids(path: Path) -> Iterator[tuple[str, str]]:
    """Data set and id of each row."""
    _, pq = pyarrow()
    columns = pq.read_table(path, columns=["dataset", "id"]).to_pydict()
    return zip(columns["dataset"], columns["id"], strict=True)


def _check_version(path: Path, metadata: dict[bytes, bytes]) -> None:
    if _VERSION_KEY not in metadata:
        raise ValueError(f"{path} was not written as rows: it does not say their version")
    version = metadata[_VERSION_KEY].decode()
    if version != str(VERSION):
        raise ValueError(f"{path} has rows of version {version}, this program reads {VERSION}")


def pyarrow() -> tuple[Any, Any]:
    """The library and its Parquet part. ``ValueError`` says how to install them."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise ValueError(
            f"Parquet needs pyarrow ({error}): python -m pip install 'spatial_vlm_ros[training]'"
        ) from error
    return pa, pq


def _schema(pa: Any) -> Any:
    def struct(names: tuple[str, ...]) -> Any:
        return pa.struct([pa.field(name, pa.float64(), nullable=False) for name in names])

    def some(kind: Any) -> Any:
        return pa.list_(pa.field("element", kind, nullable=False))

    text, whole, number, box = pa.string(), pa.int64(), pa.float64(), struct(_BOX)
    ref = [
        pa.field("object", whole, nullable=False),
        pa.field("category", text, nullable=False),
        pa.field("box", box),
    ]
    mark = [
        pa.field("image", whole, nullable=False),
        pa.field("colour", text, nullable=False),
        pa.field("u", number, nullable=False),
        pa.field("v", number, nullable=False),
        pa.field("corner", struct(_CORNER)),
    ]
    lists = dict.fromkeys(("options", "accepted", "images"), text)
    lists |= {"refs": pa.struct(ref), "targets": whole, "boxes": box, "marks": pa.struct(mark)}
    columns = []
    for name in Row.__dataclass_fields__:
        if name == "stands_at":
            columns.append(pa.field(name, struct(_STANDS_AT)))
        else:
            kind = some(lists[name]) if name in lists else text
            columns.append(pa.field(name, kind, nullable=False))
    return pa.schema(columns, {_VERSION_KEY: str(VERSION)})


def _to_columns(row: Row) -> dict[str, Any]:
    return {
        **{name: getattr(row, name) for name in Row.__dataclass_fields__},
        "refs": [
            {
                "object": ref.object,
                "category": ref.category,
                "box": ref.box and _named(_BOX, ref.box.to_tuple()),
            }
            for ref in row.refs
        ],
        "boxes": [_named(_BOX, box.to_tuple()) for box in row.boxes],
        "stands_at": row.stands_at and _named(_STANDS_AT, row.stands_at),
        "marks": [
            {
                "image": mark.image,
                "colour": mark.colour,
                "u": mark.u,
                "v": mark.v,
                "corner": mark.corner and _named(_CORNER, mark.corner),
            }
            for mark in row.marks
        ],
    }


def _from_columns(columns: dict[str, Any]) -> dict[str, Any]:
    """Structs of numbers as the lists that JSON has."""
    read = dict(columns)
    for name, kinds in (("refs", ("box",)), ("marks", ("corner",))):
        read[name] = [
            {**item, **{kind: _numbers(item.get(kind)) for kind in kinds}}
            for item in columns.get(name) or ()
        ]
    read["boxes"] = [_numbers(box) for box in columns.get("boxes") or ()]
    read["stands_at"] = _numbers(columns.get("stands_at"))
    return read


def _named(names: tuple[str, ...], values: Iterable[float]) -> dict[str, float]:
    return dict(zip(names, values, strict=True))


def _numbers(struct: dict[str, float] | None) -> list[float] | None:
    return None if struct is None else list(struct.values())
