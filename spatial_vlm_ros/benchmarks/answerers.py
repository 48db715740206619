"""Who answers the questions of a benchmark: a model alone, without the mapper that a robot runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from spatial_vlm_ros.benchmarks.controls import Control, controlled
from spatial_vlm_ros.benchmarks.item import Item, Prediction
from spatial_vlm_ros.benchmarks.media import images_of
from spatial_vlm_ros.benchmarks.scannet_boxes import placed
from spatial_vlm_ros.data.scenes import AnnotatedScene
from spatial_vlm_ros.language.box_text import KEY, read_boxes
from spatial_vlm_ros.reasoners.checked import Asked
from spatial_vlm_ros.reasoners.numbering import Numbering
from spatial_vlm_ros.reasoners.prompt import ChatPrompt, plain
from spatial_vlm_ros.reasoners.scene_inputs import block
from spatial_vlm_ros.serving.conversation import Conversation, fitted
from spatial_vlm_ros.serving.generation import Generated, Generator, ScenePrefix
from spatial_vlm_ros.serving.loading import LoadedModel
from spatial_vlm_ros.training.exam import SECONDS, encoded
from spatial_vlm_ros.training.lessons import NO_SCENE, NONE, with_options
from spatial_vlm_ros.training.row_images import RowImages
from spatial_vlm_ros.training.scenes import Scenes, Shown
from spatial_vlm_ros.training.store import FrameStore

_CHAT = "You are a helpful assistant."


class Answerer(Protocol):
    """Answers one question after the other; those about the same thing cost less in a row."""

    def answer(self, item: Item) -> Prediction:
        """``ValueError``, ``OSError``: what it is about cannot be shown."""
        ...


class ChatAnswerer:
    """Any vision-language model, prompted word by word as published: images, then the prompt.

    frames: of a video. store: images of scenes. blind: no image is shown.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        max_tokens: int,
        frames: int,
        pixels: int,
        store: FrameStore | None = None,
        blind: bool = False,
    ) -> None:
        self._generator = Generator(loaded, max_tokens, SECONDS)
        self._conversation = Conversation(loaded, _CHAT)
        self._tokenizer = loaded.tokenizer
        self._frames, self._pixels, self._store, self._blind = frames, pixels, store, blind

    def answer(self, item: Item) -> Prediction:
        """See :class:`Answerer`."""
        images = [] if self._blind else self._images(item)
        shown = [fitted(Image.fromarray(image), self._pixels) for image in images]
        inputs, text_tokens = self._conversation.inputs(
            [*shown, plain(self._tokenizer, item.prompt)]
        )
        return _predicted(item, self._generator.after_images(inputs, text_tokens))

    def _images(self, item: Item) -> list[NDArray[np.uint8]]:
        if not item.scene:
            return images_of(item, self._frames)
        if self._store is None or item.scene not in self._store:
            raise ValueError(
                f"scene {item.scene} is in no store of frames, and a model that knows no scenes is "
                "shown its images: name one that precompute frames has written"
            )
        return [image.permute(1, 2, 0).numpy() for image in self._store[item.scene].images]


@dataclass
class OwnAnswerer:
    """A Proxy3D or SSR, asked as its reasoner asks it.

    scenes: how it is shown scenes; images: how it is shown images, None where it cannot be.
    numbers: how many objects it knows by number. annotated: scenes whose boxes answers are compared
    with. control: what is kept from it.
    """

    loaded: LoadedModel
    system: str
    scenes: Scenes
    images: RowImages | None
    numbers: int
    annotated: Mapping[str, AnnotatedScene]
    max_tokens: int
    frames: int
    control: Control = Control.NONE

    def __post_init__(self) -> None:
        self._generator = Generator(self.loaded, self.max_tokens, SECONDS)
        self._prompts: dict[str, ChatPrompt] = {}
        self._about: Any = None
        self._prefix: ScenePrefix | None = None

    def answer(self, item: Item) -> Prediction:
        """See :class:`Answerer`."""
        known = bool(item.scene) and item.scene in self.scenes
        if item.scene and not known and self.control is not Control.BLIND:
            raise ValueError(f"scene {item.scene} is not in the store")
        objects = self.scenes.objects(item.scene) if known else ()
        numbering = Numbering.of(objects, self.numbers)
        prompt = self._prompt(item.system or self.system)
        about = item.scene, item.video, item.images, item.system
        if self._prefix is None or about != self._about:
            self._prefix, self._about = None, None
            self._prefix = self._encoded(prompt, self._shown(item, numbering))
            self._about = about
        asked = Asked.of(question_of(item), NO_SCENE, numbering)
        generated = self._generator.after_scene(
            self._prefix, prompt.question(asked.words), self._generator.held_to(asked.form)
        )
        return _predicted(item, generated, numbering, self.annotated.get(item.scene))

    def _shown(self, item: Item, numbering: Numbering) -> Shown:
        if self.control is Control.BLIND:
            return Shown()
        if item.scene:
            shown = self.scenes.shown(item.scene, numbering)
        elif self.images is None:
            raise ValueError("it is about images, which the model cannot be shown")
        else:
            shown = self.images.of(images_of(item, self.frames))
        return controlled(shown, self.control)

    def _prompt(self, system: str) -> ChatPrompt:
        if system not in self._prompts:
            self._prompts[system] = ChatPrompt(self.loaded.tokenizer, system)
        return self._prompts[system]

    def _encoded(self, prompt: ChatPrompt, shown: Shown) -> ScenePrefix:
        before = self._generator.ids(prompt.before_question("")).cpu()[0]
        scene = before.new_tensor(block(self.loaded.model.config, shown.placeholders))
        return encoded(torch.cat([before, scene]), shown, self._generator, self.scenes)


def question_of(item: Item) -> str:
    """As models of our own are trained to be asked, with the options one below the other."""
    return with_options(item.question, item.options)


def says_none(text: str) -> bool:
    """Whether a text says that nothing is meant, which is not the same as saying nothing."""
    return text.strip().rstrip(".").lower() in (NONE.lower(), "[]")


def _predicted(
    item: Item,
    generated: Generated,
    numbering: Numbering | None = None,
    scene: AnnotatedScene | None = None,
) -> Prediction:
    """What a model said: also the objects and boxes in it, where these are asked for."""
    objects: tuple[int, ...] | None = None
    boxes: tuple[tuple[float, ...], ...] | None = None
    if numbering is not None and "boxes" in item.more:
        text = generated.text
        if item.more.get("described"):  # its number is told, so its box is known
            objects = tuple({item.more["object"]} & set(numbering.ids))
        elif KEY in text:
            found = [named.box for named in read_boxes(text).boxes]
            boxes = tuple(placed(box, item.frame, scene) for box in found)
        elif says_none(text):
            objects = ()
        elif cited := [*numbering.citations(text)]:
            objects = tuple(each.id for each in cited if each.id is not None)
    return Prediction(item.id, generated.text.strip(), objects, boxes, generated.token_probability)
