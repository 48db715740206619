"""What small models have learnt: ``python -m bench.small_models CHECKPOINT``.

Questions about simulated rooms that no model was trained on, answered by a model as its reasoner
asks it; by the same model without a scene, and with its geometry shuffled; by a model trained
without scenes, if one is given; and by the geometric reasoner on the rooms as a mapper perceives
them from the same images. Numbers, places and sizes count by mean relative accuracy as in
VSI-Bench, boxes by F1, all else counts if it is right. Means over tasks; printed and written to
build/small_models.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from textwrap import fill
from typing import Any

from tqdm import tqdm

from bench.perceived import Perceived
from bench.small_rooms import Rooms, prepare, questions
from spatial_vlm_ros.benchmarks.controls import Control, ControlledScenes
from spatial_vlm_ros.data.row import Row
from spatial_vlm_ros.reasoners.numbering import Numbering
from spatial_vlm_ros.training.config import DataSettings, ModelSettings, TrainConfig
from spatial_vlm_ros.training.exam import answers
from spatial_vlm_ros.training.filling import SCENES
from spatial_vlm_ros.training.lessons import Unteachable, lesson
from spatial_vlm_ros.training.opening import Pupil, open_pupil
from spatial_vlm_ros.training.scenes import NoScenes, Scenes
from spatial_vlm_ros.training.scoring import score
from spatial_vlm_ros.vision.checkpoint import Checkpoint

FOLDER, OUTPUT = Path("build/bench/small_models"), Path("build/small_models.json")
#: What is compared, in the order of the table.
MODEL, BLIND, SHUFFLED = "model", "no scene", "shuffled"
TRAINED_BLIND, GEOMETRIC = "trained blind", "geometric"

Scored = Iterator[tuple[Row, float]]
Table = dict[str, dict[str, float]]  # by task, then by who answered


def open_model(checkpoint: str, rooms: Rooms) -> Pupil:
    """As it is asked when it is examined."""
    kind = str(Checkpoint.find(checkpoint).settings()["model_type"])
    data = DataSettings(
        scenes=(str(rooms.store / SCENES),),
        store=str(rooms.store),
        shown="proxies" if kind == "proxy3d" else "frames",
    )
    return open_pupil(TrainConfig(model=ModelSettings(kind, checkpoint), data=data))


def teachable(row: Row, pupil: Pupil) -> bool:
    """Whether a model of this kind can be asked it."""
    try:
        pupil.teacher.size(row)
    except Unteachable:
        return False
    return True


def by_model(pupil: Pupil, scenes: Scenes, rows: Sequence[Row]) -> Scored:
    """A model's answers about scenes as they are shown here."""
    teacher = replace(pupil.teacher, scenes=scenes)
    for row, _, right in answers(rows, pupil.loaded, teacher, max_tokens=96):
        yield row, right


def by_geometry(rooms: Rooms, pupil: Pupil, rows: Sequence[Row]) -> Scored:
    """The geometric reasoner's answers."""
    teacher, kept = pupil.teacher, dict[str, Perceived]()
    for row in rows:
        if row.scene not in kept:
            kept[row.scene] = Perceived(rooms.sources[row.scene].open())
        numbering = Numbering.of((item.id for item in rooms.scenes[row.scene].objects), 1000)
        taught = lesson(row, teacher.kind, numbering)
        yield row, score(row, taught, numbering, kept[row.scene].answer(row, taught, numbering))


def compare(rooms: Rooms, pupil: Pupil, rows: Sequence[Row], blind: Pupil | None = None) -> Table:
    """How right each is, by task and in the mean over tasks."""
    nothing = NoScenes(rooms.scenes)
    shuffled = ControlledScenes(pupil.teacher.scenes, Control.SHUFFLED)
    who: dict[str, Callable[[], Scored]] = {
        MODEL: lambda: by_model(pupil, pupil.teacher.scenes, rows),
        BLIND: lambda: by_model(pupil, nothing, rows),
        SHUFFLED: lambda: by_model(pupil, shuffled, rows),
        GEOMETRIC: lambda: by_geometry(rooms, pupil, rows),
    }
    if pupil.teacher.kind == "ssr" and pupil.loaded.model.config.spatial_settings is None:
        del who[SHUFFLED]  # there is nothing to shuffle
    if blind is not None:
        who[TRAINED_BLIND] = lambda: by_model(blind, nothing, rows)
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for name, answer in who.items():
        for row, right in tqdm(answer(), name, len(rows), unit="answer", disable=None):
            found[row.task][name].append(right)
    table: Table = {
        task: {"questions": float(len(own[MODEL]))} | {name: _mean(own[name]) for name in who}
        for task, own in sorted(found.items())
    }
    table["mean"] = {
        name: _mean([row[name] for row in table.values()]) for name in ("questions", *who)
    }
    table["mean"]["questions"] = float(len(rows))
    return table


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _print(table: Table) -> None:
    columns = next(iter(table.values()))
    print(f"{'':12}" + "".join(f"{name:>15}" for name in columns))
    for task, values in table.items():
        shares = "".join(f"{100 * values[name]:15.1f}" for name in columns if name != "questions")
        print(f"{task:12}{values['questions']:15.0f}{shares}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.small_models", description=__doc__)
    parser.add_argument("checkpoint", help="folder of a Proxy3D or SSR model")
    parser.add_argument("--blind", help="folder of a model of that kind trained without scenes")
    parser.add_argument("--rooms", type=int, default=40, help="default %(default)s")
    parser.add_argument(
        "--questions", type=int, default=60, help="of a task, at most (default %(default)s)"
    )
    parser.add_argument("--workers", type=int, default=1, help="processes that render")
    arguments = parser.parse_args()
    if arguments.rooms < 1 or arguments.questions < 1:
        parser.error("--rooms and --questions must be at least 1")
    name = Checkpoint.find(arguments.checkpoint).name
    rooms = prepare(FOLDER / name, arguments.checkpoint, arguments.rooms, arguments.workers)
    pupil = open_model(arguments.checkpoint, rooms)
    rows = questions(rooms.scenes.values(), arguments.questions, lambda row: teachable(row, pupil))
    blind = None if arguments.blind is None else open_model(arguments.blind, rooms)
    table = compare(rooms, pupil, rows, blind)
    print(fill(f"{name}: share of {len(rows)} questions about {len(rooms.scenes)} rooms, %", 100))
    _print(table)
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {"checkpoint": arguments.checkpoint, "rooms": arguments.rooms}
    OUTPUT.write_text(json.dumps(results | {"tasks": table}, indent=2) + "\n")
    print(f"written: {OUTPUT}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
