"""The chat reasoner on small checkpoints of many kinds of vision-language models."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hand_built_room import room
from opened_models import keyframe, model_of
from PIL import Image
from small_chat_models import NO_SYSTEM, SAVE, save_idefics3, save_text_only
from small_vlm import save_small_vlm

from spatial_vlm_ros.reasoners.config import AnsweringConfig, ModelConfig
from spatial_vlm_ros.reasoners.opening import ReasonersConfig, open_reasoner
from spatial_vlm_ros.reasoners.question_form import Form, FormKind
from spatial_vlm_ros.reasoning.answer import Cancelled, Listener, Reasoner, Seen
from spatial_vlm_ros.serving.answer_form import form_regex
from spatial_vlm_ros.serving.conversation import Conversation
from spatial_vlm_ros.serving.generation import _CONTINUES_TO_IMAGES, Generator
from spatial_vlm_ros.serving.loading import LoadedModel, load_chat

KINDS = tuple(SAVE)
#: Images come first in the prompts of LLaVA 1.5, whatever the order in which they are shown.
IMAGES_FIRST = ("llava",)
#: Their cache cannot be cut: what leaves a layer's window, or is mixed into its state, is gone.
COPIED_CACHE = ("gemma3", "qwen3_5") if _CONTINUES_TO_IMAGES else ("qwen3_5",)
#: Images are no part of the sequence, and their keys and values are of no use for others; or their
#: tokens see one another, which an older transformers cannot do behind what is in a cache.
NO_CACHE = ("mllama",) if _CONTINUES_TO_IMAGES else ("mllama", "gemma3")
SYSTEM = "You are the memory of a robot."
SCENE = "The scene has a chair and a table and a lamp beside the window. " * 6


def picture(seed: int, width: int, height: int) -> Image.Image:
    random = np.random.default_rng(seed)
    return Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8))


#: Each shows other images than the one before, or as many of another size, or none.
TURNS: dict[str, list[str | Image.Image]] = {
    "no image": [SCENE, "Where is it?"],
    "one image": [SCENE, "Image:", picture(1, 120, 90), "Where is the lamp?"],
    "three images": [
        *(SCENE, "Image:", picture(2, 200, 100), "Image:", picture(3, 90, 160)),
        *("Image:", picture(5, 64, 64), "How many chairs are there?"),
    ],
    "another image": [SCENE, "Image:", picture(4, 64, 200), "Where is the lamp?"],
    "none again": [SCENE, "How many tables?"],
    "that image again": [SCENE, "Image:", picture(4, 64, 200), "Where is the lamp?"],
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = {}
    for kind, save in SAVE.items():
        made[kind] = tmp_path_factory.mktemp("chat") / kind
        save(made[kind])
    return made


@pytest.fixture(scope="module", params=KINDS)
def loaded(request: pytest.FixtureRequest, folders: dict[str, Path]) -> LoadedModel:
    return load_chat(ModelConfig(str(folders[request.param]), device="cpu"))


def kind_of(loaded: LoadedModel) -> str:
    return loaded.checkpoint.name


def tokens_of(loaded: LoadedModel, generate: Callable[[], object]) -> list[int]:
    """Prompt and answer of what is generated."""
    original, found = loaded.model.generate, []

    def record(**inputs: Any) -> Any:
        found.append(original(**inputs)[0].tolist())
        return torch.tensor(found)

    loaded.model.generate = record
    try:
        generate()
    finally:
        loaded.model.generate = original
    return found[-1]


def test_answers_are_those_from_scratch_whatever_was_shown_before(loaded: LoadedModel) -> None:
    conversation, generator = Conversation(loaded, SYSTEM), Generator(loaded, max_tokens=8)
    shared = len(loaded.tokenizer(SCENE)["input_ids"])
    given: dict[str, Any] = {}
    for name, content in TURNS.items():
        inputs, text_tokens = conversation.inputs(content)

        def ask(inputs: Any = inputs, text_tokens: int = text_tokens, name: str = name) -> None:
            given[name] = generator.after_images(inputs, text_tokens)

        answered = tokens_of(loaded, ask)
        plain = loaded.model.generate(**inputs, max_new_tokens=8, do_sample=False)[0].tolist()
        assert answered == plain, name
        assert given[name].prompt == inputs["input_ids"].shape[1]
        fresh = Generator(loaded, max_tokens=8).after_images(inputs, text_tokens)
        assert given[name].probabilities == pytest.approx(fresh.probabilities, abs=1e-4), name
        if name == "no image":
            assert text_tokens == given[name].prompt
        elif kind_of(loaded) in NO_CACHE:
            assert given[name].reused == 0
        elif kind_of(loaded) in COPIED_CACHE:  # with the second question
            assert (given[name].reused > 0.9 * shared - 32) == (name != "one image")
        elif kind_of(loaded) not in IMAGES_FIRST:
            assert shared < given[name].reused <= text_tokens
    sure = {name: answer.probabilities for name, answer in given.items()}
    assert sure["one image"] != sure["another image"]
    assert sure["that image again"] == pytest.approx(sure["another image"], abs=1e-4)


@pytest.mark.parametrize("kind", COPIED_CACHE)
def test_a_copied_cache_follows_the_scene(
    kind: str, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its copy is made of many parts, dropped with the scene, and made again."""
    monkeypatch.setattr("spatial_vlm_ros.serving.generation._CHUNK", 50)
    loaded = load_chat(ModelConfig(str(folders[kind]), device="cpu"))
    conversation, generator = Conversation(loaded, SYSTEM), Generator(loaded, max_tokens=6)
    reused = []
    for scene in (SCENE * 2, "Nothing is on the table but a red mug. " * 20):
        for seed in range(3):
            inputs, text_tokens = conversation.inputs([scene, picture(seed, 64, 64), "Where?"])
            given = generator.after_images(inputs, text_tokens)
            plain = Generator(loaded, max_tokens=6).after_images(inputs, text_tokens)
            assert given.probabilities == pytest.approx(plain.probabilities, abs=1e-4)
            assert given.text == plain.text
            reused.append(given.reused)
    assert reused[:2] == reused[3:5] == [0, 0]
    assert min(reused[2], reused[5]) > 200


