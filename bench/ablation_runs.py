"""Training and examining one variant of an ablation; what is finished is kept."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from bench.ablation_intervals import Answered
from bench.ablation_rows import to_answer, to_learn
from bench.ablation_starts import spatial_of, start_of
from bench.ablation_stores import room_of, scenes_of, store_of
from bench.ablation_variants import LESSONS, Variant
from bench.small_models import by_model, open_model, teachable
from bench.small_rooms import Rooms
from spatial_vlm_ros.data.files import write_rows
from spatial_vlm_ros.files import replaced
from spatial_vlm_ros.training.config import (
    DataSettings,
    ModelSettings,
    OutputSettings,
    Rates,
    Source,
    StepSettings,
    TrainConfig,
)
from spatial_vlm_ros.training.filling import SCENES
from spatial_vlm_ros.training.run import train
from spatial_vlm_ros.training.sources import HELD_OUT
from spatial_vlm_ros.vision.checkpoint import Checkpoint, fingerprint

#: Seed of the first room that is learnt; small models that ship learn from 10,000 on.
LEARNT = 20_000
#: What the coordinate alignment learns, and how often, as in config/train/proxy3d_stage2.yaml.
_ALIGNMENT = {"coordinates": 1.0, "identifiers": 0.1}


@dataclass(frozen=True)
class Scale:
    """How much is learnt and asked. checkpoints: by kind, the models to start from. steps: by kind,
    updates of a training, of ``batch`` sequences each. rooms: learnt from. held_out: rooms asked
    about. of_task: by kind, questions of each task, at most.
    """

    folder: Path
    checkpoints: Mapping[str, str]
    steps: Mapping[str, int]
    rooms: int
    held_out: int
    workers: int = 1
    batch: int = 2
    of_task: Mapping[str, int] = field(default_factory=lambda: {"proxy3d": 120, "ssr": 30})

    @property
    def learnt_seeds(self) -> range:
        """Of the rooms learnt from."""
        return range(LEARNT, LEARNT + self.rooms)

    @property
    def held_out_seeds(self) -> range:
        """Of the rooms asked about."""
        return range(HELD_OUT, HELD_OUT + self.held_out)


def examined(variant: Variant, scale: Scale) -> list[Answered]:
    """What the variant's model answers once it is trained, sorted by question; what is there of an
    earlier run is kept. ``ValueError``: the checkpoint cannot be used.
    """
    checkpoint = scale.checkpoints[variant.kind]
    mark = _mark(checkpoint)
    own = scale.folder / mark
    key = _key(variant, scale, mark)
    result = scale.folder / "answers" / f"{key}.json"
    if not result.exists():
        seeds = (*scale.learnt_seeds, *scale.held_out_seeds)
        store = store_of(own, variant, checkpoint, seeds, scale.workers)
        run = scale.folder / "runs" / key
        shutil.rmtree(run, ignore_errors=True)  # of one that was killed
        model = _trained(
            variant, scale, store, start_of(own, variant.kind, checkpoint, variant.start), run
        )
        found = _answers(variant, scale, store, model)
        result.parent.mkdir(parents=True, exist_ok=True)
        with replaced(result) as file:
            file.write(json.dumps([list(each) for each in found], indent=0).encode() + b"\n")
        shutil.rmtree(run)
    return [Answered(*each) for each in json.loads(result.read_text())]


def _trained(variant: Variant, scale: Scale, store: Path, start: str, run: Path) -> str:
    """The folder of its model."""
    scenes = scenes_of(store, scale.learnt_seeds)
    run.mkdir(parents=True)
    kind, steps, lessons = variant.kind, scale.steps[variant.kind], LESSONS[variant.kind]

    def learnt(name: str, start: str, sources: Mapping[str, float], data: dict[str, Any]) -> str:
        rows = []
        for number, (generators, weight) in enumerate(sources.items()):
            path = run / f"{name}-{number}.jsonl"
            write_rows(path, to_learn(kind, scenes, generators.split()))
            rows.append(Source(rows=str(path), weight=weight))
        settings = DataSettings(
            train=tuple(rows),
            scenes=(str(store / SCENES),),
            shuffle_numbers=kind == "proxy3d",
            **data,
        )
        config = TrainConfig(
            model=_model(variant, scale, start),
            data=settings,
            rates=_rates(variant),
            training=StepSettings(
                steps=steps,
                accumulation=scale.batch,
                warmup=0.1,
                log_every=steps,
                reduction=lessons.reduction,
            ),
            output=OutputSettings(folder=str(run / name), save_every=0),
        )
        train(config, say=_to_nobody)
        return str(run / name / "model")

    if variant.aligned:
        start = learnt("aligned", start, _ALIGNMENT, {"shown": "placed_symbols"})
    of_store = {"shown": lessons.shown, "store": str(store)}
    return learnt("trained", start, {" ".join(variant.generators): 1.0}, of_store)


def _model(variant: Variant, scale: Scale, start: str) -> ModelSettings:
    if not variant.insertion:
        return ModelSettings(variant.kind, start)
    branch = spatial_of(scale.checkpoints[variant.kind])
    return ModelSettings(
        variant.kind,
        start,
        spatial=branch.source,
        spatial_layer=branch.layer,
        spatial_width=branch.width,
        insertion=variant.insertion,
    )


def _rates(variant: Variant) -> Rates:
    """Of the parts that it has: SSR-2D has no 3D branch."""
    rates = dict(LESSONS[variant.kind].rates)
    if not variant.insertion:
        rates.pop("spatial", None)
    return Rates(**rates)


def _answers(variant: Variant, scale: Scale, store: Path, model: str) -> list[Answered]:
    scenes = scenes_of(store, scale.held_out_seeds)
    pupil = open_model(model, Rooms(store, scenes, {}))
    of_task = scale.of_task[variant.kind]
    rows = to_answer(variant.kind, scenes, of_task, lambda row: teachable(row, pupil))
    scored = by_model(pupil, pupil.teacher.scenes, rows)
    return sorted(Answered(row.id, room_of(row.scene)[0], row.task, right) for row, right in scored)


@cache
def _mark(checkpoint: str) -> str:
    """Stands for a checkpoint's settings and weights."""
    found = Checkpoint.find(checkpoint)
    return fingerprint(found.settings(), found.tensors(("",)))


def _key(variant: Variant, scale: Scale, mark: str) -> str:
    """Stands for all that a variant's answers depend on."""
    kind = variant.kind
    told = asdict(variant) | {"from": mark, "lessons": asdict(LESSONS[kind])}
    told |= {"alignment": _ALIGNMENT, "steps": scale.steps[kind], "of_task": scale.of_task[kind]}
    for name in ("rooms", "held_out", "batch"):
        told[name] = getattr(scale, name)
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:12]


def _to_nobody(text: str) -> None:
    pass
