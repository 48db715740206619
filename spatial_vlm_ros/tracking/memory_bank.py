"""What a SAM 2 network remembers of one thing: a bounded number of images."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Memory:
    """One image as remembered for one thing.

    image: its number. features: (l, c) of the memory encoder. pointer: (C,), what the decoder made
    of the thing.
    """

    image: int
    features: Tensor
    pointer: Tensor


class MemoryBank:
    """The images that the network is shown again to find a thing in the next one.

    Those in which it was prompted, at most the first and the latest; the features of the last
    ``spatial`` images and the pointers of the last ``pointers``. Nothing else is kept, so that a
    thing needs as much after a day as after the first ``pointers`` images.
    """

    def __init__(self, spatial: int, pointers: int) -> None:
        self._prompted: list[Memory] = []
        self._features: deque[tuple[int, Tensor]] = deque()
        self._pointers: deque[tuple[int, Tensor]] = deque()
        self._limits = ((self._features, spatial), (self._pointers, pointers))

    def prompt(self, memory: Memory) -> None:
        """An image in which the thing was pointed out; replaces what was tracked in it."""
        for recent in (self._features, self._pointers):
            if recent and recent[-1][0] == memory.image:
                recent.pop()
        self._forget(memory.image)
        first = [old for old in self._prompted[:1] if old.image != memory.image]
        self._prompted = [*first, memory]

    def track(self, memory: Memory) -> None:
        """An image in which the network followed it."""
        self._forget(memory.image)
        self._features.append((memory.image, memory.features))
        self._pointers.append((memory.image, memory.pointer))

    def _forget(self, image: int) -> None:
        """What will be too long ago when the image after this one comes."""
        for recent, most in self._limits:
            while recent and recent[0][0] <= image - most:
                recent.popleft()

    @property
    def shape(self) -> tuple[int, int]:
        """How many images of features, and how many pointers; things of one shape are a batch."""
        return (
            len(self._prompted) + len(self._features),
            len(self._prompted) + len(self._pointers),
        )

    def features(self, image: int) -> tuple[Tensor, list[int]]:
        """(n, l, c), and how many images ago each was as seen from ``image``; 0 where prompted."""
        shown = [memory.features for memory in self._prompted]
        shown += [features for _, features in self._features]
        ago = [0] * len(self._prompted) + [image - number for number, _ in self._features]
        return torch.stack(shown), ago

    def pointers(self, image: int) -> tuple[Tensor, list[int]]:
        """(n, C), and how many images ago each was; those of prompts first, then the newest."""
        recent = list(reversed(self._pointers))
        shown = [memory.pointer for memory in self._prompted] + [one for _, one in recent]
        numbers = [memory.image for memory in self._prompted] + [number for number, _ in recent]
        return torch.stack(shown), [image - number for number in numbers]

    @property
    def size(self) -> int:
        """Bytes."""
        tensors = [tensor for _, tensor in (*self._features, *self._pointers)]
        for memory in self._prompted:
            tensors += [memory.features, memory.pointer]
        return sum(tensor.untyped_storage().nbytes() for tensor in tensors)


def batches(
    banks: dict[int, MemoryBank], most: int, key: Callable[[MemoryBank], tuple[int, int]]
) -> list[list[int]]:
    """The numbers of things, those with the same key together, at most so many at once."""
    alike: dict[tuple[int, int], list[int]] = {}
    for number, bank in banks.items():
        alike.setdefault(key(bank), []).append(number)
    return [
        numbers[start : start + most]
        for numbers in alike.values()
        for start in range(0, len(numbers), most)
    ]
