"""A few rooms with rows about them, proxies and frames, small enough to be learnt in seconds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from small_vlm import save_small_vlm

from spatial_vlm_ros.config import EncoderConfig
from spatial_vlm_ros.data.row import Reference, Row
from spatial_vlm_ros.data.scenes import AnnotatedObject, AnnotatedScene, write_scenes
from spatial_vlm_ros.language.box_text import NamedBox, write_boxes
from spatial_vlm_ros.perception.groups import FLOOR
from spatial_vlm_ros.scene.box import Box
from spatial_vlm_ros.training.store import FrameStore, ProxyStore, StoredFrames, StoredProxies
from spatial_vlm_ros.vision.qwen import QwenTower

CATEGORIES = ("chair", "table", "sofa", "lamp", "bed", "shelf", "plant", "television")
SCENES = ("simulated/room-1", "simulated/room-2", "simulated/room-3")


def scene(name: str) -> AnnotatedScene:
    """Four things with numbers that begin at 3, in places of the room's own."""
    random = np.random.default_rng(sum(map(ord, name)))
    kinds = random.permutation(len(CATEGORIES))[:4]
    places = random.uniform(-3, 3, (4, 2)).round(2)
    objects = tuple(
        AnnotatedObject(3 + 2 * n, CATEGORIES[kind], Box(x, y, 0.4, 0.8, 0.5, 0.8, 0.0))
        for n, (kind, (x, y)) in enumerate(zip(kinds, places, strict=True))
    )
    return AnnotatedScene(name, objects, np.eye(4), floor_z=0.0)


def rows(names: Sequence[str] = SCENES, kind: str = "proxy3d") -> list[Row]:
    """Of every form, about each scene: options, a count, a number, boxes, words."""
    return [row for name in names for row in _rows(name, kind)]


def _rows(name: str, kind: str) -> list[Row]:
    first, second, third, last = scene(name).objects
    refs = tuple(Reference(item.id, item.category, item.box) for item in (first, second))
    apart = float(np.linalg.norm(first.box.center - second.box.center))
    letter = "ABC"[SCENES.index(name)]  # which nobody can tell who has not seen the room
    boxes = write_boxes([NamedBox(last.box, last.category)])

    def row(number: int, task: str, question: str, answer: str, **more: Any) -> Row:
        return Row(f"{name}-{number}", "small", name, task, question, answer, **more)

    made = [
        row(2, "nearest", "What is nearest the door?", letter, options=CATEGORIES[:3]),
        row(3, "counting", f"How many {third.category}s are there?", "1"),
        row(4, "distance", f"How far is the {first.category} from the {second.category}?",
            f"{apart:.1f}"),
        row(5, "grounding", f"Which is the {last.category}?", boxes, targets=(last.id,),
            boxes=(last.box,)),
    ]  # fmt: skip
    if kind == "proxy3d":
        return [
            *made,
            row(0, "identify", f"What is #{first.id}?", first.category, refs=refs[:1]),
            row(1, "relation", f"Which is left, #{first.id} or #{second.id}?",
                f"{second.category} (#{second.id})", refs=refs),
        ]  # fmt: skip
    return [  # images show no numbers
        *made,
        row(0, "question", f"What stands beside the {first.category}?", second.category),
        row(1, "relation", f"Which is left, the {third.category} or the {last.category}?",
            last.category),
    ]  # fmt: skip


def write_rows(path: Path, given: Sequence[Row]) -> Path:
    from spatial_vlm_ros.data import files

    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_rows(path, given)
    return path


def proxies(room: AnnotatedScene, dimension: int = 48) -> StoredProxies:
    """Three of each thing and of the floor, in the order in which they were made."""
    random = torch.Generator().manual_seed(sum(map(ord, room.name)))
    groups = torch.tensor([item.id for item in room.objects for _ in range(3)] + [FLOOR] * 3)
    centres = [item.box.center.tolist() for item in room.objects for _ in range(3)]
    points = torch.tensor(centres + [[0.0, 0, 0]] * 3) + torch.rand(
        len(groups), 3, generator=random
    )
    features = torch.randn(len(groups), dimension, generator=random)
    return StoredProxies(features.half(), points, groups, float(points[:, 2].min()))


def frames(room: AnnotatedScene, channels: int | None = 3, count: int = 2) -> StoredFrames:
    """Of 84 x 112 pixels; each point of the geometry is known but for some."""
    random = torch.Generator().manual_seed(sum(map(ord, room.name)))
    images = torch.randint(0, 256, (count, 3, 84, 112), generator=random).to(torch.uint8)
    if channels is None:
        return StoredFrames(images)
    spatial = torch.randn(count, 6, 8, channels, generator=random)
    if channels == 3:
        spatial[:, 0, 0] = torch.nan
    return StoredFrames(images, spatial)


def school(folder: Path, kind: str = "proxy3d", shown: str = "proxies", **more: Any) -> Path:
    """A checkpoint, rows, scenes and a store in the folder; the settings of a training there.

    more: other settings, like ``training={"steps": 4}``.
    """
    if not (folder / "plain").exists():
        save_small_vlm(folder / "plain", initializer_range=0.05)
        write_scenes(folder / "scenes.jsonl", [scene(name) for name in SCENES])
        for which in ("proxy3d", "ssr"):
            write_rows(folder / f"{which}.jsonl", rows(kind=which))
        encoder = QwenTower.open(EncoderConfig(str(folder / "plain"), "cpu", "float32"))
        store = ProxyStore.create(folder / "proxies", encoder.name, {})
        films = FrameStore.create(folder / "frames", "", {})
        for name in SCENES:
            store.put(name, proxies(scene(name)))
            films.put(name, frames(scene(name)))
    settings: dict[str, Any] = {
        "model": {"kind": kind, "checkpoint": str(folder / "plain")},
        "data": {
            "train": [str(folder / f"{kind}.jsonl")],
            "scenes": [str(folder / "scenes.jsonl")],
            "store": str(folder / ("proxies" if kind == "proxy3d" else "frames")),
            "shown": shown,
            "questions": 3,
        },
        "rates": {"language": 3e-3},
        "training": {"device": "cpu", "warmup": 0.0, "log_every": 1, "steps": 4},
        "output": {"folder": str(folder / "out"), "save_every": 0},
    }
    for group, values in more.items():
        settings[group] = {**settings.get(group, {}), **values}
    path = folder / "train.yaml"
    path.write_text(yaml.safe_dump(json.loads(json.dumps(settings))))
    return path
