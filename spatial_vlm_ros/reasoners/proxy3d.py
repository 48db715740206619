"""Proxy3D answering: the scene as proxies, each told which object it is of (sections 3.1, 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor

from spatial_vlm_ros.config import EncoderConfig
from spatial_vlm_ros.proxies.scene_proxies import Reading
from spatial_vlm_ros.reasoners.checked import Asked, checked
from spatial_vlm_ros.reasoners.config import AnsweringConfig
from spatial_vlm_ros.reasoners.numbering import Numbering
from spatial_vlm_ros.reasoners.prompt import ChatPrompt
from spatial_vlm_ros.reasoners.scene_inputs import block, of_other_objects, proxy_inputs
from spatial_vlm_ros.reasoning.answer import NOBODY, NOTHING_SEEN, Answer, Listener, Seen
from spatial_vlm_ros.scene.graph import SceneGraph
from spatial_vlm_ros.serving.generation import Generator, ScenePrefix
from spatial_vlm_ros.serving.loading import LoadedModel
from spatial_vlm_ros.vision.encoder import same_weights
from spatial_vlm_ros.vision.identifiers import COUNT
from spatial_vlm_ros.vision.qwen import QwenTower
from spatial_vlm_ros.vision.reference_features import ReferenceFeatures

SYSTEM = (
    "You are the spatial memory of a robot. Each token of the scene is a part of it, in metres "
    "from where the robot started. Objects are called by their numbers, like <OBJ003>."
)


class Proxy3DReasoner:
    """The proxies come first and are computed once, then the question."""

    name = "proxy3d"

    def __init__(self, loaded: LoadedModel, config: AnsweringConfig) -> None:
        model = loaded.model
        self._generator = Generator(loaded, config.max_tokens, config.max_seconds)
        encoder = _encoder(loaded)
        self._encoder = encoder.name
        numbers = range(min(model.config.identifiers, COUNT))
        self._identifiers = ReferenceFeatures(encoder, None).identifiers(numbers)  # (n, D)
        self._checkpoint = loaded.name
        self._prompt = ChatPrompt(loaded.tokenizer, SYSTEM)
        self._config = model.config
        self._reading: Reading | None = None
        self._shown: tuple[float, Numbering, tuple[int, ...]] | None = None
        self._prefix: ScenePrefix | None = None

    def ask(
        self,
        question: str,
        scene: SceneGraph,
        seen: Seen = NOTHING_SEEN,
        listener: Listener = NOBODY,
    ) -> Answer:
        """See :class:`spatial_vlm_ros.reasoning.answer.Reasoner`."""
        reading = self._usable(seen.proxies)
        present = [item.id for item in scene.present()]
        most = len(self._identifiers)
        asked = Asked.of(question, scene, Numbering.of(present, most))
        generated = self._generator.after_scene(
            self._scene_prefix(reading, scene, asked.numbering),
            self._prompt.question(asked.words),
            self._generator.held_to(asked.form),
            asked.heard_by(listener),
        )
        beyond = len(present) - most
        warnings = (
            f"{beyond} of {len(present)} objects have no number for the model, which knows {most}",
        )
        return checked(self.name, asked, generated, *(warnings if beyond > 0 else ()))

    def _usable(self, reading: Reading | None) -> Reading:
        """``ValueError``: there are no proxies, damaged ones, or of features that the model does
        not know.
        """
        model = self._checkpoint
        start = f"start the mapper with encoder:={model} (spatial-vlm run: --encoder {model})"
        if reading is None or not len(reading.sequence):
            raise ValueError(f"no proxies of the scene: {start}, or wait until it has some")
        if not same_weights(reading.encoder, self._encoder):
            raise ValueError(
                f"the proxies are features of {reading.encoder}, which {model} does not read: "
                f"{start}"
            )
        parts = reading.sequence.features, reading.sequence.points_scene
        if not all(part.isfinite().all() for part in parts):
            raise ValueError("some proxies of the scene have values that are no numbers")
        return reading

    def _scene_prefix(
        self, reading: Reading, scene: SceneGraph, numbering: Numbering
    ) -> ScenePrefix:
        """The prompt up to the question; the last one where the scene is still the same."""
        shown = _floor(reading, scene), numbering, _elsewhere(reading, scene)
        if self._prefix is None or reading is not self._reading or shown != self._shown:
            self._prefix = self._encoded(reading, *shown)
            self._reading, self._shown = reading, shown
        return self._prefix

    def _encoded(
        self, reading: Reading, floor: float, numbering: Numbering, elsewhere: tuple[int, ...]
    ) -> ScenePrefix:
        sequence, ids = reading.sequence, numbering.ids
        there = ~torch.isin(sequence.groups, torch.tensor(elsewhere, dtype=torch.int64))
        scene = proxy_inputs(
            sequence.features[there],
            sequence.groups[there],
            sequence.points_scene[there],
            floor,
            dict(zip(ids, self._identifiers[: len(ids)], strict=True)),
        )
        placeholders = [self._config.proxy_token_id] * int(there.sum())
        before = self._generator.ids(self._prompt.before_question(""))
        tokens = before.new_tensor([block(self._config, placeholders)])
        return self._generator.encode(torch.cat([before, tokens], dim=1), scene)


def _encoder(loaded: LoadedModel) -> QwenTower:
    """The encoder as a mapper opens it: its name is of the weights as they are in the files,
    whatever they have been rounded to here.
    """
    dtype = str(loaded.model.dtype).removeprefix("torch.")
    config = EncoderConfig(str(loaded.checkpoint.folder), str(loaded.device), dtype)
    return QwenTower.open(config)


def _floor(reading: Reading, scene: SceneGraph) -> float:
    """Height of the floor; before any was seen, of the lowest proxy."""
    if scene.floor is not None:
        return scene.floor.z
    heights: Tensor = reading.sequence.points_scene[:, 2]
    return float(heights.min())


def _elsewhere(reading: Reading, scene: SceneGraph) -> tuple[int, ...]:
    """Objects that there are proxies of and that the scene has not: they lie outside of the region
    asked about, or have been removed.
    """
    return of_other_objects(reading.sequence.groups, {item.id for item in scene.objects})
