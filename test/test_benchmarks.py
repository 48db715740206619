"""Benchmarks from file to score, in their published layouts: all right, nothing, and in between."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_benchmarks import MULTI, OBJECTS, SCENE, SMALL, lines, scene, vsi_rows

from spatial_vlm_ros.benchmarks.captions import JavaFree
from spatial_vlm_ros.benchmarks.item import Prediction
from spatial_vlm_ros.benchmarks.registry import benchmark
from spatial_vlm_ros.benchmarks.scannet_boxes import aligned

WORDS = JavaFree()
SCENES = {f"scannet/{SCENE}": scene()}
CASES = [(name, protocol) for name in SMALL for protocol in benchmark(name).protocols]


def loaded(name: str, root: Path):
    SMALL[name].files(root)
    return benchmark(name).load(root, scenes=SCENES)


@pytest.mark.parametrize(("name", "protocol"), CASES)
def test_all_right_is_100_and_nothing_is_what_the_protocol_says(
    name: str, protocol: str, tmp_path: Path
) -> None:
    items, right = loaded(name, tmp_path), SMALL[name].right
    assert {item.id for item in items} == set(right)
    found = benchmark(name).score(items, right, protocol, WORDS)
    assert (found.benchmark, found.protocol) == (name, protocol)
    assert (found.unanswered, found.unread) == (0, 0)
    for metric, value in found.metrics.items():
        if "CIDEr" in metric:  # the mean over an answer's references, which are not alike
            assert 700 < value <= 1000, metric
        else:
            assert value == pytest.approx(100, abs=0.01), metric

    none = benchmark(name).score(items, {}, protocol, WORDS)
    assert none.unanswered == len(items)
    empty = benchmark(name).score(
        items, {item.id: Prediction(item.id) for item in items}, protocol, WORDS
    )
    assert empty.unanswered == 0
    for metric, value in none.metrics.items():
        alike = "BLEU" in metric or "ROUGE" in metric  # "sos eos" is in every reference
        if not (name == "scan2cap" and alike):
            assert value == 0, metric
    for metric, value in empty.metrics.items():
        if name == "multi3drefer":
            nothing = "zt" in metric
            share = 100 * nothing if "_" in metric or " mt" in metric else 40.0
            assert value == pytest.approx(share), metric
        elif protocol == "leo":  # no text at all is a part of every answer
            assert metric != "EM-R" or value == 100
        elif name != "scan2cap":
            assert value == 0, metric


# Scores by hand ---------------------------------------------------------------------------------


def scored(name: str, root: Path, texts: dict[str, str], protocol: str = ""):
    items = loaded(name, root)
    predictions = {key: Prediction(key, text) for key, text in texts.items()}
    found = benchmark(name)
    return found.score(items, predictions, protocol or found.protocols[0], WORDS)


def test_vsi_bench_averages_eight_tasks_of_which_directions_are_one(tmp_path: Path) -> None:
    # counting 3 for 4; size 3 m for 2.01; directions right, wrong, right; of the order nothing
    texts = {"100": "3", "102": "150.75", "105": "B", "106": "B", "107": "d.", "108": "A"}
    found = scored("vsi-bench", tmp_path, texts)
    parts = {"object_counting": 60.0, "object_size_estimation": 60.0, "route_planning": 100.0}
    assert {key: found.metrics[key] for key in parts} == pytest.approx(parts)
    assert found.metrics["object_rel_direction"] == pytest.approx(200 / 3)
    assert found.metrics["average"] == pytest.approx((220 + 200 / 3) / 8)
    assert found.metrics["micro"] == pytest.approx(10 * (0.6 + 0.6 + 1 + 1 + 1))
    assert list(found.metrics)[:2] == ["average", "object_counting"]
    assert found.unanswered == 4


def test_vsi_bench_reads_numbers_by_protocol(tmp_path: Path) -> None:
    texts = {"100": "There are four chairs."}
    told = {
        protocol: scored("vsi-bench", tmp_path, texts, protocol)
        for protocol in ("vsi-2025", "lmms-2026")
    }
    assert [each.metrics["object_counting"] for each in told.values()] == [0.0, 100.0]
    assert [each.unread for each in told.values()] == [1, 0]


def test_vsti_bench_has_both_averages(tmp_path: Path) -> None:
    right = dict(SMALL["vsti-bench"].right)
    texts = {key: each.text for key, each in right.items() if key in ("1", "3", "6", "7")}
    found = scored("vsti-bench", tmp_path, texts)
    # displacement, one of three positions, two of three distances
    assert found.metrics["average"] == pytest.approx(100 * 4 / 9)
    assert found.metrics["average of 5 kinds"] == pytest.approx(100 * (1 + 1 / 3 + 2 / 3) / 5)


def test_mindcube_does_not_count_translation(tmp_path: Path) -> None:
    found = scored("mindcube", tmp_path, {"among_group002_q0_1_1": "C.", "translation_q3": "D."})
    assert found.metrics["overall"] == pytest.approx(100 / 3)
    assert found.metrics["translation"] == 100


def test_scanrefer_divides_by_what_is_referred_to(tmp_path: Path) -> None:
    items = {item.id: item for item in loaded("scanrefer", tmp_path)}
    assert {name.split("|")[1]: item.task for name, item in items.items()} == {
        "2": "multiple", "5": "multiple", "7": "unique", "9": "unique",
    }  # fmt: skip
    both = [replace(item, more={**item.more, "name": "xyzzy"}) for item in items.values()]
    kinds = {item.task for item in benchmark("scanrefer").whole(tmp_path, both)}
    assert kinds == {"multiple"}, "names that the table has not are of one class"


def moved(number: int, by: float) -> tuple[float, ...]:
    x, *others = OBJECTS[number][1]
    return x + by * others[2], *others


def test_scanrefer_by_hand(tmp_path: Path) -> None:
    items = loaded("scanrefer", tmp_path)
    boxes = {
        f"{SCENE}|2|0": [moved(2, 0.25)],  # IoU 0.6
        f"{SCENE}|2|1": [moved(2, 0.5), OBJECTS[2][1]],  # 1/3; the second does not count
        f"{SCENE}|5|0": [OBJECTS[2][1]],
        f"{SCENE}|7|0": [OBJECTS[7][1]],
    }
    predictions = {key: Prediction(key, boxes=tuple(own)) for key, own in boxes.items()}
    found = benchmark("scanrefer").score(items, predictions, "original", WORDS)
    assert found.metrics == pytest.approx(
        {"Unique@0.25": 50, "Unique@0.5": 50, "Multiple@0.25": 200 / 3, "Multiple@0.5": 100 / 3,
         "Acc@0.25": 60, "Acc@0.5": 40}
    )  # fmt: skip
    assert found.unanswered == 1
    named = {item.id: Prediction(item.id, objects=(item.more["object"],)) for item in items}
    found = benchmark("scanrefer").score(items, named, "original", WORDS)
    assert found.metrics["Acc@0.5"] == 100, "objects stand for their boxes"


def test_multi3drefer_by_hand(tmp_path: Path) -> None:
    items = loaded("multi3drefer", tmp_path)
    given = [(2,), (), (5, 2), (), (5, 5)]
    predictions = {
        item.id: Prediction(item.id, objects=own) for item, own in zip(items, given, strict=True)
    }
    found = benchmark("multi3drefer").score(items, predictions, "original", WORDS)
    # none meant and one given; none and none; one of two; none of one; one, named twice, of two
    kinds = dict(zip((row[0] for row in MULTI), (0, 100, 200 / 3, 0, 200 / 3), strict=True))
    for kind, value in kinds.items():
        assert found.metrics[f"F1@0.5 {kind}"] == pytest.approx(value), kind
    assert found.metrics["F1@0.25"] == pytest.approx(sum(kinds.values()) / 5)


def test_scan2cap_counts_what_is_found(tmp_path: Path) -> None:
    items = loaded("scan2cap", tmp_path)
    assert len(items) == 4 and len(items[0].right) == 2
    right = dict(SMALL["scan2cap"].right)
    lost = f"{SCENE}|7"
    right[lost] = replace(right[lost], boxes=(moved(7, 0.5),))  # IoU 1/3
    for protocol in benchmark("scan2cap").protocols:
        found = benchmark("scan2cap").score(items, right, protocol, WORDS).metrics
        label = WORDS.label
        assert found[f"CIDEr{label}@0.5"] < found[f"CIDEr{label}@0.25"] - 100
        assert found[f"ROUGE-L{label}@0.25"] == pytest.approx(100)


def test_boxes_are_those_of_the_aligned_scan() -> None:
    for item in scene().objects:
        assert aligned(item.box, scene()) == pytest.approx(OBJECTS[item.id][1])
    assert not np.isclose(scene().objects[0].box.yaw, 0), "the scene's frame is turned"


# Layouts that are others --------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*SMALL])
def test_a_folder_without_the_benchmark_is_told_its_layout(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError) as error:
        benchmark(name).load(tmp_path, scenes=SCENES)
    assert str(tmp_path) in str(error.value)
    assert benchmark(name).layout in str(error.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"question_type": "object_shape"}, "question_type 'object_shape' is not one of VSI-Bench"),
        ({"ground_truth": "E"}, "'E' is the letter of none of 3 options"),
        ({"options": None}, "malformed"),
        ({"id": 100}, "2 questions of VSI-Bench have the id 100"),
    ],
)
def test_rows_that_are_others_are_named(change: dict, said: str, tmp_path: Path) -> None:
    rows = vsi_rows()
    rows[4] |= change
    lines(tmp_path / "test.jsonl", rows)
    with pytest.raises(ValueError) as error:
        benchmark("vsi-bench").load(tmp_path)
    assert said in str(error.value)
    assert "id" in change or f"{tmp_path / 'test.jsonl'}:5" in str(error.value)


def test_missing_fields_and_broken_files_are_named(tmp_path: Path) -> None:
    rows = vsi_rows()
    del rows[2]["question"]
    lines(tmp_path / "test.jsonl", rows)
    with pytest.raises(ValueError, match=r"test.jsonl:3: field missing: 'question'"):
        benchmark("vsi-bench").load(tmp_path)
    (tmp_path / "test.jsonl").write_text('{"id": 1')
    with pytest.raises(ValueError, match="test.jsonl is no JSONL"):
        benchmark("vsi-bench").load(tmp_path)
    (tmp_path / "test.json").write_text("{}")
    with pytest.raises(ValueError, match="test.json is no list but dict"):
        benchmark("vsti-bench").load(tmp_path)
    with pytest.raises(ValueError, match="benchmark 'vsi' is not one of vsi-bench"):
        benchmark("vsi")


def test_parquet_is_read_as_lines_are(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    rows = vsi_rows()
    lines(tmp_path / "test.jsonl", rows)
    items = benchmark("vsi-bench").load(tmp_path)
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "test_debiased.parquet")
    assert benchmark("vsi-bench").load(tmp_path, "debiased") == items


def test_objects_of_another_count_are_not_taken_for_them(tmp_path: Path) -> None:
    SMALL["scanrefer"].files(tmp_path)
    file = tmp_path / "ScanRefer_filtered_val.json"
    file.write_text(file.read_text().replace('"object_id": "7"', '"object_id": "9"'))
    with pytest.raises(ValueError, match="object is called otherwise"):
        benchmark("scanrefer").load(tmp_path, scenes=SCENES)
    with pytest.raises(ValueError, match="scene not known: scannet/scene0011_00"):
        benchmark("scanrefer").load(tmp_path)
