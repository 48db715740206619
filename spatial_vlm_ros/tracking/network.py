"""The modules of a SAM 2 or EdgeTAM of transformers, driven for many things at once.

transformers' own session runs one thing after the other, and keeps every image and everything made
of it for ever. Here the same modules compute the same numbers for a batch, and nothing is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from spatial_vlm_ros.tracking.memory_bank import Memory, MemoryBank

_NOTHING = -1024.0  # logits of a mask of what is not in view


@dataclass(frozen=True)
class Seen:
    """Features of one image. fine: (1, c, h, w), finest first; top: (h * w, 1, C); place: alike."""

    fine: list[Tensor]
    top: Tensor
    place: Tensor


@dataclass(frozen=True)
class Decoded:
    """Masks. logits: (n, m, h, w) for n things m masks; quality: (n, m); presence: (n,) logits;
    pointers: (n, m, C), what the decoder made of them.
    """

    logits: Tensor
    quality: Tensor
    presence: Tensor
    pointers: Tensor


class Network:
    """What a model computes, without any state. Masks have a quarter of the image's cells a side.

    image_size: pixels a side of the square that it sees.
    """

    def __init__(self, model: Any) -> None:
        config = model.config
        self._model = model
        self.device: torch.device = model.device
        self.dtype: torch.dtype = model.dtype
        self.image_size: int = config.image_size
        self.spatial: int = config.num_maskmem - 1
        self.pointers: int = config.max_object_pointers_in_encoder - 1
        self._grid: tuple[int, int] = tuple(model.backbone_feature_sizes[-1])
        self._perceives = hasattr(model, "spatial_perceiver")  # EdgeTAM's, for one at a time
        self._several = (
            config.multimask_output_in_sam
            and config.multimask_output_for_tracking
            and config.multimask_min_pt_num == 0
        )
        self._memory_place: Tensor | None = None  # (l, c), the same for every memory

    def see(self, pixels: Tensor) -> Seen:
        """Of an image (1, 3, image_size, image_size), normalised."""
        seen = self._model.get_image_features(pixels, return_dict=True)
        features = [
            flat.permute(1, 2, 0).reshape(1, -1, *size)
            for flat, size in zip(
                seen.fpn_hidden_states[:-1], self._model.backbone_feature_sizes[:-1], strict=True
            )
        ]
        return Seen(features, seen.fpn_hidden_states[-1], seen.fpn_position_encoding[-1])

    def prompted(self, seen: Seen, points: Tensor, labels: Tensor, several: bool) -> Decoded:
        """What is at points (n, k, 2), pixels of the square; labels (n, k): 1, or a box's 2 and 3.

        several: three masks for each, from part to whole.
        """
        image = self._square(seen.top + self._model.no_memory_embedding)
        return self._decode(seen, image, points[None], labels[None], several)

    def tracked(self, seen: Seen, image: int, banks: Sequence[MemoryBank]) -> Decoded:
        """Where things (n, of one shape) are in this image; of several masks the best (m = 1)."""
        square = self._square(self._recall(seen, image, banks))
        points = torch.zeros(len(banks), 1, 1, 2, dtype=square.dtype, device=self.device)
        labels = -torch.ones(len(banks), 1, 1, dtype=torch.int32, device=self.device)
        found = self._decode(seen, square, points, labels, self._several)
        best = found.quality.argmax(-1)
        rows = torch.arange(len(banks), device=self.device)
        pointers = self._model.object_pointer_proj(found.pointers[rows, best])
        there = (found.presence > 0).to(pointers.dtype)[:, None]
        pointers = there * pointers + (1 - there) * self._model.no_object_pointer
        return Decoded(
            found.logits[rows, best][:, None],
            found.quality[rows, best][:, None],
            found.presence,
            pointers[:, None],
        )

    def remembered(self, seen: Seen, image: int, found: Decoded) -> list[Memory]:
        """What to remember of this image for each of the n things found in it."""
        logits = interpolate(
            found.logits.float(), (self.image_size, self.image_size), mode="bilinear"
        )
        features = self._encode(seen, logits.to(self.dtype), found.presence, False)
        return [
            Memory(image, each, pointer.clone())
            for each, pointer in zip(features, found.pointers[:, 0], strict=True)
        ]

    def given(self, seen: Seen, image: int, logits: Tensor) -> Memory:
        """What to remember of a thing whose mask (h, w) in this image is given."""
        size = (self.image_size, self.image_size)
        mask = interpolate(logits[None, None].float(), size, mode="bilinear") > 0
        out = self._model._use_mask_as_output(
            self._square(seen.top), seen.fine, mask.to(self.dtype)
        )
        presence = out.object_score_logits.reshape(1)
        features = self._encode(seen, out.high_res_masks.reshape(1, 1, *size), presence, True)
        return Memory(image, features[0], out.object_pointer.reshape(-1).clone())

    def _square(self, flat: Tensor) -> Tensor:
        """(n, C, h, w) of (h * w, n, C)."""
        return flat.permute(1, 2, 0).reshape(flat.shape[1], -1, *self._grid)

    def _decode(
        self, seen: Seen, image: Tensor, points: Tensor, labels: Tensor, several: bool
    ) -> Decoded:
        """points: (b, n, k, 2) for an image (b, C, h, w); b or n is 1."""
        model = self._model
        sparse, dense = model.prompt_encoder(points, labels, None, None)
        places = model.get_image_wide_positional_embeddings()
        logits, quality, tokens, presence = model.mask_decoder(
            image_embeddings=image,
            image_positional_embeddings=places.expand(len(image), -1, -1, -1),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=several,
            high_resolution_features=seen.fine,
        )
        logits, quality = logits.flatten(0, 1), quality.flatten(0, 1)
        presence = presence.reshape(-1)
        logits = torch.where(presence[:, None, None, None] > 0, logits, _NOTHING)
        tokens = tokens.flatten(0, 1)
        return Decoded(logits, quality, presence, tokens.expand(-1, logits.shape[1], -1))

    def _recall(self, seen: Seen, image: int, banks: Sequence[MemoryBank]) -> Tensor:
        """(h * w, n, C): the image as it looks to one who remembers each of the n things."""
        model, count = self._model, len(banks)
        memory, places = [], []
        for bank in banks:
            features, ago = bank.features(image)
            times = model.memory_temporal_positional_encoding[[i - 1 for i in ago], 0]
            assert self._memory_place is not None  # a bank is never empty
            place = self._memory_place + times
            pointers, ages = bank.pointers(image)
            split = pointers.reshape(-1, model.mem_dim)  # a pointer is as long as some memories
            aged = self._age(ages, pointers.dtype).repeat_interleave(len(split) // len(ages), 0)
            memory.append(torch.cat([features.flatten(0, 1).to(self.dtype), split]))
            places.append(torch.cat([place.flatten(0, 1), aged]))
        extra = {"num_spatial_memory_tokens": len(ago)} if self._perceives else {}
        # Laid out thing by thing, as the module will have them: faster, and the same numbers.
        out = model.memory_attention(
            current_vision_features=seen.top.transpose(0, 1).repeat(count, 1, 1).transpose(0, 1),
            current_vision_position_embeddings=seen.place,
            memory=torch.stack(memory).transpose(0, 1),
            memory_posision_embeddings=torch.stack(places).transpose(0, 1),
            num_object_pointer_tokens=len(split),
            **extra,
        )
        flat: Tensor = out.reshape(count, -1, out.shape[-1]).transpose(0, 1)
        return flat

    def _age(self, ages: Sequence[int], dtype: torch.dtype) -> Tensor:
        """(n, c): how many images ago a pointer was, as the network reads it."""
        model = self._model
        if not model.config.enable_temporal_pos_encoding_for_object_pointers:
            return torch.zeros(len(ages), model.mem_dim, dtype=dtype, device=self.device)
        half = model.hidden_dim // 2
        steps = torch.arange(half, dtype=torch.float32, device=self.device)
        period = 10000 ** (2 * (steps // 2) / half)
        times = torch.tensor(ages, dtype=torch.float32, device=self.device) / self.pointers
        waves = times[:, None] / period
        waves = torch.cat([waves.sin(), waves.cos()], -1).to(dtype)
        aged: Tensor = model.temporal_positional_encoding_projection_layer(waves)
        return aged

    def _encode(self, seen: Seen, logits: Tensor, presence: Tensor, binary: bool) -> list[Tensor]:
        """(l, c) for each of n masks (n, 1, image_size, image_size)."""
        features: list[Tensor] = []
        step = 1 if self._perceives else len(logits)
        for start in range(0, len(logits), step):
            part = logits[start : start + step]
            encoded, place = self._model._encode_new_memory(
                current_vision_feats=seen.top.expand(-1, len(part), -1),
                pred_masks_high_res=part,
                object_score_logits=presence[start : start + step, None, None],
                is_mask_from_pts=binary,
            )
            if not self._perceives:  # (l, n, c)
                encoded, place = encoded.transpose(0, 1), place.transpose(0, 1)
            if self._memory_place is None:
                self._memory_place = place[0].reshape(-1, place.shape[-1]).clone()
            # Copies: a view would keep the memories of the whole batch as long as one is kept.
            features += [one.clone(memory_format=torch.contiguous_format) for one in encoded]
        return features
