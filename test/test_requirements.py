"""The locked versions satisfy what setup.py declares, on every Python that is supported."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# The others are called as they are imported.
DISTRIBUTIONS = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "huggingface_hub": "huggingface-hub",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
#: Imported when it is chosen; it is not on PyPI, so its error says how to install it.
OPTIONAL = {"vggt"}
#: What transformers' Trainer imports where it is used.
OF_TRAINER = {"accelerate", "tensorboard"}
ROS = {
    "ament_index_python",
    "builtin_interfaces",
    "launch",
    "launch_ros",
    "rcl_interfaces",
    "rclpy",
    "rosidl_runtime_py",
    "std_srvs",
    "tf2_ros",
}
ROOT = Path(__file__).parents[1]


def load(path: Path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def locked_versions(distro: str, python: str) -> dict[str, str]:
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.5",
        "sys_platform": "linux",
        "platform_python_implementation": "CPython",
    }
    versions: dict[str, str] = {}
    for line in (ROOT / "requirements" / f"{distro}.lock").read_text().splitlines():
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate(environment):
            name = canonicalize_name(requirement.name)
            assert name not in versions, f"{name} is locked twice for Python {python}"
            (exact,) = requirement.specifier
            assert exact.operator == "=="
            versions[name] = exact.version
    return versions


EXTRAS = ("simulation", "training", "evaluation", "captions", "dev")


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13"])
@pytest.mark.parametrize("distro", ["jazzy", "kilted"])
def test_lock_satisfies_the_declared_bounds(distro, python):
    versions = locked_versions(distro, python)
    declared = load(ROOT / "tools" / "declared.py").declared(*EXTRAS, distro)
    assert len(declared) > 30
    for line in declared:
        requirement = Requirement(line)
        version = versions[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{line}: {version} is locked"


def test_every_library_has_a_lower_bound():
    for line in load(ROOT / "tools" / "declared.py").declared(*EXTRAS):
        operators = {part.operator for part in Requirement(line).specifier}
        assert ">=" in operators, line


def imported(files: Iterable[Path]) -> set[str]:
    """Libraries, by the name they are installed with, that ``files`` import."""
    names: set[str] = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add(node.module.partition(".")[0])
    ours = {"spatial_vlm_ros", "bench", "test"} | {file.stem for file in ROOT.glob("test/*.py")}
    known = ours | ROS | OPTIONAL | sys.stdlib_module_names
    return {
        DISTRIBUTIONS.get(name, name)
        for name in names
        if name not in known and not name.endswith("_msgs")
    }


def test_imports_are_what_is_declared():
    declared = load(ROOT / "tools" / "declared.py").declared

    def names(*extras: str) -> set[str]:
        return {canonicalize_name(Requirement(line).name) for line in declared(*extras)}

    package, simulation, training, evaluation = (
        {file for folder in folders for file in ROOT.glob(f"spatial_vlm_ros/{folder}**/*.py")}
        for folders in (("",), ("simulation/",), ("data/", "training/", "small/"), ("benchmarks/",))
    )
    around = [file for folder in ("test", "bench", "tools") for file in ROOT.glob(f"{folder}/*.py")]
    assert imported(package - simulation - training - evaluation) == names()
    assert imported(package - training - evaluation) == names("simulation")
    assert imported(package - evaluation) | OF_TRAINER == names("simulation", "training")
    assert imported(package) | OF_TRAINER == names(*EXTRAS[:-1])
    own = imported(evaluation) - names("simulation")
    assert own | {"pyarrow"} == names("evaluation", "captions") - names()  # of the data's
    assert imported(around) <= names(*EXTRAS) | {"packaging", "setuptools"}
