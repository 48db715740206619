"""How far from their places objects are on a model's cognitive maps (SSR section 5.2, figure 8b).

The third object of a LocalCogMap, asked as SSR is trained to be, beside one map of the whole scene
(VSI-Bench's). An error is the distance from the cell that is answered to the cell that is right, in
cells and in metres; of the whole scene's map cells of a category are matched, the nearest pair
first. What is not placed, or not readable, has no error and counts as not within a cell.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from statistics import fmean, median

from spatial_vlm_ros.benchmarks.captions import Words
from spatial_vlm_ros.benchmarks.generated import GeneratedBenchmark
from spatial_vlm_ros.benchmarks.item import (
    Item,
    Judged,
    Predictions,
    Scores,
    answer_to,
    judged_of,
)
from spatial_vlm_ros.data.generators.local_maps import rows
from spatial_vlm_ros.data.generators.subject import Subject
from spatial_vlm_ros.data.scenes import AnnotatedScene
from spatial_vlm_ros.language.cogmap_text import Cell, read_cell
from spatial_vlm_ros.language.global_map import Cells, global_map
from spatial_vlm_ros.language.global_map_text import prompt, read_global_map, write_global_map

LOCAL, GLOBAL = "local", "global"
#: Maps of each of the two kinds that are asked about a scene.
_OF_SCENE = 10
_NEAR = 1.0  # cells


def items(scene: AnnotatedScene) -> Iterator[Item]:
    """Some local maps, and the whole scene's."""
    for row in rows(scene, 0, _OF_SCENE):
        first, second, _ = (ref.box for ref in row.refs)
        assert first is not None and second is not None  # of a scene they are known
        apart = math.dist(first.center[:2], second.center[:2])
        anchors = [
            read_cell(f"[{part}]")
            for part in row.question.split("[")[1:3]
            for part in [part.partition("]")[0]]
        ]
        metres = apart / math.dist(*anchors)
        yield Item(
            id=row.id,
            task=LOCAL,
            prompt=f"{row.system}\n{row.question}",
            right=(row.answer,),
            question=row.question,
            scene=scene.name,
            system=row.system,
            more={"metres": metres},
        )
    objects = Subject(scene).graph.objects
    if objects:
        made = global_map(objects)
        asked = prompt(made.cells)
        yield Item(
            id=f"{GLOBAL}/{scene.name}",
            task=GLOBAL,
            prompt=asked,
            right=(write_global_map(made.cells),),
            question=asked,
            scene=scene.name,
            more={"metres": made.grid.metres_per_cell},
        )


def score(items: Sequence[Item], predictions: Predictions, protocol: str, words: Words) -> Scores:
    """Of each kind of map."""
    each: list[Judged] = []
    errors: dict[str, list[tuple[float, float]]] = {LOCAL: [], GLOBAL: []}  # cells, metres
    objects = {LOCAL: 0, GLOBAL: 0}
    for item in items:
        given = answer_to(item, predictions)
        found, wanted = _distances(item, given.text if given else "")
        metres = item.more["metres"]
        errors[item.task] += [(cells, cells * metres) for cells in found]
        objects[item.task] += wanted
        near = sum(cells <= _NEAR for cells in found) / wanted
        read = ", ".join(f"{cells:.2f}" for cells in found)
        each.append(judged_of(item, given, read, {"right": near}))
    metrics: dict[str, float] = {}
    for kind, own in errors.items():
        if not objects[kind]:
            continue
        near = sum(cells <= _NEAR for cells, _ in own) / objects[kind]
        metrics |= {f"{kind}: within a cell": 100 * near}
        metrics |= {f"{kind}: placed": 100 * len(own) / objects[kind]}
        for unit, values in zip(("cells", "m"), zip(*own, strict=True), strict=False):
            metrics |= {f"{kind}: mean error, {unit}": fmean(values)}
            metrics |= {f"{kind}: median error, {unit}": median(values)}
    return Scores("cognitive-maps", protocol, metrics, each)


def _distances(item: Item, text: str) -> tuple[list[float], int]:
    """In cells, of what is placed; and how many objects there are to place."""
    if item.task == LOCAL:
        try:
            return [math.dist(read_cell(text), read_cell(item.right[0]))], 1
        except ValueError:
            return [], 1
    right = read_global_map(item.right[0])
    try:
        given: Cells = read_global_map(text)
    except ValueError:
        given = {}
    found = [d for name, own in right.items() for d in _matched(given.get(name, ()), own)]
    return found, sum(map(len, right.values()))


def _matched(given: Sequence[Cell], right: Sequence[Cell]) -> Iterator[float]:
    """Distances of pairs, the nearest first, each cell in one."""
    pairs = sorted(
        (math.dist(p, q), i, j) for i, p in enumerate(given) for j, q in enumerate(right)
    )
    first, second = set[int](), set[int]()
    for apart, i, j in pairs:
        if i not in first and j not in second:
            first.add(i)
            second.add(j)
            yield apart


BENCHMARK = GeneratedBenchmark(
    "cognitive-maps", "Cognitive maps", ("cells",), items, score, max_tokens=512
)
