"""Small models: made of the full models' classes, with the files of theirs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from spatial_vlm_ros.cli import main
from spatial_vlm_ros.data.row import Row
from spatial_vlm_ros.models.proxy3d import Proxy3DForConditionalGeneration
from spatial_vlm_ros.models.ssr import SSRForConditionalGeneration
from spatial_vlm_ros.reasoners.config import ModelConfig
from spatial_vlm_ros.reasoners.prompt import ChatPrompt
from spatial_vlm_ros.reasoners.scene_inputs import proxy_inputs
from spatial_vlm_ros.serving.loading import load_proxy3d, load_ssr
from spatial_vlm_ros.small.checkpoint import (
    PIXELS,
    TRAINED_TOWER,
    SmallSizes,
    new_model,
    read_tower,
    save,
)
from spatial_vlm_ros.small.texts import room_rows, texts
from spatial_vlm_ros.small.tokenizer import SPECIAL, train_tokenizer
from spatial_vlm_ros.vision.images import fit_size
from spatial_vlm_ros.vision.qwen import QwenTower
from spatial_vlm_ros.vision.reference_features import ReferenceFeatures

ROWS = [
    Row("1", "vsi", "a/b", "counting", "How many chairs are in this room?", "3"),
    Row("2", "own", "a/b", "grounding", "Locate the chair nearest to #7.", "[]"),
    Row("3", "own", "a/b", "identify", "What is #12?", "B", options=("lamp", "red mug")),
    Row("4", "own", "a/b", "grounding", "Locate all lamps.", "[]"),
]
SIZES = SmallSizes(hidden=64, intermediate=64, layers=1, heads=2, kv_heads=1, identifiers=16)


def tokenizer(kind: str = "proxy3d"):
    return train_tokenizer(texts(ROWS), 600, 16 if kind == "proxy3d" else 0)


# The tokenizer -------------------------------------------------------------------------------


def test_any_text_is_written_and_read_again() -> None:
    cut = tokenizer()
    for text in (
        "How many chairs?",
        "Wo ist die Tür? 多少",
        '[{"bbox_3d": [-1.20, 3]}]',
        "\n a  b",
    ):
        ids = cut(text, add_special_tokens=False)["input_ids"]
        assert cut.decode(ids) == text
    assert len(cut) <= 600


def test_digits_stand_alone_and_numbers_of_objects_are_one_token() -> None:
    cut = tokenizer()
    assert cut.tokenize("-12.50")[-5:] == ["1", "2", ".", "5", "0"]
    assert cut.tokenize("<OBJ007>") == ["<OBJ007>"]
    assert len(tokenizer("ssr").tokenize("<OBJ007>")) > 1
    said = cut("(<OBJ007>)", add_special_tokens=False)["input_ids"]
    assert cut.decode(said, skip_special_tokens=True) == "(<OBJ007>)"


def test_special_tokens_follow_each_other_as_in_qwen() -> None:
    cut = tokenizer()
    ids = cut.convert_tokens_to_ids(list(SPECIAL))
    assert ids == list(range(ids[0], ids[0] + len(SPECIAL)))
    assert cut.eos_token == "<|im_end|>"


def test_its_template_is_that_of_qwen() -> None:
    text = ChatPrompt(tokenizer(), "Be brief.").before_question("X")
    assert text == "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nX"
    asked = ChatPrompt(tokenizer(), "Be brief.").question("How many?")
    assert asked == "\nHow many?<|im_end|>\n<|im_start|>assistant\n"


def test_texts_are_as_the_model_reads_them() -> None:
    told = list(texts(ROWS))
    assert "Locate the chair nearest to <OBJ007>." in told
    assert any("A. lamp\nB. red mug" in text and "letter" in text for text in told)
    assert told.count("None") == 2
    assert told.count("[]") == 1  # as an SSR answers, which knows no numbers


def test_texts_are_of_questions_about_rooms_where_none_are_given() -> None:
    rows = list(room_rows([3], 1))
    assert len({row.task for row in rows}) > 8
    assert [row.id for row in room_rows([3], 1)] == [row.id for row in rows]


# Checkpoints ---------------------------------------------------------------------------------


def test_checkpoints_load_as_what_they_are(tmp_path: Path) -> None:
    for kind, load, spatial, expected in (
        ("proxy3d", load_proxy3d, None, Proxy3DForConditionalGeneration),
        ("ssr", load_ssr, None, SSRForConditionalGeneration),
        ("ssr", load_ssr, {"source": "points"}, SSRForConditionalGeneration),
    ):
        cut = tokenizer(kind)
        made = new_model(kind, cut, sizes=SIZES, spatial=spatial)
        save(tmp_path / kind, made, cut, PIXELS[kind])
        loaded = load(ModelConfig(str(tmp_path / kind), "cpu", "float32"))
        assert type(loaded.model) is expected
        for name, weight in made.state_dict().items():
            assert torch.equal(loaded.model.state_dict()[name], weight), name
        assert loaded.tokenizer.get_vocab() == cut.get_vocab()
        assert loaded.model.generation_config.eos_token_id == cut.convert_tokens_to_ids(
            ["<|im_end|>", "<|endoftext|>"]
        )


def test_both_kinds_together_fit_into_thirty_megabytes() -> None:
    cut = train_tokenizer(texts(ROWS), 1200, 64)
    grown = 1200 - len(cut)  # of more text it would have all tokens
    weights = 0
    for kind, spatial in (("proxy3d", None), ("ssr", {"source": "points"})):
        model = new_model(kind, cut, spatial=spatial)
        weights += sum(part.numel() for part in model.parameters())
        weights += 2 * grown * SmallSizes.hidden
    assert 2 * weights < 30e6


def test_seeds_give_weights_and_an_unknown_kind_is_refused() -> None:
    cut = tokenizer()
    one, same, other = (
        new_model("proxy3d", cut, sizes=SIZES, seed=seed).lm_head.weight for seed in (1, 1, 2)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    with pytest.raises(ValueError, match="'chat' is neither"):
        new_model("chat", cut)


def test_a_model_begins_with_the_language_model_of_another() -> None:
    cut = tokenizer()
    taught = new_model("proxy3d", cut, sizes=SIZES, seed=1)
    ssr = new_model("ssr", cut, sizes=SIZES, seed=2, language=taught)
    for name in ("model.language_model", "lm_head"):
        same = taught.get_submodule(name).state_dict()
        for part, weight in ssr.get_submodule(name).state_dict().items():
            assert torch.equal(weight, same[part]), part
    tower = ssr.model.visual.patch_embed.proj.weight
    assert not torch.equal(tower, taught.model.visual.patch_embed.proj.weight)
    with pytest.raises(ValueError, match="language: its language model has other sizes"):
        new_model("ssr", cut, language=taught)


def test_the_command_makes_an_ssr_of_a_proxy3d(tmp_path: Path, capsys) -> None:
    first, second = str(tmp_path / "proxy3d"), str(tmp_path / "ssr")
    cut = train_tokenizer(texts(ROWS), 500, 64)
    save(tmp_path / "proxy3d", new_model("proxy3d", cut), cut, PIXELS["proxy3d"])
    assert main(["small", "model", "ssr", second, "--language", first]) == 0
    made = load_ssr(ModelConfig(second, "cpu", "float32"))
    taught = load_proxy3d(ModelConfig(first, "cpu", "float32"))
    assert torch.equal(made.model.lm_head.weight, taught.model.lm_head.weight)
    assert made.tokenizer.get_vocab() == cut.get_vocab()
    for other in (["--rows", first], ["--vocabulary", "300"]):
        assert main(["small", "model", "ssr", second, "--language", first, *other]) == 2
        assert "--rows and --vocabulary have no meaning" in capsys.readouterr().err
    settings = tmp_path / "proxy3d" / "config.json"
    settings.write_text(settings.read_text().replace('"proxy3d"', '"qwen2_5_vl"'))
    assert main(["small", "model", "ssr", second, "--language", first]) == 2
    assert "is of a qwen2_5_vl, not a proxy3d or ssr" in capsys.readouterr().err


def test_a_camera_is_seen_as_the_tower_was_trained() -> None:
    assert fit_size(480, 640, 28, PIXELS["proxy3d"]) == (252, 336)
    assert fit_size(480, 640, 28, PIXELS["ssr"]) == (168, 224)


def test_an_untrained_model_looks_for_the_object_that_is_asked_about() -> None:
    """Numbers find the proxies that bear them, nouns those of their kind, others none; the end
    finds in a later layer what has found something, however far the scene and its heights reach.
    """
    cut = train_tokenizer(texts(ROWS), 900, 64)
    model = new_model("proxy3d", cut, read_tower(TRAINED_TOWER))
    features = ReferenceFeatures(QwenTower.of(model.model.visual, "small", 86_000), None)
    names = ["chair", "lamp", "door", "mug", "plant", "desk"]
    bearers = [7, 12, 3, 41, 60, 22]
    scene = proxy_inputs(
        features.semantics(names),
        torch.tensor(bearers),
        torch.tensor([[3.0 * n - 8, 4.0 - n, 0.4 * n] for n in range(6)]),
        0.0,
        {number: features.identifier(number) for number in bearers},
    )
    config = model.config
    before = [
        *cut("Of <OBJ007>", add_special_tokens=False)["input_ids"],
        config.vision_start_token_id,
    ]
    asked = cut(" What is <OBJ041>, the chair?", add_special_tokens=False)["input_ids"]
    ids = torch.tensor([[*before, *[config.proxy_token_id] * 6, *asked]])
    said = cut.convert_ids_to_tokens(ids[0].tolist())
    far = torch.arange(ids.shape[1]) + 700 * (torch.arange(ids.shape[1]) >= len(before) + 6)
    model.set_attn_implementation("eager")
    with torch.inference_mode():
        layers = model(
            input_ids=ids, position_ids=far.expand(3, 1, -1), output_attentions=True, **scene
        ).attentions
    first, begin = layers[0][0], len(before)
    number, noun, other = (said.index(word) for word in ("<OBJ041>", "Ġchair", "Ġthe"))
    assert (first[[0, 2], number, begin + 3] > 0.9).all()
    assert first[1, noun, begin] > 0.9
    assert (first[:, other, begin - 1] > 0.5).all()
    assert first[1, number, begin - 1] > 0.5
    found = layers[2][0][:, -1]
    assert (found[:, [number, noun]].sum(1) > 0.5).all()
    assert (found[:, said.index("<OBJ007>")] < 0.1).all()


def test_a_width_that_the_layout_is_not_for_is_refused() -> None:
    tower = read_tower(TRAINED_TOWER)
    with pytest.raises(ValueError, match="the layout is for"):
        new_model("proxy3d", tokenizer(), tower, SmallSizes(heads=4, kv_heads=4))


def test_places_begin_as_different_as_they_are_far() -> None:
    position = new_model(
        "proxy3d", train_tokenizer(texts(ROWS), 900, 64), read_tower(TRAINED_TOWER)
    ).position
    with torch.inference_mode():
        here, near, far = position.place(torch.tensor([[0.0, 0, 0], [0.3, 0, 0], [3.0, 2, 0]]))
    assert not torch.stack([here, near, far])[:, 0:64:2].any()
    assert not here[64:].any()
    assert 0 < (here - near).norm() < 0.5 * (here - far).norm()


def test_where_an_object_is_weighs_in_what_is_said_of_it() -> None:
    """Seen from the end of a question, once with the object here, once there."""
    cut = train_tokenizer(texts(ROWS), 900, 64)
    model = new_model("proxy3d", cut, read_tower(TRAINED_TOWER))
    features = ReferenceFeatures(QwenTower.of(model.model.visual, "small", 86_000), None)
    bearers = [7, 41, 22]
    asked = cut("Where is <OBJ041>?", add_special_tokens=False)["input_ids"]
    begin, proxy = model.config.vision_start_token_id, model.config.proxy_token_id
    ids = torch.tensor([[begin, *[proxy] * 3, *asked]])
    states = []
    for place in torch.cartesian_prod(torch.tensor([-4.0, -1.0, 1.0, 4.0]), torch.arange(-3.0, 4)):
        scene = proxy_inputs(
            features.semantics(["chair", "lamp", "door"]),
            torch.tensor(bearers),
            torch.tensor([[2.0, 3, 1], [*place.tolist(), 0.5], [-3, 0, 1]]),
            0.0,
            {number: features.identifier(number) for number in bearers},
        )
        with torch.inference_mode():
            seen = model(input_ids=ids, output_hidden_states=True, **scene).hidden_states
        states.append(seen[-1][0, -1])
    found = torch.stack(states)
    share = found.var(0).mean() / found.square().mean()
    assert share > 0.15
