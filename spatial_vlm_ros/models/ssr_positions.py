"""Where frames stand in SSR's prompt, and their M-RoPE positions (section 3.1, insertion).

The frames of a video are one block of maps, H' x W' tokens each: of frame k a visual map V_k and,
in SSR-3D, a spatial map S_k.

    interleaved   V_0 S_0 V_1 S_1 ...       t(V_k) = b + 2k    t(S_k) = b + 2k + 1
    sequential    V_0 V_1 ... S_0 S_1 ...   t(V_k) = b + k     t(S_k) = b + T + k
    SSR-2D        V_0 V_1 ...               t(V_k) = b + k

That is, t = b + the place of the map in the block, always; h = b + row, w = b + column. Text after
the block goes on at b + max(number of maps, H', W').
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

import torch
from torch import Tensor

Insertion = Literal["interleaved", "sequential"]


@dataclass(frozen=True)
class FrameLayout:
    """How frames become tokens.

    visual, spatial: the ids of the placeholders. merge: patches per token, along each side.
    insertion: None for SSR-2D, whose blocks have no spatial maps.
    """

    visual: int
    spatial: int
    merge: int
    insertion: Insertion | None

    def tokens(self, frames: int, height: int, width: int) -> list[int]:
        """The placeholders of frames of height x width patches, in order."""
        if height % self.merge or width % self.merge:
            raise ValueError(f"frames of {height} x {width} patches do not divide by {self.merge}")
        order = {
            "interleaved": [self.visual, self.spatial] * frames,
            "sequential": [self.visual] * frames + [self.spatial] * frames,
            None: [self.visual] * frames,
        }[self.insertion]
        size = height * width // self.merge**2
        return [token for token in order for _ in range(size)]

    def positions(self, input_ids: Tensor, attention_mask: Tensor | None, grids: Tensor) -> Tensor:
        """(3, B, S) time, row and column of every token; 0 at padding.

        input_ids: (B, S). attention_mask: (B, S), 0 at padding. grids: (N, 3) number of frames,
        height and width in patches, of the blocks of all prompts in order. ``ValueError`` when
        the placeholders are not those of the grids.
        """
        mask = _mask(input_ids, attention_mask)
        positions = torch.zeros(3, *input_ids.shape, dtype=torch.long)
        waiting = iter(grids.tolist())
        blocks = 0
        for prompt, (ids, real) in enumerate(zip(input_ids.cpu(), mask, strict=True)):
            pieces, begin = [], 0
            for is_block, tokens in self._runs(ids[real]):
                if is_block:
                    grid = next(waiting, None)
                    if grid is not None:
                        self._check(tokens, grid)
                        piece = self._block(grid)
                    else:
                        piece = torch.zeros(3, len(tokens), dtype=torch.long)
                    blocks += 1
                else:
                    piece = torch.arange(len(tokens)).expand(3, -1)
                pieces.append(piece + begin)
                begin += int(piece.max()) + 1
            if pieces:
                positions[:, prompt, real] = torch.cat(pieces, dim=1)
        if blocks != len(grids):
            raise ValueError(f"{blocks} blocks of frame placeholders, but {len(grids)} grids")
        return positions.to(input_ids.device)

    def blocks(self, input_ids: Tensor) -> list[int]:
        """How many blocks each prompt has."""
        return [sum(is_block for is_block, _ in self._runs(ids)) for ids in input_ids.cpu()]

    def _runs(self, ids: Tensor) -> Iterator[tuple[bool, list[int]]]:
        """Blocks (True) and what is between them, in order."""
        frame = {self.visual} if self.insertion is None else {self.visual, self.spatial}
        for is_block, run in groupby(ids.tolist(), key=frame.__contains__):
            yield is_block, list(run)

    def _check(self, found: list[int], grid: list[int]) -> None:
        expected = self.tokens(*grid)
        frames, height, width = grid
        if len(found) != len(expected):
            raise ValueError(
                f"a block has {len(found)} frame placeholders, but {frames} frames of {height} x "
                f"{width} patches have {len(expected)}"
            )
        if found != expected:
            raise ValueError(
                f"visual ({self.visual}) and spatial ({self.spatial}) placeholders are not in "
                f"{self.insertion} order"
            )

    def _block(self, grid: list[int]) -> Tensor:
        """(3, n) positions of the tokens of a block that begins at 0."""
        frames, rows, columns = grid[0], grid[1] // self.merge, grid[2] // self.merge
        maps = frames if self.insertion is None else 2 * frames
        return torch.cartesian_prod(
            torch.arange(maps), torch.arange(rows), torch.arange(columns)
        ).T.contiguous()


def _mask(input_ids: Tensor, attention_mask: Tensor | None) -> Tensor:
    """(B, S) whether a token is no padding."""
    if attention_mask is None:
        return torch.ones(input_ids.shape, dtype=torch.bool)
    return attention_mask.bool().cpu()
