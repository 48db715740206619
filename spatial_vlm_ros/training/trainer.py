"""Hugging Face's Trainer, taught what is different here: packed scenes, parts, exams by task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from spatial_vlm_ros.data.row import Row
from spatial_vlm_ros.training.config import ExamSettings, Rates
from spatial_vlm_ros.training.dataset import Sequences
from spatial_vlm_ros.training.exam import answers, by_task
from spatial_vlm_ros.training.geometry_dropout import GeometryDropout
from spatial_vlm_ros.training.opening import Pupil
from spatial_vlm_ros.training.packing import IGNORED, answer_weights, attention_mask, collate
from spatial_vlm_ros.training.parts import groups


class SceneTrainer(Trainer):
    """Learns sequences in their order, once through: their plan has all epochs in it.

    pupil: the model and how it is shown rows. learnt: what it learns. examined: sequences whose
    loss is measured, answered: rows that it answers. epochs: how many the plan has, for the logs.
    power: of answer_weights, where it learns.
    """

    def __init__(
        self,
        pupil: Pupil,
        arguments: TrainingArguments,
        learnt: Sequences,
        rates: Rates,
        epochs: float,
        exam: ExamSettings,
        examined: Sequences | None = None,
        answered: Sequence[Row] = (),
        callbacks: Sequence[TrainerCallback] = (),
        power: float = 0.0,
    ) -> None:
        self._power = power
        self._pupil, self._rates, self._epochs = pupil, rates, epochs
        self._exam, self._examined, self._answered = exam, examined, answered
        self._geometry = GeometryDropout(pupil.loaded.model)
        self._last_exam: tuple[int, dict[str, float]] | None = None
        super().__init__(
            model=pupil.loaded.model,
            args=arguments,
            data_collator=collate,
            train_dataset=learnt,
            eval_dataset=examined,
            callbacks=list(callbacks),
        )
        self.remove_callback(PrinterCallback)
        self.loss_is_scaled_for_ga = True  # by the number of tokens of all batches of an update

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """AdamW, with a group for each part."""
        if getattr(self, "optimizer", None) is None:
            made, options = self.get_optimizer_cls_and_kwargs(self.args, self.model)
            parts = groups(model or self.model, self._rates, self.args.weight_decay)
            self.optimizer = made(parts, **options)
        return self.optimizer

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """The sum over the answers' tokens, over how much all those of an update count, in all
        processes.

        Gradients are averaged over the processes, so it counts as often as there are processes.
        """
        total = self._total_loss(model, inputs, self._power)
        counted = num_items_in_batch
        if counted is None:
            counted = answer_weights(inputs["segments"], inputs["targets"], self._power).sum()
        loss = total * self.accelerator.num_processes / counted
        return (loss, None) if return_outputs else loss

    def _total_loss(self, model: nn.Module, inputs: dict[str, Any], power: float = 0.0) -> Tensor:
        """Summed over the tokens to be said. Scores are computed only where there are some."""
        others = ("segments", "targets", "geometry")
        given = {name: value for name, value in inputs.items() if name not in others}
        self._geometry.keep(inputs["geometry"], inputs.get("video_grid_thw"))
        targets = inputs["targets"]
        columns = (targets != IGNORED).any(0).nonzero()[:, 0]
        scores = model(
            **given,
            attention_mask=attention_mask(inputs["segments"]),
            logits_to_keep=columns,
            use_cache=False,
        ).logits
        self._geometry.keep(None, None)
        wanted = targets[:, columns].flatten()
        losses = cross_entropy(
            scores.flatten(0, 1).float(), wanted, ignore_index=IGNORED, reduction="none"
        )
        return losses @ answer_weights(inputs["segments"], targets, power)[:, columns].flatten()

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> Tensor:
        """How much the tokens to be said in an update count, of all processes."""
        count = sum(
            float(answer_weights(batch["segments"], batch["targets"], self._power).sum())
            for batch in batch_samples
        )
        return self.accelerator.gather(torch.tensor([count], device=device)).sum()

    def evaluate(
        self,
        eval_dataset: Any = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> dict[str, float]:
        """Loss of a token of held-out answers; how right answers are, by task and in the mean."""
        metrics = {f"{metric_key_prefix}_loss": self._examined_loss()}
        if self._answered and not self.is_fsdp_enabled:
            for task, right in self._answered_by_task().items():
                metrics[f"{metric_key_prefix}_accuracy_{task}"] = right
            named = [right for name, right in metrics.items() if "_accuracy_" in name]
            metrics[f"{metric_key_prefix}_accuracy"] = sum(named) / len(named)
        self.log(dict(metrics))
        handler, control = self.callback_handler, self.control  # type: ignore[has-type]
        self.control = handler.on_evaluate(self.args, self.state, control, metrics)
        self._last_exam = self.state.global_step, metrics
        return metrics

    def last_exam(self) -> dict[str, float]:
        """Of the model as it is: the one behind the last update, if there was one."""
        if self._last_exam is not None and self._last_exam[0] == self.state.global_step:
            return self._last_exam[1]
        return self.evaluate()

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """With the rate of each part, and epochs as they are meant: this is one long one."""
        if "learning_rate" in logs and self.optimizer is not None:
            del logs["learning_rate"]
            for group in self.optimizer.param_groups:
                logs[f"rate_{group['part']}"] = group["lr"]
        if self.state.max_steps > 0:
            logs["epochs"] = self._epochs * self.state.global_step / self.state.max_steps
        super().log(logs, start_time)

    def _examined_loss(self) -> float:
        """Each process takes its share; where sharded all have to compute equally often."""
        model = self.model_wrapped if self.is_fsdp_enabled else self._bare()
        model.eval()
        found = torch.zeros(2, device=self.args.device)
        count, world = len(self._examined or ()), self.args.world_size
        for turn in range(-(-count // world)):
            index = turn * world + self.args.process_index
            batch = self._prepare_inputs(collate([self._examined[min(index, count - 1)]]))  # type: ignore[index]
            with torch.no_grad(), self.compute_loss_context_manager():
                total = self._total_loss(model, batch)
            if index < count:
                tokens = (batch["targets"] != IGNORED).sum()
                found += torch.stack([total, tokens])
        total, tokens = self.accelerator.gather(found[None]).sum(0).tolist()
        return total / max(tokens, 1)

    def _answered_by_task(self) -> dict[str, float]:
        model, loaded = self._bare(), self._pupil.loaded
        model.eval()
        tasks = sorted({row.task for row in self._answered})
        own = self._answered[self.args.process_index :: self.args.world_size]
        answering = type(loaded)(model, loaded.tokenizer, loaded.checkpoint, loaded.name)
        scored = answers(own, answering, self._pupil.teacher, self._exam.max_tokens)
        found = by_task(tasks, scored).to(self.args.device)
        found = self.accelerator.gather(found[None]).sum(0)
        return {task: float(found[n, 0] / found[n, 1]) for n, task in enumerate(tasks)}

    def _bare(self) -> Any:
        """The model itself, in the precision in which it learns."""
        return self.accelerator.unwrap_model(self.model_wrapped, keep_fp32_wrapper=True)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """Of a checkpoint: weights by the names by which they are read again."""
        if self.args.should_save:
            self._bare().save_pretrained(
                output_dir, state_dict=state_dict, save_original_format=False
            )

    def _issue_warnings_after_load(self, load_result: Any) -> None:
        """An exact resume needs all weights. ``ValueError``: some are missing, or too many."""
        tied = set(getattr(self._bare(), "_tied_weights_keys", None) or ())
        wrong = sorted({*load_result.missing_keys, *load_result.unexpected_keys} - tied)
        if wrong:
            raise ValueError(f"the checkpoint is of another model: {len(wrong)}, first {wrong[0]}")
