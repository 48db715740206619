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
