"""Rows of data sets: what is one, what is none, and that both file formats give them back."""

from __future__ import annotations

import json
import string
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spatial_vlm_ros.data.files import read_each, read_rows, write_rows
from spatial_vlm_ros.data.row import TASKS, Mark, Reference, Row
from spatial_vlm_ros.scene.box import Box

PLAIN = {
    "id": "1",
    "dataset": "scanqa",
    "scene": "scannet/scene0000_00",
    "task": "question",
    "question": "What is it?",
    "answer": "a chair",
}
BOX = [1.0, 2.0, 0.5, 1.5, 1.0, 0.5, 0.25]
FULL = Row(
    **PLAIN | {"answer": "B", "task": "grounding"},
    subtask="what",
    options=("a table", "a Stuhl für 2"),
    accepted=("chair", "椅子 🪑"),
    refs=(Reference(0, ""), Reference(7, "chair", Box(*BOX))),
    targets=(7, 2**62),
    boxes=(Box(*BOX),),
    stands_at=(0.1, -0.2, 1e-300, 3.141592653589793),
    system="Answer by letter.",
    images=("a/0.jpg",),
    marks=(Mark(0, "red", 0.5, 1.0), Mark(0, "blue", 0.0, 0.25, (1.0, 1 / 3))),
    license="CC BY 4.0",
)

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
part = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/.\0"), min_size=1)
path = st.lists(part, min_size=1, max_size=2).map("/".join)
said = words.filter(str.strip)
finite = st.floats(allow_nan=False, allow_infinity=False)
share = st.floats(0, 1)
number = st.integers(0, 2**63 - 1)
size = st.floats(0, 1e300)
box = st.builds(Box, finite, finite, finite, size, size, size, finite)


@st.composite
def rows(draw: st.DrawFn) -> Row:
    options = draw(st.lists(words, max_size=4, unique=True))
    images = draw(st.lists(path, max_size=3))
    image = st.integers(0, max(len(images) - 1, 0))
    mark = st.builds(Mark, image, words, share, share, st.none() | st.tuples(share, share))
    return Row(
        id=draw(said),
        dataset=draw(said),
        scene=draw(path | st.just("") if images else path),
        task=draw(st.sampled_from(sorted(TASKS))),
        question=draw(said),
        answer=draw(st.sampled_from(string.ascii_uppercase[: len(options)]) if options else said),
        subtask=draw(words),
        options=options,
        accepted=draw(st.lists(words, max_size=2)),
        refs=draw(st.lists(st.builds(Reference, number, words, st.none() | box), max_size=3)),
        targets=draw(st.lists(number, max_size=3)),
        boxes=draw(st.lists(box, max_size=2)),
        stands_at=draw(st.none() | st.tuples(finite, finite, finite, finite)),
        system=draw(words),
        images=images,
        marks=draw(st.lists(mark, max_size=2)) if images else (),
        license=draw(words),
    )


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(rows(), max_size=4))
def test_rows_survive_both_formats(tmp_path: Path, written: list[Row]) -> None:
    for name in ("rows.jsonl", "rows.parquet"):
        assert write_rows(tmp_path / name, written) == len(written)
        read = list(read_rows(tmp_path / name))
        assert read == written
        assert repr(read) == repr(written)  # of floats every digit, and the sign of zero


def test_a_row_as_a_line() -> None:
    content = json.loads(json.dumps(FULL.to_json()))
    assert content["refs"] == [
        {"object": 0, "category": ""},
        {"object": 7, "category": "chair", "box": BOX},
    ]
    assert content["options"] == ["a table", "a Stuhl für 2"]
    assert content["stands_at"] == [0.1, -0.2, 1e-300, 3.141592653589793]
    assert content["marks"][1] == {
        "image": 0,
        "colour": "blue",
        "u": 0.0,
        "v": 0.25,
        "corner": [1.0, 1 / 3],
    }
    assert Row.from_json(content) == FULL
    assert Row(**PLAIN).to_json() == PLAIN  # what is at its default is left out


def test_numbers_of_numpy_are_numbers() -> None:
    row = Row(**PLAIN, targets=np.array([3, 4]), stands_at=np.float32([1, 2, 3, 0]))
    assert row.targets == (3, 4) and row.stands_at == (1.0, 2.0, 3.0, 0.0)
    assert json.loads(json.dumps(row.to_json()))["targets"] == [3, 4]


