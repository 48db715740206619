"""What the papers say that their choices are worth, number by number, with the place it stands.

Proxy3D is arXiv 2605.08064, section 4.3; SSR its section 5.3. Only tables are quoted: of figures
the text gives no numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Numbers = Mapping[str, float]  # by metric


@dataclass(frozen=True)
class Published:
    """source: table, and which of its rows. rows: by variant as it is called here, only of those
    that the paper has. says: what the paper makes of them, and what else changes in its rows.
    """

    source: str
    rows: Mapping[str, Numbers]
    says: str


def _row(metrics: Sequence[str], values: str) -> Numbers:
    return dict(zip(metrics, map(float, values.split()), strict=True))


def _table4(values: str) -> Numbers:
    metrics = (
        *("ScanQA EM", "ScanQA B-4", "ScanQA M", "ScanQA C", "SQA3D EM", "SQA3D EM-R"),
        *("ScanRefer Uni@0.5", "ScanRefer Acc@0.5"),
    )
    return _row(metrics, values)


def _table5(values: str) -> Numbers:
    return _row([f"Scan2Cap {metric}" for metric in ("B-4", "M", "R", "C")], values)


def _vsi(values: str) -> Numbers:
    metrics = (
        *("Rel. Dir.", "Rel. Dist.", "Appr. Order", "Route Plan"),
        *("Obj. Size", "Obj. Count", "Abs. Dist.", "Room Size", "VSI-Bench"),
    )
    return _row(metrics, values)


_LOW = _table4("25.3 15.3 18.6 92.7 57.3 60.6 82.7 52.6")  # 16x21, 450 tokens
_HIGH = _table4("25.2 15.4 18.7 93.6 57.5 60.8 84.0 54.1")  # 32x42, 700 tokens
_SSR_2D = _vsi("87.9 69.2 81.9 48.5 76.5 71.8 63.4 76.5 71.9")

#: Of each ablation, by its name in ``ablation_variants.py``.
PUBLISHED: Mapping[str, Published] = {
    "grouping": Published(
        "Proxy3D, Table 4, rows 1 and 2: 16x21 maps, 450 proxies",
        {"off": _table4("24.7 14.5 18.2 92.2 56.8 60.0 57.0 31.0"), "on": _LOW},
        "Moderate for questions, more than 20 points for visual grounding.",
    ),
    "coordinates": Published(
        "Proxy3D, Table 4, rows 4 and 5: 32x42 maps, 700 proxies",
        {"off": _table4("24.9 15.7 18.7 93.4 56.7 59.8 83.6 53.8"), "on": _HIGH},
        "Better room sizes, routes and orders of appearance in VSI-Bench (Figure 7).",
    ),
    "budget": Published(
        "Proxy3D, Table 4, rows 5 and 6: 32x42 maps",
        {"700": _HIGH, "1000": _table4("25.6 15.5 18.8 94.3 57.0 60.2 84.7 53.8")},
        "Longer sequences are better on most metrics, and cost more.",
    ),
    "map_resolution": Published(
        "Proxy3D, Table 4, rows 2 and 5: the finer maps have 700 proxies there, the others 450",
        {"x1": _LOW, "x2": _HIGH},
        "Finer maps, upsampled bilinearly, together with more proxies are better.",
    ),
    "minimum": Published(
        "Proxy3D, Table 5; Table 2 has the numbers of 2",
        {
            "2": _table5("34.7 27.1 54.8 73.3"),
            "5": _table5("34.9 27.3 55.1 74.9"),
            "10": _table5("34.4 27.1 54.7 73.2"),
        },
        "5 are best: small objects are described better, with 10 the others are told less.",
    ),
    "insertion": Published(
        "SSR, Table 3 (a): SSR-3D",
        {
            "sequential": _vsi("88.5 69.2 80.7 49.5 76.3 68.7 65.2 78.9 72.1"),
            "interleaved": _vsi("93.4 71.3 85.0 48.5 76.0 70.5 67.1 79.5 73.9"),
        },
        "Tokens of one frame have to be near each other.",
    ),
    "stage_1": Published(
        "SSR, Table 3 (b): SSR-2D",
        {"without": _vsi("83.8 69.0 69.1 43.3 77.6 68.5 60.0 79.1 68.8"), "with": _SSR_2D},
        "Complex tasks are learnt better after basic ones.",
    ),
    "data": Published(
        "SSR, Table 3 (c): SSR-2D",
        {
            "base": _vsi("86.4 69.4 72.5 40.2 76.6 73.4 62.5 75.9 69.6"),
            "+ grounding": _vsi("85.4 67.9 74.6 47.9 76.7 72.7 62.8 75.8 70.5"),
            "+ scene graph": _vsi("87.1 72.5 80.9 40.2 77.4 71.1 63.8 77.0 71.2"),
            "+ both": _SSR_2D,
        },
        "Scene graph and grounding help most with orders of appearance and routes.",
    ),
}
