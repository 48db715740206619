"""``spatial-vlm ask``: a question to a saved scene, or to a running reasoner node."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spatial_vlm_ros import shipped
from spatial_vlm_ros.commands import without_ros
from spatial_vlm_ros.reasoners.config import NAMES, AnsweringConfig, ModelConfig
from spatial_vlm_ros.settings import DTYPES

if TYPE_CHECKING:
    from spatial_vlm_ros.reasoning.answer import Answer

_GEOMETRIC = NAMES[0]
_OF_SCENE = ("reasoner", "checkpoint", "device", "dtype", "max_tokens")
#: A model may be busy with the questions of others, and then takes its time for this one.
_PATIENCE_S = 300.0


def add(commands: Any) -> None:
    """The command and its arguments."""
    ask = commands.add_parser("ask", help="ask about a saved scene, or a running reasoner")
    ask.set_defaults(command=ask_question)
    ask.add_argument("question")
    where = ask.add_mutually_exclusive_group()
    where.add_argument(
        "--scene", type=Path, default=Path("scene"), help="folder written by run (default scene)"
    )
    where.add_argument("--ros", action="store_true", help="ask the running reasoner node")
    ask.add_argument("--node", default="/reasoner", help="its full name (default /reasoner)")
    who = ask.add_argument_group("who answers about a saved scene")
    who.add_argument(
        "--reasoner",
        choices=NAMES,
        help="geometric needs no model, the others a checkpoint (default geometric)",
    )
    who.add_argument(
        "--checkpoint",
        metavar="MODEL",
        help="its folder, its name on the hub once fetch-models has fetched it, or one that ships "
        "(default: the small one for proxy3d or ssr)",
    )
    who.add_argument("--device", help="auto: the GPU if there is one; or cpu, cuda (default auto)")
    who.add_argument(
        "--dtype",
        choices=DTYPES,
        help="auto: bfloat16, float32 on a CPU (default auto)",
    )
    longest = AnsweringConfig.max_tokens
    who.add_argument(
        "--max-tokens", type=int, metavar="N", help=f"longest answer (default {longest})"
    )


def ask_question(arguments: argparse.Namespace) -> int:
    """Exit status 0 when there is an answer, 1 when not; errors are ``ValueError``."""
    given = [name for name in _OF_SCENE if getattr(arguments, name) is not None]
    if arguments.ros:
        if given:
            raise ValueError(
                f"--{given[0].replace('_', '-')} is for a saved scene: the reasoner node has "
                "parameters of its own"
            )
        return _ask_node(arguments.question, arguments.node)
    model = arguments.reasoner not in (None, _GEOMETRIC)
    if model and not (arguments.checkpoint or shipped.default(arguments.reasoner)):
        raise ValueError(f"--reasoner {arguments.reasoner} needs --checkpoint")
    if not model and given and given != ["reasoner"]:
        raise ValueError("a checkpoint and its options are for --reasoner proxy3d, ssr or chat")
    shown = _Shown()
    answer = _ask_scene(arguments, shown)
    shown.end(answer.text)
    _tell(answer.reasoner, answer.warnings, answer.check, answer.check_text, answer.confidence)
    return 0 if answer.answered else 1


def _ask_scene(arguments: argparse.Namespace, shown: _Shown) -> Answer:
    from spatial_vlm_ros.reasoners.opening import ReasonersConfig, needs, open_reasoner
    from spatial_vlm_ros.reasoning.answer import Listener
    from spatial_vlm_ros.saved_scene import load_scene
    from spatial_vlm_ros.settings import check

    def chosen(*names: str) -> dict[str, Any]:
        options = {name: getattr(arguments, name) for name in names}
        return {name: value for name, value in options.items() if value is not None}

    config = ReasonersConfig(
        **chosen("reasoner"),
        model=ModelConfig(**chosen("checkpoint", "device", "dtype")),
        answering=AnsweringConfig(**chosen("max_tokens")),
    )
    check(config)
    scene, seen = load_scene(arguments.scene, **needs(config.reasoner))
    reasoner = open_reasoner(config, say=lambda text: None)  # the answer says it too
    return reasoner.ask(arguments.question, scene, seen, Listener(hear=shown.grow))


def _ask_node(question: str, node: str) -> int:
    try:
        from spatial_vlm_ros.nodes.ask_client import AskClient
    except ImportError as error:
        raise without_ros(error) from error
    shown = _Shown()
    with AskClient(node) as client:
        result = client.ask(
            question, _PATIENCE_S, lambda feedback: shown.grow(feedback.partial_text)
        )
    shown.end(result.answer)
    _tell(result.reasoner, result.warnings, result.check, result.check_answer, result.confidence)
    return 0 if result.answered else 1


class _Shown:
    """An answer on standard output: as it grows where that is a terminal, else when it is whole."""

    def __init__(self) -> None:
        self._grows = sys.stdout.isatty()
        self._text = ""

    def grow(self, text: str) -> None:
        if self._grows and text:
            self._write(text)

    def end(self, text: str) -> None:
        self._write(text)
        print()

    def _write(self, text: str) -> None:
        """What is new; where the text does not go on as it was, all of it on a new line."""
        goes_on = text.startswith(self._text)
        print(text[len(self._text) :] if goes_on else f"\n{text}", end="", flush=True)
        self._text = text


def _tell(
    reasoner: str, warnings: Iterable[str], check: str, check_text: str, confidence: float
) -> None:
    """What to know of an answer, a line each, apart from the answer itself."""
    lines = [f"warning: {warning}" for warning in warnings]
    if reasoner != _GEOMETRIC:
        lines.append(f"check: {check}, {check_text}" if check_text else f"check: {check}")
    lines.append(f"confidence: {confidence:.2f} ({reasoner})")
    for line in lines:
        print(" ".join(line.split()), file=sys.stderr)
