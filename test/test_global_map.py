"""The map of a whole scene: its grid, its text and its score, worked out by hand."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hand_built_room import room, thing
from hypothesis import given
from hypothesis import strategies as st

from spatial_vlm_ros.language.global_map import (
    MIN_CELL,
    SquareGrid,
    global_map,
    map_score,
    quantisation_errors,
    square_grid,
)
from spatial_vlm_ros.language.global_map_text import (
    MAX_CHARACTERS,
    prompt,
    read_global_map,
    write_global_map,
)
from spatial_vlm_ros.language.names import label_words
from spatial_vlm_ros.scene.graph import SceneObject


def at(*places: tuple[str, float, float]) -> list[SceneObject]:
    return [
        thing(number, label, (x, y, 0.5, 0.4, 0.2, 1.0, 0.3))
        for number, (label, x, y) in enumerate(places, 1)
    ]


def test_cells_by_hand() -> None:
    """10 m by 4 m: cells of 1 m, the shorter side in the middle: the grid's y is from -3 to 7."""
    objects = at(("Sofa", 0, 0), ("chair", 10, 4), ("chair", 4.2, 1.9), ("coffee_table", 9.0, 2.0))
    made = global_map(objects)
    assert made.grid == SquareGrid(5.0, 2.0, 1.0)
    assert made.cells == {"sofa": ((0, 3),), "chair": ((9, 7), (4, 4)), "coffee table": ((9, 5),)}
    assert list(made.cells) == ["sofa", "chair", "coffee table"]


def test_errors_by_hand_in_cells_and_metres() -> None:
    """20 m by 8 m: the same map with cells of 2 m. Exact: (-0.5, 2.5), (9.5, 6.5), (4.0, 4.3)."""
    objects = at(("a", 0, 0), ("b", 20, 8), ("c", 9, 3.6))
    in_cells, in_metres = quantisation_errors(objects)
    np.testing.assert_allclose(in_cells, [math.sqrt(0.5), math.sqrt(0.5), 0.3], atol=1e-12)
    np.testing.assert_allclose(in_metres, 2 * in_cells, atol=1e-12)


def test_x_is_right_and_y_is_up_along_the_scene_axes() -> None:
    cells = global_map(at(("west", 0, 5), ("east", 10, 5), ("south", 5, 0), ("north", 5, 10))).cells
    assert cells == {"west": ((0, 5),), "east": ((9, 5),), "south": ((5, 0),), "north": ((5, 9),)}


@pytest.mark.parametrize("places", [[(3.0, -2.0)], [(3.0, -2.0)] * 3, [(3.0, -2.0), (3.01, -2.0)]])
def test_what_has_no_extent_is_in_the_middle(places: list[tuple[float, float]]) -> None:
    objects = at(*(("thing", x, y) for x, y in places))
    made = global_map(objects)
    assert made.grid.metres_per_cell == MIN_CELL
    assert all(abs(v - 4.5) <= 0.5 for cell in made.cells["thing"] for v in cell)
    if len(set(places)) == 1:
        assert set(made.cells["thing"]) == {(5, 5)}
    assert quantisation_errors(objects)[1].max() <= MIN_CELL * math.sqrt(0.5) + 1e-9


def test_no_objects_make_an_empty_map() -> None:
    assert global_map([]).cells == {}
    assert math.isfinite(global_map([]).grid.metres_per_cell)
    in_cells, in_metres = quantisation_errors([])
    assert in_cells.shape == in_metres.shape == (0,)


places = st.tuples(st.floats(-50, 50), st.floats(-50, 50))


@given(st.lists(places, min_size=1, max_size=20), places)
def test_every_object_is_within_half_a_cell(
    points: list[tuple[float, float]], shift: tuple[float, float]
) -> None:
    array = np.array(points)
    grid = square_grid(array)
    cells = grid.cells(array)
    assert cells.min() >= 0
    assert cells.max() <= 9
    assert np.abs(grid.coordinates(array) - cells).max() <= 0.5 + 1e-6
    middles = (cells - 4.5) * grid.metres_per_cell + (grid.x, grid.y)
    assert np.abs(middles - array).max() <= grid.metres_per_cell * (0.5 + 1e-6)
    extent = np.ptp(array, axis=0).max()
    assert grid.metres_per_cell == pytest.approx(max(extent / 10, MIN_CELL))
    moved = square_grid(array + shift)
    np.testing.assert_allclose(moved.coordinates(array + shift), grid.coordinates(array), atol=1e-6)


def test_what_is_outside_a_grid_is_not_clamped() -> None:
    grid = square_grid(np.array([[0.0, 0.0], [10.0, 10.0]]))
    assert grid.cells(np.array([[10.0, 0.0]])).tolist() == [[9, 0]]
    with pytest.raises(ValueError, match=re.escape("[[10.1, 5.0]]")):
        grid.cells(np.array([[5.0, 5.0], [10.1, 5.0]]))


