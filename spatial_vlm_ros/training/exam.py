"""Held-out rows answered as the reasoners answer, while a model learns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from spatial_vlm_ros.data.row import Row
from spatial_vlm_ros.serving.generation import Generator, ScenePrefix
from spatial_vlm_ros.serving.loading import LoadedModel
from spatial_vlm_ros.training.collection import about
from spatial_vlm_ros.training.dataset import Teacher
from spatial_vlm_ros.training.lessons import lesson
from spatial_vlm_ros.training.scenes import Scenes, Shown
from spatial_vlm_ros.training.scoring import score

#: An answer is not cut off because a machine is slow: scores would be of the machine.
SECONDS = 3600.0


def sample(rows: Sequence[Row], most: int, seed: int) -> list[int]:
    """Indices of at most so many rows, of all tasks about as many; the same each time."""
    random = np.random.default_rng([seed, 3])
    by_task: dict[str, list[int]] = defaultdict(list)
    for i in random.permutation(len(rows)):
        by_task[rows[i].task].append(int(i))
    turns = [(turn, task, i) for task, own in by_task.items() for turn, i in enumerate(own)]
    return sorted(i for _, _, i in sorted(turns)[:most])


def answers(
    rows: Sequence[Row], loaded: LoadedModel, teacher: Teacher, max_tokens: int
) -> Iterator[tuple[Row, str, float]]:
    """Each row with the model's answer and how right that is; rows of one scene together."""
    generator = Generator(loaded, max_tokens, SECONDS)
    at: Hashable = None
    prefix: ScenePrefix | None = None
    for row in sorted(rows, key=lambda row: (row.scene, row.images, row.system)):
        numbering = teacher.numbering(row.scene)
        if prefix is None or at != about(row):
            prefix, at = scene_prefix(row, generator, teacher), about(row)
        taught = lesson(row, teacher.kind, numbering)
        words = teacher.prompt(row).question(taught.question)
        given = generator.after_scene(prefix, words, generator.held_to(taught.form)).text
        yield row, given, score(row, taught, numbering, given)


def by_task(tasks: Sequence[str], scored: Iterator[tuple[Row, str, float]]) -> torch.Tensor:
    """(n, 2) sum of the scores, and number, of each of the tasks."""
    found = torch.zeros(len(tasks), 2)
    for row, _, right in scored:
        found[tasks.index(row.task)] += torch.tensor([right, 1.0])
    return found


def scene_prefix(row: Row, generator: Generator, teacher: Teacher) -> ScenePrefix:
    """What comes before the question, at the positions with which it is trained."""
    shown = teacher.shown(row, teacher.numbering(row.scene))
    return encoded(teacher.prefix(row, shown), shown, generator, teacher.scenes)


def encoded(
    prompt: torch.Tensor, shown: Shown, generator: Generator, scenes: Scenes
) -> ScenePrefix:
    """A prompt (n,) up to the question as the language model gets it."""
    ids = prompt[None].to(generator.device)
    inputs: dict[str, Any] = {name: t.to(generator.device) for name, t in shown.inputs.items()}
    if not shown.geometry:
        inputs.pop("spatial_values", None)
    if inputs:
        embeddings = generator.encode(ids, inputs).embeddings
    else:
        with torch.inference_mode():
            embeddings = generator.model.get_input_embeddings()(ids)
    positions = scenes.positions(prompt, shown)
    return ScenePrefix(ids, embeddings, positions[:, None].to(ids.device))
