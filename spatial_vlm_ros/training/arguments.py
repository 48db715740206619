"""Settings of a training in the words of Hugging Face's Trainer."""

from __future__ import annotations

import os
from importlib.util import find_spec

import torch
from transformers import TrainingArguments

from spatial_vlm_ros.training.config import TrainConfig


def training_arguments(config: TrainConfig) -> TrainingArguments:
    """What Hugging Face's Trainer calls these settings. ``ValueError``: they need a GPU, or
    what is not installed.
    """
    # Every process reads the checkpoint: what a plain one lacks is in no file to be sent from.
    os.environ["FSDP_CPU_RAM_EFFICIENT_LOADING"] = "false"
    steps, cpu = config.training, config.training.device == "cpu"
    gpu = not cpu and torch.cuda.is_available()
    if steps.device == "cuda" and not gpu:
        raise ValueError("training.device: cuda, but there is no GPU that PyTorch can use")
    precision = steps.precision
    if precision == "auto":
        precision = "bf16" if gpu else "float32"
    if precision == "fp16" and not gpu:
        raise ValueError("training.precision: fp16 needs a GPU")
    flash = config.model.attention == "flash_attention_2"
    if flash and not (gpu and find_spec("flash_attn")):
        raise ValueError(
            "model.attention: flash_attention_2 needs a GPU and the package flash-attn"
        )
    examined = bool(config.data.held_out and config.exam.every)
    arguments = TrainingArguments(
        output_dir=str(config.output.folder_path),
        per_device_train_batch_size=steps.batch,
        gradient_accumulation_steps=steps.accumulation,
        num_train_epochs=1,  # the plan has all epochs in it
        learning_rate=max(vars(config.rates).values()),
        lr_scheduler_type=steps.schedule,
        weight_decay=steps.weight_decay,
        max_grad_norm=steps.clip,
        bf16=precision == "bf16",
        fp16=precision == "fp16",
        logging_steps=steps.log_every,
        report_to=[],
        disable_tqdm=True,
        save_strategy="steps" if config.output.save_every else "no",
        save_steps=config.output.save_every or 1,
        save_total_limit=config.output.keep,
        eval_strategy="steps" if examined else "no",
        eval_steps=config.exam.every or None,
        seed=steps.seed,
        dataloader_num_workers=steps.workers,
        dataloader_pin_memory=gpu,
        remove_unused_columns=False,
        train_sampling_strategy="sequential",
        use_cpu=not gpu,
        ddp_backend="gloo" if "LOCAL_RANK" in os.environ and not gpu else None,
        ddp_find_unused_parameters=False,
        ddp_timeout=6 * 3600,  # the others wait while one process looks through millions of rows
    )
    arguments._n_gpu = min(arguments.n_gpu, 1)  # several GPUs: one process each, by torchrun
    return arguments
