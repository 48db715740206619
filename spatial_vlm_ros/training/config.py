"""Settings of a training: which model, from which data, what of it learns and how fast."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from spatial_vlm_ros.settings import setting

#: By how the loss is reduced, minus the power of an answer's length with which its tokens count.
REDUCTIONS = {"token": 0.0, "square": 0.5, "sample": 1.0}
#: What a model is shown of a scene, and which models can be.
SHOWN = {
    "symbols": ("proxy3d",),
    "placed_symbols": ("proxy3d",),
    "proxies": ("proxy3d",),
    "frames": ("ssr",),
    "nothing": ("proxy3d", "ssr"),
}


@dataclass(frozen=True)
class ModelSettings:
    """What is trained, and from where it starts."""

    kind: str = setting("proxy3d", "Which model", choices=("proxy3d", "ssr"))
    checkpoint: str = setting(
        "", "Folder to start from, or a hub name that was fetched; a plain Qwen2.5-VL serves"
    )
    identifiers: int = setting(
        0, "proxy3d: object numbers it learns; 0: as the checkpoint says", low=0, high=1000
    )
    spatial: str = setting(
        "", "ssr: geometry that the 3D branch reads; empty: none", choices=("", "points", "vggt")
    )
    spatial_layer: int = setting(22, "ssr: layer of VGGT, from 0", low=0, high=1000)
    spatial_width: int = setting(0, "ssr: channels of spatial features; 0: usual", low=0, high=8192)
    insertion: str = setting(
        "interleaved", "ssr: order of its tokens", choices=("interleaved", "sequential")
    )
    attention: str = setting(
        "sdpa",
        "flash_attention_2 takes one question a sequence",
        choices=("sdpa", "flash_attention_2"),
    )


@dataclass(frozen=True)
class Source:
    """Rows of one data set."""

    rows: str = setting("", "Folder or file of rows")
    weight: float = setting(
        1.0, "How often each row comes in an epoch; 0.3: a share, another each time", low=0, high=99
    )
    limit: int = setting(0, "At most so many rows, drawn once; 0: all", low=0)
    tasks: tuple[str, ...] = setting((), "Only these tasks, or kinds of them; empty: all")
    images: str = setting("", "ssr: folder of the images that rows are about")

    def contradiction(self) -> str:
        """Why the settings cannot be."""
        return "" if self.rows else "rows: is empty"


@dataclass(frozen=True)
class DataSettings:
    """What is learnt, and what is shown of the scenes."""

    train: tuple[Source, ...] = setting((), "Rows to learn")
    held_out: tuple[Source, ...] = setting((), "Rows to be examined with")
    scenes: tuple[str, ...] = setting((), "Files of annotated scenes (scenes.jsonl)")
    store: str = setting("", "Folder of precomputed proxies or frames")
    shown: str = setting("proxies", "What stands for a scene", choices=tuple(SHOWN))
    questions: int = setting(
        16, "Questions of one scene in a sequence, at most", low=1, high=10_000
    )
    question_tokens: int = setting(
        4096, "Tokens of all questions in a sequence, at most", low=16, high=1_000_000
    )
    longest: int = setting(
        1024, "Rows with more tokens of question and answer are left out", low=16, high=1_000_000
    )
    shuffle_numbers: bool = setting(
        False, "proxy3d: objects have other numbers each time; else as when it is asked"
    )
    proxies_of_each: int = setting(
        0, "proxy3d: proxies of an object, or of floor or walls, at most, drawn; 0: all", low=0
    )
    drop_geometry: float = setting(
        0.0, "ssr: share of sequences without geometry", low=0.0, high=1.0
    )


@dataclass(frozen=True)
class Rates:
    """Learning rates of the model's parts; 0, or frozen, learns nothing."""

    language: float = setting(0.0, "The language model", low=0.0, high=1.0)
    vision: float = setting(0.0, "The vision tower less its merger", low=0.0, high=1.0)
    merger: float = setting(0.0, "What makes tokens of what the tower sees", low=0.0, high=1.0)
    position: float = setting(0.0, "proxy3d: position embedding", low=0.0, high=1.0)
    gate: float = setting(0.0, "proxy3d: how far heights rotate", low=0.0, high=1.0)
    spatial: float = setting(0.0, "ssr: the 3D branch", low=0.0, high=1.0)


@dataclass(frozen=True)
class LoraSettings:
    """Low-rank adapters instead of whole weights, merged when the model is written."""

    rank: int = setting(0, "Of the adapters; 0: whole weights learn", low=0, high=4096)
    alpha: float = setting(16.0, "Adapters count alpha / rank times", low=0.0, high=1e6)
    dropout: float = setting(0.0, "Of what adapters read", low=0.0, high=0.9)
    parts: tuple[str, ...] = setting(("language",), "Which parts have them: language, vision")
    modules: tuple[str, ...] = setting(
        ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
        "Names of the layers that have them",
    )
    adapter: bool = setting(False, "Write the adapters by themselves too")

    def contradiction(self) -> str:
        """Why the settings cannot be."""
        unknown = sorted(set(self.parts) - {"language", "vision"})
        return f"parts: {', '.join(unknown)} is not language or vision" if unknown else ""


