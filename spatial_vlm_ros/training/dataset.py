"""What is learnt as tensors: each sequence is made when it is its turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from spatial_vlm_ros.data.row import Row
from spatial_vlm_ros.reasoners.numbering import Numbering
from spatial_vlm_ros.reasoners.prompt import ChatPrompt
from spatial_vlm_ros.reasoners.scene_inputs import block
from spatial_vlm_ros.training.config import DataSettings
from spatial_vlm_ros.training.lessons import Lesson, Unteachable, drawn, lesson
from spatial_vlm_ros.training.mixture import Entry
from spatial_vlm_ros.training.packing import Packed, pack
from spatial_vlm_ros.training.row_images import RowImages
from spatial_vlm_ros.training.scenes import Scenes, Shown
from spatial_vlm_ros.training.thinning import thinned

_AS_ASKED = DataSettings()


@dataclass
class Teacher:
    """How rows are shown to a model, just as its reasoner asks it.

    kind: proxy3d or ssr. system: what its reasoner tells it first. numbers: how many objects it
    knows by number. longest: tokens of a question and its answer. images: how rows about images of
    their own are shown; None: not at all.
    """

    kind: str
    tokenizer: Any
    config: Any
    system: str
    scenes: Scenes
    numbers: int
    longest: int
    images: RowImages | None = None

    def __post_init__(self) -> None:
        self._prompts: dict[str, ChatPrompt] = {}

    def size(self, row: Row) -> int:
        """Tokens of question and answer. :class:`Unteachable` says why a row cannot be learnt."""
        if row.images and self.images is None:
            raise Unteachable("is about single images")
        if row.images and self.images is not None:
            self.images.check(row)
        elif row.scene not in self.scenes:
            raise Unteachable("its scene is not there")
        asked, told = self.question(row, lesson(row, self.kind, self.numbering(row.scene)))
        if len(asked) + len(told) > self.longest:
            raise Unteachable(f"longer than {self.longest} tokens")
        return len(asked) + len(told)

    def numbering(self, scene: str) -> Numbering:
        """The numbers its objects have when the model is asked."""
        return Numbering.of(self.scenes.objects(scene), self.numbers)

    def shown(self, row: Row, numbering: Numbering) -> Shown:
        """What a row is about. ``ValueError`` names what cannot be shown."""
        if row.images and self.images is not None:
            return self.images.shown(row)
        return self.scenes.shown(row.scene, numbering)

    def prompt(self, row: Row) -> ChatPrompt:
        """What is around a question, with the row's own system or the reasoner's."""
        system = row.system or self.system
        if system not in self._prompts:
            self._prompts[system] = ChatPrompt(self.tokenizer, system)
        return self._prompts[system]

    def prefix(self, row: Row, shown: Shown) -> torch.Tensor:
        """(n,) ids of the prompt up to the question."""
        before = self.ids(self.prompt(row).before_question(""))
        return torch.tensor([*before, *block(self.config, shown.placeholders)])

    def question(self, row: Row, taught: Lesson) -> tuple[list[int], list[int]]:
        """Ids of the rest of the prompt, and of the answer with its end."""
        asked = self.ids(self.prompt(row).question(taught.question))
        return asked, [*self.ids(taught.answer), self.tokenizer.eos_token_id]

    def ids(self, text: str) -> list[int]:
        """Of a text in which special tokens are written as such."""
        found: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return found


class Sequences(Dataset[Packed]):
    """The entries of a plan of these rows. varied: what is shown otherwise each time; with the
    defaults all is as when the model is asked. ``ValueError`` names the scene that cannot be shown.
    """

    def __init__(
        self,
        entries: Sequence[Entry],
        rows: Sequence[Row],
        teacher: Teacher,
        varied: DataSettings = _AS_ASKED,
    ) -> None:
        self._entries, self._rows, self._teacher = entries, rows, teacher
        self._varied = varied

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, index: int) -> Packed:
        entry, teacher, varied = self._entries[index], self._teacher, self._varied
        random = np.random.default_rng(entry.seed)
        rows = [self._rows[i] for i in entry.rows]
        first = rows[0]
        if not (first.images or first.scene in teacher.scenes):
            raise ValueError(f"scene {first.scene} of row {first.id} is not there any more")
        numbering = teacher.numbering(first.scene)
        if varied.shuffle_numbers:
            numbering = drawn(numbering.ids, teacher.numbers, random)
        shown = teacher.shown(first, numbering)
        prefix = teacher.prefix(first, shown)
        questions = [teacher.question(row, lesson(row, teacher.kind, numbering)) for row in rows]
        positions = teacher.scenes.positions(prefix, shown)
        known = random.random() >= varied.drop_geometry and shown.geometry
        inputs = shown.inputs
        if most := varied.proxies_of_each:
            prefix, positions, inputs = thinned(prefix, positions, shown, most, random)
        return pack(prefix, positions, questions, inputs, known)
