"""Folders of rows: what is in them, and that a killed build goes on as if it had not been."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest

from spatial_vlm_ros.data.building import Unit, build
from spatial_vlm_ros.data.files import read_rows
from spatial_vlm_ros.data.row import Rejected, Row

#: Two rows and a rejected thing, nothing, one large unit, one with an id of the first.
UNITS = {"first": 2, "empty": 0, "large": 11, "last": 1}
SHARD_ROWS = 4


def row(number: int) -> Row:
    task = "counting" if number % 2 else "question"
    return Row(str(number), "mine", "mine/room", task, f"Question {number}?", "yes")


def things(name: str) -> Iterator[Row | Rejected]:
    start = list(UNITS).index(name) * 100
    for number in range(start, start + UNITS[name]):
        yield row(number)
        if number % 4 == 1:
            yield Rejected("odd", f"number {number}", f"{name}:{number}", {"number": number})
    if name == "last":
        yield row(0)  # an id of the first unit, which is in a file by now


def units(names: dict[str, int] = UNITS) -> list[Unit]:
    return [Unit(name, lambda name=name: things(name)) for name in names]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def whole(tmp_path: Path) -> dict[str, bytes]:
    """Of a build that nothing disturbed."""
    build(tmp_path / "whole", units(), SHARD_ROWS, asked={"seed": 1})
    return contents(tmp_path / "whole")


def test_rows_shards_counts_and_what_is_rejected(tmp_path: Path) -> None:
    report = build(tmp_path, units(), SHARD_ROWS, progress=False)
    numbers = [0, 1, *range(200, 211), 300]
    assert list(read_rows(tmp_path)) == [row(number) for number in numbers]
    assert (report.rows, report.before) == (14, 0)
    assert report.tasks == {"counting": 6, "question": 8}
    assert report.datasets == {"mine": 14}
    assert report.rejected == 5 and report.reasons == {"odd": 4, "duplicate id": 1}
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert [shard["holds"] for shard in manifest["shards"]] == [4, 4, 4, 2]
    assert manifest["finished"] and manifest["version"] == 1
    for shard in manifest["shards"] + manifest["rejected"]:
        data = (tmp_path / shard["file"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == shard["sha256"]
        assert data.count(b"\n") == shard["holds"]
    rejected = [
        json.loads(line)
        for path in sorted(tmp_path.glob("rejected-*"))
        for line in path.read_text().splitlines()
    ]
    assert rejected[0] == {
        "reason": "odd",
        "detail": "number 1",
        "source": "first:1",
        "content": {"number": 1},
    }
    assert rejected[-1]["reason"] == "duplicate id" and rejected[-1]["source"] == "last"
    assert rejected[-1]["content"]["question"] == "Question 0?"


def test_data_sets_may_use_the_same_ids(tmp_path: Path) -> None:
    def both() -> Iterator[Row]:
        yield replace(row(1), dataset="mine", id="1")
        yield replace(row(1), dataset="yours", id="1")
        yield replace(row(2), dataset="yours", id="1")

    report = build(tmp_path, [Unit("both", both)], progress=False)
    assert report.datasets == {"mine": 1, "yours": 1} and report.rejected == 1


def test_files_are_closed_when_much_is_rejected(tmp_path: Path) -> None:
    def bad() -> Iterator[Rejected]:
        for number in range(10):
            yield Rejected("bad", "", str(number), {"half": "\ud83d", number: {1, 2}, (1,): 0})

    report = build(tmp_path, [Unit("bad", bad)], 4, progress=False)
    assert (report.rows, report.rejected) == (0, 10)
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["manifest.json", *(f"rejected-0000{n}.jsonl" for n in range(3))]
    assert "half" in json.loads((tmp_path / files[1]).read_text().splitlines()[0])["content"]
    assert list(read_rows(tmp_path)) == []


def build_until(moment: int, folder: Path, format: str = "jsonl") -> int:
    """Kills its own process at this of its moments: before and after each file is written to disk
    and is moved to its place, and before each row. How many there were, if it comes to its end.
    """
    passed = 0

    def may_be_the_end() -> None:
        nonlocal passed
        passed += 1
        if passed == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(does: Callable) -> Callable:
        def doing(*arguments):
            may_be_the_end()
            done = does(*arguments)
            may_be_the_end()
            return done

        return doing

    def watched(name: str) -> Iterator[Row | Rejected]:
        for thing in things(name):
            may_be_the_end()
            yield thing

    with (
        mock.patch("os.fsync", around(lambda _: None)),  # what is killed is not the machine
        mock.patch.object(Path, "replace", around(Path.replace)),
    ):
        watched_units = [Unit(name, lambda name=name: watched(name)) for name in UNITS]
        build(folder, watched_units, SHARD_ROWS, format, False, {"seed": 1})
    return passed


def test_a_build_that_is_killed_at_any_moment_leaves_the_same_bytes(
    tmp_path: Path, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.fsync", lambda _: None)
    moments = build_until(0, tmp_path / "counted")
    assert contents(tmp_path / "counted") == whole
    assert moments > 50
    left = set()
    for moment in range(1, moments + 1):
        folder = tmp_path / f"killed-{moment}"
        process = multiprocessing.get_context("fork").Process(
            target=build_until, args=(moment, folder)
        )
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        left.add(tuple(sorted(name.split(".")[-1] for name in contents(folder))))
        build(folder, units(), SHARD_ROWS, progress=False, asked={"seed": 1})
        assert contents(folder) == whole, f"killed at moment {moment}"
    assert any("part" in names for names in left) and len(left) > 3


@pytest.mark.parametrize("format", ["jsonl", "parquet"])
def test_a_build_that_is_killed_again_and_again_comes_to_its_end(
    tmp_path: Path, format: str
) -> None:
    if format == "parquet":
        pytest.importorskip("pyarrow")
    build(tmp_path / "whole", units(), SHARD_ROWS, format, False, {"seed": 1})
    typed = "import sys; from pathlib import Path; from test_data_building import build_until"
    typed += "; build_until(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])"
    arguments = [sys.executable, "-c", typed, "30", str(tmp_path / "broken"), format]
    codes = []
    while 0 not in codes and len(codes) < 20:
        done = subprocess.run(arguments, cwd=Path(__file__).parent, timeout=60)
        codes.append(done.returncode)
    assert codes[-1] == 0 and codes[:-1] == [-signal.SIGKILL] * (len(codes) - 1)
    assert len(codes) > 2
    assert contents(tmp_path / "broken") == contents(tmp_path / "whole")


def test_a_build_killed_from_outside_goes_on(tmp_path: Path) -> None:
    typed = """
