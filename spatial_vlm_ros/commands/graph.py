"""``spatial-vlm graph``: a scene graph as text, JSON, Graphviz or a picture."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spatial_vlm_ros.commands import without_ros

if TYPE_CHECKING:
    from spatial_vlm_ros.scene.graph import SceneGraph

_PICTURES = (".png", ".jpg", ".jpeg")


def add(commands: Any) -> None:
    """The command and its arguments."""
    graph = commands.add_parser("graph", help="print a scene graph: text, JSON or Graphviz")
    graph.set_defaults(command=print_graph)
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


def print_graph(arguments: argparse.Namespace) -> int:
    """Exit status 0; errors are ``ValueError`` or ``OSError``."""
    picture, question = arguments.picture, arguments.question or ""
    if picture and picture.suffix.lower() not in _PICTURES:
        raise ValueError(f"--picture {picture}: its name has to end in {', '.join(_PICTURES)}")
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


def _saved_scene(folder: Path) -> SceneGraph:
    from spatial_vlm_ros.saved_scene import load_scene

    return load_scene(folder)[0]


def _running_scene(mapper: str) -> SceneGraph:
    try:
        from spatial_vlm_ros.nodes.graph_client import latest_graph
    except ImportError as error:
        raise without_ros(error) from error
    return latest_graph(mapper)
