"""What a small model has not learnt yet: checkpoints from which ablations start."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import torch

from bench.ablation_variants import GIVEN, NEW_POSITIONS, UNTRAINED
from spatial_vlm_ros.models.spatial_branch import SpatialSettings
from spatial_vlm_ros.training.config import LoraSettings, ModelSettings
from spatial_vlm_ros.training.opening import load
from spatial_vlm_ros.training.saving import write_model
from spatial_vlm_ros.vision.checkpoint import Checkpoint

_POINTS = {"source": "points"}


def start_of(folder: Path, kind: str, checkpoint: str, how: str) -> str:
    """A checkpoint to start from, written to ``<folder>/<how>`` if it is not there.

    kind: proxy3d or ssr. how: one of ``ablation_variants.py``. ``ValueError``: the checkpoint is of
    another kind.
    """
    if how == GIVEN:
        return checkpoint
    written = folder / how.replace(" ", "_")
    if not written.exists():
        model = load(ModelSettings(kind, checkpoint), torch.float32).model
        if how == NEW_POSITIONS:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                model.position.reset_parameters()
        else:
            model = _flat(model, forget=how == UNTRAINED)
        folder.mkdir(parents=True, exist_ok=True)
        found = Checkpoint.find(checkpoint)
        write_model(model, model.state_dict(), written, found, "float32", LoraSettings())
    return str(written)


def _flat(model: Any, forget: bool) -> Any:
    """An SSR without its 3D branch. forget: only the vision tower keeps what it has learnt."""
    settings = deepcopy(model.config)
    settings.spatial = None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        found = type(model)(settings)
    kept = {
        name: weight
        for name, weight in model.state_dict().items()
        if name.startswith("model.visual.") or not (forget or name.startswith("spatial."))
    }
    found.load_state_dict(kept, strict=False)
    found.generation_config = model.generation_config
    return found


def spatial_of(checkpoint: str) -> SpatialSettings:
    """The 3D branch that an SSR has, or would be given: of points of a depth camera."""
    return SpatialSettings.of(Checkpoint.find(checkpoint).settings().get("spatial") or _POINTS)
