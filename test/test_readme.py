"""What the README tells a new user to type does what it says."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL)
COMMANDS = [
    line.split("#")[0].strip() for kind, block in BLOCKS if not kind for line in block.splitlines()
]


def typed(program: str) -> list[list[str]]:
    return [shlex.split(line)[1:] for line in COMMANDS if line.split()[:1] == [program]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Where the README's commands have been run, in its order."""
    pytest.importorskip("embreex")
    folder = tmp_path_factory.mktemp("readme")
    for arguments in typed("spatial-vlm"):
        if arguments[0] in ("fetch-models", "train", "room-bench"):
            continue  # their own tests type them, with a hub and a model on this machine
        if arguments[0] == "simulate":
            arguments = [*arguments, "--fps", "3"]  # the same drive, fewer images
        command = [sys.executable, "-m", "spatial_vlm_ros.cli", *arguments]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0 or arguments[0] == "doctor", done.stderr
        assert "Traceback" not in done.stderr
        assert done.stdout.strip()
    return folder


def test_commands_leave_what_they_promise(folder: Path) -> None:
    assert (folder / "scene" / "scene.json").exists()
    assert (folder / "scene" / "scene.png").exists()
    assert (folder / "scene" / "proxies.safetensors").exists()
    assert (folder / "maps.png").exists()


def test_python_example_answers(folder: Path) -> None:
    (example,) = [block for kind, block in BLOCKS if kind == "python"]
    command = [sys.executable, "-c", example]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "chair" in done.stdout


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = {arguments[0] for arguments in typed("make")}
    assert targets == {"demo", "test"}
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)


def test_launch_arguments_are_those_of_the_launch_file() -> None:
    source = (ROOT / "launch" / "spatial_vlm.launch.py").read_text()
    declared = set(re.findall(r"(?:argument|DeclareLaunchArgument)\(\s*\"(\w+)\"", source))
    rows = re.findall(r"^\| `(\w+)` \| (?:–|`[\w]*`) \|", README, re.MULTILINE)
    assert {"camera", "fixed_frame", "rosbag"} <= set(rows) <= declared
    launches = [arguments for arguments in typed("ros2") if arguments[0] == "launch"]
    assert len(launches) == 2
    for launch in launches:
        assert {argument.split(":=")[0] for argument in launch[3:]} <= declared


def test_names_of_the_interfaces_are_in_the_code() -> None:
    nodes = "".join(path.read_text() for path in (ROOT / "spatial_vlm_ros/nodes").glob("*.py"))
    for name in re.findall(r"`~/(\w+)`", README):
        assert re.search(rf"[\"/]{name}\"", nodes), name


def test_every_link_and_picture_is_there() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_architecture_page_names_files_that_exist() -> None:
    named = set(re.findall(r"[\w/*]+\.py", (ROOT / "docs" / "architecture.md").read_text()))
    everything = [str(path) for path in (ROOT / "spatial_vlm_ros").rglob("*.py")]
    assert len(named) > 15
    for name in named - {"setup.py"}:
        pattern = re.compile(rf"/{re.escape(name)}$".replace(re.escape("*"), ".*"))
        assert any(pattern.search(path) for path in everything), name
