"""Files of predictions, and how far confidence tells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spatial_vlm_ros.benchmarks.calibration import calibration
from spatial_vlm_ros.benchmarks.item import Judged, Prediction
from spatial_vlm_ros.benchmarks.predictions import PredictionFile, read_predictions

BOX = (0.0, 1.0, 2.0, 0.5, 0.5, 0.5)
SOME = [
    Prediction("1", "B. sofa", confidence=0.25),
    Prediction("2", objects=(3, 4)),
    Prediction("3", "здесь\n", boxes=(BOX,)),
    Prediction("4", failed="video damaged"),
    Prediction("5", objects=(), boxes=()),
]


def test_what_is_written_is_read_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "out" / "predictions.jsonl"
    file = PredictionFile(path)
    for each in SOME[:3]:
        file.add(each)
    with path.open("ab") as cut:
        cut.write(b'{"id": "4", "te')  # killed while it wrote
    again = PredictionFile(path)
    assert again.answered == {"1", "2", "3"}
    for each in SOME[3:]:
        again.add(each)
    assert list(read_predictions(path).values()) == SOME


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"id": 3}', "id is 3, not text"),
        ('{"text": "a"}', "it has no id"),
        ('{"id": "1", "answer": "a"}', "it has unknown fields: answer"),
        ("[]", "it is [], not an object with fields"),
        ('{"id"', "is no prediction"),
        ('{"id": "1", "confidence": 1.5}', "confidence 1.5 is not within 0 and 1"),
        ('{"id": "1", "objects": ["a"]}', "objects[0] is 'a', not a whole number"),
        ('{"id": "1", "boxes": [[1, 2, 3]]}', "boxes[0] has 3 numbers, not 6 or 7"),
        ('{"id": "1", "boxes": [[1, 2, 3, 1, -1, 1]]}', "boxes[0] has a negative size"),
        ('{"id": "0"}', "answers 0 again"),
    ],
)
def test_lines_that_are_none_are_named(line: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    path.write_text(f'{{"id": "0"}}\n\n{line}\n')
    with pytest.raises(ValueError) as error:
        read_predictions(path)
    assert f"{path}:3" in str(error.value) and said in str(error.value)


def judged(*pairs: tuple[float | None, float]) -> list[Judged]:
    return [
        Judged(str(n), "", "x", {"right": right}, True, sure)
        for n, (sure, right) in enumerate(pairs)
    ]


def test_calibration_by_hand() -> None:
    assert calibration(judged((None, 1.0))) is None
    found = calibration(judged((0.9, 1), (0.9, 0), (0.5, 1), (0.2, 0), (None, 1)))
    assert found is not None and found.answers == 4
    # bins: .9 of two that are right by half, .5 of one that is right, .2 of one that is wrong
    assert found.error == pytest.approx((abs(1.8 - 1) + 0.5 + 0.2) / 4)
    assert found.coverage.tolist() == [0.5, 0.75, 1.0]
    assert found.risk == pytest.approx([0.5, 1 / 3, 0.5])
    assert found.area == pytest.approx((0.5 + 1 / 3 + 0.5) / 3)
    sure = calibration(judged(*[(1.0, 1.0)] * 5, *[(0.0, 0.0)] * 5))
    assert sure is not None and sure.error == 0 and sure.risk.tolist() == [0.0, 0.5]


def test_what_is_as_right_as_it_says_has_no_error() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0, 1, 40_000)
    right = rng.uniform(0, 1, 40_000) < confidence
    found = calibration(
        judged(*zip(confidence.tolist(), right.astype(float).tolist(), strict=True))
    )
    assert found is not None and found.error < 0.01
    assert found.risk[-1] == pytest.approx(0.5, abs=0.01) and found.area == pytest.approx(
        0.25, abs=0.01
    )
