"""``spatial-vlm small``: small models to be trained, of the same classes as the full ones."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spatial_vlm_ros.models.scene_model import SceneModel
    from spatial_vlm_ros.small.labelled_views import LabelledViews

#: Seeds of rooms whose questions the tokenizer is made for.
_TEXT_ROOMS = range(10_000, 10_040)
_VOCABULARY = 1200


def add(commands: Any) -> None:
    """The command and its arguments."""
    small = commands.add_parser(
        "small", help="make small models that can be trained on a CPU: a vision tower, checkpoints"
    )
    parts = small.add_subparsers(dest="part", required=True, metavar="PART")

    tower = parts.add_parser("tower", help="train the vision tower to see simulated rooms")
    tower.set_defaults(command=train_tower)
    tower.add_argument("output", type=Path, help="file of its weights (.safetensors)")
    tower.add_argument("--first", type=int, default=10_000, help="seed of the first room")
    tower.add_argument("--rooms", type=int, default=480, help="to learn (default %(default)s)")
    tower.add_argument(
        "--held-out", type=int, default=30, help="rooms below the first one to examine it with"
    )
    tower.add_argument("--views", type=int, default=10, help="images of a room")
    tower.add_argument("--steps", type=int, default=2400, help="default %(default)s")
    tower.add_argument("--seed", type=int, default=0, help="of what is drawn (default 0)")
    tower.add_argument("--workers", type=int, default=1, help="processes that render (default 1)")
    tower.add_argument(
        "--precision",
        choices=("float32", "bfloat16"),
        default="bfloat16",
        help="in which it computes (default %(default)s)",
    )

    align = parts.add_parser("align", help="turn a tower's features by what proxies show")
    align.set_defaults(command=align_tower)
    align.add_argument("output", type=Path, help="file of its weights (.safetensors)")
    align.add_argument(
        "--proxies",
        type=Path,
        required=True,
        help="folder of spatial-vlm precompute proxies, of simulated rooms by this tower",
    )
    align.add_argument("--tower", type=Path, help="file of weights (default: the one that ships)")
    align.add_argument("--steps", type=int, default=2000, help="default %(default)s")
    align.add_argument("--first", type=int, default=10_000, help="seed of the first room of images")
    align.add_argument("--rooms", type=int, default=120, help="of images (default %(default)s)")
    align.add_argument("--workers", type=int, default=1, help="processes that render (default 1)")

    model = parts.add_parser("model", help="write a small checkpoint that is yet to be trained")
    model.set_defaults(command=make_model)
    model.add_argument("kind", choices=("proxy3d", "ssr"))
    model.add_argument("output", type=Path, help="folder")
    model.add_argument(
        "--tower", type=Path, help="what spatial-vlm small tower wrote (default: one that ships)"
    )
    model.add_argument(
        "--rows",
        type=Path,
        nargs="+",
        help="whose texts its tokenizer is made for: folders or files of rows (default: questions "
        "about simulated rooms)",
    )
    model.add_argument(
        "--language",
        help="folder of a small checkpoint, whose tokenizer and trained language model it has",
    )
    model.add_argument("--vocabulary", type=int, help=f"tokens, at most (default {_VOCABULARY})")
    model.add_argument("--seed", type=int, default=0, help="of its weights (default 0)")

    places = parts.add_parser(
        "places", help="write a small SSR-3D whose 3D branch begins with places as a Proxy3D's"
    )
    places.set_defaults(command=begin_places)
    places.add_argument("output", type=Path, help="folder")
    places.add_argument("--checkpoint", required=True, help="the small SSR-2D that it begins with")
    places.add_argument("--like", required=True, help="a small Proxy3D that has learnt places")
    places.add_argument(
        "--frames",
        type=Path,
        required=True,
        help="folder of spatial-vlm precompute frames --spatial points",
    )
    places.add_argument("--rooms", type=int, default=60, help="of them (default %(default)s)")
    places.add_argument("--steps", type=int, default=500, help="default %(default)s")


def train_tower(arguments: argparse.Namespace) -> int:
    """Exit status 0; errors are ``ValueError``."""
    from tqdm import tqdm

    from spatial_vlm_ros.small.tower_exam import examine
    from spatial_vlm_ros.small.tower_training import TowerTrainer, TowerTraining, save_tower

    first, held_out = arguments.first, arguments.held_out
    if not 0 < held_out <= first:
        raise ValueError(f"--held-out: {held_out} is not within 1 and --first, {first}")
    seeds = range(first, first + arguments.rooms), range(first - held_out, first)
    rendered = [_rendered(each, arguments.views, arguments.workers) for each in seeds]
    config = TowerTraining(steps=arguments.steps, seed=arguments.seed)
    trainer = TowerTrainer(rendered[0], config, arguments.precision == "bfloat16")
    for _ in tqdm(range(config.steps), "tower", unit="step", disable=None):
        trainer.step()
    for name, share in examine(trainer, rendered[1]).items():
        print(f"{name:25}{share:7.3f}")
    trainer.align(steps=config.steps)
    save_tower(trainer.tower, arguments.output)
    print(f"written: {arguments.output}")
    return 0


def align_tower(arguments: argparse.Namespace) -> int:
    """Exit status 0; errors are ``ValueError``."""
    from spatial_vlm_ros.data.scenes import read_scenes
    from spatial_vlm_ros.small.checkpoint import TRAINED_TOWER, read_tower
    from spatial_vlm_ros.small.labelled_proxies import labelled_proxies
    from spatial_vlm_ros.small.tower_training import TowerTrainer, TowerTraining, save_tower
    from spatial_vlm_ros.training.filling import SCENES
    from spatial_vlm_ros.training.store import ProxyStore

    store = ProxyStore.open(arguments.proxies)
    proxies = labelled_proxies(store, read_scenes(arguments.proxies / SCENES))
    seeds = range(arguments.first, arguments.first + arguments.rooms)
    views = _rendered(seeds, 4, arguments.workers)
    trainer = TowerTrainer(views, TowerTraining(), bfloat16=False)
    trainer.tower.load_state_dict(read_tower(arguments.tower or TRAINED_TOWER))
    trainer.align(proxies, arguments.steps)
    save_tower(trainer.tower, arguments.output)
    print(f"written: {arguments.output}")
    return 0


def _rendered(seeds: range, views: int, workers: int) -> LabelledViews:
    """So many views of each room, with progress."""
    from tqdm import tqdm

    from spatial_vlm_ros.small.labelled_views import LabelledViews, labelled_views

    rooms = labelled_views(seeds, views, 336, 252, workers)
    shown = tqdm(rooms, "rooms", len(seeds), unit="room", disable=None)
    return LabelledViews.concatenate(list(shown))


def make_model(arguments: argparse.Namespace) -> int:
    """Exit status 0; errors are ``ValueError``."""
    from spatial_vlm_ros.data.files import read_rows
    from spatial_vlm_ros.small.checkpoint import (
        PIXELS,
        TRAINED_TOWER,
        SmallSizes,
        new_model,
        read_tower,
        save,
    )
    from spatial_vlm_ros.small.texts import room_rows, texts
    from spatial_vlm_ros.small.tokenizer import train_tokenizer

    sizes, language = SmallSizes(), None
    if arguments.language:
        if arguments.rows or arguments.vocabulary is not None:
            raise ValueError(
                "--language: its tokenizer is taken too, so --rows and --vocabulary have no meaning"
            )
        tokenizer, language = _language(arguments.language)
    else:
        rows = read_rows(*arguments.rows) if arguments.rows else room_rows(_TEXT_ROOMS)
        tokenizer = train_tokenizer(
            texts(rows), arguments.vocabulary or _VOCABULARY, sizes.identifiers
        )
    tower = read_tower(arguments.tower or TRAINED_TOWER)
    model = new_model(
        arguments.kind, tokenizer, tower, sizes, seed=arguments.seed, language=language
    )
    save(arguments.output, model, tokenizer, PIXELS[arguments.kind])
    count = sum(weights.numel() for weights in model.parameters())
    print(f"written: {arguments.output}, {count / 1e6:.2f} million weights")
    return 0


def begin_places(arguments: argparse.Namespace) -> int:
    """Exit status 0; errors are ``ValueError``."""
    import torch
    from tqdm import tqdm

    from spatial_vlm_ros.small.checkpoint import PIXELS, SmallSizes, save
    from spatial_vlm_ros.small.spatial_start import begin_with_places, wanted
    from spatial_vlm_ros.training.config import DataSettings, ModelSettings, TrainConfig
    from spatial_vlm_ros.training.opening import load, open_pupil
    from spatial_vlm_ros.training.store import FrameStore

    width = SmallSizes().points_width
    begins = ModelSettings("ssr", arguments.checkpoint, spatial="points", spatial_width=width)
    data = DataSettings(store=str(arguments.frames), shown="frames")
    pupil = open_pupil(TrainConfig(model=begins, data=data))
    model, teacher = pupil.loaded.model, pupil.teacher
    position = load(ModelSettings("proxy3d", arguments.like), torch.float32).model.position
    names = FrameStore.open(arguments.frames).names[: arguments.rooms]
    shown = (teacher.scenes.shown(name, teacher.numbering(name)).inputs for name in names)
    rooms = tqdm(shown, "rooms", len(names), unit="room", disable=None)
    told = begin_with_places(
        model.spatial, [wanted(model, inputs, position) for inputs in rooms], arguments.steps
    )
    save(arguments.output, model, pupil.loaded.tokenizer, PIXELS["ssr"])
    print(f"written: {arguments.output}, tells {told:.0%} of what places add")
    return 0


def _language(folder: str) -> tuple[Any, SceneModel]:
    """Tokenizer and model of a checkpoint."""
    import torch

    from spatial_vlm_ros.training.config import ModelSettings
    from spatial_vlm_ros.training.opening import load
    from spatial_vlm_ros.vision.checkpoint import Checkpoint

    kind = str(Checkpoint.find(folder).settings().get("model_type"))
    if kind not in ("proxy3d", "ssr"):
        raise ValueError(f"--language {folder}: is of a {kind}, not a proxy3d or ssr")
    loaded = load(ModelSettings(kind, folder), torch.float32)
    return loaded.tokenizer, loaded.model
