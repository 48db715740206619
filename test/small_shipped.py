"""Untrained small checkpoints under the names and in the files of those that ship."""

from __future__ import annotations

from pathlib import Path

from spatial_vlm_ros.data.row import Row
from spatial_vlm_ros.small.checkpoint import PIXELS, SmallSizes, new_model, save
from spatial_vlm_ros.small.texts import texts
from spatial_vlm_ros.small.tokenizer import train_tokenizer

NAMES = ("proxy3d-small", "ssr-small", "ssr-small-2d")
ROWS = [Row("1", "vsi", "a/b", "counting", "How many chairs are in this room?", "3")]
SIZES = SmallSizes(hidden=64, intermediate=64, layers=1, heads=2, kv_heads=1, identifiers=32)


def ship(folder: Path) -> None:
    """Those that ship, in half precision."""
    for name in NAMES:
        kind = name.partition("-")[0]
        spatial = {"source": "points"} if name == "ssr-small" else None
        tokenizer = train_tokenizer(texts(ROWS), 500, SIZES.identifiers)
        model = new_model(kind, tokenizer, sizes=SIZES, spatial=spatial).half()
        save(folder / name, model, tokenizer, PIXELS[kind])
        (folder / name / "README.md").write_text(f"# {name}\n")
