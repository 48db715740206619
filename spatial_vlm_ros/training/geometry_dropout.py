"""Geometry left out of some sequences: a model that needs it always is lost where it is missing."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class GeometryDropout:
    """Sets s' (equation 2 of SSR) to 0 for some of a batch's scenes, as if no geometry were known.

    The branch is computed all the same, so that every process has gradients of the same weights.
    """

    def __init__(self, model: Any) -> None:
        self._kept: Tensor | None = None
        branch = getattr(model, "spatial", None)
        if branch is not None:
            branch.transform.register_forward_hook(self._masked)

    def keep(self, known: Tensor | None, grids: Tensor | None) -> None:
        """known: (N,) bool of the next batch's scenes, grids (N, 3) their patches; None: all."""
        if known is None or grids is None or bool(known.all()):
            self._kept = None
        else:
            self._kept = known.repeat_interleave(grids.prod(-1))[:, None]

    def _masked(self, module: nn.Module, given: Any, transformed: Tensor) -> Tensor:
        return transformed if self._kept is None else transformed * self._kept
