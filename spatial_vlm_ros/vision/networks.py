"""Networks of transformers, and what prepares their inputs, from a checkpoint onto a device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import AutoImageProcessor, AutoTokenizer, PreTrainedTokenizerFast
from transformers.utils import logging as logs

from spatial_vlm_ros.errors import kind_and_line
from spatial_vlm_ros.vision.checkpoint import Checkpoint
from spatial_vlm_ros.vision.device import device_of, dtype_of
from spatial_vlm_ros.vision.images import check_image


class Runs(Protocol):
    """Settings that say where a network runs, and with which numbers."""

    @property
    def device(self) -> str:
        """A device of torch, or auto."""
        ...

    @property
    def dtype(self) -> str:
        """A type of torch, or auto."""
        ...


def load_network(
    architecture: Any,
    checkpoint: Checkpoint,
    runs: Runs,
    what: str,
    *,
    auto: torch.dtype = torch.float16,
    new: Sequence[str] = (),
    exact: bool = False,
    **options: Any,
) -> Any:
    """A network in the state to be used; nothing is fetched, and only safetensors are read.

    what: for the message. auto: the type "auto" on a GPU; of a place in an image bfloat16 has too
    few digits. new: parts whose weights may be missing. exact: no weight may be left over either.
    options: more for ``from_pretrained``. ``ValueError`` says what to change: the checkpoint is not
    whole, or does not fit.
    """
    device = device_of(runs.device, what)
    on_gpu = runs.dtype == "auto" and device.type != "cpu"
    dtype = auto if on_gpu else dtype_of(runs.dtype, device)
    try:
        checkpoint.tensors(())  # none, but says which file is missing, damaged or a pickle
    except ValueError as error:
        raise ValueError(f"{what} cannot be loaded: {error}") from error
    try:
        with _silent():  # of its weights more is said below
            network, loaded = architecture.from_pretrained(
                checkpoint.folder,
                local_files_only=True,
                use_safetensors=True,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
                dtype=dtype,
                **options,
            )
        _refuse_other_weights(loaded, new, exact)
        network.to(device)
    except torch.OutOfMemoryError as error:
        raise ValueError(
            f"checkpoint {checkpoint.folder} of {what} does not fit into the memory of {device}: "
            f"choose a smaller one, or device cpu ({kind_and_line(error)})"
        ) from error
    except Exception as error:  # whatever transformers and safetensors raise
        raise ValueError(
            f"checkpoint {checkpoint.folder} of {what} cannot be loaded: {kind_and_line(error)}; "
            f"{checkpoint.remedy}"
        ) from error
    return network.eval().requires_grad_(False)


def _refuse_other_weights(loaded: dict[str, Any], new: Sequence[str], exact: bool) -> None:
    """``ValueError``: the files do not have the weights that config.json asks for."""
    may_miss = tuple(f"{part}." for part in new)
    wrong = {
        "missing": [name for name in loaded["missing_keys"] if not name.startswith(may_miss)],
        "of another shape than config.json says": [key[0] for key in loaded["mismatched_keys"]],
        "not known": loaded["unexpected_keys"] if exact else (),
    }
    for how, names in wrong.items():
        if names:
            raise ValueError(f"{len(names)} weights are {how}, first {min(names)}")


def load_tokenizer(checkpoint: Checkpoint) -> Any:
    """What cuts text into tokens. ``ValueError``: its files are missing, or a package."""
    names = "tokenizer.json", "vocab.json", "vocab.txt", "spiece.model", "tokenizer.model"
    if not any((checkpoint.folder / name).is_file() for name in names):
        raise ValueError(f"{checkpoint.folder / names[0]} is missing; {checkpoint.remedy}")
    whole = (checkpoint.folder / names[0]).is_file()
    try:
        return AutoTokenizer.from_pretrained(checkpoint.folder, local_files_only=True)
    except Exception as error:  # whatever tokenizers raise
        if whole:  # it says all, whatever the class in tokenizer_config.json needs
            return PreTrainedTokenizerFast.from_pretrained(checkpoint.folder, local_files_only=True)
        raise ValueError(
            f"checkpoint {checkpoint.folder} has no tokenizer that works here "
            f"({kind_and_line(error)}): pip install sentencepiece, or choose one with {names[0]}"
        ) from error


class Images:
    """Images as a network wants them, by the checkpoint's own settings, without torchvision."""

    def __init__(self, checkpoint: Checkpoint, network: Any) -> None:
        self._device, self._dtype = network.device, network.dtype
        try:
            self._processor: Any = AutoImageProcessor.from_pretrained(
                checkpoint.folder, local_files_only=True, backend="pil"
            )
        except (ImportError, ValueError, OSError) as error:
            raise ValueError(
                f"{checkpoint.folder / 'preprocessor_config.json'} does not say how images are "
                f"prepared ({kind_and_line(error)}); {checkpoint.remedy}"
            ) from error

    def __call__(self, *images: NDArray[np.uint8]) -> dict[str, Tensor]:
        """The network's inputs for images (H, W, 3). ``ValueError`` when one is no image."""
        for rgb in images:
            check_image(rgb)
        made = self._processor(
            images=list(images), return_tensors="pt", input_data_format="channels_last"
        )
        return {
            name: value.to(self._device, self._dtype if value.is_floating_point() else None)
            for name, value in made.items()
        }


@contextmanager
def _silent() -> Iterator[None]:
    """Without the progress bar and the table of weights that transformers prints."""
    verbosity, bar = logs.get_verbosity(), logs.is_progress_bar_enabled()
    logs.set_verbosity_error()
    logs.disable_progress_bar()
    try:
        yield
    finally:
        logs.set_verbosity(verbosity)
        if bar:
            logs.enable_progress_bar()
