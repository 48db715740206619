"""LocalCogMaps as text: the exact form, both ways, and what is refused."""

from __future__ import annotations

import math
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatial_vlm_ros.language.cogmap_text import (
    read_cell,
    read_cogmaps,
    write_cell,
    write_cogmaps,
)
from spatial_vlm_ros.language.names import spelling
from spatial_vlm_ros.scene.graph import LocalCogMap

NAMES = {3: "sofa", 7: "chair (#7)", 8: "chair (#8)", 12: "coffee table", 20: "lamp"}
MAP = LocalCogMap(3, 7, 20, (5, 3), (7, 3), math.nan)
LINE = "sofa [5, 5], chair (#7) [5, 3] -> lamp [7, 3]"


def parts(made: LocalCogMap) -> tuple[object, ...]:
    """Everything but the scale, for nan is not equal to itself."""
    return (made.anchor_a, made.anchor_b, made.target, made.cell_b, made.cell_target)


def test_the_form_is_this_one() -> None:
    assert write_cogmaps([MAP], NAMES) == LINE
    assert write_cogmaps([MAP, MAP], NAMES) == f"{LINE}\n{LINE}"
    assert write_cogmaps([], NAMES) == ""
    scaled = LocalCogMap(12, 8, 3, (5, 1), (0, 9), 0.25)
    line = "coffee table [5, 5], chair (#8) [5, 1] -> sofa [0, 9]"
    assert write_cogmaps([scaled], NAMES) == line
    assert write_cogmaps([scaled], NAMES, metres=True) == f"{line} (0.250 m per cell)"
    assert write_cogmaps([MAP], NAMES, metres=True) == LINE  # its scale is not known


def test_it_reads_by_hand() -> None:
    (made,) = read_cogmaps(LINE, NAMES)
    assert parts(made) == (3, 7, 20, (5, 3), (7, 3))
    assert math.isnan(made.metres_per_cell)
    (made,) = read_cogmaps(f"{LINE} (0.4 m per cell)", NAMES)
    assert made == LocalCogMap(3, 7, 20, (5, 3), (7, 3), 0.4)
    assert read_cogmaps("", NAMES) == read_cogmaps(" \n\n\t", NAMES) == ()


@pytest.mark.parametrize(
    "line",
    [
        "sofa[5,5],chair (#7)[5,3]->lamp[7,3]",
        "  sofa  [ 5 ,5 ] ,  chair   (#7) [5,  3]\t->   lamp [ 7 , 3 ]  ",
        "\nsofa [5, 5], chair (#7) [5, 3] -> lamp [7, 3]\n\n",
    ],
)
def test_white_space_is_free(line: str) -> None:
    assert [parts(m) for m in read_cogmaps(line, NAMES)] == [parts(MAP)]


words = st.text(st.characters(blacklist_categories=("Cs",)), min_size=1, max_size=20)
triples = st.lists(words, min_size=3, max_size=8, unique_by=spelling).filter(
    lambda names: all(spelling(name) for name in names)
)


@st.composite
def scenes(draw: st.DrawFn) -> tuple[dict[int, str], list[LocalCogMap]]:
    """Any names, and maps between them."""
    names = dict(zip(draw(st.permutations(range(50))), draw(triples), strict=False))
    cell = st.tuples(st.integers(0, 9), st.integers(0, 9))
    maps = [
        LocalCogMap(
            *draw(st.permutations(sorted(names)))[:3],
            (5, 5 - draw(st.integers(1, 4))),
            draw(cell),
            draw(st.one_of(st.just(math.nan), st.floats(0.001, 1e5))),
        )
        for _ in range(draw(st.integers(0, 4)))
    ]
    return names, maps


@given(scenes(), st.booleans())
def test_reading_gives_back_what_was_written(
    scene: tuple[dict[int, str], list[LocalCogMap]], metres: bool
) -> None:
    names, maps = scene
    back = read_cogmaps(write_cogmaps(maps, names, metres=metres), names)
    assert [parts(m) for m in back] == [parts(m) for m in maps]
    for got, made in zip(back, maps, strict=True):
        if metres and not math.isnan(made.metres_per_cell):
            assert got.metres_per_cell == pytest.approx(made.metres_per_cell, abs=0.00051)
        else:
            assert math.isnan(got.metres_per_cell)
    assert write_cogmaps(back, names, metres=metres) == write_cogmaps(maps, names, metres=metres)


