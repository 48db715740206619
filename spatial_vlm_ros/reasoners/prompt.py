"""Prompts in a checkpoint's own chat template, cut where the scene ends."""

from __future__ import annotations

from typing import Any

from spatial_vlm_ros.vision.identifiers import parse_identifiers

_SCENE, _QUESTION = "\x00scene\x00", "\x00question\x00"


class ChatPrompt:
    """Text before the scene, between scene and question, and after the question.

    ``ValueError`` when the checkpoint's tokenizer has no chat template, or one that drops text.
    """

    def __init__(self, tokenizer: Any, system: str) -> None:
        if tokenizer.chat_template is None:
            raise ValueError("the checkpoint's tokenizer has no chat template")
        conversation = [
            {"role": "system", "content": system},
            {"role": "user", "content": f"{_SCENE}\n{_QUESTION}"},
        ]
        text = tokenizer.apply_chat_template(
            conversation, tokenize=False, add_generation_prompt=True
        )
        before, scene, rest = text.partition(_SCENE)
        between, question, after = rest.partition(_QUESTION)
        if not (scene and question):
            raise ValueError("the checkpoint's chat template drops what the user says")
        self._before, self._between, self._after = before, between, after
        self._tokenizer = tokenizer

    def before_question(self, scene: str) -> str:
        """Everything that does not depend on the question; ``scene`` may have special tokens."""
        return f"{self._before}{scene}"

    def question(self, text: str) -> str:
        """The rest of the prompt."""
        return f"{self._between}{plain(self._tokenizer, text)}{self._after}"


def plain(tokenizer: Any, text: str) -> str:
    """What a user or a label says, in which no special token stands: nobody can pretend to be a
    role, or an image. Numbers of objects stay, also where they are tokens of their own.
    """
    for token in sorted(tokenizer.get_added_vocab(), key=len, reverse=True):
        if not parse_identifiers(token):
            text = text.replace(token, f"{token[0]} {token[1:]}")
    return text
