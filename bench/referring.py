"""Whether phrases mean to the reasoner what they mean: ``python -m bench.referring``.

Referring expressions of simulated buildings, generated from the truth and resolved twice: in true
scene graphs, where every one must be, and in the graphs that the memory makes of simulated drives,
with the reasons why some are not. No test uses their seeds. Tables are printed and written to
build/referring.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path

from bench.referring_scenes import Drive, furnished, perceived
from spatial_vlm_ros.reasoning.geometric import find_objects
from spatial_vlm_ros.referring import STRATEGIES, ReferringExpression, referring_expressions
from spatial_vlm_ros.scene.graph import SceneGraph, SceneObject
from spatial_vlm_ros.scene.relations import relations

Table = dict[str, dict[str, int]]  # by row, then column
Objects = list[SceneObject]

OUTPUT = Path("build/referring.json")
OUTCOMES = ("resolved", "refused", "found nothing", "found several", "took another")
PER_BUILDING = 30  # expressions at most, in true graphs
#: Added to the ids of true objects in graphs that have perceived ones too.
_TRUE_IDS = 1_000_000


def in_true_graphs(wanted: int, seeds: Iterator[int]) -> Table:
    """By strategy, of ``wanted`` expressions how many there are and how many are resolved."""
    table = _empty("expressions", "resolved")
    total = 0
    while total < wanted:
        seed = next(seeds)
        graph = furnished(seed, 1 + seed % 3)
        for expression in referring_expressions(graph, seed, min(PER_BUILDING, wanted - total)):
            answer = find_objects(expression.text, graph)
            resolved = answer.answered and answer.objects == (expression.target,)
            if not resolved:
                print(f"seed {seed}: {expression} -> {answer.objects}: {answer.text}")
            table[expression.strategy]["expressions"] += 1
            table[expression.strategy]["resolved"] += resolved
            total += 1
    return table


def outcome(expression: ReferringExpression, drive: Drive, graph: SceneGraph | None = None) -> str:
    """What becomes of a phrase in the drive's graph, or in ``graph``: one of ``OUTCOMES``.

    Objects of ``graph`` have the ids of the drive's, or true ones plus ``_TRUE_IDS``.
    """
    answer = find_objects(expression.text, graph or drive.graph)
    if not answer.answered:
        return "refused"
    meant = [drive.stands_for.get(number, number - _TRUE_IDS) for number in answer.objects]
    if meant == [expression.target]:
        return "resolved"
    return ("found nothing", "took another", "found several")[min(len(meant), 2)]


def cause(expression: ReferringExpression, drive: Drive) -> str:
    """The first thing in the graph that, put right alone, makes the phrase be resolved."""
    target, anchors = {expression.target}, set(expression.anchors)
    everything = {0, *(item.id for item in drive.truth.objects)}
    others = everything - target - anchors
    for name, repair, numbers in (
        ("target not perceived", _add, target),
        ("anchor not perceived", _add, anchors),
        ("another of the kind not perceived", _add, others),
        ("target seen twice", _single, target),
        ("anchor seen twice", _single, anchors),
        ("another thing seen twice or made up", _single, others),
        ("a thing under another name", _rename, everything),
        ("a thing of another colour", _recolour, everything),
        ("boxes off: a near tie or a border", _rebox, everything),
        ("a short first glimpse not kept", _retime(1), everything),
        ("noticed when less was in view", _retime(-1), everything),
    ):
        objects = repair(list(drive.graph.present()), numbers, drive)
        graph = replace(drive.graph, objects=tuple(objects), relations=relations(objects))
        if outcome(expression, drive, graph) == "resolved":
            return name
    return "several of these"


def _add(objects: Objects, numbers: set[int], drive: Drive) -> Objects:
    """With those of the true objects that nothing stands for."""
    there = set(drive.stands_for.values())
    missing = [o for o in drive.true_graph.objects if o.id in numbers - there]
    return objects + [replace(item, id=item.id + _TRUE_IDS) for item in missing]


def _single(objects: Objects, numbers: set[int], drive: Drive) -> Objects:
    """With the most often seen only of those that stand for the same, and none for nothing."""
    best: dict[int, SceneObject] = {}
    for item in sorted(objects, key=lambda item: (item.observations, -item.id)):
        best[drive.stands_for[item.id]] = item
    best.pop(0, None)
    kept = {item.id for item in best.values()}
    return [o for o in objects if drive.stands_for[o.id] not in numbers or o.id in kept]


def _corrected(*fields: str) -> Callable[[Objects, set[int], Drive], Objects]:
    """The repair that gives objects the true values of these fields."""

    def repair(objects: Objects, numbers: set[int], drive: Drive) -> Objects:
        known = {item.id: item for item in drive.true_graph.objects if item.id in numbers}
        true = [known.get(drive.stands_for[item.id], item) for item in objects]
        return [
            replace(item, **{name: getattr(right, name) for name in fields})
            for item, right in zip(objects, true, strict=True)
        ]

    return repair


_rename, _recolour = _corrected("label"), _corrected("colour")
_rebox = _corrected("box")


def _retime(sign: int) -> Callable[[Objects, set[int], Drive], Objects]:
    """The repair of the first appearance of what was noticed too late (1) or too early (-1)."""

    def repair(objects: Objects, numbers: set[int], drive: Drive) -> Objects:
        true = {o.id: o.first_seen_ns for o in drive.true_graph.objects if o.id in numbers}
        stamps = [true.get(drive.stands_for[o.id], o.first_seen_ns) for o in objects]
        return [
            replace(item, first_seen_ns=stamp) if sign * (item.first_seen_ns - stamp) > 0 else item
            for item, stamp in zip(objects, stamps, strict=True)
        ]

    return repair


def in_perceived_graphs(drives: Mapping[int, Drive], each: int) -> tuple[Table, Table]:
    """What became of ``each`` expressions of every drive by strategy, and the failures by cause."""
    outcomes, causes = _empty("expressions", *OUTCOMES), Table()
    for seed, drive in drives.items():
        for expression in referring_expressions(drive.true_graph, seed, each):
            column, result = expression.strategy, outcome(expression, drive)
            outcomes[column]["expressions"] += 1
            outcomes[column][result] += 1
            if result != "resolved":
                why = cause(expression, drive)
                causes.setdefault(why, dict.fromkeys(STRATEGIES, 0))[column] += 1
    return outcomes, dict(sorted(causes.items(), key=lambda row: -sum(row[1].values())))


# -- the command -------------------------------------------------------------------------------


def _empty(*columns: str) -> Table:
    return {strategy: dict.fromkeys(columns, 0) for strategy in STRATEGIES}


def _print(title: str, table: Table) -> None:
    columns = next(iter(table.values()), {})
    print(f"\n{title}\n{'':38}" + "".join(f"{each:>15}" for each in columns))
    for row, values in table.items():
        print(f"{row:38}" + "".join(f"{value:15}" for value in values.values()))


def _summed(table: Table) -> Table:
    columns = next(iter(table.values()))
    return {**table, "all": {name: sum(row[name] for row in table.values()) for name in columns}}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.referring", description=__doc__)
    parser.add_argument("--expressions", type=int, default=1000, help="in true graphs")
    parser.add_argument("--drives", type=int, default=6, help="to be perceived")
    parser.add_argument("--each", type=int, default=80, help="expressions of a drive, at most")
    parser.add_argument("--seed", type=int, default=300, help="of the first scene")
    arguments = parser.parse_args()
    if min(arguments.expressions, arguments.drives, arguments.each) < 1:
        parser.error("--expressions, --drives and --each must be at least 1")

    known = in_true_graphs(arguments.expressions, count(arguments.seed))
    _print("In true scene graphs", _summed(known))
    seeds = range(arguments.seed, arguments.seed + arguments.drives)
    drives = {seed: perceived(seed) for seed in seeds}
    outcomes, causes = in_perceived_graphs(drives, arguments.each)
    _print("In perceived scene graphs", _summed(outcomes))
    _print("Why not: the first thing that, put right alone, would have been enough", causes)

    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    results = {"seeds": list(seeds), "true": known, "perceived": outcomes, "causes": causes}
    OUTPUT.write_text(json.dumps(results, indent=2) + "\n")
    print(f"\nwritten: {OUTPUT}")
    total = _summed(known)["all"]
    return int(total["resolved"] < total["expressions"])


if __name__ == "__main__":
    sys.exit(main())
