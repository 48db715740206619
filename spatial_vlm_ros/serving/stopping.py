"""A network that stops in the middle of its work when nobody waits for it any more."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch.nn.modules.module import register_module_forward_pre_hook

from spatial_vlm_ros.reasoning.answer import Cancelled


@contextmanager
def stoppable(gone: Callable[[], bool]) -> Iterator[None]:
    """Whatever this thread computes in the block ends with :class:`Cancelled` once ``gone``, at the
    latest before the next layer.
    """
    thread = threading.get_ident()

    def stop(*_: Any) -> None:
        if threading.get_ident() == thread and gone():
            raise Cancelled

    hook = register_module_forward_pre_hook(stop)
    try:
        yield
    finally:
        hook.remove()
