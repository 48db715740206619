"""All questions of a benchmark put to a model, and its answers written down as they come."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState  # type: ignore[import-untyped]
from tqdm import tqdm

from spatial_vlm_ros.benchmarks.answerers import Answerer
from spatial_vlm_ros.benchmarks.item import Item, Prediction
from spatial_vlm_ros.benchmarks.predictions import PredictionFile, read_predictions
from spatial_vlm_ros.files import replaced

_FILES = "predictions-*.jsonl"


def answers(
    items: Sequence[Item],
    open_answerer: Callable[[], Answerer],
    folder: Path,
    about: Mapping[str, Any],
) -> dict[str, Prediction] | None:
    """Of all processes that ``torchrun`` or ``accelerate launch`` has started, which share the
    questions; None in all but the first. ``ValueError``: the folder has other answers.
    """
    state = processes()
    keep_to(folder, about)
    predict(items, open_answerer(), folder, state.process_index, state.num_processes)
    state.wait_for_everyone()
    return gathered(folder) if state.is_main_process else None


def processes() -> PartialState:
    """All that work together, also where none has a GPU."""
    return PartialState(cpu=not torch.cuda.is_available())


def share(items: Sequence[Item], process: int, processes: int) -> list[Item]:
    """Those of one process of several: what is about one thing stays together."""
    ordered = sorted(items, key=lambda item: (item.scene, str(item.video), item.id))
    return ordered[len(items) * process // processes : len(items) * (process + 1) // processes]


def predict(
    items: Sequence[Item], answerer: Answerer, folder: Path, process: int = 0, processes: int = 1
) -> None:
    """Into ``folder/predictions-*.jsonl``, one file for each process. What has been answered there,
    by however many processes, is not asked again. What cannot be shown is written down as failed.
    """
    before = {name for name, each in gathered(folder).items() if not each.failed}
    file = PredictionFile(_file(folder, process))
    left = [item for item in share(items, process, processes) if item.id not in before]
    for item in tqdm(left, "answers", unit="question", disable=None if process == 0 else True):
        file.add(_answered(item, answerer))


def keep_to(folder: Path, about: Mapping[str, Any]) -> None:
    """Write down what is asked, and of whom. ``ValueError``: the folder is of something else."""
    path, told = folder / "asked.json", json.dumps(about, indent=1, ensure_ascii=False) + "\n"
    answered = any(folder.glob(_FILES)) and path.exists()
    if answered and path.read_text(encoding="utf-8") != told:
        raise ValueError(
            f"{folder} has answers of another model, or to other questions ({path}): name another "
            "folder, or remove it"
        )
    folder.mkdir(parents=True, exist_ok=True)
    with replaced(path) as file:
        file.write(told.encode())


def gathered(folder: Path) -> dict[str, Prediction]:
    """Of all processes, by id; one that failed gives way to another one's answer."""
    found: dict[str, Prediction] = {}
    for path in sorted(folder.glob(_FILES)):
        for name, each in read_predictions(path).items():
            if name not in found or found[name].failed:
                found[name] = each
    return found


def _file(folder: Path, process: int) -> Path:
    return folder / f"predictions-{process}.jsonl"


def _answered(item: Item, answerer: Answerer) -> Prediction:
    if item.missing:
        return Prediction(item.id, failed=f"missing: {', '.join(item.missing)}")
    try:
        return answerer.answer(item)
    except (ValueError, OSError) as error:
        return Prediction(item.id, failed=str(error))
