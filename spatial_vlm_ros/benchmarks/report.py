"""Scores as a table beside those of the papers, as JSON, and as a picture."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from math import isnan, nan
from pathlib import Path
from typing import Any

from spatial_vlm_ros.benchmarks.calibration import calibration
from spatial_vlm_ros.benchmarks.item import Predictions, Scores
from spatial_vlm_ros.files import replaced

#: Reasons for which there is no answer that are printed.
_SHOWN = 10
_PROPOSED = ("Proxy3D", "SSR")


@dataclass(frozen=True)
class PaperRow:
    """A line of a table of one of the two papers. metrics: percent, by our names."""

    benchmark: str
    model: str
    source: str
    metrics: Mapping[str, float]

    @property
    def proposed(self) -> bool:
        """Whether it is of a model that a paper proposes, not of one that it compares with."""
        return self.model.startswith(_PROPOSED)


def paper_rows(benchmark: str) -> list[PaperRow]:
    """Of a benchmark, "vsi-bench debiased" for its debiased part. What one table repeats of another
    stands once.
    """
    path = files(__package__) / "paper_rows.json"
    rows = [PaperRow(**row) for row in json.loads(path.read_text(encoding="utf-8"))]
    own = [row for row in rows if row.benchmark == benchmark]
    return [
        row
        for n, row in enumerate(own)
        if not any(_repeats(row, other, n < m) for m, other in enumerate(own) if m != n)
    ]


def _repeats(row: PaperRow, other: PaperRow, earlier: bool) -> bool:
    """Whether the other one says all that a row says, and more or later."""
    same = row.model == other.model and row.metrics.items() <= other.metrics.items()
    return same and (earlier or row.metrics != other.metrics)


def table(name: str, metrics: Mapping[str, float], rows: Sequence[PaperRow]) -> str:
    """Ours in the first line; of others what they have of our metrics. Names of metrics are broken
    between words; where there are no others, each metric has a line.
    """
    if not rows:
        width = max(map(len, metrics))
        return "\n".join(f"{each:{width}} {value:8.1f}" for each, value in metrics.items())
    columns = list(metrics)
    heads = [each.replace("_", " ").split() for each in columns]
    high = max(map(len, heads))
    lines = [
        ("", *(([""] * (high - len(words)) + words)[n] for words in heads), "") for n in range(high)
    ]
    lines.append((name, *(f"{metrics[each]:.1f}" for each in columns), ""))
    for row in rows:
        values = (f"{row.metrics[each]:.1f}" if each in row.metrics else "" for each in columns)
        lines.append((row.model, *values, row.source))
    widths = [max(len(line[n]) for line in lines) for n in range(len(columns) + 2)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if n in (0, len(columns) + 1) else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def report(
    folder: Path, scores: Scores, about: Mapping[str, Any], predictions: Predictions
) -> None:
    """Print scores, and write scores.json and scores.png."""
    rows = paper_rows(" ".join([scores.benchmark, *(["debiased"] * (about["part"] == "debiased"))]))
    print(
        f"{scores.benchmark} {about['part']}, protocol {scores.protocol}: "
        f"{len(scores.judged)} questions, %"
    )
    print(table("this", scores.metrics, rows))
    failed = {each.failed for each in predictions.values() if each.failed}
    print(f"no answer, counted as wrong: {scores.unanswered}")
    for reason in sorted(failed)[:_SHOWN]:
        print(f"  {reason}")
    if len(failed) > _SHOWN:
        print(f"  and {len(failed) - _SHOWN} other reasons")
    print(f"not understood, counted as wrong: {scores.unread}")
    content = told(scores, about)
    if sure := content["calibration"]:
        print(
            f"confidence of {sure['answers']} answers: expected calibration error "
            f"{sure['expected_calibration_error']:.3f}, mean risk {sure['risk_area']:.3f}"
        )
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "scores.json", content)
    draw(folder / "scores.png", f"{scores.benchmark}, {scores.protocol}", scores.metrics, rows)
    print(f"written: {folder / 'scores.json'}, {folder / 'scores.png'}")


def told(scores: Scores, about: Mapping[str, Any]) -> dict[str, Any]:
    """For JSON. about: what was evaluated, and how."""
    found = calibration(scores.judged)
    sure = None
    if found is not None:
        curve = zip(found.coverage.tolist(), found.risk.tolist(), strict=True)
        sure = {
            "answers": found.answers,
            "expected_calibration_error": found.error,
            "risk_area": found.area,
            "risk_by_coverage": list(curve),
        }
    return {
        "benchmark": scores.benchmark,
        "protocol": scores.protocol,
        **about,
        "metrics": {
            name: None if isnan(value) else value for name, value in scores.metrics.items()
        },
        "questions": len(scores.judged),
        "unanswered": scores.unanswered,
        "unread": scores.unread,
        "calibration": sure,
        "items": [asdict(each) for each in scores.judged],
    }


def write(path: Path, content: Mapping[str, Any]) -> None:
    """As JSON."""
    with replaced(path) as file:
        file.write(json.dumps(content, indent=1, ensure_ascii=False).encode() + b"\n")


def draw(path: Path, title: str, metrics: Mapping[str, float], rows: Sequence[PaperRow]) -> None:
    """A PNG: for each metric in percent bars of ours and of the models that the papers propose, and
    points of all others that they compare with.

    ``ValueError``: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ValueError(
            f"the picture needs matplotlib ({error}): "
            "python -m pip install 'spatial_vlm_ros[evaluation]'"
        ) from error
    columns = [name for name in metrics if in_percent(name)]
    proposed = [row for row in rows if row.proposed]
    series = [
        ("this", metrics),
        *((f"{row.model} ({row.source})", row.metrics) for row in proposed),
    ]
    width = 0.8 / len(series)
    figure = Figure(figsize=(max(6.0, 1.1 * len(columns)), 5), layout="constrained")
    axes = figure.add_subplot()
    for number, (name, values) in enumerate(series):
        places = [n + (number - (len(series) - 1) / 2) * width for n in range(len(columns))]
        axes.bar(places, [values.get(each, nan) for each in columns], width, label=name)
    others = [
        (n, row.metrics[each])
        for row in rows
        if not row.proposed
        for n, each in enumerate(columns)
        if each in row.metrics
    ]
    if others:
        axes.plot(*zip(*others, strict=True), "k_", label="others in the papers")
    axes.set_xticks(range(len(columns)), columns, rotation=30, ha="right", fontsize=8)
    axes.set_ylim(0, max(100.0, *(value for _, value in others), 0.0) * 1.02)
    axes.set_ylabel("%")
    axes.set_title(title)
    axes.legend(fontsize=7)
    FigureCanvasAgg(figure).print_png(str(path))


def in_percent(metric: str) -> bool:
    """Names of all other metrics end in their unit."""
    return not metric.endswith((", m", ", cells"))
