"""Boxes as text: by hand, there and back, and whatever a model may write."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from spatial_vlm_ros.language.box_text import (
    FARTHEST,
    LONGEST_OBJECT,
    LONGEST_TEXT,
    NamedBox,
    read_boxes,
    write_box,
    write_boxes,
)
from spatial_vlm_ros.scene.box import Box

BOX = Box(3.0, 1.0, -1.0, 2.0, 1.0, 0.5, -1.57)
GOOD = '{"bbox_3d": [3, 1, -1, 2, 1, 0.5, -1.57]}'

places = st.floats(-FARTHEST, FARTHEST)
lengths = st.floats(0, FARTHEST)
boxes = st.builds(Box, places, places, places, lengths, lengths, lengths, st.floats(-100, 100))
labels = st.text(max_size=50)

#: What texts about boxes are made of.
PIECES = [
    *"{}[]\":,\\ \n'",
    *("bbox_3d", '"bbox_3d"', '"bbox_3d": [', '{"bbox_3d": ', '"label": "chair"', '"frame": 0'),
    *("1", "-2.5", "1e3", "1e999", "-", "NaN", "-Infinity", "true", "null", '"7"', "9" * 400),
    *("1, 2, 3, 4, 5, 6, 0.7", "```json\n", "```", "Here it is: ", GOOD),
]


def numbers(text: str) -> list[tuple[float, ...]]:
    """Of all boxes in a text in which nothing is refused."""
    reply = read_boxes(text)
    assert reply.refused == ()
    return [item.box.to_tuple() for item in reply.boxes]


# Writing ------------------------------------------------------------------------------------------


def test_form() -> None:
    assert write_box(BOX) == '{"bbox_3d": [3.00, 1.00, -1.00, 2.00, 1.00, 0.50, -1.57]}'
    named = NamedBox(BOX, 'a "big" chair')
    one = r'{"label": "a \"big\" chair", "bbox_3d": [3.00, 1.00, -1.00, 2.00, 1.00, 0.50, -1.57]}'
    assert write_boxes([named, named]) == f"[{one}, {one}]"
    assert write_boxes([named, named], lines=True) == f"{one}\n{one}"
    assert json.loads(one)["label"] == named.label


def test_written_boxes_are_canonical() -> None:
    turned = Box(0, 0, -0.001, 1.0, 2.0, 1.0, np.pi)
    assert write_box(turned) == '{"bbox_3d": [0.00, 0.00, 0.00, 2.00, 1.00, 1.00, -1.57]}'
    just_below = Box(0, 0, 0, 2.0, 1.0, 1.0, np.nextafter(np.pi / 2, 0))
    assert "1.57]" in write_box(just_below)
    assert numbers(write_box(just_below))[0][6] == 1.57  # still in the range, so not turned round


@pytest.mark.parametrize(
    "box",
    [
        Box(np.nan, 0, 0, 1, 1, 1, 0),
        Box(0, 0, 0, 1, 1, 1, np.inf),
        Box(0, 0, 0, 1, -1, 1, 0),
        Box(0, 1.01 * FARTHEST, 0, 1, 1, 1, 0),
    ],
)
def test_what_is_no_box_is_not_written(box: Box) -> None:
    with pytest.raises(ValueError):
        write_box(box)


def test_a_label_too_long_to_be_read_is_not_written() -> None:
    with pytest.raises(ValueError, match="a label of 1000 characters"):
        write_box(BOX, "x" * 1000)


@given(st.lists(st.builds(NamedBox, boxes, labels), max_size=4), st.booleans())
@example([NamedBox(BOX, '"}]{bbox_3d: \\u007d \n')], True)
def test_there_and_back(items: list[NamedBox], lines: bool) -> None:
    reply = read_boxes(write_boxes(items, lines=lines))
    assert [item.label for item in reply.boxes] == [item.label for item in items]
    for found, item in zip(reply.boxes, items, strict=True):
        expected = item.box.canonical().to_tuple()
        np.testing.assert_allclose(found.box.to_tuple(), expected, rtol=0, atol=0.005 + 1e-9)
        assert write_box(found.box) == write_box(item.box)
    if items or not lines:
        assert reply.refused == ()


# Reading what models write ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"[{GOOD}]",
        f"```json\n{GOOD}\n```",
        f"```\n[\n  {GOOD}\n]\n```\nThat is the chair {{as far as I can see}}.",
        f"The chair's box (bbox_3d) is {GOOD}, in metres.",
        f'{{"answer": "yes", "objects": [{GOOD}]}}',
        '{"bbox_3d":[3,1,-1,2,1,.5e0,-1.57]}'.replace(".5e0", "5e-1"),
        '{ "bbox_3d" :\n [ 3.0e0, 1E0, -1, 20E-1, 1.00000, 0.5, -1.57 ] }',
        '{"bbox_3d": [3, 1, -1, 1, 2, 0.5, 0.0007963267948966]}',  # not canonical
        '{"frame": 0, "bbox_3d": [3, 1, -1, 2, 1, 0.5, -1.57], "score": 0.9}',
    ],
)
def test_one_box(text: str) -> None:
    (found,) = numbers(text)
    np.testing.assert_allclose(found, BOX.to_tuple(), atol=1e-9)


@pytest.mark.parametrize("between", [", ", "\n", " and ", "```\n```json\n", ""])
def test_several_boxes_in_their_order(between: str) -> None:
    second = '{"bbox_3d": [0, 0, 0, 1, 1, 1, 0], "label": "lamp"}'
    reply = read_boxes(between.join([GOOD, second, GOOD]))
    assert [item.label for item in reply.boxes] == ["", "lamp", ""]
    assert [item.box.x for item in reply.boxes] == [3, 0, 3]
    assert reply.refused == ()


@pytest.mark.parametrize("text", ["[]", " [ ]\n", "```json\n[]\n```"])
def test_an_empty_list_says_that_there_is_none(text: str) -> None:
    assert numbers(text) == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no .bbox_3d. in the text"),
        ("I cannot see a chair.", "no .bbox_3d. in the text"),
        ("[3, 1, -1, 2, 1, 0.5, -1.57]", "no .bbox_3d. in the text"),
        ("null", "no .bbox_3d. in the text"),
        ('{"bbox_3d": [3, 1, -1, 2, 1, 0.5]}', "6 numbers: expected 7"),
        ('{"bbox_3d": [3, 1, -1, 2, 1, 0.5, 0, 0, 0]}', "9 numbers: expected 7"),
        ('{"bbox_3d": []}', "0 numbers: expected 7"),
        ('{"bbox_3d": [3, 1, -1, 2, 1, 0.5, true]}', "not a list of numbers"),
        ('{"bbox_3d": [3, 1, -1, 2, 1, 0.5, null]}', "not a list of numbers"),
        ('{"bbox_3d": [3, 1, -1, 2, 1, 0.5, "0"]}', "not a list of numbers"),
        ('{"bbox_3d": [[3, 1, -1, 2, 1, 0.5, 0]]}', "not a list of numbers"),
        ('{"bbox_3d": "3 1 -1 2 1 0.5 0"}', "not a list of numbers"),
        ('{"bbox_3d": 7}', "not a list of numbers"),
        ('{"bbox_3d": {"x": 3, "y": 1}}', "not inside one whole JSON object"),
        ('{"bbox_3d": [3, 1, -1, 2, 1, 0.5, NaN]}', "NaN is no number"),
        ('{"bbox_3d": [3, 1, -1, 2, 1, 0.5, -Infinity]}', "-Infinity is no number"),
        ('{"bbox_3d": [3, 1, -1, 2, 1, 0.5, 1e999]}', "7 finite numbers"),
        ('{"bbox_3d": [3, 1, -1, 2, 1, %s, 0]}' % ("9" * 500), "7 finite numbers"),
        ('{"bbox_3d": [3, 1, -1, 2, -1, 0.5, 0]}', "negative size"),
        ('{"bbox_3d": [3, 1, 1e6, 2, 1, 0.5, 0]}', "beyond 100000 m"),
        ('{"bbox_3d": [3, 1, -1, 2, 1, 0.5, 90]}', "not in radians"),
        ('{"bbox_3d": [3, 1, -1, 2, 1, 0.5, 1/2]}', "not JSON"),
        ('{"bbox_3d": [3, 1, -1, 2, 1, 0.5, 0,]}', "not JSON"),
        ('{"bbox_3d": [x, y, z, l, w, h, yaw]}', "not JSON"),
        ("{'bbox_3d': [3, 1, -1, 2, 1, 0.5, 0]}", "not JSON"),
        ('{"bbox_3d": [3, 1, -1, 2, 1, 0.5, 0]', "not inside one whole JSON object"),
        ('"bbox_3d": [3, 1, -1, 2, 1, 0.5, 0]', "not inside one whole JSON object"),
        ("bbox_3d = [3, 1, -1, 2, 1, 0.5, 0]", "not inside one whole JSON object"),
        (json.dumps(GOOD), "not JSON"),
        ('{"label": "bbox_3d: none"}', "no .bbox_3d."),
        ('{"bbox_3d": [3, 1, -1, 2, 1, 0.5, 0], "bbox_3d": [0]}', "said twice"),
        ('{"bbox_3d": [3, 1, -1, 2, 1, 0.5, 0], "label": 3}', "label is not a text"),
        ('{"bbox_3d": [3, 1, -1, 2, 1, 0.5, 0], "frame": 3}', "frame is not 0"),
        ('{"bbox_3d": [3, 1, -1, 2, 1, 0.5, 0], "frame": false}', "frame is not 0"),
        ('{"bbox_3d": [%s]}' % ("[" * 980), "not JSON|nested too deeply"),
        ('{"bbox_3d": [%s]}' % ("1, " * 1000), "object of 3015 characters"),
        (GOOD + " " * LONGEST_TEXT, "1000041 characters of text: expected at most"),
    ],
    ids=lambda value: value[:50],
)
def test_refused_with_the_reason(text: str, reason: str) -> None:
    reply = read_boxes(text)
    assert reply.boxes == ()
    (said,) = reply.refused
    assert re.search(reason, said)
    assert len(said) < 400


def test_what_is_refused_leaves_the_others() -> None:
    reply = read_boxes(f'First {GOOD}, then {{"bbox_3d": [1]}}, {GOOD} and "bbox_3d": [')
    assert len(reply.boxes) == 2
    assert len(reply.refused) == 2
    assert '{"bbox_3d": [1]}, {"bbox_3d"' in reply.refused[0]  # where it is


def test_text_is_never_executed(tmp_path: Path) -> None:
    made = tmp_path / "made"
    code = f"__import__('pathlib').Path({str(made)!r}).touch()"
    for text in (code, f'{{"bbox_3d": [{code}]}}', f'{{"bbox_3d": "{code}"}}'):
        assert read_boxes(text).boxes == ()
    assert not made.exists()


# Reading anything -------------------------------------------------------------------------------


def assert_read(text: str) -> None:
    reply = read_boxes(text)
    for item in reply.boxes:
        values = item.box.to_tuple()
        assert np.isfinite(values).all()
        assert np.abs(values).max() <= FARTHEST
        assert min(values[3:6]) >= 0
        assert item.box == item.box.canonical()
        assert isinstance(item.label, str)
    if not reply.boxes and not reply.refused:
        assert "[]" in "".join(text.split())


@given(st.text())
def test_any_text(text: str) -> None:
    assert_read(text)


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_any_text_about_boxes(text: str) -> None:
    assert_read(text)


@given(st.data())
def test_damaged_texts(data: st.DataObject) -> None:
    """A few characters changed, lost or added."""
    text = write_boxes([NamedBox(BOX, "chair"), NamedBox(BOX)])
    for _ in range(data.draw(st.integers(1, 4))):
        at, skipped = data.draw(st.integers(0, len(text))), data.draw(st.integers(0, 5))
        text = text[:at] + data.draw(st.sampled_from(["", *PIECES])) + text[at + skipped :]
    assert_read(text)


json_values = st.none() | st.booleans() | st.integers() | st.floats() | st.text()


@given(
    st.recursive(
        json_values,
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.sampled_from(["bbox_3d", "label", "x"]), inner)
        ),
    )
)
def test_any_json(value: object) -> None:
    assert_read(json.dumps(value))


@given(
    st.recursive(
        st.sampled_from([0, "chair", None, json.loads(GOOD)]),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from("ab"), inner),
    ),
    st.sampled_from([None, 1]),
)
def test_boxes_are_found_at_any_depth(value: object, indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    assert len(read_boxes(text).boxes) == text.count("bbox_3d")
    assert bool(read_boxes(text).refused) == ("bbox_3d" not in text and value != [])


@pytest.mark.parametrize(
    "unit",
    [
        *("[", "{", '"', "[]", "{}", " ", "1", "\\", '{"', '{"a":', '{"bbox_3d":', '{"bbox_3d": ['),
        *('{"\\"', '"bbox_3d"', "bbox_3d ", "bbox_3d:", '{"bbox_3d": [1]}', '{"bbox_3d": [[[[[]}'),
        *("{ ", "[ ", "`", "```json"),
    ],
)
@pytest.mark.parametrize("around", ["{}", '{{"bbox_3d": [{}', "{}]}}", '{{"bbox_3d": [{}]}}'])
def test_a_megabyte_takes_no_longer_than_its_length(unit: str, around: str) -> None:
    """Seconds of one processor: under one, where quadratic time would be many minutes."""
    text = around.format(unit * ((LONGEST_TEXT - 20) // len(unit)))
    assert len(text) > LONGEST_TEXT - 60
    started = time.process_time()
    reply = read_boxes(text)
    assert time.process_time() - started < 5
    assert reply.boxes == ()
    assert reply.refused


def test_the_longest_text_of_boxes() -> None:
    text = "\n".join([GOOD] * ((LONGEST_TEXT - LONGEST_OBJECT) // len(GOOD + "\n")))
    assert len(read_boxes(text).boxes) > 20_000
