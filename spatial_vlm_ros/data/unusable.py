"""Why something of a data set makes no row, or no scene, in the same words for all data sets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from spatial_vlm_ros.data.row import Rejected
from spatial_vlm_ros.errors import kind_and_line


class Unusable(ValueError):
    """An item that makes no row. reason: the same words for all of a kind."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason, self.detail = reason, detail


#: What content of another form than expected raises, an infinite number where a whole one should be
#: among it.
WRONG = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Whatever the content of a file raises, as ``Unusable`` that names the file."""
    try:
        yield
    except WRONG as error:
        found = rejected(error, str(path))
        raise Unusable(found.reason, f"{path}: {found.detail}") from error


def rejected(error: Exception, source: str, content: Any = None) -> Rejected:
    """What to write aside of it."""
    if isinstance(error, Unusable):
        return Rejected(error.reason, error.detail, source, content)
    if isinstance(error, KeyError):
        return Rejected("field missing", str(error), source, content)
    if isinstance(error, FileNotFoundError):
        return Rejected("file missing", str(error.filename), source, content)
    return Rejected("malformed", kind_and_line(error), source, content)