REF = {"object": 1, "category": "chair"}
MARK = {"image": 0, "colour": "red", "u": 0.5, "v": 0.5}
BAD = {
    "id is empty": {"id": " "},
    "id is 5, not text": {"id": 5},
    "question is None, not text": {"question": None},
    "answer has half a character": {"answer": "\ud83d"},
    "task 'guess' is not one of": {"task": "guess"},
    "neither a scene nor images": {"scene": ""},
    "scene is '../room', not a path below a folder": {"scene": "../room"},
    "scene is '/room', not a path below a folder": {"scene": "/room"},
    "images\\[1\\] is 'a/../../b.jpg', not a path below": {"images": ["a", "a/../../b.jpg"]},
    "unknown fields: anwser, refz": {"anwser": "x", "refz": 1},
    "options is 'abc', not a list": {"options": "abc"},
    "options\\[1\\] is 2, not text": {"options": ["a", 2], "answer": "A"},
    "answer 'a chair' is not one of A, B": {"options": ["a", "b"]},
    "answer 'AB' is not one of A, B": {"options": ["a", "b"], "answer": "AB"},
    "options repeat": {"options": ["a", "a"], "answer": "A"},
    "options are 27": {"options": list(map(str, range(27))), "answer": "A"},
    "accepted is {'a': 1}, not a list": {"accepted": {"a": 1}},
    "targets\\[0\\] is '7', not a whole number": {"targets": ["7"]},
    "targets\\[1\\] is True, not a whole number": {"targets": [1, True]},
    "targets\\[0\\] is 7.0, not a whole number": {"targets": [7.0]},
    "targets\\[0\\] is -1, not a number from 0": {"targets": [-1]},
    f"targets\\[0\\] is {2**63}, not": {"targets": [2**63]},
    "refs is 3, not a list": {"refs": 3},
    "refs\\[0\\]: it is 7, not an object": {"refs": [7]},
    "refs\\[1\\]: it has no category": {"refs": [REF, {"object": 1}]},
    "refs\\[0\\]: it has unknown fields: obj": {"refs": [{"obj": 1}]},
    "refs\\[0\\]: object is 'one'": {"refs": [REF | {"object": "one"}]},
    "refs\\[0\\]: category is None": {"refs": [REF | {"category": None}]},
    "refs\\[0\\]: box\\[6\\] is '0'": {"refs": [REF | {"box": [*BOX[:6], "0"]}]},
    "refs\\[0\\]: box: a box is 7": {"refs": [REF | {"box": BOX[:6]}]},
    "boxes\\[0\\] is 1.0, not a list": {"boxes": BOX},
    "boxes\\[0\\]\\[2\\] is not finite: nan": {"boxes": [[0, 0, float("nan"), 1, 1, 1, 0]]},
    "boxes\\[1\\]: a box cannot have a negative size": {"boxes": [BOX, [0, 0, 0, 1, -1, 1, 0]]},
    "boxes\\[0\\]\\[0\\] is False, not a number": {"boxes": [[False, *BOX[1:]]]},
    "stands_at has 3 numbers, not x, y, z, yaw": {"stands_at": [0, 0, 0]},
    "stands_at\\[3\\] is not finite": {"stands_at": [0, 0, 0, float("inf")]},
    "stands_at is 'here'": {"stands_at": "here"},
    "images\\[0\\] is None": {"images": [None]},
    "marks: one is in image 1 of 1": {"images": ["a"], "marks": [MARK | {"image": 1}]},
    "marks\\[0\\]: u is '0.5', not a number": {"images": ["a"], "marks": [MARK | {"u": "0.5"}]},
    "marks\\[0\\]: u, v or corner lie outside": {"images": ["a"], "marks": [MARK | {"v": 1.01}]},
    "marks\\[0\\]: corner has 1 numbers, not u, v": {
        "images": ["a"],
        "marks": [MARK | {"corner": [1]}],
    },
    "system is \\['You'\\], not text": {"system": ["You"]},
}


