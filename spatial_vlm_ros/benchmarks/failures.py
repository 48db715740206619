"""Why the whole system was wrong: points lost to perception, to parsing and to reasoning.

The exact reasoner tells what a scene allows to answer. Perception has lost what it answers right
about the true scene, and not about the mapped one. What is lost beside that is lost to parsing
where nothing was understood, of the question or of the answer, and else to reasoning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from spatial_vlm_ros.benchmarks.item import Judged, Scores, mean


@dataclass(frozen=True)
class Lost:
    """Points out of 100; with what was scored they sum to that."""

    perception: float
    parsing: float
    reasoning: float


def failures(system: Scores, on_truth: Scores, on_map: Scores) -> dict[str, Lost]:
    """By task, in the order of the scores, and at first in the mean over tasks. on_truth, on_map:
    of the exact reasoner, asked the same questions.
    """
    true = {each.id: each.right["right"] for each in on_truth.judged}
    mapped = {each.id: each.right["right"] for each in on_map.judged}
    by_task: dict[str, list[Lost]] = {}
    for each in system.judged:
        by_task.setdefault(each.task, []).append(_lost(each, true[each.id] - mapped[each.id]))
    tasks = {task: _mean(by_task[task]) for task in system.metrics if task in by_task}
    return {"average": _mean([*tasks.values()]), **tasks}


def table(score: Mapping[str, float], lost: Mapping[str, Lost]) -> str:
    """A line for each task."""
    lines = [f"{'':24}{'score':>8}{'perception':>12}{'parsing':>9}{'reasoning':>11}"]
    for task, own in lost.items():
        lines.append(
            f"{task:24}{score[task]:8.1f}{own.perception:12.1f}{own.parsing:9.1f}"
            f"{own.reasoning:11.1f}"
        )
    return "\n".join(lines)


def _lost(judged: Judged, by_mapping: float) -> Lost:
    missed = 1 - judged.right["right"]
    perception = min(missed, max(0.0, by_mapping))
    rest = missed - perception
    parsing = 0.0 if judged.read else rest
    return Lost(100 * perception, 100 * parsing, 100 * (rest - parsing))


def _mean(lost: list[Lost]) -> Lost:
    return Lost(
        mean(each.perception for each in lost),
        mean(each.parsing for each in lost),
        mean(each.reasoning for each in lost),
    )