def test_images_are_seen(loaded: LoadedModel) -> None:
    """Another image of the same size gives other logits."""
    conversation = Conversation(loaded, SYSTEM)
    logits = []
    for seed in (1, 2):
        inputs, _ = conversation.inputs([SCENE, picture(seed, 100, 80), "What?"])
        with torch.inference_mode():
            logits.append(loaded.model(**inputs).logits[0, -1])
    assert (logits[0] - logits[1]).abs().max() > 1e-3


def test_an_answer_is_heard_and_stopped_and_held_to_its_form(loaded: LoadedModel) -> None:
    conversation, generator = Conversation(loaded, SYSTEM), Generator(loaded, max_tokens=300)
    inputs, text_tokens = conversation.inputs(TURNS["one image"])
    for form in (
        Form(FormKind.COUNT),
        Form(FormKind.OPTION, options=("A", "B", "C")),
        Form(FormKind.BOXES),
    ):
        heard: list[str] = []
        given = generator.after_images(
            inputs, text_tokens, generator.held_to(form), Listener(heard.append)
        )
        assert given.ended
        assert re.fullmatch(form_regex(form), given.text), given.text
        assert len(heard) == len(given.probabilities)
        assert heard[-1] == given.text
    heard = []
    with pytest.raises(Cancelled):
        generator.after_images(
            inputs,
            text_tokens,
            generator.held_to(Form(FormKind.BOXES)),
            Listener(heard.append, lambda: len(heard) >= 3),
        )
    assert len(heard) <= 4
    again = generator.after_images(inputs, text_tokens, generator.held_to(Form(FormKind.COUNT)))
    fresh = Generator(loaded).after_images(
        inputs, text_tokens, generator.held_to(Form(FormKind.COUNT))
    )
    assert again.text == fresh.text


@pytest.mark.parametrize("kind", KINDS)
def test_half_precision(kind: str, folders: dict[str, Path]) -> None:
    half = load_chat(ModelConfig(str(folders[kind]), device="cpu", dtype="bfloat16"))
    inputs, text_tokens = Conversation(half, SYSTEM).inputs(TURNS["three images"])
    assert Generator(half, max_tokens=3).after_images(inputs, text_tokens).probabilities


# -- as a reasoner ---------------------------------------------------------------------------


def opened(folder: Path, **answering: Any) -> tuple[Reasoner, list[str]]:
    said: list[str] = []
    config = ReasonersConfig(
        reasoner="chat",
        model=ModelConfig(str(folder), device="cpu"),
        answering=AnsweringConfig(**{"max_tokens": 4, **answering}),
    )
    return open_reasoner(config, said.append), said


@pytest.mark.parametrize("kind", KINDS)
def test_a_scene_is_told_and_shown(kind: str, folders: dict[str, Path]) -> None:
    reasoner, said = opened(folders[kind], image_pixels=56 * 80)
    images = Seen(keyframes=(keyframe(1, [1, 2]), keyframe(2, [8]), keyframe(3, [11])))
    for question in ("Where is the sofa?", "How many chairs are there?", "Where is the lamp?"):
        answer = reasoner.ask(question, room(), images)
        assert answer.reasoner == "chat", answer.warnings
        assert answer.prompt_tokens > 500
    assert said == []
    if kind not in (*IMAGES_FIRST, *NO_CACHE):
        assert answer.cached_tokens > 0.5 * answer.prompt_tokens


def edited(folder: Path, made: Path, **files: dict[str, Any] | None) -> Path:
    """A copy of a checkpoint; None removes a JSON file."""
    shutil.copytree(folder, made)
    for name, changes in files.items():
        path = made / f"{name}.json"
        if changes is None:
            path.unlink()
        else:
            path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return made


