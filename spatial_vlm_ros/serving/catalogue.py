"""Checkpoints of the Hugging Face hub that can be used here: what for, how large, on what terms."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_CHAT = "chat"
_ALL = "chat; encoder and start of proxy3d; start of ssr"
_GEOMETRY = "geometry for ssr"
_APACHE = "Apache-2.0"


@dataclass(frozen=True)
class Known:
    """A model of the hub.

    parameters: in billions. gigabytes: of the download, 1e9 bytes each. gated: the hub wants an
    account that has accepted the terms.
    """

    name: str
    use: str
    parameters: float
    gigabytes: float
    licence: str
    gated: bool = False

    @property
    def terms(self) -> str:
        """The licence, with what to know of it first."""
        notes = [
            *(["no commercial use"] if forbids_commerce(self.licence) else []),
            *(["log in first"] if self.gated else []),
        ]
        return f"{self.licence} ({', '.join(notes)})" if notes else self.licence


CATALOGUE = (
    Known("Qwen/Qwen2.5-VL-7B-Instruct", _ALL, 8.29, 16.6, _APACHE),
    Known("Qwen/Qwen2.5-VL-3B-Instruct", _ALL, 3.75, 7.5, "Qwen Research"),
    Known("Qwen/Qwen3-VL-8B-Instruct", _CHAT, 8.77, 17.5, _APACHE),
    Known("Qwen/Qwen3-VL-4B-Instruct", _CHAT, 4.44, 8.9, _APACHE),
    Known("Qwen/Qwen3-VL-2B-Instruct", _CHAT, 2.13, 4.3, _APACHE),
    Known("facebook/VGGT-1B", _GEOMETRY, 1.26, 5.0, "CC-BY-NC-4.0"),
    Known("facebook/VGGT-1B-Commercial", _GEOMETRY, 1.26, 5.0, "VGGT's own", gated=True),
)


def forbids_commerce(licence: str) -> bool:
    """Whether what the hub calls a licence is one of those that forbid commercial use."""
    return bool(re.search(r"\bnc\b|research|non-?commercial", licence.lower()))


def table(present: Callable[[str], bool]) -> str:
    """The catalogue; ``present`` says of a name whether it is on this machine."""
    rows = [("name", "what for", "weights", "download", "here", "licence")]
    for known in CATALOGUE:
        rows.append(
            (
                known.name,
                known.use,
                f"{known.parameters:.2f} billion",
                f"{known.gigabytes:.1f} GB",
                "yes" if present(known.name) else "no",
                known.terms,
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "\n".join(lines)
