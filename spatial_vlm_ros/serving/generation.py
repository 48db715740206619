"""Prompts continued token by token: streamed, stopped at once, in the form asked for."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import torch
import transformers
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessor

from spatial_vlm_ros.reasoners.config import AnsweringConfig
from spatial_vlm_ros.reasoners.question_form import Form
from spatial_vlm_ros.reasoning.answer import NOBODY, Cancelled, Listener
from spatial_vlm_ros.serving.answer_form import AnswerForms
from spatial_vlm_ros.serving.heard import Heard, Stop
from spatial_vlm_ros.serving.loading import LoadedModel
from spatial_vlm_ros.serving.prompt_cache import PromptCache

#: Prompt tokens computed at once, after which it is asked whether anybody still listens.
_CHUNK = 1024
#: Where the tokens of an image see one another (Gemma 3), older versions get the mask wrong when
#: there is something in the cache before it.
_CONTINUES_TO_IMAGES = tuple(map(int, transformers.__version__.split(".")[:2])) >= (5, 23)


@dataclass(frozen=True)
class Generated:
    """An answer as a model gave it.

    probabilities: of each token, among those that the form allowed. ended: False where it was cut
    off. prompt, reused: tokens of the prompt, and how many of them were computed before.
    first_token_s: how long it took to the first token.
    """

    text: str
    probabilities: tuple[float, ...]
    ended: bool
    prompt: int
    reused: int
    first_token_s: float

    @property
    def probability(self) -> float:
        """0..1, of the whole answer; 0 where there is none."""
        return math.prod(self.probabilities) if self.probabilities else 0.0

    @property
    def token_probability(self) -> float:
        """0..1, the geometric mean over its tokens."""
        if not all(self.probabilities) or not self.probabilities:
            return 0.0
        return math.exp(sum(map(math.log, self.probabilities)) / len(self.probabilities))


@dataclass(frozen=True)
class ScenePrefix:
    """The part of a prompt that shows the scene: ids (1, S), embeddings (1, S, D) and M-RoPE
    positions (3, 1, S).
    """

    ids: Tensor
    embeddings: Tensor
    positions: Tensor


class Generator:
    """Continues prompts of one model, one at a time, and keeps what they have in common.

    max_tokens: of an answer. max_seconds: after which it is cut off.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        max_tokens: int = AnsweringConfig.max_tokens,
        max_seconds: float = AnsweringConfig.max_seconds,
    ) -> None:
        self.model, self.tokenizer, self.device = loaded.model, loaded.tokenizer, loaded.device
        self.max_tokens, self.max_seconds = max_tokens, max_seconds
        self._cache = PromptCache(self.model.config)
        scores = self.model.get_output_embeddings().weight.shape[0]
        tokens = max(scores, len(self.tokenizer))  # Llama 3.2 Vision never says "<|image|>"
        self._forms = AnswerForms(self.tokenizer, tokens, self._ends)

    def held_to(self, form: Form) -> LogitsProcessor | None:
        """What keeps one answer in a form; None where any words will do."""
        return self._forms.processor(form)

    def ids(self, text: str) -> Tensor:
        """(1, n) tokens of a text in which special tokens are written as such."""
        encoded = self.tokenizer(text, add_special_tokens=False, return_tensors="pt")
        ids: Tensor = encoded["input_ids"].to(self.device)
        return ids

    def encode(self, ids: Tensor, scene: dict[str, Tensor]) -> ScenePrefix:
        """The scene as the language model gets it; ``scene`` is what the model's forward takes."""
        with torch.inference_mode():
            return ScenePrefix(ids, *self.model.embed_prompt(ids, **scene))

    def after_scene(
        self,
        prefix: ScenePrefix,
        question: str,
        form: LogitsProcessor | None = None,
        listener: Listener = NOBODY,
    ) -> Generated:
        """The answer to a question about the scene. :class:`Cancelled`: nobody listens."""
        start = time.monotonic()
        with self._computing():
            asked = self.ids(question)
            after = int(prefix.positions.max()) + 1 + torch.arange(asked.shape[1])
            positions = after.to(self.device).expand(3, 1, -1)
            positions = torch.cat([prefix.positions, positions], dim=2)
            asked_embeddings = self.model.get_input_embeddings()(asked)
            embeddings = torch.cat([prefix.embeddings, asked_embeddings], dim=1)
            ids = torch.cat([prefix.ids, asked], dim=1)
            reused = self._cache.keep(embeddings[0], positions[:, 0].T)
            last = ids.shape[1] - 1
            for part in self._parts(last, listener):
                self._read(inputs_embeds=embeddings[:, part], position_ids=positions[..., part])
            self._set_rope_deltas(positions[0, :, -1:] - last)
            inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
            return self._generate(inputs, form, listener, start, reused)

    def after_images(
        self,
        inputs: dict[str, Tensor],
        text_tokens: int,
        form: LogitsProcessor | None = None,
        listener: Listener = NOBODY,
    ) -> Generated:
        """The answer to what a processor made of text and images.

        text_tokens: how many tokens at the start are plain text; of these the model uses again what
        begins like the prompt before.
        """
        start = time.monotonic()
        with self._computing():
            inputs = {name: self._placed(value) for name, value in inputs.items()}
            text_tokens = min(text_tokens, inputs["input_ids"].shape[1] - 1)
            if "token_type_ids" in inputs and not _CONTINUES_TO_IMAGES:
                self._cache.forget()
            reused = self._cache.keep(inputs["input_ids"][0, : text_tokens + 1])
            self._set_rope_deltas(None)  # those of the last prompt: it had other images
            if trunk := self._cache.trunk():
                for part in self._parts(trunk, listener):
                    self._read(input_ids=inputs["input_ids"][:, part])
                self._cache.copy_trunk()
            return self._generate(inputs, form, listener, start, reused, text_tokens)

    def _parts(self, end: int, listener: Listener) -> Iterator[slice]:
        """What the cache lacks of the first ``end`` tokens. :class:`Cancelled`: nobody listens."""
        for at in range(len(self._cache), end, _CHUNK):
            if listener.gone():
                raise Cancelled
            yield slice(at, min(at + _CHUNK, end))

    def _read(self, **inputs: Tensor) -> None:
        """Compute tokens that follow those in the cache, and put them there."""
        self.model(**inputs, past_key_values=self._cache.values, use_cache=True, logits_to_keep=1)

    def _generate(
        self,
        inputs: dict[str, Tensor],
        form: LogitsProcessor | None,
        listener: Listener,
        start: float,
        reused: int,
        keep: int | None = None,
    ) -> Generated:
        """Continue; what the cache holds of ``inputs`` is not computed again."""
        prompt = inputs["input_ids"].shape[1]
        heard = Heard(self.tokenizer, listener, start, self.max_seconds)
        self.model.generate(
            **inputs,
            past_key_values=self._cache.values,
            generation_config=GenerationConfig(
                do_sample=False,
                max_new_tokens=self._room(prompt),
                eos_token_id=self._ends,
                pad_token_id=self._ends[0],
            ),
            streamer=heard,
            stopping_criteria=[Stop(heard.over)],
            logits_processor=[*([form] if form is not None else []), heard.probabilities],
        )
        self._cache.shorten(prompt - 1 if keep is None else keep)
        if listener.gone():
            raise Cancelled
        ended = bool(heard.tokens) and heard.tokens[-1] in self._ends
        probabilities = tuple(heard.probabilities.of_tokens)
        return Generated(heard.text, probabilities, ended, prompt, reused, heard.first_token_s)

    def _room(self, prompt: int) -> int:
        """Tokens that an answer may have. Beyond what they were made for models do not fail, but
        write nonsense.
        """
        most = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        if most is None:
            return self.max_tokens
        if prompt >= most:
            raise ValueError(
                f"the prompt has {prompt} tokens, the model reads at most {most}: show it less of "
                "the scene"
            )
        return min(self.max_tokens, most - prompt)

    @cached_property
    def _ends(self) -> list[int]:
        """Tokens that end an answer."""
        known = self.model.generation_config.eos_token_id
        ends = known if isinstance(known, list) else [known]
        return [end for end in (*ends, self.tokenizer.eos_token_id) if end is not None]

    def _placed(self, value: Tensor) -> Tensor:
        """On the model's device; pixels of its type of numbers."""
        dtype = self.model.dtype if value.is_floating_point() else value.dtype
        return value.to(self.device, dtype)

    def _set_rope_deltas(self, deltas: Tensor | None) -> None:
        """How far text behind a prompt's images lies from its place in the sequence (M-RoPE).

        The models that have such a state keep that of the prompt before.
        """
        for module in self.model.modules():
            if hasattr(module, "rope_deltas"):
                module.rope_deltas = deltas

    @contextmanager
    def _computing(self) -> Iterator[None]:
        """No gradients; after an error it is not known what the cache holds."""
        try:
            with torch.inference_mode():
                yield
        except Cancelled:
            raise
        except BaseException:
            self._cache.forget()
            raise
