"""Any vision-language model, told the scene as text and shown images of what is asked about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from PIL import Image
from torch import Tensor

from spatial_vlm_ros.keyframes import Keyframe
from spatial_vlm_ros.language.scene_text import scene_text
from spatial_vlm_ros.language.touched import touched
from spatial_vlm_ros.reasoners.checked import Asked, checked
from spatial_vlm_ros.reasoners.config import AnsweringConfig
from spatial_vlm_ros.reasoners.numbering import Numbering
from spatial_vlm_ros.reasoners.prompt import plain
from spatial_vlm_ros.reasoning.answer import NOBODY, NOTHING_SEEN, Answer, Listener, Seen
from spatial_vlm_ros.scene.graph import SceneGraph
from spatial_vlm_ros.serving.conversation import Conversation, fitted
from spatial_vlm_ros.serving.generation import Generator
from spatial_vlm_ros.serving.loading import LoadedModel
from spatial_vlm_ros.vision.identifiers import COUNT

SYSTEM = (
    "You are the spatial memory of a robot. You are given the scene it remembers, as text with "
    "coordinates, and some of its camera images. Answer from these alone, briefly, and cite every "
    "object that your answer rests on by its name, like <OBJ003>. Say so if they do not tell."
)


class ChatReasoner:
    """The scene as text comes first, then images, then the question: the text is computed once.

    What the question is about decides which images are shown, and what of the scene is left out
    where it has more than ``scene_tokens``.
    """

    name = "chat"

    def __init__(self, loaded: LoadedModel, config: AnsweringConfig) -> None:
        self._generator = Generator(loaded, config.max_tokens, config.max_seconds)
        self._conversation = Conversation(loaded, SYSTEM)
        self._tokenizer, self._config = loaded.tokenizer, config

    def ask(
        self,
        question: str,
        scene: SceneGraph,
        seen: Seen = NOTHING_SEEN,
        listener: Listener = NOBODY,
    ) -> Answer:
        """See :class:`spatial_vlm_ros.reasoning.answer.Reasoner`."""
        numbering = Numbering.of((item.id for item in scene.present()), COUNT)
        asked = Asked.of(question, scene, numbering)
        text = scene_text(
            scene,
            self._config.scene_tokens,
            lambda part: len(self._tokenizer(part, add_special_tokens=False)["input_ids"]),
            question,
            others=True,
            identifiers=numbering.words(),
        )
        images = showing(touched(question, scene).meant, seen.keyframes, self._config.key_images)
        inputs, text_tokens = self._inputs(text, images, asked)
        generated = self._generator.after_images(
            inputs, text_tokens, self._generator.held_to(asked.form), asked.heard_by(listener)
        )
        return checked(self.name, asked, generated)

    def _inputs(
        self, text: str, frames: Sequence[Keyframe], asked: Asked
    ) -> tuple[dict[str, Tensor], int]:
        """Inputs of the model, and how many of the first tokens are plain text."""
        content: list[str | Image.Image] = [plain(self._tokenizer, text)]
        words = asked.numbering.words()
        for frame in frames:
            names = " ".join(words[i] for i in frame.visible if i in words)
            image = fitted(Image.fromarray(frame.image()), self._config.image_pixels)
            content += [f"\nImage of {names}:", image]
        return self._conversation.inputs([*content, f"\n{plain(self._tokenizer, asked.words)}"])


def showing(ids: Iterable[int], keyframes: Sequence[Keyframe], count: int) -> list[Keyframe]:
    """At most ``count`` keyframes that together show as many of the objects as they can.

    One after the other that which shows most that no earlier one does, of equal ones the newest;
    in the order of time.
    """
    left, chosen = set(ids), list[Keyframe]()
    while left and len(chosen) < count:
        best = max(keyframes, key=lambda k: (len(left.intersection(k.visible)), k.id), default=None)
        if best is None or left.isdisjoint(best.visible):
            break
        chosen.append(best)
        left.difference_update(best.visible)
    return sorted(chosen, key=lambda k: k.id)
