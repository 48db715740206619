"""``spatial-vlm``: simulate a recording, map one, ask about it, hand its scene graph on, and find
out what is wrong.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spatial_vlm_ros.scene.graph import SceneGraph

PICTURES = (".png", ".jpg", ".jpeg")
TOPICS = ("color", "depth", "camera_info", "labels", "label_info", "detections")

# Everything heavy is imported by the command that needs it, so that --help is instant.


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 done, 1 done but not well (no answer, warnings), 2 the user must act."""
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.command(arguments))
    except (OSError, ValueError) as error:
        print(f"spatial-vlm {arguments.name}: error: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="spatial-vlm", description=__doc__)
    commands = parser.add_subparsers(dest="name", required=True, metavar="COMMAND")

    simulate = commands.add_parser("simulate", help="write a simulated robot's bag with its truth")
    simulate.set_defaults(command=_simulate)
    simulate.add_argument("folder", type=Path, help="where bag/, truth.json, questions.json go")
    simulate.add_argument("--seed", type=int, default=0, help="which building (default 0)")
    simulate.add_argument("--rooms", type=int, default=2, help="how many, 1 to 3 (default 2)")
    simulate.add_argument("--seconds", type=float, help="cut the drive short (default: all rooms)")
    simulate.add_argument("--fps", type=float, default=10.0, help="images a second (default 10)")
    simulate.add_argument("--overwrite", action="store_true", help="replace another recording")

    run = commands.add_parser("run", help="map a bag or a folder of RGB-D frames, without ROS")
    run.set_defaults(command=_run)
    run.add_argument("path", type=Path, help="bag (folder, .mcap, .db3) or folder of frames")
    run.add_argument(
        "--instances",
        choices=("labels", "detections", "geometric"),
        help="what says which pixels are one object (default: labels where recorded)",
    )
    run.add_argument("--output", type=Path, default=Path("scene"), help="folder (default scene)")
    run.add_argument("--frames", type=int, help="stop after this many frames")
    run.add_argument("--fixed-frame", help="TF frame of the poses (default odom, else TF's root)")
    run.add_argument(
        "--up", default="z", help="axis of the fixed frame that points up, e.g. --up=-y (default z)"
    )
    run.add_argument(
        "--encoder",
        default="descriptors",
        help="features of the proxies: descriptors, none, or a Qwen2.5-VL checkpoint "
        "(default descriptors)",
    )
    topics = run.add_argument_group("topics of a bag, where their names and types leave a doubt")
    for name in TOPICS:
        topics.add_argument(f"--{name.replace('_', '-')}", metavar="TOPIC")

    ask = commands.add_parser("ask", help="ask about a saved scene, or a running reasoner")
    ask.set_defaults(command=_ask)
    ask.add_argument("question")
    where = ask.add_mutually_exclusive_group()
    where.add_argument(
        "--scene", type=Path, default=Path("scene"), help="folder written by run (default scene)"
    )
    where.add_argument("--ros", action="store_true", help="ask the running reasoner node")
    ask.add_argument("--reasoner", default="/reasoner", help="its full name (default /reasoner)")

    graph = commands.add_parser("graph", help="print a scene graph: text, JSON or Graphviz")
    graph.set_defaults(command=_graph)
    whose = graph.add_mutually_exclusive_group()
    whose.add_argument(
        "--scene", type=Path, default=Path("scene"), help="folder written by run (default scene)"
    )
    whose.add_argument("--ros", action="store_true", help="that of the running mapper node")
    graph.add_argument("--mapper", default="/mapper", help="its full name (default /mapper)")
    graph.add_argument(
        "--format",
        choices=("text", "json", "dot"),
        default="text",
        help="text for a language model, json, or dot: see it with neato -n (default text)",
    )
    graph.add_argument("--question", help="only what this touches, in text and picture")
    graph.add_argument("--tokens", type=int, metavar="N", help="text of at most N tokens (Qwen2.5)")
    graph.add_argument("--output", type=Path, metavar="FILE", help="instead of standard output")
    graph.add_argument(
        "--picture", type=Path, metavar="FILE.png", help="draw the local maps into this file too"
    )

    doctor = commands.add_parser("doctor", help="say what is wrong with the set-up and with topics")
    doctor.set_defaults(command=_doctor)
    doctor.add_argument("--mapper", default="/mapper", help="full name of the mapper to look at")
    doctor.add_argument(
        "--seconds", type=float, default=4.0, help="how long topics are listened to"
    )
    return parser


def _simulate(arguments: argparse.Namespace) -> int:
    try:
        from spatial_vlm_ros.simulation.record import simulate
    except ImportError as error:
        raise ValueError(
            f"the simulation is not installed ({error}): "
            "python -m pip install 'spatial_vlm_ros[simulation]'"
        ) from error
    simulate(
        arguments.folder,
        seed=arguments.seed,
        rooms=arguments.rooms,
        fps=arguments.fps,
        seconds=arguments.seconds,
        overwrite=arguments.overwrite,
    )
    print(f"written: {arguments.folder}")
    return 0


def _run(arguments: argparse.Namespace) -> int:
    from spatial_vlm_ros.config import EncoderConfig
    from spatial_vlm_ros.offline import map_recording

    map_recording(
        arguments.path,
        arguments.output,
        arguments.frames,
        arguments.up,
        EncoderConfig(arguments.encoder),
        instances=arguments.instances,
        fixed_frame=arguments.fixed_frame,
        **{name: getattr(arguments, name) for name in TOPICS},
    )
    return 0


def _ask(arguments: argparse.Namespace) -> int:
    if arguments.ros:
        return _ask_reasoner(arguments.question, arguments.reasoner)
    from spatial_vlm_ros.reasoning.geometric import GeometricReasoner

    answer = GeometricReasoner().ask(arguments.question, _saved_scene(arguments.scene))
    print(answer.text)
    return 0 if answer.answered else 1


def _saved_scene(folder: Path) -> SceneGraph:
    from spatial_vlm_ros.memory import SpatialMemory
    from spatial_vlm_ros.scene.store import fixed_frame_of

    memory = SpatialMemory()
    memory.load(folder, fixed_frame_of(folder))
    return memory.graph()


def _running_scene(mapper: str) -> SceneGraph:
    try:
        from spatial_vlm_ros.nodes.graph_client import latest_graph
    except ImportError as error:
        raise _without_ros(error) from error
    return latest_graph(mapper)


def _without_ros(error: ImportError) -> ValueError:
    return ValueError(
        f"--ros needs a ROS environment ({error}): `spatial-vlm doctor` says what is missing"
    )


def _ask_reasoner(question: str, reasoner: str) -> int:
    try:
        from spatial_vlm_ros.nodes.ask_client import AskClient
    except ImportError as error:
        raise _without_ros(error) from error
    with AskClient(reasoner) as client:
        result = client.ask(question)
    print(result.answer)
    return 0 if result.answered else 1


def _graph(arguments: argparse.Namespace) -> int:
    picture, question = arguments.picture, arguments.question or ""
    if picture and picture.suffix.lower() not in PICTURES:
        raise ValueError(f"--picture {picture}: its name has to end in {', '.join(PICTURES)}")
    if arguments.format != "text" and (arguments.tokens is not None or (question and not picture)):
        raise ValueError(f"--question and --tokens are for text, not --format {arguments.format}")
    from spatial_vlm_ros.export import to_dot, to_json
    from spatial_vlm_ros.language.scene_text import scene_text
    from spatial_vlm_ros.language.touched import touched

    scene = _running_scene(arguments.mapper) if arguments.ros else _saved_scene(arguments.scene)
    if arguments.format == "text":
        written = scene_text(scene, arguments.tokens, question=question) + "\n"
    else:
        written = {"json": to_json, "dot": to_dot}[arguments.format](scene)
    if picture:
        from spatial_vlm_ros.drawing import local_maps, save_picture

        about = touched(question, scene).meant if question else ()
        save_picture(picture, local_maps(scene, about))
    if arguments.output:
        arguments.output.write_text(written, encoding="utf-8")
    else:
        print(written, end="")
    return 0


def _doctor(arguments: argparse.Namespace) -> int:
    from spatial_vlm_ros.doctor import diagnose, report

    return report(diagnose(arguments.mapper, arguments.seconds))


if __name__ == "__main__":
    sys.exit(main())