def test_the_room() -> None:
    """Centres are in 0.3..5.6 by 0.03..4.97: cells of 0.53 m, the grid's y from -0.15 to 5.15."""
    made = global_map(room().objects)
    assert made.grid.metres_per_cell == pytest.approx(0.53)
    assert (made.grid.x, made.grid.y) == pytest.approx((2.95, 2.5))
    assert made.cells["sofa"] == ((5, 8),)  # (3.0 - 0.3) / 0.53 = 5.09, (4.5 + 0.15) / 0.53 = 8.77
    assert made.cells["mug"] == ((4, 4), (5, 4), (9, 4))
    assert sum(map(len, made.cells.values())) == len(room().objects)


def test_the_text_is_json_in_map_tags() -> None:
    cells = {"table": ((0, 3), (5, 7)), "chair": ((9, 3),)}
    text = '<map>{"table": [[0, 3], [5, 7]], "chair": [[9, 3]]}</map>'
    assert write_global_map(cells) == text
    assert read_global_map(text) == cells
    assert read_global_map(f"<think>A table [1, 1].</think>\n{text} That is all.") == cells
    assert write_global_map({"café table": ((0, 0),)}) == '<map>{"café table": [[0, 0]]}</map>'
    assert read_global_map("<map>\n{ }\n</map>") == {}
    assert read_global_map('<map>{"Coffee_Table": [], "TV": [[1,2]]}</map>') == {
        "coffee table": (),
        "tv": ((1, 2),),
    }


cell = st.tuples(st.integers(0, 9), st.integers(0, 9))
maps = st.dictionaries(
    st.text(st.characters(blacklist_categories=("Cs",)), max_size=15).map(label_words),
    st.lists(cell, max_size=6).map(tuple),
    max_size=6,
)


@given(maps)
def test_reading_gives_back_what_was_written(cells: dict[str, tuple[tuple[int, int], ...]]) -> None:
    assert read_global_map(write_global_map(cells)) == cells


def test_a_category_cannot_end_the_tag() -> None:
    cells = {'a "</map>" <map>': ((1, 2),)}
    assert read_global_map(write_global_map(cells)) == cells


def wrapped(text: str) -> str:
    return f"<map>{text}</map>"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "'': expected one <map>...</map>"),
        ('{"bed": [[1, 2]]}', "expected one <map>"),
        ('<map>{"bed": [[1, 2]]}', "expected one <map>"),
        ('</map>{"bed": [[1, 2]]}<map>', "expected one <map>"),
        (wrapped("{}") * 2, "expected one <map>"),
        ("<map>" + wrapped("{}"), "expected one <map>"),
        (wrapped("{}") + "</map>", "expected one <map>"),
        (wrapped(""), "'' is no map"),
        (wrapped("{'bed': [[1, 2]]}"), 'expected {"category": [[x, y], ...], ...} as JSON'),
        (wrapped("[[1, 2]]"), "'[[1, 2]]' is no dictionary"),
        (wrapped("null"), "is no dictionary"),
        (wrapped('{"bed": [1, 2]}'), "'bed' has 1: expected [x, y], integers 0..9"),
        (wrapped('{"bed": 4}'), "'bed' has 4: expected [[x, y], ...]"),
        (wrapped('{"bed": {"x": 1}}'), "'bed' has [('x', 1)]: expected [[x, y], ...]"),
        (wrapped('{"bed": {}}'), "'bed' has []: expected [[x, y], ...]"),
        (wrapped('{"bed": [{"x": 1, "y": 2}]}'), "expected [x, y], integers 0..9"),
        (wrapped('{"bed": "[[1, 2]]"}'), "expected [[x, y], ...]"),
        (wrapped('{"bed": [[1, 2, 3]]}'), "'bed' has [1, 2, 3]"),
        (wrapped('{"bed": [[1]]}'), "'bed' has [1]"),
        (wrapped('{"bed": [[1, 10]]}'), "'bed' has [1, 10]"),
        (wrapped('{"bed": [[-1, 1]]}'), "'bed' has [-1, 1]"),
        (wrapped('{"bed": [[1.0, 1]]}'), "'bed' has ['1.0', 1]"),
        (wrapped('{"bed": [[NaN, 1]]}'), "'bed' has [nan, 1]"),
        (wrapped('{"bed": [[true, 1]]}'), "'bed' has [True, 1]"),
        (wrapped('{"bed": [["1", 1]]}'), "'bed' has ['1', 1]"),
        (wrapped('{"bed": [[' + "9" * 9000 + ", 1]]}"), "'bed' has ['9999"),
        (wrapped('{"bed": [[1, 2]], "bed": [[3, 4]]}'), "category 'bed'"),
        (wrapped('{"bed": [[1, 2]], "Bed ": [[3, 4]]}'), "category 'Bed '"),
        (wrapped('{" ": [[1, 2]]}'), "category ' '"),
        (wrapped('{"a": ' + "[" * 900 + "]" * 900 + "}"), "expected [x, y]"),
        (wrapped('{"a": ' + "[" * 40_000), "is no map"),
        (wrapped('{"a":' * 900 + "1" + "}" * 900), "'a' has"),
        (wrapped(" " * (MAX_CHARACTERS + 1)), "a map of 100001 characters"),
        (wrapped("__import__('os')"), "is no map"),
    ],
)
def test_what_is_no_map_is_named(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)) as error:
        read_global_map(text)
    assert len(str(error.value)) < 1000


