"""Answers held to a form by real generation: they have it and end, whatever the weights."""

from __future__ import annotations

import json
import re
import string
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from small_vlm import save_small_vlm
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast, Qwen2_5_VLForConditionalGeneration

from spatial_vlm_ros.language.box_text import read_boxes
from spatial_vlm_ros.reasoners.question_form import Form, FormKind
from spatial_vlm_ros.serving.answer_form import MOST_BOXES, AnswerForms, form_regex

OPTIONS = Form(FormKind.OPTION, {"A": "lamp", "B": "bin", "D": "sofa"})
COUNT, METRES, BOXES = (
    Form(FormKind.COUNT),
    Form(FormKind.NUMBER, unit="m"),
    Form(FormKind.BOXES),
)
PROMPT = "<|im_start|>user\nHow many chairs are there?<|im_end|>\n<|im_start|>assistant\n"


class Small:
    """A small model whose weights can be drawn again, and its tokenizer."""

    def __init__(self, folder: Path) -> None:
        save_small_vlm(folder)
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = Qwen2_5_VLForConditionalGeneration.from_pretrained(folder)
        self.model.eval()
        self.ends = self.model.generation_config.eos_token_id
        self.forms = AnswerForms(
            self.tokenizer, self.model.config.text_config.vocab_size, self.ends
        )

    def draw(self, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        for name, weights in self.model.named_parameters():
            if weights.dim() == 2 and "visual" not in name:
                weights.data.normal_(0, 0.3, generator=generator)

    def answer(self, form: Form, most: int, seed: int | None = None, **inputs: Any) -> list[int]:
        """Tokens behind the prompt; sampled with a seed, else the most probable."""
        processor = self.forms.processor(form)
        if not inputs:
            inputs = dict(self.tokenizer(PROMPT, return_tensors="pt"))
        if seed is not None:
            torch.manual_seed(seed)
        made = self.model.generate(
            **inputs,
            max_new_tokens=most,
            do_sample=seed is not None,
            logits_processor=[processor] if processor else [],
        )
        start = 0 if "inputs_embeds" in inputs else inputs["input_ids"].shape[1]
        return made[0, start:].tolist()

    def text(self, tokens: list[int]) -> str:
        """What an answer says; checks that it has ended, once."""
        assert tokens[-1] in self.ends
        assert not set(tokens[:-1]) & set(self.tokenizer.all_special_ids)
        return self.tokenizer.decode(tokens[:-1])


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    torch.set_num_threads(1)
    return Small(tmp_path_factory.mktemp("small"))


def test_every_answer_of_200_models_has_its_form(small: Small) -> None:
    seen: dict[FormKind, set[str]] = {kind: set() for kind in FormKind}
    for seed in range(200):
        small.draw(seed)
        form = (OPTIONS, COUNT, METRES, BOXES)[seed % 4]
        sampled = seed if seed % 8 >= 4 else None
        # As many tokens as the longest answer has characters, and its end: it never takes more.
        tokens = small.answer(form, 11 if form is not BOXES else 3000, sampled)
        text = small.text(tokens)
        seen[form.kind].add(text)
        if form is OPTIONS:
            assert text in ("A", "B", "D")
        elif form is COUNT:
            assert text == str(int(text)) and int(text) <= 9999
        elif form is METRES:
            assert re.fullmatch(r"(0|[1-9]\d{0,5})(\.\d{1,3})?", text)
            assert form.value(text) == float(text)
        else:
            json.loads(text)
            reply = read_boxes(text)
            assert reply.refused == ()
            assert len(reply.boxes) <= MOST_BOXES
            for item in reply.boxes:
                assert max(map(abs, item.box.to_tuple())) < 1000
                assert len(item.label) <= 40
    assert seen[FormKind.OPTION] == {"A", "B", "D"}
    assert all(len(seen[form.kind]) > 10 for form in (COUNT, METRES, BOXES))
    assert any(len(read_boxes(text).boxes) > 0 for text in seen[FormKind.BOXES])


def test_the_free_form_is_not_touched(small: Small) -> None:
    small.draw(1)
    assert small.forms.processor(Form()) is None
    inputs = small.tokenizer(PROMPT, return_tensors="pt")
    plain = small.model.generate(**inputs, max_new_tokens=12, do_sample=False)
    assert plain[0, inputs["input_ids"].shape[1] :].tolist() == small.answer(Form(), 12)


def test_a_form_takes_the_most_probable_of_what_fits(small: Small) -> None:
    small.draw(2)
    inputs = small.tokenizer(PROMPT, return_tensors="pt")
    with torch.inference_mode():
        scores = small.model(**inputs).logits[0, -1]
    letters = {k: scores[small.tokenizer.convert_tokens_to_ids(k)] for k in OPTIONS.options}
    assert small.text(small.answer(OPTIONS, 5)) == max(letters, key=letters.__getitem__)


@pytest.mark.parametrize("words", [1, 300])
def test_prompts_of_any_length_and_those_that_are_embeddings(small: Small, words: int) -> None:
    small.draw(3)
    inputs = dict(small.tokenizer("chair 7 " * words, return_tensors="pt"))
    by_ids = small.answer(METRES, 20, **inputs)
    assert METRES.value(small.text(by_ids)) is not None
    embedded = small.model.get_input_embeddings()(inputs["input_ids"])
    mask = inputs["attention_mask"]
    by_embeddings = small.answer(METRES, 20, inputs_embeds=embedded, attention_mask=mask)
    assert by_embeddings == by_ids


def test_an_answer_cut_short_is_the_beginning_of_one(small: Small) -> None:
    small.draw(0)
    tokens = small.answer(BOXES, 9)
    assert len(tokens) <= 9
    reply = read_boxes(small.tokenizer.decode(tokens, skip_special_tokens=True))
    assert reply.boxes == ()  # never half a box


def test_one_prompt_at_a_time(small: Small) -> None:
    processor = small.forms.processor(COUNT)
    assert processor is not None
    with pytest.raises(ValueError, match="2 prompts at once"):
        processor(torch.zeros(2, 3, dtype=torch.long), torch.zeros(2, 600))


def test_a_model_without_an_end_is_refused(small: Small) -> None:
    with pytest.raises(ValueError, match="no token that ends"):
        AnswerForms(small.tokenizer, 600, [])


def test_tokens_the_tokenizer_does_not_have_are_ruled_out(small: Small) -> None:
    """Qwen2.5's models tell more tokens apart than there are."""
    there = len(small.tokenizer)
    forms = AnswerForms(small.tokenizer, there + 100, small.ends)
    processor = forms.processor(BOXES)
    assert processor is not None
    scores = processor(torch.zeros(1, 3, dtype=torch.long), torch.zeros(1, there + 100))
    assert scores.isneginf()[0, there:].all()
    assert not scores.isneginf()[0, :there].all()


def test_a_token_out_of_form_is_an_error(small: Small) -> None:
    processor = small.forms.processor(COUNT)
    assert processor is not None
    scores = torch.zeros(1, len(small.tokenizer))
    processor(torch.zeros(1, 3, dtype=torch.long), scores)
    wrong = small.tokenizer.convert_tokens_to_ids("A")
    with pytest.raises(RuntimeError, match="form count"):
        processor(torch.tensor([[0, 0, 0, wrong]]), scores)


@pytest.mark.parametrize(
    ("form", "fits", "does_not"),
    [
        (OPTIONS, ["A", "D"], ["C", "AB", "", " A", "a"]),
        (COUNT, ["0", "7", "9999"], ["07", "-1", "1.5", "10000", ""]),
        (METRES, ["0", "0.5", "210.125"], ["-1", ".5", "1.", "1.1234", "1e3", "00", "2 m"]),
        (
            BOXES,
            [
                "[]",
                '{"bbox_3d": [1, 2, 3, 4, 5, 6, 0.5]}',
                '[{"label": "red chair", "bbox_3d": [-1.25, 2, 3, 4, 5, 6, -3.14]}, '
                '{"bbox_3d":[1,2,3,4,5,6,0]}]',
            ],
            [
                "",
                '{"bbox_3d": [1, 2, 3, 4, 5, 6]}',
                '{"bbox_3d": [1, 2, 3, -4, 5, 6, 0]}',
                '{"bbox_3d": [1, 2, 3, 4, 5, 6, 90]}',
                '{"bbox_3d": [1e9, 2, 3, 4, 5, 6, 0]}',
                '{"label": "a"b", "bbox_3d": [1, 2, 3, 4, 5, 6, 0]}',
            ],
        ),
    ],
)
def test_what_the_forms_are(form: Form, fits: list[str], does_not: list[str]) -> None:
    regex = re.compile(form_regex(form))
    assert all(regex.fullmatch(text) for text in fits)
    assert not any(regex.fullmatch(text) for text in does_not)
    if form is BOXES:
        assert all(read_boxes(text).refused == () for text in fits)


def large_tokenizer(count: int) -> PreTrainedTokenizerFast:
    """Byte-level with a vocabulary as large as Qwen2.5's: up to three letters each."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [*alphabet, *(f"{a}{b}" for a in alphabet for b in alphabet)]
    letters = string.ascii_letters + "Ġ"
    words += [f"{a}{b}{c}" for a in letters for b in letters for c in letters]
    vocabulary = {word: n for n, word in enumerate(dict.fromkeys(words[: count - 1]))}
    vocabulary["<|im_end|>"] = len(vocabulary)
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|im_end|>"])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>")


def test_a_large_vocabulary_costs_little() -> None:
    tokenizer = large_tokenizer(152_000)
    assert len(tokenizer) > 150_000
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    forms = AnswerForms(tokenizer, 152_064, [end])
    answer = '[{"label": "chair", "bbox_3d": [1.25, 0.50, 0.45, 0.50, 0.50, 0.90, 0.79]}]'
    ids = torch.tensor([tokenizer(answer)["input_ids"]])
    scores = torch.zeros(1, 152_064)
    start = time.perf_counter()
    processor = forms.processor(BOXES)
    assert processor is not None
    for n in range(ids.shape[1] + 1):
        held = processor(ids[:, :n], scores)
    seconds = time.perf_counter() - start
    assert held.isneginf().sum() == held.numel() - 1 and held[0, end] == 0
    assert seconds / (ids.shape[1] + 1) < 0.02  # a token of a 7B model takes longer
