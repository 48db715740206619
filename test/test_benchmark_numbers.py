"""Numbers and letters are read as the published scorers read them: cases worked with their code."""

from __future__ import annotations

import pytest

from spatial_vlm_ros.benchmarks.letters_said import (
    mindcube,
    space10,
    space10_offline,
    view_spatial,
    view_spatial_strict,
    vsi,
)
from spatial_vlm_ros.benchmarks.numbers_said import lmms_2026, vsi_2025
from spatial_vlm_ros.benchmarks.relative_accuracy import mean_relative_accuracy


@pytest.mark.parametrize(
    ("given", "right", "score"),
    [
        (4, 4, 1.0), (3.8, 4, 1.0), (4.2, 4, 1.0), (1.9, 2.0, 1.0), (3.6, 4, 0.9), (1.1, 1.0, 0.9),
        (110, 100, 0.9), (3, 4, 0.6), (5, 4, 0.6), (6, 5, 0.6), (4, 3, 0.4), (2, 3, 0.4),
        (60, 100, 0.3), (0.55, 1, 0.2), (2, 4, 0.1), (1.5, 1, 0.1), (150, 100, 0.1), (1, 2, 0.1),
        (8, 4, 0.0), (0, 4, 0.0), (-4, 4, 0.0), (None, 4, 0.0), (float("nan"), 4, 0.0), (0, 0, 1.0),
        (0.1, 0, 0.0),
    ],
)  # fmt: skip
def test_mean_relative_accuracy(given: float | None, right: float, score: float) -> None:
    assert mean_relative_accuracy(given, right) == pytest.approx(score)


@pytest.mark.parametrize(
    ("text", "published", "later"),
    [
        ("4", 4, 4), ("4.", 4, 4), ("4.0", 4, 4), ("4\n", 4, 4), ("4.\n", 4, 4),
        ("4 chairs", 4, 4), ("2.5 m", 2.5, 2.5), ("", None, None), ("none", None, None),
        ("nan", None, None), ("inf", None, None), (" 4", None, 4), ("four", None, 4),
        ("Four.", None, 4), ("There are 4 chairs.", None, 4), ("2.5m", None, 2.5),
        ("about 2.5 meters", None, 2.5), ("-4", -4, -4), (".5", 0.5, 5), ("1e1", 10, 1),
        ("1,200", None, 1), ("twenty-one", None, 21), ("one hundred and five", None, 105),
        ("a hundred", None, 100), ("2-3", None, 2), ("2 or 3", 2, 2),
        ("two chairs, room 3", None, 2), ("<answer>3</answer>", None, 3), ("someone", None, None),
        ("three thousand two hundred", None, 3200), ("and", None, None),
    ],
)  # fmt: skip
def test_numbers(text: str, published: float | None, later: float | None) -> None:
    assert vsi_2025(text) == published
    assert lmms_2026(text) == later


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("A", "A"), ("A.", "A"), ("a", "A"), ("a.", "A"), ("A. front", "A"), ("A\n", "A"),
        ("A.\n", None), (" A", None), ("(A)", None), ("A)", None), ("A:", None),
        ("A, because", None), ("**A**", None), ("Answer: A", None), ("", None), ("front", None),
        ("A B", "A"), ("B A", "B"), ("A chair", "A"),
    ],
)  # fmt: skip
def test_letters_of_vsi_bench(text: str, letter: str | None) -> None:
    assert vsi(text) == letter


@pytest.mark.parametrize(
    ("text", "published", "strict"),
    [
        ("D", "D", "D"), ("D.", "D", "D"), ("d", "D", None), ("D. right", "D", "D"),
        ("(D)", "D", "D"), ("Answer:D", "D", "D"), ("I would say the answer is d.", "D", None),
        ("A. front\nD. right", "D", "D"), ("right", None, None), ("", None, None),
        ("D\n", None, "D"), ("It is a chair, so D", "A", "D"), ("I am a robot", "A", None),
        ("B or D", "B", "B"), ("front-left (C)", "C", "C"),
        ("OptionD", None, None), ("E", None, None),
        ("D. right\nLet me know if you need more.", None, None),
    ],
)  # fmt: skip
def test_letters_of_view_spatial(text: str, published: str | None, strict: str | None) -> None:
    assert view_spatial(text) == published
    assert view_spatial_strict(text) == strict


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("", None), ("A", "A"), ("A.", "A"), ("a", None), ("<answer>A. Above</answer>", "A"),
        ("<answer>A</answer>", "A"), ("**B**", "B"), ('"C"', "C"), ("Answer: B", "B"),
        ("The answer is C", "C"), ("my answer is D", "D"), ("The answer is (B)", "B"), ("F", None),
        ("E", "E"), ("B. left. So A. right", "A"), ("A. Above B. Under", "B"), ("ABCD.", "D"),
        ("It is USA. So B", "A"), ("front-left of the TV. B", "B"), ("I think A or B", "A"),
        ("The correct option is A, not B", "A"), ("Above", None), ("No response generated", None),
        ("Option A\nOption C", "A"), ("I see A\nso it is B or C", "A"),
        ("C is not it <Answer>my answer is B, not A</Answer>", "B"),
    ],
)  # fmt: skip
def test_letters_of_mindcube(text: str, letter: str | None) -> None:
    assert mindcube(text) == letter


@pytest.mark.parametrize(
    ("text", "letter", "offline"),
    [
        ("B", "B", "B"), ("B.", "B", "B"), ("b", None, "b"), ("(B)", "B", None), ("B)", "B", None),
        ("B:", "B", None), ("B. Three", "B", "B"), ("Three", "B", None), ("", None, None),
        ("B\n", "B", None), ("The answer is B", "B", None), ("E", "E", "E"), ("F", None, "F"),
        ("A", "A", "A"), ("A B", None, None), ("B, C", "C", None),
        ("A chair is next to it", "D", None), ("I choose B because A is wrong", None, None),
        ("three chairs", None, None), ("Red chair", None, None), ("chair", "D", None),
        ("**B**", None, None), ("Answer:B", None, None), ("A. x\nC. y", None, "AC"),
    ],
)  # fmt: skip
def test_letters_of_space10(text: str, letter: str | None, offline: str | None) -> None:
    options = {"A": "Two", "B": "Three", "C": "Red chair", "D": "Chair"}
    assert space10(text, options) == letter
    assert space10_offline(text) == offline
