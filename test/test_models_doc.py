"""docs/models.md: its commands run, against a hub on this machine; its tables are the program's."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from small_hub import HubModel, SmallHub
from small_vlm import save_small_vlm

from spatial_vlm_ros import shipped
from spatial_vlm_ros.reasoners.opening import NAMES
from spatial_vlm_ros.serving.catalogue import CATALOGUE

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "models.md").read_text()
COMMANDS = [
    shlex.split(line)
    for block in re.findall(r"```\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
]
ROWS = [
    [cell.strip().strip("`") for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("| ")
]


def test_commands_without_ros_work(tmp_path: Path) -> None:
    pytest.importorskip("embreex")
    save_small_vlm(tmp_path / "small")
    typed = [words for words in COMMANDS if words[0] == "spatial-vlm" and "--ros" not in words]
    names = {word for words in typed for word in words if word.startswith("Qwen/")}
    assert len(typed) >= 7 and names
    environment = {**os.environ, "HF_HUB_CACHE": str(tmp_path / "cache")}
    with SmallHub() as hub:
        hub.models |= {name: HubModel(tmp_path / "small") for name in names}
        environment["HF_ENDPOINT"] = hub.endpoint
        for words in typed:
            arguments = [*words[1:], *(["--fps", "3"] if words[1] == "simulate" else [])]
            done = subprocess.run(
                [sys.executable, "-m", "spatial_vlm_ros.cli", *arguments],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                timeout=120,
            )
            assert done.returncode == 0, f"{words}: {done.stderr}"
            if words[1] == "ask":
                reasoner = words[words.index("--reasoner") + 1]
                assert done.stderr.strip().endswith(f"({reasoner})"), done.stderr


def test_options_of_the_other_commands_are_known() -> None:
    source = (ROOT / "launch" / "spatial_vlm.launch.py").read_text()
    declared = set(re.findall(r"(?:argument|DeclareLaunchArgument)\(\s*\"(\w+)\"", source))
    (launch,) = [words for words in COMMANDS if words[:2] == ["ros2", "launch"]]
    assert {word.partition(":=")[0] for word in launch[4:]} <= declared
    (run,) = [words for words in COMMANDS if words[:2] == ["ros2", "run"]]
    remapped = {word.partition(":=")[0] for word in run if ":=/mapper" in word}
    (names,) = re.findall(r"f\"mapper/\{name\}\"\) for name in \((.*?)\)", source)
    assert remapped == set(re.findall(r"\w+", names))


def test_checkpoints_are_those_of_the_catalogue() -> None:
    rows = [row[:5] for row in ROWS if "/" in row[0] and "GB" in row[3]]
    assert rows == [
        [
            known.name,
            known.use,
            f"{known.parameters:.2f} billion",
            f"{known.gigabytes:.1f} GB",
            known.terms,
        ]
        for known in CATALOGUE
    ]


def test_small_models_are_those_that_ship() -> None:
    (section,) = re.findall(
        r"^## Small models that ship\n(.*?)^## ", PAGE, re.DOTALL | re.MULTILINE
    )
    listed = re.findall(r"^- `([\w-]+)`: ", section, re.MULTILINE)
    assert listed == shipped.names(), "docs/models.md: list what ships, as '- `name`: what it is'"
    assert ("\nNone ships yet.\n" in section) == (not listed), "docs/models.md: whether any ships"
    for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        told = set(re.findall(r"\b(?:proxy3d|ssr)-small(?:-2d)?\b", path.read_text()))
        assert told <= set(listed), f"{path.name} tells of models that do not ship"


def test_every_reasoner_is_described() -> None:
    assert sorted(row[0] for row in ROWS if len(row) == 4 and row[0] in NAMES) == sorted(NAMES)


def test_fields_are_those_of_the_action() -> None:
    action = (ROOT / "spatial_vlm_msgs" / "action" / "Ask.action").read_text()
    fields = [row[0] for row in ROWS if len(row) == 3][1:]
    for name in re.findall(r"\w+", " ".join(fields)):
        assert re.search(rf"^\S+ {name}\b", action, re.MULTILINE), name


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)", PAGE):
        assert (ROOT / "docs" / target).exists(), target