import sys, time
from pathlib import Path
from test_data_building import Unit, build, row

def slow(start):
    for number in range(start, start + 50):
        time.sleep(0.002)
        yield row(number)

units = [Unit(str(n), lambda n=n: slow(n)) for n in range(0, 500, 50)]
report = build(Path(sys.argv[1]), units, 30, progress=False)
print(report.before, report.rows)
"""
    arguments = [sys.executable, "-c", typed, str(tmp_path / "rows")]
    process = subprocess.Popen(arguments, cwd=Path(__file__).parent)
    end = time.monotonic() + 30
    while len(list(tmp_path.glob("rows/rows-*"))) < 4 and time.monotonic() < end:
        time.sleep(0.005)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    done = subprocess.run(
        arguments, cwd=Path(__file__).parent, capture_output=True, text=True, timeout=60
    )
    before, after = map(int, done.stdout.split())
    assert 90 <= before < 500 and after == 500
    assert [found.id for found in read_rows(tmp_path / "rows")] == list(map(str, range(500)))


def test_a_finished_folder_is_left_alone(tmp_path: Path) -> None:
    first = build(tmp_path, units(), SHARD_ROWS, progress=False)
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}

    def never() -> Iterator[Row]:
        raise AssertionError("made again")

    again = build(tmp_path, [Unit(name, never) for name in UNITS], SHARD_ROWS, progress=False)
    assert again == first._replace(before=first.rows)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == stamps


def test_another_build_into_the_folder_is_refused(tmp_path: Path) -> None:
    build(tmp_path / "rows", units(), SHARD_ROWS, progress=False, asked={"seed": 1, "most": (5,)})
    before = contents(tmp_path / "rows")

    def refused(message: str, units: list[Unit] = units(), **changed) -> None:
        settings = {"shard_rows": SHARD_ROWS, "asked": {"seed": 1, "most": [5]}} | changed
        with pytest.raises(ValueError, match=message):
            build(tmp_path / "rows", units, progress=False, **settings)
        assert contents(tmp_path / "rows") == before

    refused(r"rows holds another build \(seed 1, not 2\)", asked={"seed": 2, "most": [5]})
    refused(r"most \[5\], not null", asked={"seed": 1})
    refused("shard_rows 4, not 5", shard_rows=5)
    refused('format "jsonl", not "parquet"', format="parquet")
    refused(r"begun from other files \(4 units, now 3\)", units(dict.fromkeys("abc", 0)))
    refused("units are called the same: first", [*units(), units()[0]])
    refused("format 'csv' is not one of jsonl, parquet", format="csv")
    refused("shard_rows is 0", shard_rows=0)
    build(tmp_path / "rows", units(), SHARD_ROWS, asked={"seed": 1, "most": [5]})  # the same

    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match="other holds other files, and no build"):
        build(other, units(), SHARD_ROWS)
    assert contents(other) == {"thesis.txt": b"mine"}


def test_two_builds_at_once_in_one_folder_are_refused(tmp_path: Path) -> None:
    def meanwhile() -> Iterator[Row]:
        yield row(1)
        with pytest.raises(ValueError, match="another build is writing to"):
            build(tmp_path, units(), SHARD_ROWS)

    assert build(tmp_path, [Unit("one", meanwhile)], progress=False).rows == 1


def test_files_changed_between_runs_are_noticed(tmp_path: Path) -> None:
    def broken_off(last: int) -> list[Unit]:
        def numbers() -> Iterator[Row]:
            yield from map(row, range(last))
            raise OSError("the disk is gone")

        return [Unit("numbers", numbers)]

    with pytest.raises(ValueError, match="numbers failed: the disk is gone"):
        build(tmp_path, broken_off(6), 4)
    for changed, message in (
        (range(3), "numbers has changed since .* was begun"),
        (range(2, 9), "numbers has changed since .* was begun"),
    ):
        with pytest.raises(ValueError, match=message):
            build(tmp_path, [Unit("numbers", lambda changed=changed: map(row, changed))], 4)
    with (tmp_path / "rows-00000.jsonl").open("a") as file:
        file.write("\n")
    with pytest.raises(ValueError, match="rows-00000.jsonl is missing or changed"):
        build(tmp_path, broken_off(6), 4)
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(ValueError, match="manifest.json is not the manifest of a build"):
        build(tmp_path, broken_off(6), 4)
    (tmp_path / "manifest.json").write_text('{"version": 2}')
    with pytest.raises(ValueError, match="is of version 2, this program reads 1"):
        build(tmp_path, broken_off(6), 4)


def test_a_unit_that_fails_ends_the_build_and_keeps_what_is_done(
    tmp_path: Path, whole: dict[str, bytes]
) -> None:
    def damaged() -> Iterator[Row | Rejected]:
        yield from list(things("large"))[:5]
        raise KeyError("bbox")

    broken = units()
    broken[2] = Unit("large", damaged)
    folder = tmp_path / "rows"
    with pytest.raises(ValueError, match=r"large failed: KeyError: 'bbox'\. What is in files is"):
        build(folder, broken, SHARD_ROWS, asked={"seed": 1})
    assert (folder / "rows-00000.jsonl").exists()
    with pytest.raises(ValueError, match="rows is not finished: run the command"):
        list(read_rows(folder))
    report = build(folder, units(), SHARD_ROWS, asked={"seed": 1})  # it is mended
    assert contents(folder) == whole and report.before == 4


def test_a_full_disk_is_told_and_the_build_goes_on_once_there_is_room(
    tmp_path: Path, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    written = iter([False] * 4 + [True])

    def full(_: int) -> None:
        if next(written):
            raise OSError(28, "No space left on device")

    folder = tmp_path / "rows"
    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        with pytest.raises(ValueError, match=r"rows cannot be written to: .*No space left.* again"):
            build(folder, units(), SHARD_ROWS, progress=False, asked={"seed": 1})
    assert not [name for name in contents(folder) if name.endswith(".part")]
    report = build(folder, units(), SHARD_ROWS, progress=False, asked={"seed": 1})
    assert contents(folder) == whole and report.before == 4


def test_a_unit_that_fails_can_count_as_rejected(tmp_path: Path) -> None:
    def damaged() -> Iterator[Row]:
        yield row(7)
        raise ValueError("half a file\nand more")

    parts = [Unit("bad", damaged), *units()]
    report = build(tmp_path, parts, SHARD_ROWS, progress=False, keep_going=True)
    assert report.rows == 15 and report.reasons["unit failed"] == 1
    (line,) = [
        json.loads(line)
        for path in tmp_path.glob("rejected-*")
        for line in path.read_text().splitlines()
        if "unit failed" in line
    ]
    assert (line["source"], line["detail"]) == ("bad", "ValueError: half a file")


def test_progress_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with mock.patch("sys.stderr.isatty", lambda: True, create=True):
        build(tmp_path / "shown", units(), SHARD_ROWS)
    assert "4/4" in capsys.readouterr().err
    build(tmp_path / "silent", units(), SHARD_ROWS, progress=False)
    assert capsys.readouterr().err == ""
