"""Checkpoints that come with the package: small models, which need no download."""

from __future__ import annotations

from pathlib import Path

#: Has a folder for each, in the layout of the Hugging Face hub.
FOLDER = Path(__file__).resolve().parent / "weights"


def names() -> list[str]:
    """Of those that are there."""
    return sorted(path.parent.name for path in FOLDER.glob("*/config.json"))


def default(reasoner: str) -> str:
    """The name of a reasoner's checkpoint where none is given; empty where none ships for it."""
    name = f"{reasoner}-small"
    return name if name in names() else ""
