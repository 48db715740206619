"""One turn of a conversation with images, as inputs of a model, whichever its chat template is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from jinja2 import TemplateError
from PIL import Image
from torch import Tensor

from spatial_vlm_ros.serving.loading import LoadedModel
from spatial_vlm_ros.serving.processor import open_processor

_PROBE = "\x00said\x00"


def fitted(image: Image.Image, pixels: int) -> Image.Image:
    """Made smaller where it has more pixels; the processor may make it smaller still."""
    shrink = math.sqrt(pixels / (image.width * image.height))
    if shrink >= 1:
        return image
    return image.resize((int(image.width * shrink), int(image.height * shrink)))


class Conversation:
    """Says to a model who it is, and then text and images in any order.

    ``ValueError``: the checkpoint has no processor, or no chat template that takes text and images.
    """

    def __init__(self, loaded: LoadedModel, system: str) -> None:
        self._processor, self._name, self._system = open_processor(loaded), loaded.name, system
        self._image_tokens = _image_tokens(self._processor, loaded.model.config)
        if self._processor.chat_template is None:
            raise ValueError(
                f"checkpoint {self._name} has no chat template, as models that only continue text: "
                "choose one made for chat, its name often ends with -Instruct, -Chat or -it"
            )
        silent = "enable_thinking" in str(self._processor.chat_template)  # thoughts take minutes
        self._settings = {"enable_thinking": False} if silent else {}
        self._system_role = True
        try:
            told = system in self._rendered()
        except TemplateError:
            told = False
        if not told:  # there is no such role, or nothing comes of it
            self._system_role = False
            self._rendered()

    def inputs(self, content: Sequence[str | Image.Image]) -> tuple[dict[str, Tensor], int]:
        """The model's inputs for text and images, and how many of the first tokens come before any
        image.
        """
        inputs = self._processor.apply_chat_template(
            self._messages(content),
            tokenize=True,
            add_generation_prompt=True,
            return_dict=True,
            return_tensors="pt",
            **self._settings,
        )
        ids = inputs["input_ids"][0].tolist()
        first = next((at for at, token in enumerate(ids) if token in self._image_tokens), None)
        if first is None:  # of a model whose image tokens are not known nothing is told apart
            first = 0 if any(isinstance(part, Image.Image) for part in content) else len(ids)
        return dict(inputs), first

    def _messages(self, content: Sequence[str | Image.Image]) -> list[dict[str, Any]]:
        system = {"type": "text", "text": self._system}
        parts = [
            {"type": "text", "text": part}
            if isinstance(part, str)
            else {"type": "image", "image": part}
            for part in content
        ]
        if self._system_role:
            return [{"role": "system", "content": [system]}, {"role": "user", "content": parts}]
        system["text"] += "\n\n"
        return [{"role": "user", "content": [system, *parts]}]

    def _rendered(self) -> str:
        """A prompt as text, in which what was said must be, without marks of data structures."""
        text: str = self._processor.apply_chat_template(
            self._messages([_PROBE]), tokenize=False, add_generation_prompt=True, **self._settings
        )
        if _PROBE not in text or "'type'" in text:
            raise ValueError(f"checkpoint {self._name} has a chat template that takes no images")
        return text


def _image_tokens(processor: Any, config: Any) -> set[int]:
    """Tokens that stand for images, as far as they have one of the usual names."""
    owners = processor, processor.tokenizer, config
    names = "image_token_id", "image_token_index"
    found = {getattr(owner, name, None) for owner in owners for name in names}
    return {token for token in found if isinstance(token, int)}