@given(st.text(st.sampled_from('{}[]":, 0123456789.ab'), max_size=40))
def test_no_text_does_more_than_raise_a_value_error(text: str) -> None:
    try:
        cells = read_global_map(wrapped(text))
    except ValueError as error:
        assert "expected" in str(error)
    else:
        assert read_global_map(write_global_map(cells)) == cells


def test_the_prompt_lists_what_to_place() -> None:
    text = prompt(["Coffee_table", "chair", "chair"])
    assert "for these categories only: coffee table, chair." in text
    for said in ("10 x 10", "[x, y]", "0 to 9", "right", "upwards", "from above", "first frame"):
        assert said in text
    assert read_global_map(text[text.index("example") :])  # the example can be read
    with pytest.raises(ValueError, match="at least one"):
        prompt([])


DIAGONAL = 10 * math.sqrt(2)
TRUTH = {"table": ((0, 3), (5, 7)), "chair": ((9, 3),), "window": ((6, 5),)}


@pytest.mark.parametrize(
    ("answered", "score"),
    [
        (TRUTH, 1.0),
        ({}, 0.0),
        ({"table": (), "chair": ()}, 0.0),
        ({"sofa": ((9, 3),), "stool": ((0, 3),)}, 0.0),  # only what is not there
        ({"chair": ((9, 3),)}, 1 / 4),
        ({"table": ((0, 3), (5, 7))}, 2 / 4),  # weighs twice as much
        ({"table": ((5, 7),)}, 1 / 4),  # one of two
        ({"chair": ((9, 4),)}, (1 - 1 / DIAGONAL) / 4),  # one cell off
        ({"chair": ((8, 4),)}, 0.9 / 4),  # one cell off both ways: sqrt 2 of 10 sqrt 2
        ({"chair": ((9, 3), (0, 0))}, 1 / 2 / 4),  # one too many
        ({**TRUTH, "window": ((6, 5), (6, 5), (6, 5))}, (3 + 1 / 3) / 4),
        ({**TRUTH, "sofa": ((1, 1),)}, 1.0),  # another category counts for nothing
        # Both are 2 from (5, 7): the first takes it, the other is sqrt 61 from (0, 3).
        ({"table": ((5, 5), (5, 9))}, (2 - (2 + math.sqrt(61)) / DIAGONAL) / 2 * 2 / 4),
        ({"table": ((0, 4), (5, 7))}, (2 - 1 / DIAGONAL) / 2 * 2 / 4),
    ],
)
def test_scores_by_hand(answered: dict[str, tuple[tuple[int, int], ...]], score: float) -> None:
    assert map_score(answered, TRUTH) == pytest.approx(score, abs=1e-12)


def test_matching_is_greedy_not_best() -> None:
    """On one line, truth at 0 and 3, answers at 2 and 9: 2-3 goes first (1), then 9-0 (9)."""
    truth = {"a": ((0, 0), (3, 0))}
    assert map_score({"a": ((2, 0), (9, 0))}, truth) == pytest.approx(1 - 10 / DIAGONAL / 2)
    # The best matching, 2-0 and 9-3, would have 8 in all.


def test_an_empty_scene_is_only_the_empty_map() -> None:
    assert map_score({}, {}) == 1.0
    assert map_score({"a": ()}, {"a": ()}) == 1.0
    assert map_score({"a": ((1, 1),)}, {}) == 0.0


@given(maps, maps)
def test_a_score_is_between_none_and_all(
    answered: dict[str, tuple[tuple[int, int], ...]], truth: dict[str, tuple[tuple[int, int], ...]]
) -> None:
    assert 0 <= map_score(answered, truth) <= 1 + 1e-12
    assert map_score(truth, truth) == pytest.approx(1)
    name = next((n for n, found in truth.items() if found), None)
    if name is not None:
        more = {**truth, name: (*truth[name], (0, 0))}
        assert map_score(more, truth) < 1