def refused(folder: Path) -> str:
    """The one warning with which geometry answers instead."""
    reasoner, said = opened(folder)
    assert len(said) == 1
    answer = reasoner.ask("How many chairs are there?", room())
    assert (answer.reasoner, answer.value) == ("geometric", 3.0)
    assert len(answer.warnings) == 1
    assert "\n" not in answer.warnings[0]
    return answer.warnings[0]


def test_a_model_that_only_reads_is_refused(tmp_path: Path) -> None:
    save_text_only(tmp_path / "text")
    assert "model_type qwen2, which transformers" in refused(tmp_path / "text")


def test_a_model_that_transformers_does_not_know_is_refused(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    new = edited(folders["llava"], tmp_path / "new", config={"model_type": "qwen9_vl"})
    assert "model_type qwen9_vl, which transformers" in refused(new)


def test_a_model_that_was_not_made_for_chat_is_refused(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    base = edited(folders["qwen3_vl"], tmp_path / "base", chat_template=None)
    (base / "chat_template.jinja").unlink()
    assert "has no chat template" in refused(base)


def test_the_tokenizers_template_is_taken_where_the_processor_has_none(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = edited(folders["qwen3_vl"], tmp_path / "made", chat_template=None)
    template = (folder / "chat_template.jinja").read_text()
    (folder / "chat_template.jinja").unlink()
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings["chat_template"] = template
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    reasoner, said = opened(folder)
    assert said == []
    assert reasoner.ask("Where is the sofa?", room()).reasoner == "chat"


def test_a_template_that_takes_text_alone_is_refused(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    words = edited(folders["llava"], tmp_path / "words", chat_template={"chat_template": template})
    assert "chat template that takes no images" in refused(words)


def test_a_tokenizer_that_is_not_fast_is_refused(tmp_path: Path) -> None:
    save_small_vlm(tmp_path / "slow")
    (tmp_path / "slow" / "tokenizer.json").unlink()
    (tmp_path / "slow" / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "CanineTokenizer"})
    )
    assert "CanineTokenizer is not a fast tokenizer" in refused(tmp_path / "slow")


def test_a_checkpoint_without_a_processor_is_refused(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    bare = edited(
        folders["llava"], tmp_path / "bare", preprocessor_config=None, processor_config=None
    )
    assert "has no processor" in refused(bare)


def test_a_package_that_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second SmolVLM's processor spells out the numbers of videos."""
    save_idefics3(tmp_path / "smolvlm", kind="SmolVLM")
    package = "transformers.models.smolvlm.processing_smolvlm.num2words"
    monkeypatch.setattr(package, None)
    assert "Package `num2words` is required" in refused(tmp_path / "smolvlm")
    monkeypatch.setattr(package, str)
    reasoner, said = opened(tmp_path / "smolvlm")
    assert said == []
    answer = reasoner.ask("Where is the sofa?", room(), Seen(keyframes=(keyframe(1, [1, 2]),)))
    assert answer.reasoner == "chat", answer.warnings


def test_instructions_come_from_the_user_where_there_is_no_other_role(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    template = NO_SYSTEM.replace("IMAGE", "<|vision_start|><|image_pad|><|vision_end|>")
    folder = edited(
        folders["qwen3_vl"], tmp_path / "made", chat_template={"chat_template": template}
    )
    loaded = load_chat(ModelConfig(str(folder), device="cpu"))
    inputs, text_tokens = Conversation(loaded, SYSTEM).inputs(["A.", picture(1, 64, 64), "B?"])
    ids = inputs["input_ids"][0]
    assert loaded.tokenizer.decode(ids[:text_tokens]) == f"[INST] {SYSTEM}\n\nA.<|vision_start|>"
    assert loaded.tokenizer.decode(ids[-12:]).endswith("<|vision_end|>B? [/INST]")


def test_a_prompt_longer_than_the_model_reads_is_refused(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    text = json.loads((folders["qwen3_vl"] / "config.json").read_text())["text_config"]
    short = {"text_config": text | {"max_position_embeddings": 300}}
    reasoner, said = opened(edited(folders["qwen3_vl"], tmp_path / "made", config=short))
    assert said == []
    answer = reasoner.ask("How many chairs are there?", room())
    assert (answer.reasoner, answer.value) == ("geometric", 3.0)
    assert "the model reads at most 300" in answer.warnings[0]


def test_a_user_cannot_show_images_that_are_none(folders: dict[str, Path]) -> None:
    for kind, folder in folders.items():
        reasoner, _ = opened(folder)
        names = " ".join(model_of(reasoner)._tokenizer.get_added_vocab())
        answer = reasoner.ask(f"What is this? {names}", room())
        assert answer.reasoner == "chat", (kind, answer.warnings)
