"""The reasoner that a name and settings ask for."""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass, field

from spatial_vlm_ros.reasoners.config import NAMES, AnsweringConfig, ModelConfig
from spatial_vlm_ros.reasoning.answer import Reasoner
from spatial_vlm_ros.reasoning.geometric import GeometricReasoner
from spatial_vlm_ros.settings import setting

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReasonersConfig:
    """Who answers, and with which model."""

    reasoner: str = setting(
        "geometric",
        "Who answers: geometric needs no model; chat runs any vision-language model, proxy3d and "
        "ssr those that are trained for it",
        choices=NAMES,
        read_only=True,
    )
    queue_timeout: float = setting(
        30.0, "How long a question waits while the model answers others [s]", low=0.0, high=3600.0
    )
    model: ModelConfig = field(default_factory=ModelConfig)
    answering: AnsweringConfig = field(default_factory=AnsweringConfig)


def open_reasoner(config: ReasonersConfig, say: Callable[[str], None] = _log.error) -> Reasoner:
    """What answers. Where a model cannot be opened or cannot answer, geometry does: ``say`` is told
    why, once for each reason, and every such answer has a warning.
    """
    if config.reasoner == "geometric":
        return GeometricReasoner()
    from spatial_vlm_ros.reasoners.fallback import WithFallback, reason
    from spatial_vlm_ros.serving.turns import Turns

    turns = Turns(config.queue_timeout)
    try:
        return WithFallback(config.reasoner, open_model(config), turns, say=say)
    except Exception as error:  # whatever it is, the robot can still be asked
        return WithFallback(config.reasoner, None, turns, reason(error), say)


def needs(reasoner: str) -> dict[str, bool]:
    """Which parts of :class:`Seen` the reasoner of this name looks at."""
    return {"proxies": reasoner == "proxy3d", "keyframes": reasoner in ("ssr", "chat")}


def release() -> None:
    """Give the memory of models that are used no more back to the machine."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def open_model(config: ReasonersConfig) -> Reasoner:
    """The reasoner alone. Whatever keeps it from being opened is raised."""
    if config.reasoner == "geometric":
        return GeometricReasoner()
    # torch and transformers take seconds to import, so only those who need them do
    from spatial_vlm_ros.serving import loading

    if config.reasoner == "proxy3d":
        from spatial_vlm_ros.reasoners.proxy3d import Proxy3DReasoner

        return Proxy3DReasoner(loading.load_proxy3d(config.model), config.answering)
    if config.reasoner == "ssr":
        from spatial_vlm_ros.reasoners.ssr import SSRReasoner

        return SSRReasoner(loading.load_ssr(config.model), config.answering)
    from spatial_vlm_ros.reasoners.chat import ChatReasoner

    return ChatReasoner(loading.load_chat(config.model), config.answering)
