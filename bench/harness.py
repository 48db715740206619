"""What a benchmark is, and how benchmarks are collected, run, printed and written.

A new one is a function in a file ``bench/bench_<group>.py``::

    @benchmark("decode rgb8 640x480")
    def decode() -> Row:
        return Row(median_ms(ours), "ms", rival="Pillow", rival_figure=median_ms(theirs))
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import bench


class Unavailable(Exception):
    """This machine lacks what a benchmark needs; the message says what."""


@dataclass(frozen=True)
class Row:
    """One figure, and a rival's measured in the same run.

    ``bound`` is the worst figure the project allows itself, None when it sets none.
    """

    figure: float
    unit: str
    rival: str = ""
    rival_figure: float | None = None
    higher_is_better: bool = False
    bound: float | None = None

    @property
    def ratio(self) -> float | None:
        """How many times better than the rival this is; None without a rival."""
        if self.rival_figure is None:
            return None
        better, worse = self.figure, self.rival_figure
        if not self.higher_is_better:
            better, worse = worse, better
        return better / worse if worse else float("inf")

    @property
    def within_bound(self) -> bool:
        """Whether the figure keeps the project's own bound."""
        if self.bound is None:
            return True
        return self.figure >= self.bound if self.higher_is_better else self.figure <= self.bound


_registry: dict[str, Callable[[], Row]] = {}


def benchmark(name: str) -> Callable[[Callable[[], Row]], Callable[[], Row]]:
    """Register a function without arguments as the benchmark ``name``."""

    def register(function: Callable[[], Row]) -> Callable[[], Row]:
        if name in _registry:
            raise ValueError(f"two benchmarks are called {name!r}")
        _registry[name] = function
        return function

    return register


def median_ms(call: Callable[[], Any], repeats: int = 30, warm_up: int = 3) -> float:
    """Median wall time of ``call()`` in milliseconds."""
    for _ in range(warm_up):
        call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1e3 * float(np.median(times))


def collect() -> dict[str, Callable[[], Row]]:
    """All benchmarks of all ``bench/bench_*.py``, in the order of their files."""
    for module in sorted(m.name for m in pkgutil.iter_modules(bench.__path__)):
        if module.startswith("bench_"):
            importlib.import_module(f"bench.{module}")
    return dict(_registry)


def run(chosen: dict[str, Callable[[], Row]], output: Path) -> bool:
    """Run, print a line each, write ``output``; whether none failed or broke its bound."""
    results: dict[str, dict[str, Any]] = {}
    fine = True
    print(f"{'benchmark':44} {'figure':>12}        {'rival':34} {'its figure':>10} {'ratio':>7}")
    for name, function in chosen.items():
        try:
            row = function()
        except Unavailable as reason:
            print(f"{name:44} skipped: {reason}")
            results[name] = {"skipped": str(reason)}
            continue
        except Exception as error:
            # One broken benchmark must not hide the figures of the others.
            print(f"{name:44} FAILED: {type(error).__name__}: {error}")
            results[name] = {"failed": f"{type(error).__name__}: {error}"}
            fine = False
            continue
        print(_line(name, row), flush=True)
        results[name] = _record(row)
        fine &= row.within_bound
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(results, indent=2) + "\n")
    print(f"written: {output}")
    return fine


def _line(name: str, row: Row) -> str:
    rival = f"{row.rival_figure:10.3g}" if row.rival_figure is not None else " " * 10
    ratio = f"{row.ratio:6.1f}x" if row.ratio is not None else " " * 7
    bound = "" if row.within_bound else f"  WORSE THAN THE BOUND {row.bound:g} {row.unit}"
    return f"{name:44} {row.figure:12.4g} {row.unit:6} {row.rival:34} {rival} {ratio}{bound}"


def _record(row: Row) -> dict[str, Any]:
    return {
        "figure": row.figure,
        "unit": row.unit,
        "rival": row.rival or None,
        "rival_figure": row.rival_figure,
        "ratio": row.ratio,
        "bound": row.bound,
        "within_bound": row.within_bound,
    }