def test_a_name_cannot_look_like_a_cell() -> None:
    names = {1: "box [7, 3]", 2: "a -> b, c", 3: "lamp"}
    made = LocalCogMap(1, 2, 3, (5, 4), (0, 0), math.nan)
    line = write_cogmaps([made], names)
    assert line == "box (7, 3) [5, 5], a -> b, c [5, 4] -> lamp [0, 0]"
    assert parts(read_cogmaps(line, names)[0]) == parts(made)


@pytest.mark.parametrize(
    ("line", "quoted", "expected"),
    [
        (LINE.replace("[5, 5]", "[5, 4]"), "[5, 4]", "expected [5, 5]"),
        (LINE.replace("[5, 5]", "[4, 5]"), "[4, 5]", "expected [5, 5]"),
        (LINE.replace("[5, 3]", "[5, 5]"), "anchor b at [5, 5]", "[5, 5-k], k 1..4"),
        (LINE.replace("[5, 3]", "[5, 0]"), "anchor b at [5, 0]", "[5, 5-k], k 1..4"),
        (LINE.replace("[5, 3]", "[5, 6]"), "anchor b at [5, 6]", "[5, 5-k], k 1..4"),
        (LINE.replace("[5, 3]", "[4, 3]"), "anchor b at [4, 3]", "[5, 5-k], k 1..4"),
        (LINE.replace("[7, 3]", "[10, 3]"), "[10, 3]", "outside the grid"),
        (LINE.replace("[7, 3]", "[7, -1]"), "[7, -1]", "outside the grid"),
        (LINE.replace("[7, 3]", "[7.5, 3]"), "[7.5, 3]", "integers 0..9"),
        (LINE.replace("[7, 3]", "[7, 3, 1]"), "[7, 3, 1]", "integers 0..9"),
        (LINE.replace("[7, 3]", "[07, 3]"), "[07, 3]", "is no cell"),
        (LINE.replace("[7, 3]", "[٧, 3]"), "[٧, 3]", "is no cell"),
        (LINE.replace("[7, 3]", "[__import__('os'), 3]"), "__import__", "is no cell"),
        (LINE.replace("lamp", "lmap"), "'lmap'", "expected one of sofa, chair (#7)"),
        (LINE.replace("lamp", "Lamp"), "'Lamp'", "expected one of sofa"),
        (LINE.replace("lamp", ""), "''", "expected one of sofa"),
        (LINE.replace("lamp", "sofa"), LINE[:20], "three different"),
        (LINE.replace("chair (#7)", "sofa"), "sofa [5, 3]", "three different"),
        (LINE.replace("->", "=>"), "=>", "NAME [5, 5-k] -> NAME"),
        (LINE.replace("], ", "]; "), "]; chair", "NAME [5, 5], NAME [5, 5-k]"),
        (LINE.replace("sofa [5, 5], ", ""), "chair (#7)", "is no map"),
        (LINE + " please", "'please'", "m per cell"),
        (LINE + " (0 m per cell)", "'(0 m per cell)'", "m per cell"),
        (LINE + " (-1 m per cell)", "'(-1 m per cell)'", "m per cell"),
        (LINE + " (nan m per cell)", "'(nan m per cell)'", "m per cell"),
        (LINE + " " + LINE, "sofa", "is no map"),
        (LINE + "\nI cannot see the rest.", "I cannot see the rest.", "is no map"),
        ("garbage", "'garbage'", "is no map"),
    ],
)
def test_what_is_no_map_is_quoted(line: str, quoted: str, expected: str) -> None:
    with pytest.raises(ValueError) as error:
        read_cogmaps(line, NAMES)
    assert quoted in str(error.value)
    assert expected in str(error.value)


