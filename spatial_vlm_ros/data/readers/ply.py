"""The vertices of a PLY file: ascii, or binary of either byte order."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

#: numpy's name of each type, under both of the format's names.
_TYPES = (
    {"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4"}
    | {"int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4"}
    | {"float": "f4", "double": "f8", "float32": "f4", "float64": "f8"}
)
_ORDERS = {"binary_little_endian": "<", "binary_big_endian": ">", "ascii": ""}


def read_vertices(path: Path) -> NDArray[np.float64]:
    """(n, 3) x, y, z of its vertices, which must be the file's first element.

    ``ValueError`` names the file and what of it is not as the format has it.
    """
    with path.open("rb") as file:
        order, count, fields = _header(file, path)
        names = [name for name, _ in fields]
        if not {"x", "y", "z"} <= set(names):
            raise ValueError(f"{path}: its vertices have no x, y, z but {', '.join(names)}")
        if order:
            kind = np.dtype([(name, order + code) for name, code in fields])
            data = file.read(count * kind.itemsize)
            if len(data) < count * kind.itemsize:
                raise ValueError(f"{path} ends within its {count} vertices")
            rows = np.frombuffer(data, kind)
            return np.column_stack([rows[axis] for axis in "xyz"]).astype(np.float64)
        lines = [file.readline().split() for _ in range(count)]
    if any(len(line) < len(names) for line in lines):
        raise ValueError(f"{path} ends within its {count} vertices")
    columns = [names.index(axis) for axis in "xyz"]
    values = [[float(line[column]) for column in columns] for line in lines]
    return np.array(values, np.float64).reshape(count, 3)


def _header(file: BinaryIO, path: Path) -> tuple[str, int, list[tuple[str, str]]]:
    """Byte order ("": ascii), number of vertices, name and type of each of their properties."""
    if file.readline().strip() != b"ply":
        raise ValueError(f"{path} is no PLY file")
    order, count, fields, inside = None, -1, [], False
    for line in iter(file.readline, b""):
        match line.decode("ascii", "replace").split():
            case ["format", name, _]:
                order = _ORDERS.get(name)
            case ["element", name, number]:
                if name != "vertex" and count < 0:
                    raise ValueError(f"{path}: {name} stands before the vertices")
                inside = name == "vertex"
                count = int(number) if inside else count
            case ["property", kind, name] if inside and kind in _TYPES:
                fields.append((name, _TYPES[kind]))
            case ["property", *rest] if inside:
                raise ValueError(f"{path}: vertices have a property {' '.join(rest)}")
            case ["end_header"]:
                if order is None or count < 0:
                    break
                return order, count, fields
    raise ValueError(f"{path} has no complete PLY header")
