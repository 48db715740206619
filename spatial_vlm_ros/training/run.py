"""A training from its settings to the trained model, on one process or on many."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments, set_seed
from transformers.integrations import TensorBoardCallback
from transformers.utils import logging as logs

from spatial_vlm_ros.files import replaced
from spatial_vlm_ros.training.arguments import training_arguments
from spatial_vlm_ros.training.collection import Collection, collect
from spatial_vlm_ros.training.config import REDUCTIONS, TrainConfig
from spatial_vlm_ros.training.dataset import Sequences, Teacher
from spatial_vlm_ros.training.exam import sample
from spatial_vlm_ros.training.mixture import plan
from spatial_vlm_ros.training.opening import Pupil, open_pupil
from spatial_vlm_ros.training.parts import add_adapters, freeze
from spatial_vlm_ros.training.resuming import RunFolder
from spatial_vlm_ros.training.saving import write_model
from spatial_vlm_ros.training.trainer import SceneTrainer

Say = Callable[[str], None]


def train(config: TrainConfig, resume: bool = False, say: Say | None = None) -> dict[str, Any]:
    """Train, and write the model to ``<output.folder>/model``; what there is to report.

    resume: go on from the last checkpoint, as if there had been no break. say: is told how it goes.
    ``ValueError`` says which setting, file or row does not fit.
    """
    folder = RunFolder(config.output.folder_path)
    last = folder.begin(config, resume)
    arguments = training_arguments(config)
    say = say or _to_stderr
    if arguments.process_index:
        say = _to_nobody
    logs.disable_progress_bar()
    set_seed(config.training.seed)
    pupil = open_pupil(config)
    model, lora = pupil.loaded.model, config.lora
    if lora.rank:
        add_adapters(model, lora)
    freeze(model, config.rates, lora.parts if lora.rank else ())
    if config.training.recompute:
        again = getattr(model, "activation_checkpointing_enable", None)  # its name before 5.23
        (again or model.gradient_checkpointing_enable)({"use_reentrant": False})
    trainer, data = _trainer(config, pupil, arguments, resume, say)
    if last is not None:
        folder.same_data(data)
    if arguments.should_save:
        folder.write(config, data)
    if resume:
        say(f"goes on from {last}" if last else "has no checkpoint yet: begins")
    started = time.monotonic()
    # Denormal gradients make attention that is sure take three times as long on a CPU. While it
    # learns only: scipy's search trees, for one, crash where denormal numbers count as none.
    torch.set_flush_denormal(True)
    try:
        done = trainer.train(resume_from_checkpoint=None if last is None else str(last))
    except SafetensorError as error:
        raise ValueError(
            f"--resume: {last} is damaged ({error}): delete it to go on from the one before"
        ) from None
    finally:
        torch.set_flush_denormal(False)
    seconds = time.monotonic() - started
    metrics = trainer.last_exam() if config.data.held_out else {}
    state = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    report = {
        **data,
        "updates": done.global_step,
        "train_loss": losses[-1] if losses else done.training_loss,
        **metrics,
        "seconds": round(seconds, 1),
    }
    if arguments.should_save:
        bare = trainer.accelerator.unwrap_model(trainer.model_wrapped)
        write_model(bare, state, folder.model, pupil.loaded.checkpoint, config.output.dtype, lora)
        with replaced(folder.path / "report.json") as file:
            file.write(json.dumps(report, indent=1).encode() + b"\n")
    say(f"written: {folder.model}")
    if arguments.world_size > 1:
        trainer.accelerator.wait_for_everyone()
        trainer.accelerator.end_training()
    return report


def _trainer(
    config: TrainConfig, pupil: Pupil, arguments: TrainingArguments, resume: bool, say: Say
) -> tuple[SceneTrainer, dict[str, Any]]:
    """With all that is learnt and examined, and what stands for that."""
    steps, data, teacher = config.training, config.data, pupil.teacher
    rows, held_out = _rows(config, teacher, arguments, resume, say)
    say(f"to learn: {rows.report()}")
    if len(held_out):
        say(f"held out: {held_out.report()}")
    packing = {
        "questions": 1 if config.model.attention == "flash_attention_2" else data.questions,
        "tokens": data.question_tokens,
    }
    update = steps.batch * steps.accumulation * arguments.world_size
    entries, epochs = plan(
        rows,
        steps.seed,
        **packing,
        epochs=steps.epochs,
        entries=steps.steps * update,
        whole=update,
    )
    arguments.warmup_steps = math.ceil(steps.warmup * len(entries) / update)
    chosen = _chosen(held_out, config.exam.losses, steps.seed)
    examined = plan(chosen, steps.seed, **packing, epochs=1)[0] if len(chosen) else []
    answered = _chosen(held_out, config.exam.answers, steps.seed).rows
    say(f"{len(entries)} sequences, {len(entries) // update} updates, {epochs:.2f} epochs")
    precision = "bf16" if arguments.bf16 else "fp16" if arguments.fp16 else pupil.loaded.model.dtype
    say(f"{arguments.world_size} x {arguments.device.type}, {precision}")
    trainer = SceneTrainer(
        pupil,
        arguments,
        Sequences(entries, rows.rows, teacher, data),
        config.rates,
        epochs,
        config.exam,
        Sequences(examined, chosen.rows, teacher),
        answered,
        [_Told(say), *_tensorboard(config, arguments)],
        REDUCTIONS[steps.reduction],
    )
    told = {
        "rows": len(rows),
        "left_out": dict(rows.left_out),
        "fingerprint": rows.fingerprint,
        "sequences": len(entries),
        "sequences_of_an_update": update,
        "epochs": round(epochs, 4),
        "held_out_rows": len(held_out),
        "held_out_left_out": dict(held_out.left_out),
    }
    return trainer, told


def _rows(
    config: TrainConfig, teacher: Teacher, arguments: TrainingArguments, resume: bool, say: Say
) -> tuple[Collection, Collection]:
    """To learn, and held out. One process of each machine looks for them."""
    seed, folder = config.training.seed, RunFolder(config.output.folder_path).rows
    with arguments.main_process_first():
        state: Any = arguments.distributed_state
        found = resume or not state.is_local_main_process
        learnt, held_out = (
            collect(sources, teacher.size, seed, folder / name, found, say)
            for name, sources in (("train", config.data.train), ("held_out", config.data.held_out))
        )
    return learnt, held_out


def _chosen(rows: Collection, most: int, seed: int) -> Collection:
    """A sample of rows, each as often as the others."""
    return rows.only(sample(rows.rows, most, seed))


def _tensorboard(config: TrainConfig, arguments: TrainingArguments) -> list[TrainerCallback]:
    if not arguments.should_save:
        return []
    from torch.utils.tensorboard import SummaryWriter

    return [_Board(SummaryWriter(RunFolder(config.output.folder_path).logs))]


class _Board(TensorBoardCallback):
    """Stays open when the training ends: the last exam comes after it. What is logged is flushed
    each time.
    """

    def on_train_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Not closed."""


class _Told(TrainerCallback):
    """Says what is logged, in lines."""

    def __init__(self, say: Say) -> None:
        self._say = say

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **others: Any,
    ) -> None:
        """Numbers as far as they mean anything."""
        shown = {name: value for name, value in (logs or {}).items() if name != "epoch"}
        told = "  ".join(f"{name} {value:.4g}" for name, value in shown.items())
        self._say(f"{state.global_step}/{state.max_steps}  {told}")


def _to_stderr(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _to_nobody(text: str) -> None:
    pass
