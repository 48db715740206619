"""LocalCogMaps as text, both ways: ``sofa [5, 5], chair (#7) [5, 3] -> lamp [7, 3]``.

One line is one map: anchor a, anchor b, the target, each with its cell [x, y]. ``(0.250 m per
cell)`` may follow. Reading takes any white space between the parts, and no other freedom: text that
is not such a line is a ``ValueError`` which quotes it and says what was expected.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

from spatial_vlm_ros.language.names import spelling
from spatial_vlm_ros.scene.cogmap import SPACINGS
from spatial_vlm_ros.scene.graph import CELL_A, LocalCogMap

Cell = tuple[int, int]

CELLS_B: tuple[Cell, ...] = tuple((CELL_A[0], CELL_A[1] - spacing) for spacing in SPACINGS)
FORM = "'NAME [5, 5], NAME [5, 5-k] -> NAME [x, y]' with k from 1 to 4"

#: Scales that keep a digit when written with three decimals [m].
WRITABLE_METRES = (0.001, 999_999.0)

_BRACKETS = re.compile(r"(\[[^\[\]]*\])")
_CELL = re.compile(r"\[\s*([0-9])\s*,\s*([0-9])\s*\]")
_INTEGER = r"\s*-?(?:0|[1-9][0-9]*)\s*"
_INTEGERS = re.compile(rf"\[{_INTEGER},{_INTEGER}\]")
_SCALE = re.compile(r"\( ?([0-9]{1,6}(?:\.[0-9]{1,6})?) m per cell ?\)")


def quoted(text: str, limit: int = 120) -> str:
    """Text as part of an error message: quoted, the rest of a long one left out."""
    return repr(text) if len(text) <= limit else f"{text[:limit]!r}..."


def write_cell(cell: Cell) -> str:
    """``[7, 3]``; ``ValueError`` outside the grid."""
    if not all(0 <= v <= 9 for v in cell):
        raise ValueError(f"cell {cell} is outside the grid: expected integers 0..9")
    return f"[{cell[0]}, {cell[1]}]"


def read_cell(text: str) -> Cell:
    """The one cell an answer gives: "[7, 3]", also in a sentence, a list or a code block.

    Everything in square brackets must be that cell. A cell outside 0..9 is an error, never
    clamped; so are two different ones, for nothing says which is meant.
    """
    found = [part for part in re.findall(r"\[[^\[\]]*\]?", text) if part.strip() != "["]
    if not found:
        raise ValueError(f"no cell in {quoted(text)}: expected [x, y], integers 0..9")
    cells = {_cell(part) for part in found}
    if len(cells) > 1:
        raise ValueError(f"different cells in {quoted(text)}: expected one [x, y]")
    return cells.pop()


def write_cogmaps(
    maps: Iterable[LocalCogMap], names: Mapping[int, str], *, metres: bool = False
) -> str:
    """One line per map, in their order. ``names``: id to name, no two alike.

    With ``metres`` each line ends with the size of its cells to the millimetre, where it is known.
    """
    spelled = {number: name for name, number in _ids(names).items()}
    return "\n".join(_write(made, spelled, metres) for made in maps)


def read_cogmaps(text: str, names: Mapping[int, str]) -> tuple[LocalCogMap, ...]:
    """The maps in ``text``, one a line; empty lines are none. ``metres_per_cell`` nan if not given.

    One line that cannot be read is a ``ValueError``: half a text is never taken for all of it.
    """
    ids = _ids(names)
    return tuple(_read(line, ids) for line in text.splitlines() if line.strip())


def _write(made: LocalCogMap, spelled: Mapping[int, str], metres: bool) -> str:
    a, b, target = (_name(i, spelled) for i in made.ids)
    if len({a, b, target}) < 3:
        raise ValueError(f"{made} does not have three different objects")
    if made.cell_b not in CELLS_B:
        raise ValueError(f"anchor b at {made.cell_b}: expected one of {CELLS_B}")
    line = (
        f"{a} {write_cell(CELL_A)}, {b} {write_cell(made.cell_b)}"
        f" -> {target} {write_cell(made.cell_target)}"
    )
    if not metres or math.isnan(made.metres_per_cell):
        return line
    if not WRITABLE_METRES[0] <= made.metres_per_cell <= WRITABLE_METRES[1]:
        raise ValueError(f"{made.metres_per_cell} m per cell: expected {WRITABLE_METRES} m")
    return f"{line} ({made.metres_per_cell:.3f} m per cell)"


def _name(number: int, spelled: Mapping[int, str]) -> str:
    if number not in spelled:
        raise ValueError(f"object {number} has no name")
    return spelled[number]


def _read(line: str, ids: Mapping[str, int]) -> LocalCogMap:
    parts = [" ".join(part.split()) for part in _BRACKETS.split(line)]
    if len(parts) != 7 or not (parts[2].startswith(",") and parts[4].startswith("->")):
        raise ValueError(f"{quoted(line)} is no map: expected {FORM}")
    a, b, target = _known((parts[0], parts[2][1:], parts[4][2:]), ids, line)
    cell_a, cell_b, cell_target = (_cell(part, line) for part in (parts[1], parts[3], parts[5]))
    if cell_a != CELL_A:
        raise ValueError(f"anchor a at {parts[1]} in {quoted(line)}: expected [5, 5]")
    if cell_b not in CELLS_B:
        raise ValueError(f"anchor b at {parts[3]} in {quoted(line)}: expected [5, 5-k], k 1..4")
    return LocalCogMap(a, b, target, cell_b, cell_target, _scale(parts[6], line))


def _known(texts: tuple[str, ...], ids: Mapping[str, int], line: str) -> list[int]:
    found = [text.strip() for text in texts]
    for name in found:
        if name not in ids:
            some = ", ".join(list(ids)[:8]) + (", ..." if len(ids) > 8 else "")
            raise ValueError(
                f"unknown object {quoted(name)} in {quoted(line)}: expected one of {some}"
            )
    if len(set(found)) < len(found):
        raise ValueError(f"{quoted(line)} names an object twice: expected three different ones")
    return [ids[name] for name in found]


def _cell(text: str, line: str | None = None) -> Cell:
    if match := _CELL.fullmatch(text):
        return int(match[1]), int(match[2])
    fault = "is outside the grid" if _INTEGERS.fullmatch(text) else "is no cell"
    where = "" if line is None else f" in {quoted(line)}"
    raise ValueError(f"{quoted(text)}{where} {fault}: expected [x, y], integers 0..9")


def _scale(tail: str, line: str) -> float:
    if not tail:
        return math.nan
    match = _SCALE.fullmatch(tail)
    if match is None or float(match[1]) == 0:
        raise ValueError(
            f"{quoted(tail)} ends {quoted(line)}: expected nothing or '(0.250 m per cell)'"
        )
    return float(match[1])


def _ids(names: Mapping[int, str]) -> dict[str, int]:
    ids: dict[str, int] = {}
    for number, name in names.items():
        text = spelling(name)
        if not text or text in ids:
            raise ValueError(f"object {number} is called {name!r}: expected a name of its own")
        ids[text] = number
    return ids
