"""``spatial-vlm eval``: a published benchmark put to a model, and scored as published."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

from spatial_vlm_ros.commands import without_evaluation

if TYPE_CHECKING:
    from spatial_vlm_ros.benchmarks.item import Item, Prediction
    from spatial_vlm_ros.benchmarks.registry import AnyBenchmark
    from spatial_vlm_ros.data.scenes import AnnotatedScene

_CAPTIONS = ("java-free", "published")
_CONTROLS = ("none", "blind", "geometry-off", "shuffled", "wrong-scale")


def add(commands: Any) -> None:
    """The command and its arguments."""
    evaluate = commands.add_parser(
        "eval", help="put a published benchmark to a model, and score it"
    )
    evaluate.set_defaults(command=run_benchmark)
    evaluate.add_argument("benchmark", help="its name: --list tells")
    evaluate.add_argument(
        "--list",
        action=_List,
        nargs=0,
        default=argparse.SUPPRESS,
        help="which there are, and what they are read from, and exit",
    )
    evaluate.add_argument(
        "--data", type=Path, required=True, help="folder of the benchmark's files"
    )
    evaluate.add_argument(
        "--fetch", action="store_true", help="bring them there from the hub before"
    )
    evaluate.add_argument("--part", default="", help="debiased, val, ... (default: the usual one)")
    evaluate.add_argument(
        "--output", type=Path, default=Path("evaluation"), help="folder (default %(default)s)"
    )
    who = evaluate.add_argument_group("who answers: a model, or another system that has answered")
    one = who.add_mutually_exclusive_group(required=True)
    one.add_argument(
        "--model", metavar="CHECKPOINT", help="its folder, its name on the hub, or one that ships"
    )
    one.add_argument(
        "--predictions",
        type=Path,
        nargs="+",
        metavar="FILE",
        help='lines like {"id": "17", "text": "B"}, which are scored',
    )
    who.add_argument("--store", type=Path, help="scenes as precompute has written them")
    who.add_argument(
        "--vggt",
        default="facebook/VGGT-1B",
        help="its folder or hub name, for an SSR that uses it (default %(default)s)",
    )
    who.add_argument("--frames", type=int, default=0, help="of a video (default: 32)")
    who.add_argument(
        "--max-tokens", type=int, default=0, help="longest answer (default: published)"
    )
    who.add_argument("--device", default="auto", help="auto, cpu, cuda, ... (default auto)")
    who.add_argument(
        "--control", choices=_CONTROLS, default="none", help="what is kept from it (default none)"
    )
    who.add_argument("--limit", type=int, default=0, help="only so many questions, drawn once")
    how = evaluate.add_argument_group("how it is scored")
    how.add_argument("--scenes", type=Path, help="scenes.jsonl of data scenes: boxes of ScanNet")
    how.add_argument("--protocol", default="", help="of scores (default: the usual one)")
    how.add_argument(
        "--captions",
        choices=_CAPTIONS,
        default=_CAPTIONS[0],
        help="words of captions; published needs pycocoevalcap and Java (default %(default)s)",
    )


class _List(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from spatial_vlm_ros.benchmarks.registry import listing

        print(listing())
        parser.exit()


def run_benchmark(arguments: argparse.Namespace) -> int:
    """Exit status 0, and 1 where some questions have no answer; errors are ``ValueError``."""
    from spatial_vlm_ros.benchmarks.captions import words
    from spatial_vlm_ros.benchmarks.predictions import read_predictions
    from spatial_vlm_ros.benchmarks.registry import benchmark
    from spatial_vlm_ros.benchmarks.report import report
    from spatial_vlm_ros.data.scenes import read_scenes

    for name in ("frames", "max_tokens", "limit"):
        if getattr(arguments, name) < 0:
            raise ValueError(f"--{name.replace('_', '-')}: {getattr(arguments, name)} is below 0")
    chosen = benchmark(arguments.benchmark)
    part = _one_of("--part", arguments.part, list(chosen.parts))
    protocol = _one_of("--protocol", arguments.protocol, chosen.protocols)
    if chosen.needs_scenes and arguments.scenes is None:
        raise ValueError(
            f"{chosen.title} needs --scenes: boxes of its objects, as data scenes scannet writes "
            "them"
        )
    cut = words(arguments.captions)
    if arguments.fetch:
        _fetch(chosen, arguments.data)
    annotated = arguments.scenes or chosen.scenes(arguments.data)
    scenes = read_scenes(annotated) if annotated else {}
    items: Sequence[Item] = chosen.load(arguments.data, part, scenes)
    published = chosen.parts[part].rows
    if published and len(items) != published:
        _warn(
            f"{len(items)} questions, where {published} were published: scores cannot be compared"
        )
    items = _sample(items, arguments.limit)
    if arguments.limit:
        _warn(f"{len(items)} questions only: scores cannot be compared")
    about: dict[str, Any] = {"part": part, "data": chosen.stamp(arguments.data, part)}
    if arguments.model:
        for name in ("model", "control", "store", "frames", "max_tokens", "vggt"):
            about[name] = str(getattr(arguments, name) or "default")
        answers = _ask(arguments, chosen, items, scenes, about)
        if answers is None:  # another process scores
            return 0
        predictions = answers
    else:
        predictions = read_predictions(*arguments.predictions)
        about["predictions"] = [str(path) for path in arguments.predictions]
        unknown = predictions.keys() - {item.id for item in items}
        if unknown and not arguments.limit:
            _warn(f"{len(unknown)} predictions are of no question of it, such as {min(unknown)!r}")
    scores = chosen.score(items, predictions, protocol, cut)
    about["captions"] = arguments.captions
    report(arguments.output, scores, about, predictions)
    return 1 if scores.unanswered else 0


def _fetch(chosen: AnyBenchmark, folder: Path) -> None:
    from spatial_vlm_ros.benchmarks.fetching import fetch

    if not chosen.hub:
        raise ValueError(
            f"--fetch: {chosen.title} is not on the hub; it is read from\n{chosen.layout}"
        )
    fetch(chosen.hub, folder)


def _ask(
    arguments: argparse.Namespace,
    chosen: AnyBenchmark,
    items: Sequence[Item],
    scenes: Mapping[str, AnnotatedScene],
    about: Mapping[str, Any],
) -> dict[str, Prediction] | None:
    """None in all processes but the first."""
    from spatial_vlm_ros.benchmarks.controls import Control
    from spatial_vlm_ros.benchmarks.opening import Asking, open_answerer

    try:
        from spatial_vlm_ros.benchmarks.predicting import answers
    except ImportError as error:
        raise without_evaluation(error) from error
    asking = Asking(
        arguments.model,
        arguments.max_tokens or chosen.max_tokens,
        arguments.store,
        scenes,
        arguments.frames,
        Control(arguments.control),
        arguments.device,
        vggt=arguments.vggt,
    )
    return answers(items, lambda: open_answerer(asking), arguments.output, about)


def _one_of(name: str, given: str, known: Sequence[str]) -> str:
    """The first where none is given."""
    if given and given not in known:
        raise ValueError(f"{name}: {given!r} is not one of {', '.join(known)}")
    return given or known[0]


def _sample(items: Sequence[Item], most: int) -> Sequence[Item]:
    """The same each time; all where most is 0."""
    ordered = sorted(items, key=lambda item: crc32(item.id.encode()))
    kept = {item.id for item in ordered[: most or None]}
    return [item for item in items if item.id in kept]


def _warn(text: str) -> None:
    print(f"warning: {text}", file=sys.stderr)
