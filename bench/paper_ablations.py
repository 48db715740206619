"""The papers' ablations with small models: ``python -m bench.paper_ablations``.

Variants that differ in one thing (``ablation_variants.py``) start from one small model, learn the
same rows about simulated rooms in as many updates, and answer the same questions about rooms that
none has seen: Proxy3D which object is which and where, SSR what VSI-Bench asks. Beside ours stand
the papers' numbers (``paper_numbers.py``), of another benchmark and models a thousand times as
large: what can be compared is the sign of a difference.

A difference comes with the interval in which it lies in 95 of 100 draws of as many rooms. What is
outside of it may still be the luck of one training.

Variants start from the small models that ship. Where one does not, its ablations are left out
unless ``--proxy3d`` or ``--ssr`` names a checkpoint. Those that ship have learnt with the defaults
(700 proxies of grouped patches, interleaved), for which a few updates make up only in part:
``--proxy3d`` takes a model of stage 3, which has seen no proxies yet, and ``--ssr`` one of stage 1.

All together take two hours of one core. Rooms, answers and finished variants are kept in
build/bench/paper_ablations, so that a run that was killed goes on. Printed, and written to
build/paper_ablations.json.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

from bench.ablation_intervals import Answered, Difference, difference, mean_over_tasks
from bench.ablation_runs import Scale, examined
from bench.ablation_variants import ABLATIONS, Ablation
from bench.paper_numbers import PUBLISHED
from spatial_vlm_ros import shipped

#: Updates of a training. SSR starts from a model that has seen images, Proxy3D from one that has
#: seen no proxies yet.
STEPS = {"proxy3d": 300, "ssr": 50}
FOLDER, OUTPUT = Path("build/bench/paper_ablations"), Path("build/paper_ablations.json")

Found = dict[str, list[Answered]]  # by variant


def measured(name: str, ablation: Ablation, scale: Scale) -> Found:
    """Each variant's answers."""
    found: Found = {}
    for variant, settings in ablation.variants.items():
        began = time.monotonic()
        found[variant] = examined(settings, scale)
        print(f"{name} {variant}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return found


def table(name: str, ablation: Ablation, found: Found) -> dict[str, Any]:
    """Of JSON: ours and the paper's, by variant. NaN is null."""
    paper, reference = PUBLISHED[name], found[ablation.reference]
    tasks = sorted({each.task for each in reference})
    variants: dict[str, Any] = {}
    for variant, answered in found.items():
        variants[variant] = {
            "mean": mean_over_tasks(answered),
            "difference": _told(difference(answered, reference)),
            "matters": _or_none(mean_over_tasks(answered, ablation.tasks)),
            "matters_difference": _told(difference(answered, reference, ablation.tasks)),
            "tasks": {task: mean_over_tasks(answered, [task]) for task in tasks},
            "paper": dict(paper.rows.get(variant, {})),
        }
    return {
        "says": ablation.says,
        "reference": ablation.reference,
        "matters_for": list(ablation.tasks),
        "questions": len(reference),
        "questions_of_task": {task: sum(e.task == task for e in reference) for task in tasks},
        "rooms": len({each.room for each in reference}),
        "source": paper.source,
        "paper_says": paper.says,
        "variants": variants,
    }


def _told(found: Difference) -> dict[str, float | None]:
    return {name: _or_none(value) for name, value in found._asdict().items()}


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value


# -- printing -------------------------------------------------------------------------------------


def _print(name: str, told: dict[str, Any]) -> None:
    print("\n" + fill(f"{name}: {told['says']}", 100))
    print(f"ours, %, of {told['questions']} questions; rooms: {told['rooms']}")
    print(f"{'':14}{'mean over tasks':30}{', '.join(told['matters_for'])}")
    for variant, row in told["variants"].items():
        own = variant == told["reference"]
        whole = _cells(row["mean"], None if own else row["difference"])
        matters = _cells(row["matters"], None if own else row["matters_difference"])
        print(f"{variant + '*' * own:14}{whole:30}{matters}".rstrip())
    print(fill(f"paper: {told['source']}. {told['paper_says']}", 100))
    metrics = list(dict.fromkeys(m for row in told["variants"].values() for m in row["paper"]))
    for metric in metrics:
        values = [
            f"{variant} {row['paper'][metric]}"
            for variant, row in told["variants"].items()
            if metric in row["paper"]
        ]
        print(f"  {metric:20}{'   '.join(values)}")


def _cells(value: float | None, apart: dict[str, float | None] | None) -> str:
    """Like "41.2  -3.1 [-5.0, -1.2]", in percent."""
    if value is None:
        return "not asked"
    if apart is None:
        return f"{100 * value:.1f}"
    mean, low, high = (None if part is None else 100 * part for part in apart.values())
    between = "one room" if low is None else f"{low:+.1f}, {high:+.1f}"
    return f"{100 * value:.1f} {mean:+6.1f} [{between}]"


def _why(left_out: Sequence[str]) -> str:
    """Like "grouping, budget: no proxy3d-small ships, pass --proxy3d CHECKPOINT"; "" of none."""
    told = []
    for kind in ("proxy3d", "ssr"):
        if names := [name for name in left_out if ABLATIONS[name].kind == kind]:
            told.append(f"{', '.join(names)}: no {kind}-small ships, pass --{kind} CHECKPOINT")
    return "; ".join(told)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.paper_ablations",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=[*ABLATIONS], help="these")
    for kind in ("proxy3d", "ssr"):
        ships = shipped.default(kind)
        what = f"to start from: {ships or 'must be given, no small one ships'}"
        parser.add_argument(f"--{kind}", metavar="CHECKPOINT", default=ships, help=what)
    told = ", ".join(f"{kind} {steps}" for kind, steps in STEPS.items())
    parser.add_argument("--steps", type=int, metavar="N", help=f"updates of a training: {told}")
    for name, default, what in (
        ("rooms", 24, "rooms learnt from"),
        ("held-out", 20, "rooms asked about"),
        ("workers", 2, "processes that render"),
    ):
        parser.add_argument(f"--{name}", type=int, default=default, help=f"{what}: %(default)s")
    given = parser.parse_args(arguments)
    steps = STEPS if given.steps is None else dict.fromkeys(STEPS, given.steps)
    if min(*steps.values(), given.rooms, given.held_out, given.workers) < 1:
        parser.error("--steps, --rooms, --held-out and --workers must be at least 1")
    checkpoints = {"proxy3d": given.proxy3d, "ssr": given.ssr}
    wanted = given.only or [*ABLATIONS]
    names = [name for name in wanted if checkpoints[ABLATIONS[name].kind]]
    left_out = [name for name in wanted if name not in names]
    if left_out and (given.only or not names):
        parser.error(_why(left_out))
    scale = Scale(FOLDER, checkpoints, steps, given.rooms, given.held_out, given.workers)
    tables: dict[str, Any] = {}
    for name in names:
        try:
            found = measured(name, ABLATIONS[name], scale)
        except ValueError as error:
            parser.exit(1, f"{parser.prog}: {name}: {error}\n")
        tables[name] = table(name, ABLATIONS[name], found)
        _print(name, tables[name])
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    settings = {name: getattr(scale, name) for name in ("steps", "rooms", "held_out", "batch")}
    results = {"checkpoints": checkpoints, **settings, "left_out": left_out, "ablations": tables}
    OUTPUT.write_text(json.dumps(results, indent=2) + "\n")
    print(f"\nwritten: {OUTPUT}")
    if left_out:
        print(f"left out: {_why(left_out)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
