"""docs/cameras.md: presets, networks, licences and commands are those that there are."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from spatial_vlm_ros import presets
from spatial_vlm_ros.nodes.mapper_config import MapperConfig
from spatial_vlm_ros.perception_config import PerceptionConfig
from spatial_vlm_ros.serving.catalogue import CATALOGUE

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "cameras.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("| ")
]
COMMANDS = [
    shlex.split(line)
    for block in re.findall(r"```\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
]


def networks_of(config: PerceptionConfig) -> list[str]:
    """The checkpoints that it opens."""
    source, tracked = config.geometry.source, config.instances == "tracked"
    wanted = {
        config.geometry.vggt.checkpoint: source == "vggt",
        config.geometry.metric_depth.checkpoint: source != "depth",
        config.detector.checkpoint: tracked or config.instances == "detections",
        config.tracker.checkpoint: tracked,
        config.namer.checkpoint: tracked,
    }
    return [name for name, is_opened in wanted.items() if name and is_opened]


def test_the_table_is_of_all_presets_and_of_what_they_open() -> None:
    rows = {row[0].strip("`"): row for row in ROWS if row[0].startswith("`rgb")}
    assert sorted(rows) == presets.names()
    terms = {known.name: known.terms for known in CATALOGUE}
    for name, row in rows.items():
        config = presets.load(MapperConfig, presets.preset_file(name))
        networks = networks_of(config)
        assert re.findall(r"`(.*?)`", row[2]) == networks
        assert row[4] == (", ".join(terms[network] for network in networks) or "–")
        assert (row[3] == "none") == (not networks)
        assert ("depth" in row[1]) == ("depth" in config.streams)
        head = presets.preset_file(name).read_text().partition("/**/mapper")[0]
        fetched = re.findall(r"fetch-models (.*)", head)
        assert fetched == ([" ".join(networks)] if networks else [])


def test_parameters_named_are_parameters() -> None:
    named = set(re.findall(r"`((?:geometry|tracker|detector|namer)\.[a-z_.]+)", PAGE))
    assert len(named) > 8
    for name in named:
        config: object = MapperConfig()
        for part in name.split("."):
            config = getattr(config, part)
    sources = [row[0].strip("`") for row in ROWS if len(row) == 3 and "source" not in row[0]]
    assert sources[-4:] == MapperConfig().geometry.scale.sources


def test_commands_are_known_and_those_without_ros_work(tmp_path: Path) -> None:
    pytest.importorskip("embreex")
    source = (ROOT / "launch" / "spatial_vlm.launch.py").read_text()
    declared = set(re.findall(r"(?:argument|DeclareLaunchArgument)\(\s*\"(\w+)\"", source))
    run = 0
    for words in COMMANDS:
        if words[:2] == ["ros2", "launch"]:
            assert {word.partition(":=")[0] for word in words[4:]} <= declared
        elif words[:3] == ["ros2", "param", "set"]:
            assert hasattr(MapperConfig(), words[4])
        elif words[1] == "fetch-models":
            assert set(words[2:]) <= {known.name for known in CATALOGUE}
        else:
            fast = ["--fps", "3"] if words[1] == "simulate" else []
            program = [sys.executable, "-m", "spatial_vlm_ros.cli"]
            subprocess.run([*program, *words[1:], *fast], cwd=tmp_path, check=True, timeout=120)
            run += 1
    assert run == 2


def test_links_lead_somewhere() -> None:
    for target, anchor in re.findall(r"\]\(([^)#]+)#?([^)]*)\)", PAGE):
        text = (ROOT / "docs" / target).read_text()
        heads = {
            re.sub(r"[^a-z0-9 -]", "", head.lower()).replace(" ", "-")
            for head in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
        }
        assert not anchor or anchor in heads, (target, anchor)
