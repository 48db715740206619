"""SAM 2 and EdgeTAM as what follows masks, for as long as the robot runs."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spatial_vlm_ros.tracking.memory_bank import MemoryBank, batches
from spatial_vlm_ros.tracking.network import Network, Seen
from spatial_vlm_ros.tracking.propagation import Candidate, Floats, Followed
from spatial_vlm_ros.vision.images import as_tensor, normalised, resized

_POINT, _CORNERS = [1], [2, 3]  # labels of SAM's prompt encoder


class Sam2Propagator:
    """A :class:`spatial_vlm_ros.tracking.propagation.MaskPropagator`.

    Of an image only its features stay, until the next one comes; of each thing what
    :class:`MemoryBank` keeps. So memory and the time for an image depend on how many things are
    followed, and on nothing that was. colours: mean and deviation of red, green and blue (of
    0..1); batch: things handled at once.
    """

    def __init__(self, network: Network, colours: list[list[float]], batch: int) -> None:
        self._network = network
        self._batch = batch
        self._mean, self._std = torch.tensor(colours, device=network.device)
        self.reset()

    def reset(self) -> None:
        """See :class:`MaskPropagator`."""
        self._banks: dict[int, MemoryBank] = {}
        self._image = 0
        self._seen: Seen | None = None
        self._scale = (1.0, 1.0)

    @torch.inference_mode()
    def step(self, rgb: NDArray[np.uint8]) -> dict[int, Followed]:
        """See :class:`MaskPropagator`. ``ValueError`` when it is no image (H, W, 3) of bytes."""
        pixels = self.pixels(rgb)
        self._scale = (
            self._network.image_size / rgb.shape[1],
            self._network.image_size / rgb.shape[0],
        )
        self._image += 1
        self._seen = seen = self._network.see(pixels)
        followed: dict[int, Followed] = {}
        for numbers in batches(self._banks, self._batch, lambda bank: bank.shape):
            banks = [self._banks[number] for number in numbers]
            found = self._network.tracked(seen, self._image, banks)
            memories = self._network.remembered(seen, self._image, found)
            logits = found.logits[:, 0].float().cpu().numpy()
            presence = found.presence.float().sigmoid().tolist()
            for number, bank, memory, mask, sure in zip(
                numbers, banks, memories, logits, presence, strict=True
            ):
                bank.track(memory)
                followed[number] = Followed(mask, sure)
        return followed

    def at_points(self, points: Floats) -> list[Candidate]:
        """See :class:`MaskPropagator`: for each point three masks, from part to whole."""
        return self._prompted(points[:, None], _POINT, True)

    def in_boxes(self, boxes: Floats) -> list[Candidate]:
        """See :class:`MaskPropagator`."""
        return self._prompted(boxes.reshape(-1, 2, 2), _CORNERS, False)

    @torch.inference_mode()
    def follow(self, number: int, logits: Floats) -> None:
        """See :class:`MaskPropagator`."""
        mask = torch.from_numpy(np.array(logits, np.float32)).to(self._network.device)
        memory = self._network.given(self._present(), self._image, mask)
        if number not in self._banks:
            self._banks[number] = MemoryBank(self._network.spatial, self._network.pointers)
        self._banks[number].prompt(memory)

    def drop(self, numbers: Iterable[int]) -> None:
        """See :class:`MaskPropagator`."""
        for number in numbers:
            self._banks.pop(number, None)

    @property
    def size(self) -> int:
        """See :class:`MaskPropagator`; with the features of the present image."""
        seen = [*self._seen.fine, self._seen.top, self._seen.place] if self._seen else []
        present = sum(tensor.untyped_storage().nbytes() for tensor in seen)
        return present + sum(bank.size for bank in self._banks.values())

    def pixels(self, rgb: NDArray[np.uint8]) -> Tensor:
        """(1, 3, s, s) as the network sees an image (H, W, 3).

        Stretched to the square, as the processor of transformers does it with torchvision.
        """
        size = (self._network.image_size, self._network.image_size)
        square = resized(as_tensor(rgb), size, "bilinear").to(self._network.device)
        return normalised(square, self._mean, self._std)[None].to(self._network.dtype)

    @torch.inference_mode()
    def _prompted(self, corners: Floats, labels: list[int], several: bool) -> list[Candidate]:
        """corners: (n, k, 2) pixels of the image."""
        seen = self._present()
        every = torch.from_numpy(corners * np.array(self._scale, np.float32))
        candidates: list[Candidate] = []
        for points in torch.split(every.to(self._network.device), self._batch):
            kinds = torch.tensor(labels, dtype=torch.int32, device=points.device)
            kinds = kinds.expand(len(points), -1)
            found = self._network.prompted(seen, points, kinds, several)
            logits = found.logits.flatten(0, 1).float().cpu().numpy()
            quality = found.quality.flatten().float().clamp(0, 1).tolist()
            candidates += [Candidate(*one) for one in zip(logits, quality, strict=True)]
        return candidates

    def _present(self) -> Seen:
        if self._seen is None:
            raise ValueError("there is no image to prompt in: step() through one first")
        return self._seen
