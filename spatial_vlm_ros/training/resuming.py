"""A training's folder: what it has begun with, and where it can go on."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spatial_vlm_ros.files import replaced
from spatial_vlm_ros.training import config_file
from spatial_vlm_ros.training.config import TrainConfig

_SETTINGS, _DATA, _STATE = "settings.yaml", "data.json", "trainer_state.json"
#: Settings that may be others when a training goes on: what it learns stays the same.
_FREE = (
    "exam.",
    "output.folder",
    "output.keep",
    "output.save_every",
    "training.device",
    "training.batch",
    "training.accumulation",
    "training.workers",
    "training.log_every",
)


@dataclass(frozen=True)
class RunFolder:
    """Where a training's settings, checkpoints, logs and model are."""

    path: Path

    @property
    def model(self) -> Path:
        """The trained model."""
        return self.path / "model"

    @property
    def rows(self) -> Path:
        """Those that can be learnt, and those held out."""
        return self.path / "rows"

    @property
    def logs(self) -> Path:
        """TensorBoard's."""
        return self.path / "logs"

    def last_checkpoint(self) -> Path | None:
        """The last one that has been written to its end."""
        found = [
            (int(path.name.split("-")[1]), path) for path in self.path.glob("checkpoint-*[0-9]")
        ]
        return next((path for _, path in sorted(found, reverse=True) if _whole(path)), None)

    def begin(self, config: TrainConfig, resume: bool) -> Path | None:
        """The checkpoint to go on from; None: from the start.

        ``ValueError``: there is a training already and it shall not be resumed, or it has been
        begun with other settings.
        """
        if self.path.exists() and not self.path.is_dir():
            raise ValueError(f"output.folder: {self.path} is no folder")
        settings = self.path / _SETTINGS
        last = self.last_checkpoint()
        if not resume:
            if last is not None or self.model.exists():
                raise ValueError(
                    f"output.folder: {self.path} has a training: go on with --resume, or choose "
                    "another folder"
                )
            return None
        if settings.is_file():
            others = _differences(config, config_file.load(settings))
            if others:
                raise ValueError(
                    f"--resume: {settings} was begun with other settings: {'; '.join(others)}"
                )
        return last

    def write(self, config: TrainConfig, data: dict[str, Any]) -> None:
        """Settings and what stands for the data, for :meth:`begin` and :meth:`same_data`."""
        self.path.mkdir(parents=True, exist_ok=True)
        config_file.write(config, self.path / _SETTINGS)
        with replaced(self.path / _DATA) as file:
            file.write(json.dumps(data, indent=1).encode() + b"\n")

    def same_data(self, data: dict[str, Any]) -> None:
        """``ValueError``: the training has been begun with other rows, or larger updates."""
        path = self.path / _DATA
        if path.is_file() and (before := json.loads(path.read_text())) != data:
            changed = [f"{name} {before.get(name)} is now {data[name]}" for name in data
                       if before.get(name) != data[name]]  # fmt: skip
            raise ValueError(f"--resume: {path} says otherwise: {', '.join(changed)}")


def _whole(checkpoint: Path) -> bool:
    """Its state is what is written last."""
    try:
        json.loads((checkpoint / _STATE).read_text())
    except (OSError, ValueError):
        return False
    return True


def _differences(config: TrainConfig, before: TrainConfig) -> list[str]:
    now, then = (_flat(dataclasses.asdict(each)) for each in (config, before))
    return [
        f"{name} {then[name]!r} is now {now[name]!r}"
        for name in now
        if now[name] != then[name] and not name.startswith(_FREE)
    ]


def _flat(values: dict[str, Any]) -> dict[str, Any]:
    return {
        f"{group}.{name}": value for group, own in values.items() for name, value in own.items()
    }
