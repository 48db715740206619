"""CLIP and SigLIP: which word a crop shows, if any."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from torch import Tensor

from spatial_vlm_ros.naming.boxes import best_of
from spatial_vlm_ros.naming.config import NamerConfig
from spatial_vlm_ros.naming.crops import crop, views_of
from spatial_vlm_ros.naming.looking import Looking
from spatial_vlm_ros.naming.vocabulary import Vocabulary, refuse_long
from spatial_vlm_ros.naming.words import ReadsWords, text_features
from spatial_vlm_ros.vision.checkpoint import Checkpoint
from spatial_vlm_ros.vision.networks import Images, load_network, load_tokenizer

_NETWORKS = {"clip": "CLIPModel", "siglip": "SiglipModel", "siglip2": "Siglip2Model"}


class Vote(NamedTuple):
    """What somebody calls a thing; name None: none of the words. score: how sure, 0..1."""

    number: int
    name: str | None
    score: float


class Namer(ReadsWords[NamerConfig, Tensor]):
    """Looks at things one by one."""

    def __init__(
        self,
        network: Any,
        tokenizer: Any,
        images: Images,
        config: NamerConfig,
        words: Sequence[str],
    ) -> None:
        self._chooses = network.config.model_type == "clip"
        self._looking = Looking(config)
        self._asked: Vocabulary | None = None
        super().__init__(network, tokenizer, images, config, words)
        nothing = config.nothing if self._chooses else []
        self._nothing = self._meanings([[text] for text in nothing]) if nothing else None

    @classmethod
    def open(cls, config: NamerConfig, words: Sequence[str]) -> Namer:
        """The namer of a checkpoint on this machine.

        ``ValueError`` says what to change: the checkpoint is not there, not whole or of another
        kind, the device is not there or too small, or a word cannot be used.
        """
        checkpoint = Checkpoint.find(config.checkpoint)
        kind = checkpoint.settings().get("model_type")
        if kind not in _NETWORKS:
            raise ValueError(
                f"checkpoint {config.checkpoint} has model_type {kind}, which cannot name crops; "
                f"one of {', '.join(_NETWORKS)} can"
            )
        tokenizer = load_tokenizer(checkpoint)
        architecture = getattr(transformers, _NETWORKS[kind])
        network = load_network(architecture, checkpoint, config, "the namer")
        return cls(network, tokenizer, Images(checkpoint, network), config, words)

    def look(self, rgb: NDArray[np.uint8], ids: NDArray[np.int32]) -> list[Vote]:
        """Votes on some of the things in an image (H, W, 3), ids (H, W) of which are given."""
        if self._known[0] != self._asked:  # in this thread alone is it known what was looked at
            self._asked = self._known[0]
            self._looking.again()
        views = views_of(ids)
        now = self._looking.choose(views)
        margin, surroundings = self._config.margin, self._config.surroundings
        crops = [crop(rgb, ids == k, views[k], margin, surroundings) for k in now]
        said = zip(now, self.votes(crops), strict=True)
        return [Vote(number, name, score) for number, (name, score) in said]

    def reset(self) -> None:
        """Other things come."""
        self._looking.reset()

    def votes(self, crops: Sequence[NDArray[np.uint8]]) -> list[tuple[str | None, float]]:
        """Of each crop (h, w, 3) the word it shows, None for none of them; and how sure, 0..1."""
        if not crops:
            return []
        vocabulary, meanings = self._known
        with torch.inference_mode():
            out = self._network.get_image_features(**self._images(*crops)).pooler_output.float()
            out = out / out.norm(dim=-1, keepdim=True)
            scale = self._network.logit_scale.float().exp()
            logits = best_of(scale * out @ meanings.T, vocabulary.owners, len(vocabulary.names))
            if self._chooses:
                nothing = None if self._nothing is None else scale * out @ self._nothing.T
                said = chosen(logits, nothing, self._config.min_share, self._config.lead)
            else:
                logits = logits + self._network.logit_bias.float()
                said = judged(logits, self._config.min_probability)
        names = vocabulary.names
        return [(None if k is None else names[k], score) for k, score in said]

    def _learn(self, vocabulary: Vocabulary) -> Tensor:
        templates, phrases = self._config.templates, vocabulary.phrases
        return self._meanings([[each.format(phrase) for each in templates] for phrase in phrases])

    def _meanings(self, texts: Sequence[Sequence[str]]) -> Tensor:
        """(n, D) mean meanings of n times some texts, of length one.

        ``ValueError`` names a text that is too long.
        """
        longest = self._network.config.text_config.max_position_embeddings
        each = [text for some in texts for text in some]
        for text, ids in zip(each, self._tokenizer(each)["input_ids"], strict=True):
            refuse_long(text, len(ids), longest)
        padding: dict[str, Any] = {"padding": True}
        if not self._chooses:  # SigLIP has learnt with nothing else
            padding = {"padding": "max_length", "max_length": longest}
        padding["return_attention_mask"] = self._chooses
        meant = text_features(self._network, self._tokenizer, each, **padding)
        mean = meant.reshape(len(texts), -1, meant.shape[1]).mean(dim=1)
        return mean / mean.norm(dim=-1, keepdim=True)


Said = list[tuple[int | None, float]]


def chosen(logits: Tensor, nothing: Tensor | None, min_share: float, lead: float) -> Said:
    """By CLIP, which chooses among texts: per crop the index of a name or None, and how sure.

    logits: (n, names), nothing: (n, m) of texts that mean none of the names.
    """
    count = logits.shape[1]
    shares = (logits if nothing is None else torch.cat([logits, nothing], dim=1)).softmax(dim=1)
    best, index = shares[:, :count].max(dim=1)
    rival = shares[:, count:].amax(dim=1) if nothing is not None else torch.zeros_like(best)
    named = (best >= min_share) & (best - rival >= lead)
    return _said(index, best, named)


def judged(logits: Tensor, min_probability: float) -> Said:
    """By SigLIP, which judges each of (n, names) by itself: as above.

    Its probabilities are small even where it is right, so how sure it is of a word is told from
    ``min_probability``, where it is as sure of none.
    """
    best, index = logits.sigmoid().max(dim=1)
    return _said(index, best / (best + min_probability), best >= min_probability)


def _said(index: Tensor, best: Tensor, named: Tensor) -> Said:
    """Whoever says it is no word is as sure of that as not of the likeliest one."""
    rows = zip(index.tolist(), best.tolist(), named.tolist(), strict=True)
    return [(k, score) if is_named else (None, 1 - score) for k, score, is_named in rows]
