"""Files of annotated scenes: they come back as they were, and what is none is refused."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest

from spatial_vlm_ros.data.scenes import (
    AnnotatedObject,
    AnnotatedScene,
    read_scenes,
    write_scenes,
)
from spatial_vlm_ros.scene.box import Box

T = np.eye(4)
T[:3, 3] = 0.5, -1.25, 1.5
SCENE = AnnotatedScene(
    name="mine/küche",
    objects=(
        AnnotatedObject(3, "chair", Box(1.0, 2.0, 0.5, 1.5, 1.0, 0.5, 0.25), "red", 1),
        AnnotatedObject(7, "table", Box(0, 0, 0, 1, 1, 1, 0)),
    ),
    T_world_first=T,
    up="-y",
    T_scene_views=np.stack([np.eye(4), T]),
    views=("color/0.jpg", ""),
    floor_z=-1.5,
    floor_area=12.25,
    outline=[[0, 0], [4, 0], [4, 3.5]],
    license="mine",
)


def test_scenes_come_back_as_they_were(tmp_path: Path) -> None:
    other = AnnotatedScene("mine/empty", (), np.eye(4))
    assert write_scenes(tmp_path / "scenes.jsonl", [SCENE, other]) == 2
    found = read_scenes(tmp_path / "scenes.jsonl")
    assert list(found) == ["mine/küche", "mine/empty"]
    read = found["mine/küche"]
    for name in ("name", "objects", "up", "views", "floor_z", "floor_area", "license"):
        assert getattr(read, name) == getattr(SCENE, name)
    for name in ("T_world_first", "T_scene_views", "outline"):
        np.testing.assert_array_equal(getattr(read, name), getattr(SCENE, name))
    assert read[7].category == "table"
    with pytest.raises(KeyError):
        read[4]
    empty = found["mine/empty"]
    assert empty.T_scene_views.shape == (0, 4, 4) and empty.outline.shape == (0, 2)
    assert empty.floor_z is None and empty.floor_area is None


def changed(path: str, value: Any) -> bytes:
    """The scene's line with what stands at "objects/0/id" replaced, or removed if it is None."""
    content = json.loads(line_of(SCENE))
    part: Any = content
    *way, last = [int(key) if key.isdigit() else key for key in path.split("/")]
    for key in way:
        part = part[key]
    if value is ...:
        del part[last]
    else:
        part[last] = value
    return json.dumps(content).encode()


def line_of(scene: AnnotatedScene) -> str:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "scene.jsonl"
        write_scenes(path, [scene])
        return path.read_text()


BAD = {
    "it is not an object with fields": b"[]",
    "Expecting property name": b"{",
    "version 2, this program reads 1": changed("version", 2),
    "it has no 'floor_z'": changed("floor_z", ...),
    "name is 5, not text": changed("name", 5),
    "name is '../küche', not a path below": changed("name", "../küche"),
    "objects is 'chair', not a list": changed("objects", "chair"),
    "objects\\[1\\].id is '7', not a whole number": changed("objects/1/id", "7"),
    "objects\\[1\\] has no category": changed("objects/1/category", ...),
    "objects\\[0\\].box: a box is 7 finite numbers": changed("objects/0/box", [0, 0, 0]),
    "objects\\[0\\].box\\[3\\] is True": changed("objects/0/box/3", True),
    "objects\\[0\\].first_seen is -1": changed("objects/0/first_seen", -1),
    "object numbers repeat": changed("objects/0/id", 7),
    "T_world_first is not numbers of the shape \\(4, 4\\)": changed("T_world_first", [1, 2]),
    "T_scene_views is not finite": changed("T_scene_views/0/0/0", float("inf")),
    "1 views, 2 poses": changed("views", ["a"]),
    "outline is not numbers of the shape": changed("outline", "round"),
    "floor_area is '12', not a number": changed("floor_area", "12"),
    "mine/küche was there before": line_of(SCENE).encode().strip(),
}


@pytest.mark.parametrize("message", BAD)
def test_what_is_no_scene_is_refused_by_file_and_line(tmp_path: Path, message: str) -> None:
    write_scenes(tmp_path / "scenes.jsonl", [SCENE])
    with (tmp_path / "scenes.jsonl").open("ab") as file:
        file.write(BAD[message] + b"\n")
    with pytest.raises(ValueError, match=rf"scenes.jsonl:2 is no annotated scene: .*{message}"):
        read_scenes(tmp_path / "scenes.jsonl")
