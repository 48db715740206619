"""What a small model begins with, where a full one has been trained on much text before.

A model that begins with random weights needs long to find out that the number in a question is the
one that an object of the scene bears, and that a word means what the tower sees. So both begin
alike, and attention begins as looking up what is alike (after Trockman and Kolter 2023, "Mimetic
Initialization of Self-Attention Layers").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from spatial_vlm_ros.config import EncoderConfig
from spatial_vlm_ros.small.labelled_views import OBJECTS
from spatial_vlm_ros.vision.identifiers import identifier_text
from spatial_vlm_ros.vision.qwen import QwenTower
from spatial_vlm_ros.vision.reference_features import ReferenceFeatures

#: Root mean square of features, and so of all embeddings.
RMS = 0.3
_SCORED = 0.05  # of what scores a word, for a feature of values about 1
#: Score of what is alike, before the softmax; how far the scene comes before the text; how much of
#: what is found is handed on; share of the quick pairs of rotary positions, which are left random.
_ALIKE, _SCENE, _HANDED, _QUICK = 12.0, 12.0, 0.9, 0.45


def begin(model: Any, tokenizer: Any, numbers: int) -> None:
    """Give an untrained model, whose tower is trained, its first weights.

    numbers: objects that have a number.
    """
    tower = QwenTower.of(model.model.visual, "small", EncoderConfig.pixels)
    features = ReferenceFeatures(tower, None)
    tables = [features.semantics(OBJECTS)]
    spelt = list(OBJECTS)
    if numbers:
        tables.insert(0, features.identifiers(range(numbers)))
        spelt = [*map(identifier_text, range(numbers)), *OBJECTS]
    embeddings = model.get_input_embeddings().weight
    scores = model.get_output_embeddings().weight
    given = torch.cat([_of_a_kind(_vectors(table)) for table in tables])
    scored = torch.cat([_vectors(table @ _apart(table).T @ _apart(table)) for table in tables])
    with torch.no_grad():
        embeddings.normal_(0, RMS)
        for word, vector, score in zip(spelt, given, scored, strict=True):
            for written in (word, f" {word}"):
                ids = tokenizer(written, add_special_tokens=False)["input_ids"]
                if len(ids) == 1:
                    embeddings[ids[0]] = RMS * vector
                    scores[ids[0]] = _SCORED * score
        basis, layers = _basis(tables), model.model.language_model.layers
        for number, layer in enumerate(layers):
            looks = number < len(layers) / 2  # the others go on with what these have found
            if looks:
                _look_up(layer.self_attn, model.config.text_config, tables)
            swapped = looks and len(tables) == 2
            _hand_on(layer.self_attn, model.config.text_config, basis, swapped)


def _vectors(table: Tensor) -> Tensor:
    """(n, D) of values about 1: what tells each of the features (n, D) from the others."""
    apart = table - table.mean(0)
    return apart / apart.square().mean(1, keepdim=True).sqrt().clamp_min(1e-6)


def _of_a_kind(vectors: Tensor) -> Tensor:
    """(n, D) with a part that is the same for all: by it what is of a kind is found."""
    return 0.8 * vectors + 0.6 * torch.randn(vectors.shape[1])


def _apart(table: Tensor) -> Tensor:
    """(n', D) directions along which features (n, D) differ, by which all differ as much."""
    _, sizes, directions = torch.linalg.svd(table - table.mean(0), full_matrices=False)
    kept = sizes > 0.05 * sizes[0]
    return directions[kept] / sizes[kept, None]


def _look_up(attention: Any, config: Any, tables: Sequence[Tensor]) -> None:
    """Queries find keys of what is alike, first in the scene.

    tables: features (n, D) that heads tell apart, in turns; the last ones tell whatever. Only pairs
    of channels that rotary positions turn slowly see what is alike, however far away. Features of
    the scene have a mean (``small/discriminants.py``), by which they are known.
    """
    size, head = config.hidden_size, config.hidden_size // config.num_attention_heads
    half = head // 2
    slow = list(range(int(_QUICK * half), half - 1))
    where, last = torch.tensor(slow + [half + pair for pair in slow]), half - 1
    for group, numbers in enumerate(_heads(config)):
        turn = group % (len(tables) + 1)
        if turn < len(tables):
            own, alike = _vectors(tables[turn]), _apart(tables[turn])[: len(where)]
        else:
            own, alike = torch.randn(size, size), _orthonormal(size)[: len(where)]
        alike = alike * (_ALIKE * head**0.5 / (own @ alike.T).square().sum(1).mean()).sqrt()
        rows = where[: len(alike)]
        attention.k_proj.weight[group * head + rows] += alike
        attention.k_proj.weight[group * head + last] += _SCENE / size
        for number in numbers:
            attention.q_proj.weight[number * head + rows] += alike
            attention.q_proj.bias[number * head + last] += _SCENE


def _hand_on(attention: Any, config: Any, basis: Tensor, swapped: bool) -> None:
    """What is found is added to what looked for it, by each group of heads a part of it.

    basis: (D, D) rows along which numbers differ, then those along which categories do, then the
    rest. swapped: what is found by number hands on the category, and the other way round.
    """
    head = config.hidden_size // config.num_attention_heads
    for group, numbers in enumerate(_heads(config)):
        block = 1 - group if swapped and group < 2 else group
        value = basis[block * head : (block + 1) * head]
        attention.v_proj.weight[group * head : (group + 1) * head] += _HANDED * value
        for number in numbers:
            rows = slice(number * head, (number + 1) * head)
            attention.o_proj.weight[:, rows] += _HANDED * value.T / len(numbers)


def _heads(config: Any) -> list[range]:
    """The heads that share keys and values, by group."""
    share = config.num_attention_heads // config.num_key_value_heads
    return [range(n * share, (n + 1) * share) for n in range(config.num_key_value_heads)]


def _basis(tables: Sequence[Tensor]) -> Tensor:
    """(D, D) orthonormal rows: first those along which the features of the first table differ, then
    those of the second, then the rest.
    """
    size = tables[0].shape[1]
    parts = [_apart(table).T for table in tables]
    return torch.linalg.qr(torch.cat([*parts, torch.randn(size, size)], dim=1))[0].T


def _orthonormal(size: int) -> Tensor:
    return torch.linalg.qr(torch.randn(size, size))[0]
