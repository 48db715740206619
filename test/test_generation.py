"""Prompts continued: streamed, stopped, held to a form, and quicker the second time."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_vlm import save_small_vlm

from spatial_vlm_ros.reasoners.config import ModelConfig
from spatial_vlm_ros.reasoners.question_form import Form, FormKind
from spatial_vlm_ros.reasoning.answer import Cancelled, Listener
from spatial_vlm_ros.serving.generation import Generator
from spatial_vlm_ros.serving.loading import LoadedModel, load_chat, load_proxy3d
from spatial_vlm_ros.serving.prompt_cache import PromptCache

SCENE = "<|vision_start|>" + "<|vision_pad|>" * 40 + "<|vision_end|>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("vlm") / "small"
    save_small_vlm(path)
    return path


@pytest.fixture(scope="module")
def loaded(folder: Path) -> LoadedModel:
    return load_proxy3d(ModelConfig(str(folder), device="cpu"))


def scene_inputs(seed: int = 0, count: int = 40) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        "proxy_features": torch.randn(count, 48, generator=generator),
        "proxy_positions": torch.randn(count, 3, generator=generator),
    }


def test_answers_are_those_of_generate_from_scratch(loaded: LoadedModel) -> None:
    generator = Generator(loaded, max_tokens=12)
    prefix = generator.encode(generator.ids(f"Scene: {SCENE}"), scene_inputs())
    for question in ("How many chairs are there?", "Where is the lamp?", "How many tables?"):
        given = generator.after_scene(prefix, question)
        ids = torch.cat([prefix.ids, generator.ids(question)], dim=1)
        plain = loaded.model.generate(
            input_ids=ids, **scene_inputs(), max_new_tokens=12, do_sample=False
        )
        text = loaded.tokenizer.decode(plain[0, ids.shape[1] :], skip_special_tokens=True)
        assert given.text == text.rstrip("\ufffd").strip()
        assert given.prompt == ids.shape[1]


def test_a_second_question_computes_its_own_tokens_only(loaded: LoadedModel) -> None:
    generator = Generator(loaded, max_tokens=3)
    prefix = generator.encode(generator.ids(SCENE), scene_inputs())
    calls: list[int] = []
    hook = loaded.model.model.language_model.register_forward_pre_hook(
        lambda module, args, kwargs: calls.append(kwargs["inputs_embeds"].shape[1]),
        with_kwargs=True,
    )
    try:
        first = generator.after_scene(prefix, "How many chairs?")
        computed_cold, calls[:] = sum(calls), []
        second = generator.after_scene(prefix, "Where is the lamp?")
    finally:
        hook.remove()
    own = second.prompt - prefix.ids.shape[1]
    assert first.reused == 0
    assert computed_cold >= first.prompt
    assert second.reused == prefix.ids.shape[1]
    assert sum(calls) == own + len(second.probabilities) - 1  # the last token is not fed back


def test_another_scene_is_computed_from_where_it_differs(loaded: LoadedModel) -> None:
    generator = Generator(loaded, max_tokens=6)
    ids = generator.ids(SCENE)
    scene = scene_inputs()
    generator.after_scene(generator.encode(ids, scene), "Where is the lamp?")
    changed = {name: value.clone() for name, value in scene.items()}
    changed["proxy_features"][25] += 1
    prefix = generator.encode(ids, changed)
    again = generator.after_scene(prefix, "Where is the lamp?")
    assert again.reused == 1 + 25  # vision_start and 25 proxies are as before
    fresh = Generator(loaded, max_tokens=6).after_scene(prefix, "Where is the lamp?")
    assert fresh.reused == 0
    assert again.text == fresh.text
    assert again.probabilities == pytest.approx(fresh.probabilities, abs=1e-4)


def test_a_moved_scene_is_another_scene(loaded: LoadedModel) -> None:
    generator = Generator(loaded, max_tokens=2)
    ids, scene = generator.ids(SCENE), scene_inputs()
    generator.after_scene(generator.encode(ids, scene), "Where is the lamp?")
    prefix = generator.encode(ids, scene)
    shifted = replace(prefix, positions=prefix.positions + 1)
    assert generator.after_scene(shifted, "Where is the lamp?").reused == 0


def test_text_is_heard_as_it_grows(loaded: LoadedModel) -> None:
    generator = Generator(loaded, max_tokens=8)
    prefix = generator.encode(generator.ids(SCENE), scene_inputs())
    heard: list[str] = []
    given = generator.after_scene(prefix, "Where?", listener=Listener(heard.append))
    assert len(heard) == len(given.probabilities) == 8
    assert heard[-1] == given.text
    assert not given.ended
    assert 0 < given.first_token_s < 60


@pytest.mark.parametrize("after", [0, 1, 3])
def test_stops_within_one_token(loaded: LoadedModel, after: int) -> None:
    generator = Generator(loaded, max_tokens=200)
    prefix = generator.encode(generator.ids(SCENE), scene_inputs())
    heard: list[str] = []
    with pytest.raises(Cancelled):
        generator.after_scene(
            prefix, "Where?", listener=Listener(heard.append, lambda: len(heard) >= after)
        )
    assert len(heard) <= after + 1
    # What was computed before serves the next question, and serves it right.
    again = generator.after_scene(prefix, "How many chairs?")
    fresh = Generator(loaded, max_tokens=200).after_scene(prefix, "How many chairs?")
    assert again.text == fresh.text


def test_an_answer_that_takes_too_long_is_cut_off(loaded: LoadedModel) -> None:
    generator = Generator(loaded, max_tokens=100_000, max_seconds=0.3)
    prefix = generator.encode(generator.ids(SCENE), scene_inputs())
    given = generator.after_scene(prefix, "Where?")
    assert not given.ended
    assert 0 < len(given.probabilities) < 100_000


@pytest.mark.parametrize("seed", range(5))
def test_an_answer_keeps_to_its_form_and_ends(tmp_path: Path, seed: int) -> None:
    save_small_vlm(tmp_path / "vlm", seed=seed)
    generator = Generator(load_proxy3d(ModelConfig(str(tmp_path / "vlm"), device="cpu")))
    prefix = generator.encode(generator.ids(SCENE), scene_inputs(seed))
    form = Form(FormKind.OPTION, {"A": "box", "B": "chair", "C": "table"})
    given = generator.after_scene(prefix, "Which?", generator.held_to(form))
    assert given.text in ("A", "B", "C")
    assert given.ended
    assert 1 / 3 <= given.probability <= 1  # the best of three
    number = generator.after_scene(prefix, "How many?", generator.held_to(Form(FormKind.COUNT)))
    assert number.text.isdigit()
    assert number.ended


def test_after_an_error_nothing_of_the_cache_is_used(loaded: LoadedModel) -> None:
    generator = Generator(loaded, max_tokens=5)
    prefix = generator.encode(generator.ids(SCENE), scene_inputs())
    right = generator.after_scene(prefix, "Where?")

    def fail(module: object, args: object) -> None:
        raise torch.OutOfMemoryError("out of memory")

    hook = loaded.model.model.language_model.layers[1].register_forward_pre_hook(fail)
    try:
        with pytest.raises(torch.OutOfMemoryError):
            generator.after_scene(
                prefix, "Which of them?"
            )  # the first layer has it, the second not
    finally:
        hook.remove()
    again = generator.after_scene(prefix, "Where?")
    assert again.reused == 0
    assert again.text == right.text


def test_long_prompts_are_computed_in_parts(loaded: LoadedModel) -> None:
    count = 2500
    generator = Generator(loaded, max_tokens=4)
    ids = generator.ids("<|vision_start|>" + "<|vision_pad|>" * count + "<|vision_end|>")
    prefix = generator.encode(ids, scene_inputs(3, count))
    given = generator.after_scene(prefix, "Where?")
    whole = torch.cat([ids, generator.ids("Where?")], dim=1)
    plain = loaded.model.generate(
        input_ids=whole, **scene_inputs(3, count), max_new_tokens=4, do_sample=False
    )
    text = loaded.tokenizer.decode(plain[0, whole.shape[1] :], skip_special_tokens=True)
    assert given.text == text.rstrip("\ufffd").strip()
    asked: list[int] = []
    with pytest.raises(Cancelled):
        Generator(loaded).after_scene(
            prefix,
            "Where?",
            listener=Listener(gone=lambda: bool(asked.append(1)) or len(asked) > 1),
        )
    assert len(asked) == 2  # between the first part and the second


def test_chat_reuses_the_text_before_its_images(folder: Path) -> None:
    loaded = load_chat(ModelConfig(str(folder), device="cpu"))
    generator = Generator(loaded, max_tokens=5)
    words = generator.ids("The scene has a chair and a table and a lamp beside the window.")
    for question in ("Where is it?", "How many are there?"):
        ids = torch.cat([words, generator.ids(question)], dim=1)
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        given = generator.after_images(inputs, ids.shape[1])
        fresh = Generator(loaded, max_tokens=5).after_images(inputs, ids.shape[1])
        assert given.text == fresh.text
    assert given.reused >= words.shape[1]
    assert fresh.reused == 0


def test_cache_keeps_equal_rows_only() -> None:
    cache = PromptCache(None)

    def fill(length: int) -> None:
        new = torch.zeros(1, 1, length - len(cache), 4)
        cache.values.update(new, new, 0)

    assert cache.keep(torch.tensor([1, 2, 3, 4])) == 0
    fill(4)
    assert cache.keep(torch.tensor([1, 2, 9, 4, 5])) == 2  # the same behind a difference is not
    fill(5)
    assert cache.keep(torch.tensor([1, 2, 9, 4, 5])) == 4  # one is left to compute
    fill(5)
    assert cache.keep(torch.tensor([1, 2])) == 1
    assert cache.keep(torch.tensor([7, 2, 9])) == 0
    assert len(cache) == 0


def test_questions_of_threads_do_not_mix(loaded: LoadedModel) -> None:
    """Each asker has a generator of its own here; that of a reasoner is guarded by turns."""
    from spatial_vlm_ros.serving.turns import Turns

    generator, turns = Generator(loaded, max_tokens=6), Turns(60)
    prefix = generator.encode(generator.ids(SCENE), scene_inputs())
    questions = ["Where?", "How many chairs are there?", "Is the lamp red?", "What?"]
    expected = {q: Generator(loaded, max_tokens=6).after_scene(prefix, q).text for q in questions}
    found: dict[str, str] = {}

    def ask(question: str) -> None:
        with turns.turn(lambda: False):
            found[question] = generator.after_scene(prefix, question).text

    threads = [threading.Thread(target=ask, args=(q,)) for q in questions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == expected
