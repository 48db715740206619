"""Several questions about one scene in one sequence: the scene is computed once for all of them.

``[prompt up to the question][question 1, answer 1][question 2, answer 2] ...``: each question sees
what is before the first one and itself only, and its M-RoPE positions go on from there, so loss and
gradients are those of as many separate sequences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

#: Of tokens that no token is learnt after.
IGNORED = -100
#: Segments: of what all questions see, and of padding. Questions are 1, 2, ...
PREFIX, PADDING = 0, -1


@dataclass(frozen=True)
class Packed:
    """ids (S,); positions (3, S); segments (S,); targets (S,): the token to be said next.

    inputs: of the scene, as the model's forward takes them. geometry: False where it is to be left
    out.
    """

    ids: Tensor
    positions: Tensor
    segments: Tensor
    targets: Tensor
    inputs: dict[str, Tensor]
    geometry: bool = True


def pack(
    prefix: Tensor,
    positions: Tensor,
    questions: Sequence[tuple[list[int], list[int]]],
    inputs: dict[str, Tensor],
    geometry: bool = True,
) -> Packed:
    """One sequence of a prompt up to the question, ids (n,) with positions (3, n), and of
    questions: ids of each, and of its answer with the end.
    """
    ids, places = [prefix], [positions]
    segments = [torch.full((len(prefix),), PREFIX)]
    targets = [torch.full((len(prefix),), IGNORED)]
    begin = int(positions.max()) + 1
    for number, (asked, told) in enumerate(questions, PREFIX + 1):
        words = torch.tensor([*asked, *told[:-1]])  # nothing is learnt after the end
        ids.append(words)
        places.append((begin + torch.arange(len(words))).expand(3, -1))
        segments.append(torch.full((len(words),), number))
        targets.append(torch.tensor([*[IGNORED] * (len(asked) - 1), *told]))
    return Packed(
        torch.cat(ids),
        torch.cat(places, dim=1),
        torch.cat(segments),
        torch.cat(targets),
        inputs,
        geometry,
    )


def collate(batch: Sequence[Packed]) -> dict[str, Tensor]:
    """Sequences side by side, the shorter ones padded behind; scene inputs one after the other.

    geometry: (B,) bool, whether it is to be used.
    """
    longest = max(len(packed.ids) for packed in batch)

    def padded(rows: list[Tensor], value: int) -> Tensor:
        return torch.stack([pad(row, (0, longest - row.shape[-1]), value=value) for row in rows])

    names = {name for packed in batch for name in packed.inputs}
    return {
        "input_ids": padded([packed.ids for packed in batch], 0),
        "position_ids": padded([packed.positions for packed in batch], 0).transpose(0, 1),
        "segments": padded([packed.segments for packed in batch], PADDING),
        "targets": padded([packed.targets for packed in batch], IGNORED),
        "geometry": torch.tensor([packed.geometry for packed in batch]),
        **{name: torch.cat([packed.inputs[name] for packed in batch]) for name in sorted(names)},
    }


def attention_mask(segments: Tensor) -> Tensor:
    """Of segments (B, S): (B, 1, S, S) bool, what each token sees; (B, S), what is no padding,
    where no sequence has several questions, which every kind of attention can take.
    """
    if int(segments.max()) <= PREFIX + 1:
        return segments != PADDING
    order = torch.arange(segments.shape[1], device=segments.device)
    before = order[:, None] >= order
    same = segments[:, :, None] == segments[:, None]
    seen = (segments == PREFIX)[:, None]
    return (before & (same | seen))[:, None]


def answer_weights(segments: Tensor, targets: Tensor, power: float) -> Tensor:
    """(B, S), of each token to be said: ``n ** -power`` where its answer has n, so that with 1
    every answer counts the same; 0 elsewhere.
    """
    told = (targets != IGNORED).float()
    answers = segments.clamp(min=PREFIX)
    counts = told.new_zeros(len(told), int(answers.max()) + 1).scatter_add_(1, answers, told)
    return told * counts.clamp(min=1).pow(-power).gather(1, answers)
