"""The papers' ablations at the size of small models: variants that differ in one thing each.

What that thing is follows the paper, also where its name says less: "coordinate alignment" is the
second stage of training, in which the position embedding is learnt (Proxy3D section 3.2). Where the
paper's rows differ in two things, here one stays: see ``map_resolution``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spatial_vlm_ros.config import ProxyConfig
from spatial_vlm_ros.data.generators import NAMES

#: What a training starts from: the checkpoint that is given; the same with a position embedding
#: that has learnt nothing; the same without 3D branch; its vision tower alone, nothing else learnt.
GIVEN, NEW_POSITIONS, FLAT, UNTRAINED = "given", "new positions", "2d", "untrained"

#: Generators of what the papers' questions to Proxy3D need first: which object is which, and where.
OBJECTS = ("identifiers", "coordinates")
#: Those of what SSR calls scene graph, and 3D global grounding.
GRAPH, GROUNDING = "local_maps", "grounding"
_BASE = tuple(name for name in NAMES if name not in (GRAPH, GROUNDING))


@dataclass(frozen=True)
class Lessons:
    """What models of a kind learn, and are asked. rates: of all parts that learn. reduction: of the
    loss. shown: what stands for a scene. of_room: rows of a generator about a room that are learnt,
    at most. asked: generators of the questions.
    """

    rates: Mapping[str, float]
    reduction: str
    shown: str
    of_room: int
    asked: tuple[str, ...]


LESSONS: Mapping[str, Lessons] = {
    # Short answers about one object would not be learnt beside boxes if every token counted alike.
    "proxy3d": Lessons(
        {"language": 5e-4, "position": 1e-3, "gate": 1e-3}, "sample", "proxies", 24, OBJECTS
    ),
    "ssr": Lessons(
        {"language": 3e-4, "merger": 3e-4, "spatial": 1e-3}, "token", "frames", 4, ("vsi",)
    ),
}


@dataclass(frozen=True)
class Variant:
    """A training. kind: proxy3d or ssr. start: what it starts from. aligned: with a stage of
    coordinates first, as many updates as the other one has. proxies: how they are made. asked:
    proxies that the object asked about has at least; 0: questions are about any. insertion: of
    SSR-3D; empty for SSR-2D. generators: of the rows that are learnt.
    """

    kind: str = "proxy3d"
    start: str = GIVEN
    aligned: bool = False
    proxies: ProxyConfig = field(default_factory=ProxyConfig)
    asked: int = 0
    insertion: str = ""
    generators: tuple[str, ...] = OBJECTS


@dataclass(frozen=True)
class Ablation:
    """variants: by name. reference: the one that the others are compared with, the paper's own
    choice. tasks: ours that stand for those for which the paper finds it to matter. says: what
    differs.
    """

    says: str
    variants: Mapping[str, Variant]
    reference: str
    tasks: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """Of all its variants."""
        return self.variants[self.reference].kind


def _proxies(**settings: Any) -> Variant:
    return Variant(proxies=ProxyConfig(**settings))


def _ssr(**settings: Any) -> Variant:
    return Variant("ssr", **{"start": FLAT, "generators": NAMES, **settings})


def _positions(aligned: bool) -> Variant:
    return Variant(start=NEW_POSITIONS, aligned=aligned)


ABLATIONS: Mapping[str, Ablation] = {
    "grouping": Ablation(
        "Proxies of one object each, or of whatever lies close; maps as coarse and proxies as few "
        "as in the paper.",
        {
            "off": _proxies(grouping=False, budget=450, upsample=1),
            "on": _proxies(budget=450, upsample=1),
        },
        "on",
        ("identify",),
    ),
    "coordinates": Ablation(
        "A position embedding that has learnt nothing, with or without the stage that aligns it: "
        "objects as one token each, asked for their coordinates. The alignment comes on top of "
        "the updates on proxies, as in the paper.",
        {"off": _positions(False), "on": _positions(True)},
        "on",
        ("coordinates",),
    ),
    "budget": Ablation(
        "K, proxies of a scene.",
        {str(budget): _proxies(budget=budget) for budget in (100, 450, 700, 1000)},
        "700",
        ("identify", "counting"),
    ),
    "map_resolution": Ablation(
        "Feature maps as the tower gives them, or upsampled twice; 450 proxies of both.",
        {"x1": _proxies(budget=450, upsample=1), "x2": _proxies(budget=450)},
        "x2",
        ("identify",),
    ),
    "minimum": Ablation(
        "Proxies that the object asked about has at least; all questions are about one object.",
        {str(least): Variant(asked=least) for least in (2, 5, 10)},
        "2",
        ("identify", "object_size"),
    ),
    "insertion": Ablation(
        "Spatial tokens of each frame behind its visual ones, or those of all frames behind all; "
        "SSR-3D from SSR-2D.",
        {order: _ssr(insertion=order) for order in ("sequential", "interleaved")},
        "interleaved",
        ("direction", "order"),
    ),
    "stage_1": Ablation(
        "SSR-2D learns stage 2 after stage 1, or after the vision tower alone. The paper's base "
        "speaks before stage 1; here it has not learnt a word, so that more is lost without it.",
        {"without": _ssr(start=UNTRAINED), "with": _ssr()},
        "with",
        ("order", "route"),
    ),
    "data": Ablation(
        "SSR-2D learns stage 2 with or without scene graph (local maps) and grounding, in as many "
        "updates.",
        {
            "base": _ssr(generators=_BASE),
            "+ grounding": _ssr(generators=(*_BASE, GROUNDING)),
            "+ scene graph": _ssr(generators=(*_BASE, GRAPH)),
            "+ both": _ssr(),
        },
        "+ both",
        ("order", "route"),
    ),
}
