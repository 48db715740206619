"""What an error says, for messages of one line."""

from __future__ import annotations


def first_line(error: BaseException) -> str:
    """Of what it says, or its kind where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def kind_and_line(error: BaseException) -> str:
    """What it is, and the first line of what it says: errors of others mean little without."""
    return f"{type(error).__name__}: {first_line(error) if str(error).strip() else ''}"