@dataclass(frozen=True)
class StepSettings:
    """How it learns."""

    device: str = setting(
        "auto", "auto: GPUs where there are any; cuda: not without", choices=("auto", "cuda", "cpu")
    )
    precision: str = setting(
        "auto",
        "bf16, fp16: mixed, weights in float32; bf16_weights: those too; auto: bf16 on a GPU",
        choices=("auto", "float32", "bf16", "fp16", "bf16_weights"),
    )
    epochs: float = setting(1.0, "Times through the data", low=0.0, high=10_000)
    steps: int = setting(0, "So many updates instead; 0: by epochs", low=0)
    batch: int = setting(1, "Sequences at once on each device", low=1, high=4096)
    accumulation: int = setting(1, "Batches for one update", low=1, high=65536)
    warmup: float = setting(0.03, "Share of the updates in which rates grow", low=0.0, high=0.99)
    schedule: str = setting(
        "cosine",
        "How rates go on from there",
        choices=("cosine", "linear", "constant_with_warmup"),
    )
    reduction: str = setting(
        "token",
        "What a token of an answer of n counts: token: 1; square: 1 / sqrt(n); sample: 1 / n",
        choices=tuple(REDUCTIONS),
    )
    weight_decay: float = setting(0.0, "Of weight matrices", low=0.0, high=1.0)
    clip: float = setting(1.0, "Longest gradient; 0: any", low=0.0, high=1e6)
    recompute: bool = setting(False, "Layers again when going back: less memory, slower")
    workers: int = setting(0, "Processes that prepare data, for each device", low=0, high=64)
    seed: int = setting(0, "Of all that is drawn", low=0, high=2**31 - 1)
    log_every: int = setting(10, "Updates between two lines of the log", low=1)

    def contradiction(self) -> str:
        """Why the settings cannot be."""
        return "" if self.epochs or self.steps else "epochs: 0, and no steps either"


@dataclass(frozen=True)
class ExamSettings:
    """Examination on held-out rows."""

    every: int = setting(0, "Updates between two; 0: at the end only", low=0)
    losses: int = setting(1000, "Rows whose loss is measured, at most", low=0)
    answers: int = setting(200, "Rows that are answered, at most; 0: none", low=0)
    max_tokens: int = setting(128, "Longest answer", low=1, high=8192)


@dataclass(frozen=True)
class OutputSettings:
    """What is written."""

    folder: str = setting("", "Where the trained model, checkpoints and logs go")
    save_every: int = setting(500, "Updates between two checkpoints; 0: none", low=0)
    keep: int = setting(2, "Checkpoints that are kept", low=1)
    dtype: str = setting(
        "checkpoint",
        "Weights of the trained model; checkpoint: as those it started from",
        choices=("checkpoint", "float32", "bfloat16", "float16"),
    )

    @property
    def folder_path(self) -> Path:
        """The folder."""
        return Path(self.folder).expanduser()


@dataclass(frozen=True)
class TrainConfig:
    """All of a training."""

    model: ModelSettings = field(default_factory=ModelSettings)
    data: DataSettings = field(default_factory=DataSettings)
    rates: Rates = field(default_factory=Rates)
    lora: LoraSettings = field(default_factory=LoraSettings)
    training: StepSettings = field(default_factory=StepSettings)
    exam: ExamSettings = field(default_factory=ExamSettings)
    output: OutputSettings = field(default_factory=OutputSettings)

    def contradiction(self) -> str:
        """Why the settings cannot be; "" when they can."""
        kind, shown, rates = self.model.kind, self.data.shown, self.rates
        needed = {
            "model.checkpoint": self.model.checkpoint,
            "data.train": self.data.train,
            "output.folder": self.output.folder,
            "data.store": self.data.store or shown not in ("proxies", "frames"),
            "data.scenes": self.data.scenes or "symbols" not in shown,
        }
        for name, given in needed.items():
            if not given:
                return f"{name}: is not given"
        if kind not in SHOWN[shown]:
            return f"data.shown: {shown} cannot be shown to {kind}"
        of = {"shuffle_numbers": "proxy3d", "proxies_of_each": "proxies", "drop_geometry": "frames"}
        for name, use in of.items():
            if getattr(self.data, name) and use not in (kind, shown):
                return f"data.{name}: is for {use}, not for {shown} shown to {kind}: take it out"
        for part, reason in self._idle().items():
            if getattr(rates, part):
                return f"rates.{part}: {reason}: freeze it"
        if not any(vars(rates).values()):
            return "rates: everything is frozen"
        return ""

    def _idle(self) -> dict[str, str]:
        """Parts of the model that cannot learn, and why."""
        idle: dict[str, str] = {}
        if self.model.kind == "proxy3d":
            tower = "proxies and symbols are features of the tower as it was"
            idle |= {"vision": tower, "merger": tower, "spatial": "proxy3d has none"}
        else:
            idle |= {"position": "ssr has none", "gate": "ssr has none"}
        nowhere = {
            "symbols": ("position", "gate"),
            "nothing": ("vision", "merger", "position", "gate", "spatial"),
        }
        for part in nowhere.get(self.data.shown, ()):
            idle.setdefault(part, f"nothing of it is used where data.shown is {self.data.shown}")
        return idle
