"""docs/questions.md says what the reasoner does: its examples are run, its tables compared."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
from hand_built_room import room

from spatial_vlm_ros.reasoning.geometric import KINDS, GeometricReasoner
from spatial_vlm_ros.reasoning.vocabulary import SYNONYMS

PAGE = (Path(__file__).parents[1] / "docs" / "questions.md").read_text()
ROWS = [
    tuple(cell.strip() for cell in line.strip("|").split("|"))
    for line in PAGE.splitlines()
    if line.startswith("| ")
]
EXAMPLES = [row for row in ROWS if len(row) == 3 and row[0] != "Kind"]
CONSTANTS = [row for row in ROWS if len(row) == 2 and row[0] != "Constant"]


@pytest.mark.parametrize(("kind", "question", "expected"), EXAMPLES)
def test_example(kind: str, question: str, expected: str) -> None:
    answer = GeometricReasoner().ask(question, room())
    assert answer.kind == kind
    if expected.startswith("refused: "):
        assert not answer.answered
        assert answer.text.startswith(expected.removeprefix("refused: "))
        return
    assert answer.answered, answer.text
    assert answer.confidence > 0
    if expected == "goal pose":
        assert answer.goal is not None
    elif isinstance(answer.value, float):
        digits = 2 if answer.unit else 0
        assert f"{answer.value:.{digits}f} {answer.unit}".strip() == expected
    else:
        assert answer.value == expected


def test_every_kind_has_an_example() -> None:
    assert {kind.name for kind in KINDS} <= {row[0] for row in EXAMPLES}


@pytest.mark.parametrize(("name", "value"), CONSTANTS)
def test_constant(name: str, value: str) -> None:
    module, constant = name.strip("`").rsplit(".", 1)
    packages = {"relations": "scene.", "referring": ""}
    package = packages.get(module.split(".")[0], "reasoning.")
    code = importlib.import_module(f"spatial_vlm_ros.{package}{module}")
    assert getattr(code, constant) == float(value)


def test_synonyms_listed_are_those_known() -> None:
    listed = [tuple(line[2:].split(", ")) for line in re.findall(r"^- [a-z][^*\n]*$", PAGE, re.M)]
    assert [group for group in listed if group in SYNONYMS] == list(SYNONYMS)
