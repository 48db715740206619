"""Scores beside the papers' rows: which rows, as a table, as JSON, as a picture."""

from __future__ import annotations

import json
from collections import Counter
from math import nan
from pathlib import Path

import cv2
import pytest

from spatial_vlm_ros.benchmarks.item import Judged, Prediction, Scores
from spatial_vlm_ros.benchmarks.registry import NAMES, benchmark
from spatial_vlm_ros.benchmarks.report import PaperRow, draw, paper_rows, report, table
from spatial_vlm_ros.benchmarks.vsi_bench import TASKS

#: Of the papers' tables.
PRINTED = [
    ("vsi-bench", "SSR-3D", "SSR, Table 2", "object_rel_direction", 93.4),
    ("vsi-bench", "Proxy3D", "Proxy3D, Table 3", "average", 47.0),
    ("vsi-bench debiased", "SSR-3D", "SSR, Table 1", "average", 69.9),
    ("scanqa", "Proxy3D", "Proxy3D, Table 2", "CIDEr", 93.6),
    ("mindcube", "SSR-2D", "SSR, Table 1", "overall", 63.5),
]


def test_rows_repeat_nothing_and_lose_nothing() -> None:
    raw = [PaperRow(**row) for row in json.loads(_file().read_text())]
    for name in {row.benchmark for row in raw}:
        kept = paper_rows(name)
        own = [row for row in raw if row.benchmark == name]
        for row in own:
            same = [each for each in kept if each.model == row.model]
            assert any(row.metrics.items() <= each.metrics.items() for each in same), row
        for model, count in Counter(row.model for row in kept).items():
            values = [row.metrics for row in kept if row.model == model]
            assert count == 1 or all(
                not a.items() <= b.items() for a in values for b in values if a is not b
            ), model
    assert len(paper_rows("vsi-bench")) < 51, "Human, VLM-3R-7B and others stand in two tables"


def _file() -> Path:
    return Path(__file__).parents[1] / "spatial_vlm_ros/benchmarks/paper_rows.json"


def test_metrics_of_rows_are_those_of_scores() -> None:
    names = {"vsi-bench": {"average", *TASKS}}
    for benchmark_name, metrics in names.items():
        for row in paper_rows(benchmark_name):
            assert set(row.metrics) <= metrics, row
    assert {
        row.split()[0] for row in {r["benchmark"] for r in json.loads(_file().read_text())}
    } <= set(NAMES)


def test_a_table_by_hand() -> None:
    rows = [PaperRow("b", "Other", "Paper, Table 1", {"object_size": 7.25})]
    found = table("this", {"average": 50.0, "object_size": 100.0}, rows).splitlines()
    assert [line.split() for line in found] == [
        ["object"],
        ["average", "size"],
        ["this", "50.0", "100.0"],
        ["Other", "7.2", "Paper,", "Table", "1"],
    ]
    assert (
        len(
            {
                line.index(end) + len(end)
                for line, end in zip(found[1:], ("size", "100.0", "7.2"), strict=True)
            }
        )
        == 1
    )
    assert table("this", {"a": 1.0, "b c": 2.0}, []).splitlines() == [
        "a        1.0",
        "b c      2.0",
    ]


def test_a_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    judged = [Judged("1", "a", "A", {"right": 1.0}), Judged("2", "a", "", {"right": 0.0}, False)]
    scores = Scores("vsi-bench", "vsi-2025", {"average": 50.0, "route_planning": nan}, judged)
    failed = {str(n): Prediction(str(n), failed=f"reason {n:02}") for n in range(12)}
    report(tmp_path, scores, {"part": "full"}, failed)
    said = capsys.readouterr().out
    assert "no answer, counted as wrong: 1\n  reason 00\n" in said
    assert "and 2 other reasons" in said and "not understood, counted as wrong: 0" in said
    content = json.loads((tmp_path / "scores.json").read_text(), parse_constant=pytest.fail)
    assert content["metrics"] == {"average": 50.0, "route_planning": None}
    assert content["calibration"] is None and len(content["items"]) == 2


def test_a_picture_has_ours_and_the_papers_bars(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    rows = paper_rows("scanqa")
    drawn = []
    for name, metrics in (
        ("low", {"CIDEr": 1.0, "EM": 1.0}),
        ("high", {"CIDEr": 90.0, "EM": 90.0}),
    ):
        draw(tmp_path / f"{name}.png", "scanqa", metrics, rows)
        drawn.append(cv2.imread(str(tmp_path / f"{name}.png")))
    assert drawn[0].shape == drawn[1].shape
    blue = [int((image[..., 0].astype(int) - image[..., 2] > 80).sum()) for image in drawn]
    assert blue[1] > 5 * blue[0], "our bars do not grow"
    assert benchmark("scanqa").title == "ScanQA"


@pytest.mark.parametrize(("name", "model", "source", "metric", "value"), PRINTED)
def test_rows_are_what_is_printed(
    name: str, model: str, source: str, metric: str, value: float
) -> None:
    found = [row for row in paper_rows(name) if row.model == model and row.source == source]
    assert [row.metrics[metric] for row in found] == [value]
