"""Checkpoints of the Hugging Face hub that can be used here: what for, how large, on what terms."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_CHAT = "chat"
_ALL = "chat; encoder; start of proxy3d, ssr"
_GEOMETRY = "geometry: rgb_vggt, ssr"
_DEPTH = "metres of single images: metric_depth"
_DETECTOR = "finds words: detector"
_TRACKER = "follows things: tracker"
_NAMER = "names things: namer"
_APACHE = "Apache-2.0"
_NC = "CC-BY-NC-4.0"


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
    Known("depth-anything/Depth-Anything-V2-Metric-Indoor-Small-hf", _DEPTH, 0.025, 0.1, _APACHE),
    Known("depth-anything/Depth-Anything-V2-Metric-Indoor-Base-hf", _DEPTH, 0.10, 0.4, _NC),
    Known("depth-anything/Depth-Anything-V2-Metric-Indoor-Large-hf", _DEPTH, 0.335, 1.34, _NC),
    Known("apple/DepthPro-hf", _DEPTH, 0.95, 1.9, "Apple AMLR"),
    Known("Intel/zoedepth-nyu-kitti", _DEPTH, 0.35, 1.4, "MIT"),
    Known("IDEA-Research/grounding-dino-tiny", _DETECTOR, 0.17, 0.7, _APACHE),
    Known("IDEA-Research/grounding-dino-base", _DETECTOR, 0.23, 0.9, _APACHE),
    Known("google/owlv2-base-patch16-ensemble", _DETECTOR, 0.16, 0.6, _APACHE),
    Known("facebook/sam3", _DETECTOR, 0.86, 3.4, "SAM", gated=True),
    Known("facebook/sam2.1-hiera-tiny", _TRACKER, 0.04, 0.2, _APACHE),
    Known("facebook/sam2.1-hiera-small", _TRACKER, 0.05, 0.2, _APACHE),
    Known("facebook/sam2.1-hiera-base-plus", _TRACKER, 0.08, 0.3, _APACHE),
    Known("facebook/sam2.1-hiera-large", _TRACKER, 0.22, 0.9, _APACHE),
    Known("yonigozlan/EdgeTAM-hf", _TRACKER, 0.014, 0.056, _APACHE),
    Known("google/siglip2-base-patch16-224", _NAMER, 0.38, 1.5, _APACHE),
    Known("google/siglip-base-patch16-256", _NAMER, 0.20, 0.8, _APACHE),
    Known("laion/CLIP-ViT-B-32-laion2B-s34B-b79K", _NAMER, 0.15, 0.6, "MIT"),
)


def forbids_commerce(licence: str) -> bool:
    """Whether what the hub calls a licence is one of those that forbid commercial use."""
    return bool(re.search(r"\bnc\b|research|\bamlr\b|non-?commercial", licence.lower()))


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