@pytest.mark.parametrize("message", BAD)
def test_what_is_no_row_is_refused_by_the_name_of_its_field(message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Row.from_json(PLAIN | BAD[message])


@pytest.mark.parametrize("name", PLAIN)
def test_no_field_that_is_needed_can_be_missing(name: str) -> None:
    with pytest.raises(ValueError, match=f"a row has no {name}"):
        Row.from_json({key: value for key, value in PLAIN.items() if key != name})


LINES = {
    b"[1, 2]": "a row is \\[1, 2\\], not an object with fields",
    b'"text"': "a row is 'text'",
    b"null": "a row is None",
    b'{"id": ': "it is no JSON",
    b'{"id": "\xff"}': "it is no JSON",
    b"[" * 100_000: "it is no JSON",
    json.dumps(PLAIN | {"version": 2}).encode(): "it is of version 2, this program reads 1",
    json.dumps(PLAIN | {"version": "1"}).encode(): "it is of version '1'",
    json.dumps(PLAIN | {"targets": [0.5]}).encode(): "targets\\[0\\] is 0.5",
}


@pytest.mark.parametrize("line", LINES, ids=lambda line: line[:20].decode(errors="replace"))
def test_errors_name_the_file_and_the_line(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "mine.jsonl"
    good = json.dumps(PLAIN).encode()  # of the first version: it does not say so
    path.write_bytes(good + b"\n\n" + line + b"\n" + good + b"\n")
    reading = read_rows(path)
    assert next(reading) == Row(**PLAIN)
    with pytest.raises(ValueError, match=rf"mine.jsonl:3 is no row: {LINES[line]}"):
        next(reading)
    found = [row for _, row in read_each(path)]
    assert [isinstance(row, Row) for row in found] == [True, False, True]


def test_a_file_says_its_version_and_parquet_has_types(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    import pyarrow as pa
    import pyarrow.parquet as pq

    write_rows(tmp_path / "rows.jsonl", [FULL])
    assert json.loads((tmp_path / "rows.jsonl").read_text())["version"] == 1
    write_rows(tmp_path / "rows.parquet", [FULL])
    table = pq.read_table(tmp_path / "rows.parquet")
    assert table.schema.metadata[b"spatial_vlm_ros.rows"] == b"1"
    assert table.schema.field("question").type == pa.string()
    assert table.schema.field("options").type.value_type == pa.string()
    assert table.schema.field("targets").type.value_type == pa.int64()
    ref = table.schema.field("refs").type.value_type
    assert ref.field("object").type == pa.int64()
    assert [ref.field("box").type.field(n).name for n in range(7)] == [
        *("x", "y", "z", "length", "width", "height", "yaw")
    ]
    assert table.column("refs")[0][1]["box"]["length"].as_py() == 1.5
    for version, message in ((b"2", "has rows of version 2"), (None, "does not say their version")):
        metadata = {b"spatial_vlm_ros.rows": version} if version else {}
        pq.write_table(table.replace_schema_metadata(metadata), tmp_path / "other.parquet")
        with pytest.raises(ValueError, match=rf"other.parquet {message}|{message}"):
            list(read_rows(tmp_path / "other.parquet"))


def test_parquet_of_others_is_checked_row_by_row(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    import pyarrow as pa
    import pyarrow.parquet as pq

    wrong = [PLAIN, PLAIN | {"task": "guess"}, PLAIN | {"id": None}]
    table = pa.Table.from_pylist(wrong).replace_schema_metadata({"spatial_vlm_ros.rows": "1"})
    pq.write_table(table, tmp_path / "rows.parquet")
    assert [str(row) for _, row in read_each(tmp_path / "rows.parquet")][1:] == [
        f"task 'guess' is not one of {', '.join(TASKS)}",
        "id is None, not text",
    ]
    (tmp_path / "rows.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(ValueError, match="rows.parquet cannot be read as Parquet"):
        list(read_rows(tmp_path / "rows.parquet"))


def test_without_pyarrow_the_error_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ValueError, match=r"pip install 'spatial_vlm_ros\[training\]'"):
        write_rows(tmp_path / "rows.parquet", [FULL])
    assert not list(tmp_path.iterdir())
    write_rows(tmp_path / "rows.jsonl", [FULL])
    assert list(read_rows(tmp_path / "rows.jsonl")) == [FULL]


def test_folders_are_read_in_the_order_of_names(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.jsonl", "rejected-00000.jsonl"):
        write_rows(tmp_path / name, [Row(**PLAIN | {"id": name})])
    (tmp_path / ".a.jsonl.7.part").write_text("half")
    assert [row.id for row in read_rows(tmp_path)] == ["a.jsonl", "b.jsonl"]
    assert [row.id for row in read_rows(tmp_path / "b.jsonl", tmp_path / "a.jsonl")] == [
        *("b.jsonl", "a.jsonl")
    ]
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="empty has no manifest.json and no files"):
        list(read_rows(tmp_path / "empty"))
    (tmp_path / "rows.csv").write_text("id,question")
    with pytest.raises(ValueError, match=r"rows.csv: files of rows end in .jsonl or .parquet"):
        list(read_rows(tmp_path / "rows.csv"))
    for name in ("missing.jsonl", "missing"):
        with pytest.raises(FileNotFoundError, match=name):
            list(read_rows(tmp_path / name))
