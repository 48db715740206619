"""All benchmarks by name."""

from __future__ import annotations

from importlib import import_module

from spatial_vlm_ros.benchmarks.generated import GeneratedBenchmark
from spatial_vlm_ros.benchmarks.tables import Benchmark

#: By name, the module that says what it is.
NAMES = {
    "vsi-bench": "vsi_bench",
    "vsti-bench": "vsti_bench",
    "mindcube": "mindcube",
    "view-spatial": "view_spatial",
    "space-10": "space10",
    "scanqa": "scanqa",
    "sqa3d": "sqa3d",
    "scanrefer": "scanrefer",
    "multi3drefer": "multi3drefer",
    "scan2cap": "scan2cap",
    "cognitive-maps": "cognitive_maps",
    "global-grounding": "global_grounding",
    "room-bench": "room_bench",
}


AnyBenchmark = Benchmark | GeneratedBenchmark


def benchmark(name: str) -> AnyBenchmark:
    """``ValueError`` lists them all."""
    if name not in NAMES:
        raise ValueError(f"benchmark {name!r} is not one of {', '.join(NAMES)}")
    found: Benchmark | GeneratedBenchmark = import_module(
        f"spatial_vlm_ros.benchmarks.{NAMES[name]}"
    ).BENCHMARK
    return found


def listing() -> str:
    """All, with what they are read from."""
    return "\n".join(map(_told, NAMES))


def _told(name: str) -> str:
    chosen = benchmark(name)
    parts = (f"{part} ({each.rows})" if each.rows else part for part, each in chosen.parts.items())
    lines = [f"{name}: {chosen.title}, by {', '.join(chosen.protocols)}"]
    if len(chosen.parts) > 1 or any(each.rows for each in chosen.parts.values()):
        lines.append(f"  parts, and how many questions were published: {', '.join(parts)}")
    if chosen.hub:
        lines.append(f"  on the hub: {chosen.hub}")
    if chosen.needs_scenes:
        lines.append("  needs --scenes: boxes of its scenes")
    return "\n".join([*lines, *(f"    {line}" for line in chosen.layout.splitlines())])