@pytest.mark.parametrize(
    ("made", "names", "reason"),
    [
        (LocalCogMap(3, 7, 99, (5, 3), (7, 3), 1.0), NAMES, "object 99 has no name"),
        (LocalCogMap(3, 7, 3, (5, 3), (7, 3), 1.0), NAMES, "three different"),
        (LocalCogMap(3, 7, 20, (5, 0), (7, 3), 1.0), NAMES, "anchor b at (5, 0)"),
        (LocalCogMap(3, 7, 20, (5, 3), (7, 10), 1.0), NAMES, "(7, 10) is outside"),
        (LocalCogMap(3, 7, 20, (5, 3), (7, 3), 0.0), NAMES, "0.0 m per cell"),
        (LocalCogMap(3, 7, 20, (5, 3), (7, 3), math.inf), NAMES, "inf m per cell"),
        (MAP, NAMES | {9: "lamp"}, "'lamp'"),
        (MAP, NAMES | {9: " lamp "}, "' lamp '"),
        (MAP, NAMES | {9: ""}, "object 9"),
    ],
)
def test_what_could_not_be_read_back_is_not_written(
    made: LocalCogMap, names: dict[int, str], reason: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        write_cogmaps([made], names, metres=True)


def test_two_objects_of_one_name_cannot_be_read() -> None:
    with pytest.raises(ValueError, match="a name of its own"):
        read_cogmaps(LINE, NAMES | {21: "lamp"})


@pytest.mark.parametrize(
    "answer",
    [
        "[7, 3]",
        "[7,3].",
        "The lamp is at [7, 3]",
        "```[7, 3]```",
        "```json\n[\n 7,\n 3\n]\n```",
        "[[7, 3]]",
        "**[ 7 ,3 ]**, that is [7, 3]",
        "lamp (#20) [7, 3]",
    ],
)
def test_an_answer_gives_its_one_cell(answer: str) -> None:
    assert read_cell(answer) == (7, 3)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "no cell in ''"),
        ("   \n", "no cell"),
        ("I cannot tell.", "no cell in 'I cannot tell.'"),
        ("7, 3", "no cell in '7, 3': expected [x, y]"),
        ("(7, 3)", "no cell"),
        ("[]", "'[]' is no cell"),
        ("[7]", "'[7]' is no cell"),
        ("[7, 3, 1]", "'[7, 3, 1]' is no cell"),
        ("[7 3]", "'[7 3]' is no cell"),
        ("[7, 3", "'[7, 3' is no cell"),
        ("[-1, 3]", "'[-1, 3]' is outside the grid: expected [x, y], integers 0..9"),
        ("[7, 10]", "'[7, 10]' is outside the grid"),
        ("[7.0, 3]", "'[7.0, 3]' is no cell"),
        ("[7.4, 3.2]", "is no cell"),
        ("[1e0, 3]", "is no cell"),
        ("[7, ٣]", "is no cell"),
        ("[" + "9" * 40 + ", 3]", "9999, 3]' is outside the grid"),
        ("[" + "9" * 5000 + ", 3]", "... is outside the grid"),
        ("[7, 3] or [8, 3]", "different cells in '[7, 3] or [8, 3]'"),
        ("[7, 3], no: [8, 2", "'[8, 2' is no cell"),
        ("sofa [5, 5], chair [5, 3] -> lamp [7, 3]", "different cells"),
        ("[lamp] [7, 3]", "'[lamp]' is no cell"),
        ("[__import__('os').getpid(), 3]", "is no cell"),
    ],
)
def test_an_answer_without_one_cell_is_refused(answer: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        read_cell(answer)


@given(st.text(st.sampled_from("[]0123456789, .-x\n"), max_size=30))
def test_an_answer_is_a_cell_or_an_error(text: str) -> None:
    try:
        cell = read_cell(text)
    except ValueError as error:
        assert "expected" in str(error)
    else:
        assert write_cell(cell) in re.sub(r"\[\s*(\d)\s*,\s*(\d)\s*\]", r"[\1, \2]", text)


@given(st.text(max_size=60), st.integers(0, len(LINE)))
def test_no_text_does_more_than_raise_a_value_error(text: str, at: int) -> None:
    for broken in (text, LINE[:at] + text + LINE[at:]):
        try:
            maps = read_cogmaps(broken, NAMES)
        except ValueError as error:
            assert "expected" in str(error)
        else:
            assert len(read_cogmaps(write_cogmaps(maps, NAMES), NAMES)) == len(maps)


@pytest.mark.parametrize("part", ["[", "]", "[5, ", " ", "[5, 5]", "->", "[[", "x [1, 1],"])
def test_long_garbage_is_refused_at_once(part: str) -> None:
    start = time.perf_counter()
    text = part * 50_000
    with pytest.raises(ValueError) as of_map:
        read_cogmaps("x" + text, NAMES)
    assert len(str(of_map.value)) < 1000
    if "5, 5" not in part and "1, 1" not in part:
        with pytest.raises(ValueError) as of_cell:
            read_cell(text)
        assert len(str(of_cell.value)) < 1000
    assert time.perf_counter() - start < 2.0
