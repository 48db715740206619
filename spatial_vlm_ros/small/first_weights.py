"""What a small model begins with, where a full one has been trained on much text before.

A model that begins with random weights needs long to find out that the number in a question is the
one that an object of the scene bears, and that a word means what the tower sees. So both have the
same channel (``small/layout.py``), and attention begins as looking up what is alike (after Trockman
and Kolter 2023, "Mimetic Initialization of Self-Attention Layers"): the first layers find in the
scene what each word is about, the others what the words before have found.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import gelu

from spatial_vlm_ros.small.labelled_views import CATEGORIES
from spatial_vlm_ros.small.layout import (
    CATEGORY,
    COLOUR,
    NOTHING,
    NUMBER,
    NUMBERS,
    PLACE,
    REST,
    TEXT,
    WIDTH,
    WORD,
)
from spatial_vlm_ros.vision.identifiers import identifier_text

_HEADS = 3
#: Root mean square of embeddings; a word's own channel; what scores the word for that channel.
_RMS, _OWN, _SCORED = 0.3, 3.0, 0.5
#: Root mean square of all scores. Were they less, what tells the form of an answer would have to
#: grow to be sure of it, until nothing else is seen beside it.
_SCORES = 0.12
#: Scores before the softmax: of what is alike, of what those look at who find nothing, of text.
_ALIKE, _VAIN, _TEXT = 18.0, 9.0, -16.0
#: The channel of what a word and a proxy are, where the root mean square of all channels is 1.
_SAID, _SHOWN = 9.5, 3.3
#: Of words that have found something: for being text, for being such a word, for having a place.
_FOUND = 8.0, 6.0, 10.0
#: Share of the quick pairs of rotary positions, which are left random.
_QUICK = 0.35
#: Metres around the first camera; root mean square of the embedding of places there.
_FIELD, _PLACED = 7.0, 0.6

_TOLD = (*range(CATEGORY.start, CATEGORY.stop), *range(COLOUR.start, REST.stop))
_NUMBERS, _PLACES = range(NUMBER.start, NUMBER.stop), range(PLACE.start, PLACE.stop)
#: Of each head of the first layers, by what it looks up, what of it is handed on, and how much.
_LOOK_UPS = (
    ((NUMBER, _TOLD, 0.9), (CATEGORY, _NUMBERS, 0.9), (NUMBER, _PLACES, 0.5)),
    ((NUMBER, _PLACES, 0.5), (CATEGORY, _PLACES, 0.5), (NUMBER, _TOLD, 0.9)),
)
#: Of each head of the others, what is handed on, and how much. Places are told by many channels,
#: none of which stands out, so more of them.
_HANDED = ((_TOLD, 0.9), (_NUMBERS, 0.9), (_PLACES, 2.0))


def begin(model: Any, tokenizer: Any) -> None:
    """Give an untrained model, whose tower is trained and aligned, its first weights.

    ``ValueError``: it has not the width and heads that the layout is for.
    """
    config = model.config.text_config
    shape = config.hidden_size, config.num_attention_heads, config.num_key_value_heads
    if shape != (WIDTH, _HEADS, _HEADS):
        raise ValueError(f"width and heads {shape}: the layout is for {(WIDTH, _HEADS, _HEADS)}")
    with torch.no_grad():
        _words(model, tokenizer)
        for depth, layer in enumerate(model.model.language_model.layers):
            attention = layer.self_attn
            if depth < len(_LOOK_UPS):
                for head, (by, handed, share) in enumerate(_LOOK_UPS[depth]):
                    _look_up(attention, head, by, _ALIKE * (1 + depth))
                    _hand_on(attention, head, handed, share)
                continue
            for head, (handed, share) in enumerate(_HANDED):
                if depth == len(_LOOK_UPS):
                    _look_at_words(attention, head)
                _hand_on(attention, head, handed, share)
        if hasattr(model, "position"):
            _place(model.position)


def _words(model: Any, tokenizer: Any) -> None:
    """Embeddings and scores of words; those of numbers and categories have their own channels."""
    embeddings = model.get_input_embeddings().weight
    scores = model.get_output_embeddings().weight
    embeddings.normal_(0, _RMS)
    scores.normal_(0, _SCORES)
    embeddings[:, CATEGORY.start : NUMBER.stop] = 0.0
    embeddings[:, TEXT:] = torch.tensor([1.0, 0.0, 0.0])
    begin_of_scene = model.config.vision_start_token_id
    embeddings[begin_of_scene] = 0.0
    embeddings[begin_of_scene, NOTHING] = _OWN
    own = {identifier_text(number): NUMBER.start + number for number in range(NUMBERS)}
    own |= {name: CATEGORY.start + index for index, name in enumerate(CATEGORIES)}
    for word, channel in own.items():
        for written in (word, f" {word}"):
            ids = tokenizer(written, add_special_tokens=False)["input_ids"]
            if len(ids) == 1:
                embeddings[ids[0], CATEGORY.start : COLOUR.stop] = 0.0
                embeddings[ids[0], channel] = _OWN
                embeddings[ids[0], WORD] = 1.0
                scores[ids[0], channel] = _SCORED


def _look_up(attention: Any, head: int, by: slice, alike: float) -> None:
    """Queries of words find keys of the scene that speak for the same, else its beginning.

    Only pairs of channels that rotary positions turn slowly see what is alike, however far away.
    """
    dim = attention.head_dim
    half, base = dim // 2, head * dim
    slow = list(range(int(_QUICK * half), half - 1))
    count = by.stop - by.start
    even = torch.eye(count) - 1 / count  # what speaks for all alike speaks for none
    code = torch.linalg.qr(torch.randn(count, count))[0][: 2 * len(slow)] @ even
    code = code / code.norm(dim=0)
    rows = base + torch.tensor(slow + [half + pair for pair in slow])[: len(code)]
    gain = (alike * dim**0.5 / (_SAID * _SHOWN)) ** 0.5
    attention.k_proj.weight[rows, by] += gain * code
    attention.q_proj.weight[rows, by] += gain * code
    always = base + half - 1
    attention.q_proj.bias[always] += dim**0.5
    attention.k_proj.weight[always, TEXT] += _TEXT
    attention.k_proj.weight[always, NOTHING] += _VAIN / WIDTH**0.5


def _look_at_words(attention: Any, head: int) -> None:
    """Every query finds the words that have found something: channels of places tell them."""
    dim = attention.head_dim
    always = head * dim + dim // 2 - 1
    attention.q_proj.bias[always] += dim**0.5
    for channel, weight in zip((TEXT, WORD), _FOUND[:2], strict=True):
        attention.k_proj.weight[always, channel] += weight
    level = range(PLACE.stop // 2, PLACE.stop, 2)  # those that heights hardly turn
    attention.k_proj.weight[always, list(level)] += _FOUND[2] / len(level)


def _hand_on(attention: Any, head: int, channels: Sequence[int], share: float) -> None:
    """Of what is found some channels are added to what looked for it."""
    rows = head * attention.head_dim + torch.arange(len(channels))
    attention.v_proj.weight[rows, list(channels)] += share
    attention.o_proj.weight[list(channels), rows] += share


def _place(position: Any) -> None:
    """Places begin as the directions in which the layer before varies most over a flat."""
    side = torch.linspace(-_FIELD, _FIELD, 57)
    turns = torch.cartesian_prod(side, side) @ position.directions.weight.T
    waves = torch.cat([turns.cos(), turns.sin()], dim=-1) / position.config.fourier**0.5
    hidden = gelu(position.mlp[0](waves))
    mean = hidden.mean(0)
    _, sizes, found = torch.linalg.svd(hidden - mean, full_matrices=False)
    channels = torch.arange(PLACE.start + 1, PLACE.stop, 2)
    size = _PLACED * len(hidden) ** 0.5 / sizes[: len(channels)]
    weight = size[:, None] * found[: len(channels)]
    position.mlp[2].weight[channels] = weight
    position.mlp[2].bias[channels] = -weight @ mean
