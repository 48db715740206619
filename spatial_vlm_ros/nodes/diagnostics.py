"""What a mapper tells the outside about its health, once a second on /diagnostics."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from spatial_vlm_ros.assembler import FrameAssembler


class Latencies:
    """Recent durations in milliseconds."""

    def __init__(self, size: int = 300) -> None:
        self._recent: deque[float] = deque(maxlen=size)

    def add(self, milliseconds: float) -> None:
        """Remember one duration."""
        self._recent.append(milliseconds)

    def values(self, name: str) -> dict[str, str]:
        """Median and 95th percentile as diagnostic values."""
        if not self._recent:
            return {}
        median, p95 = np.percentile(list(self._recent), [50, 95])
        return {f"{name} median [ms]": f"{median:.1f}", f"{name} 95% [ms]": f"{p95:.1f}"}


def frame_counts(assembler: FrameAssembler) -> dict[str, str]:
    """Frames in, used, waiting and dropped by reason, with each reason's last explanation."""
    values = {
        "frames in": assembler.received,
        "frames used": assembler.used,
        "frames waiting": assembler.waiting,
        "frames that waited for a transform": assembler.transform_waits,
        "intrinsics changes": assembler.intrinsics_changes,
        "clock jumps": assembler.epoch,
    }
    for reason, count in sorted(assembler.dropped.items()):
        values[f"dropped {reason}"] = count
    texts = {f"last {reason}": text for reason, text in sorted(assembler.details.items())}
    return {**{name: str(value) for name, value in values.items()}, **texts}


def status(name: str, problems: Sequence[str], values: Mapping[str, str]) -> DiagnosticStatus:
    """A status that warns with ``problems``, or says that all is well."""
    return DiagnosticStatus(
        level=DiagnosticStatus.WARN if problems else DiagnosticStatus.OK,
        name=name,
        message="; ".join(problems) or "ok",
        hardware_id="",
        values=[KeyValue(key=key, value=value) for key, value in values.items()],
    )
