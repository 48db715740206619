"""The papers' ablations: numbers, what differs, intervals by hand, and tiny models run whole."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from generated_scenes import building

from bench import ablation_runs, ablation_stores, paper_ablations
from bench.ablation_intervals import Answered, difference, mean_over_tasks
from bench.ablation_rows import to_answer, to_learn
from bench.ablation_runs import Scale, examined
from bench.ablation_starts import start_of
from bench.ablation_stores import ClusteredPlan, asked_about, room_of
from bench.ablation_variants import ABLATIONS, FLAT, NEW_POSITIONS, UNTRAINED, Variant
from bench.paper_numbers import PUBLISHED
from spatial_vlm_ros import shipped
from spatial_vlm_ros.config import ProxyConfig
from spatial_vlm_ros.data.row import Row
from spatial_vlm_ros.perception.groups import STRUCTURE
from spatial_vlm_ros.small.checkpoint import PIXELS, SmallSizes, new_model, save
from spatial_vlm_ros.small.texts import texts
from spatial_vlm_ros.small.tokenizer import train_tokenizer
from spatial_vlm_ros.training.config import ModelSettings
from spatial_vlm_ros.training.filling import fill
from spatial_vlm_ros.training.opening import load
from spatial_vlm_ros.training.sources import Simulated
from spatial_vlm_ros.training.store import ProxyStore, StoredProxies

SIZES = SmallSizes(hidden=64, intermediate=64, layers=1, heads=2, kv_heads=1, identifiers=32)
ONE = {"proxy3d": 1, "ssr": 1}


# The papers' numbers --------------------------------------------------------------------------


def test_every_ablation_has_the_papers_numbers() -> None:
    assert list(PUBLISHED) == list(ABLATIONS)
    for name, paper in PUBLISHED.items():
        ablation = ABLATIONS[name]
        assert ablation.reference in paper.rows, name
        assert len(paper.rows) >= 2
        assert set(paper.rows) <= set(ablation.variants), name
        assert len({tuple(row) for row in paper.rows.values()}) == 1, "other metrics"
        assert "Table" in paper.source


def test_numbers_of_ssr_have_the_papers_mean() -> None:
    """VSI-Bench's overall score is the mean over its eight tasks: a slip of the pen shows."""
    for name in ("insertion", "stage_1", "data"):
        for variant, row in PUBLISHED[name].rows.items():
            *tasks, overall = row.values()
            assert len(tasks) == 8
            assert overall == pytest.approx(np.mean(tasks), abs=0.1), (name, variant)
    told = {
        name: {variant: row["VSI-Bench"] for variant, row in PUBLISHED[name].rows.items()}
        for name in ("insertion", "stage_1")
    }
    assert told == {
        "insertion": {"sequential": 72.1, "interleaved": 73.9},
        "stage_1": {"without": 68.8, "with": 71.9},
    }


def test_numbers_of_proxy3d_are_those_of_its_tables() -> None:
    least = {variant: list(row.values()) for variant, row in PUBLISHED["minimum"].rows.items()}
    assert least == {
        "2": [34.7, 27.1, 54.8, 73.3],
        "5": [34.9, 27.3, 55.1, 74.9],
        "10": [34.4, 27.1, 54.7, 73.2],
    }
    located = [PUBLISHED["grouping"].rows[v]["ScanRefer Acc@0.5"] for v in ("off", "on")]
    assert located == [31.0, 52.6]
    # what two ablations share is one row of the paper
    assert PUBLISHED["grouping"].rows["on"] == PUBLISHED["map_resolution"].rows["x1"]
    assert PUBLISHED["budget"].rows["700"] == PUBLISHED["coordinates"].rows["on"]


def test_variants_differ_in_one_thing() -> None:
    for name, ablation in ABLATIONS.items():
        reference = _flattened(ablation.variants[ablation.reference])
        for variant, settings in ablation.variants.items():
            found = _flattened(settings)
            others = [key for key in found if found[key] != reference[key]]
            assert len(others) == (variant != ablation.reference), (name, variant, others)


def _flattened(variant) -> dict:
    fields = asdict(variant)
    return {**{f"proxies.{k}": v for k, v in fields.pop("proxies").items()}, **fields}


# Intervals ------------------------------------------------------------------------------------


def asked(*scores: tuple[str, str, float]) -> list[Answered]:
    return [Answered(str(n), *each) for n, each in enumerate(scores)]


def test_tasks_count_alike_however_often_they_are_asked() -> None:
    answered = asked(("a", "x", 1.0), ("a", "x", 0.0), ("b", "x", 0.0), ("b", "y", 1.0))
    assert mean_over_tasks(answered) == pytest.approx((1 / 3 + 1) / 2)
    assert mean_over_tasks(answered, ["x"]) == pytest.approx(1 / 3)
    assert np.isnan(mean_over_tasks(answered, ["z"]))


def test_differences_of_two_rooms_by_hand() -> None:
    """Of the four draws of two rooms one is twice the first, one twice the second."""
    second = asked(("a", "x", 0.0), ("b", "x", 0.5))
    first = asked(("a", "x", 1.0), ("b", "x", 0.5))
    assert difference(first, second) == pytest.approx((0.5, 0.0, 1.0))
    assert difference(second, first) == pytest.approx((-0.5, -1.0, 0.0))
    # twice a: x 1/2 and no y; twice b: x 0, y 1; both: x 1/3, y 1
    nothing = asked(("a", "x", 0.0), ("a", "x", 0.0), ("b", "x", 0.0), ("b", "y", 0.0))
    some = [each._replace(right=right) for each, right in zip(nothing, (1.0, 0, 0, 1), strict=True)]
    assert difference(some, nothing) == pytest.approx((2 / 3, 0.5, 2 / 3))
    assert difference(some, nothing, ["y"])[0] == 1.0


def test_what_is_hard_for_both_is_no_noise() -> None:
    rng = np.random.default_rng(0)
    second = asked(*((f"room {n}", "x", right) for n, right in enumerate(rng.uniform(0, 0.9, 20))))
    first = [each._replace(right=each.right + 0.1) for each in second]
    assert difference(first, second) == pytest.approx((0.1, 0.1, 0.1))


def test_many_rooms_give_the_interval_of_their_standard_error() -> None:
    rng = np.random.default_rng(0)
    right = rng.uniform(0, 1, 400)
    second = asked(*((f"room {n}", "x", 0.0) for n in range(400)))
    first = [each._replace(right=r) for each, r in zip(second, right.tolist(), strict=True)]
    found = difference(first, second)
    half = 1.96 * right.std() / 20
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.08)
    assert found.low < found.mean < found.high


def test_one_room_tells_nothing_and_other_questions_are_refused() -> None:
    one = asked(("a", "x", 1.0), ("a", "y", 0.0))
    assert np.isnan(difference(one, one)[1:]).all()
    with pytest.raises(ValueError, match="not asked the same questions"):
        difference(one, one[:1])


# What variants are shown ----------------------------------------------------------------------

WALL, CHAIR, CUP = STRUCTURE, 4, 7


@pytest.fixture
def patches(tmp_path: Path) -> Path:
    """A room with 300 patches of a wall, 90 of a chair before it, and 6 of a cup on that."""
    rng = np.random.default_rng(0)
    groups = np.repeat([WALL, CHAIR, CUP], [300, 90, 6])
    points = rng.uniform(0, 1, (396, 3)) * np.array([[6, 0.1, 2.5]])
    points[300:390] = rng.uniform(0, 0.5, (90, 3)) + np.array([3, -0.5, 0])
    points[390:] = rng.uniform(0, 0.1, (6, 3)) + np.array([3.2, -0.3, 0.5])
    kept = StoredProxies(
        torch.eye(3)[np.unique(groups, return_inverse=True)[1]].half(),
        torch.from_numpy(points).float(),
        torch.from_numpy(groups),
        0.0,
    )
    ProxyStore.create(tmp_path / "patches", "tower", {}).put("simulated/room-3-1", kept)
    return tmp_path / "patches"


def clustered(patches: Path, asked: int = 0, **settings) -> dict[str, StoredProxies]:
    """By scene; the room's objects are the chair and the cup."""
    objects = tuple(replace(building(3).objects[0], id=number) for number in (CHAIR, CUP))
    known = replace(building(3), objects=objects)
    plan = ClusteredPlan(patches, ProxyConfig(**settings), asked)
    folder = patches.with_name(plan.key)
    fill(folder, plan, plan.sources([known]), progress=False)
    store = ProxyStore.open(folder)
    return {name: store[name] for name in store.names}


def test_without_groups_proxies_are_of_several_objects(patches: Path) -> None:
    (on,) = clustered(patches, budget=40).values()
    (off,) = clustered(patches, budget=40, grouping=False).values()
    assert len(on.features) == len(off.features) == 40
    assert (on.features.amax(1) == 1).all()
    assert (off.features.amax(1) < 1).any()


def test_the_object_asked_about_has_as_many_proxies_as_it_should(patches: Path) -> None:
    whole = clustered(patches, budget=40)["simulated/room-3-1"]
    assert int((whole.groups == CUP).sum()) == 1
    found = clustered(patches, asked=5, budget=40)
    assert set(found) == {f"simulated/room-3-1/asked-{number}" for number in (CHAIR, CUP)}
    shown = found[f"simulated/room-3-1/asked-{CUP}"]
    assert int((shown.groups == CUP).sum()) == 5
    assert len(shown.groups) == 40
    assert room_of("simulated/room-3-1/asked-7") == ("simulated/room-3-1", 7)
    assert room_of("simulated/room-3-1") == ("simulated/room-3-1", None)


# Rows -----------------------------------------------------------------------------------------


def test_rows_are_about_the_object_that_is_asked_about() -> None:
    known = building(3)
    numbers = asked_about(known)
    scenes = {
        name: replace(known, name=name)
        for name in (f"{known.name}/asked-{number}" for number in numbers)
    }
    rows = to_learn("proxy3d", scenes, ("coordinates", "identifiers", "relations"))
    assert {row.scene for row in rows} == set(scenes)
    for row in rows:
        assert {ref.object for ref in row.refs} == {room_of(row.scene)[1]}
    assert len({row.id for row in rows}) == len(rows)
    held_out = to_answer("proxy3d", scenes, 3, lambda row: row.subtask != "side")
    assert {row.task for row in held_out} == {"identify", "coordinates", "counting"}
    assert {row.scene for row in held_out} <= set(scenes)


def test_ssr_is_asked_what_vsi_bench_asks_and_learns_what_the_variant_says() -> None:
    scenes = {building(3).name: building(3)}
    held_out = to_answer("ssr", scenes, 2, lambda row: True)
    tasks = {"counting", "distance", "object_size", "nearest", "direction", "order"}
    assert tasks <= {row.task for row in held_out}
    assert {row.dataset for row in held_out} == {"spacespan-vsi"}
    about = {row.task for row in to_answer("proxy3d", scenes, 2, lambda row: True)}
    assert about == {"identify", "coordinates", "counting", "object_size"}
    learnt = {
        variant: {row.task for row in to_learn("ssr", scenes, settings.generators)}
        for variant, settings in ABLATIONS["data"].variants.items()
    }
    more = {"+ grounding": {"grounding"}, "+ scene graph": {"local_map"}}
    assert not learnt["base"] & {"grounding", "local_map"}
    for variant, added in more.items():
        assert learnt[variant] - learnt["base"] == added
    assert learnt["+ both"] - learnt["base"] == {"grounding", "local_map"}


# Models ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("small")
    rows = [Row("1", "vsi", "a/b", "counting", "How many chairs are there?", "3")]
    for kind, spatial in (("proxy3d", None), ("ssr", {"source": "points"})):
        cut = train_tokenizer(texts(rows), 500)
        model = new_model(kind, cut, None, SIZES, spatial, seed=1)
        if spatial is None:
            torch.nn.init.normal_(model.position.mlp[-1].weight)  # as if it had learnt
        save(folder / kind, model, cut, PIXELS[kind])
    return {kind: str(folder / kind) for kind in ("proxy3d", "ssr")}


def weights(checkpoint: str) -> dict[str, torch.Tensor]:
    kind = json.loads(Path(checkpoint, "config.json").read_text())["model_type"]
    return load(ModelSettings(kind, checkpoint), torch.float32).model.state_dict()


def test_starts_forget_what_they_should(checkpoints: dict[str, str], tmp_path: Path) -> None:
    given = weights(checkpoints["proxy3d"])
    anew = weights(start_of(tmp_path / "p", "proxy3d", checkpoints["proxy3d"], NEW_POSITIONS))
    changed = {name for name in given if not torch.equal(given[name], anew[name])}
    assert changed
    assert all(name.startswith("position.") for name in changed)
    assert not anew["position.mlp.2.weight"].any()
    given = weights(checkpoints["ssr"])
    flat = weights(start_of(tmp_path / "s", "ssr", checkpoints["ssr"], FLAT))
    assert given.keys() - flat.keys() == {name for name in given if name.startswith("spatial.")}
    assert all(torch.equal(given[name], flat[name]) for name in flat)
    untrained = weights(start_of(tmp_path / "s", "ssr", checkpoints["ssr"], UNTRAINED))
    assert untrained.keys() == flat.keys()
    for name, weight in untrained.items():
        if weight.ndim > 1:
            kept = torch.equal(weight, flat[name])
            assert kept == name.startswith("model.visual."), name


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rooms of four small images each."""

    def few(seed: int) -> Simulated:
        return Simulated(seed, views=4, width=112, height=84)

    monkeypatch.setattr(ablation_stores, "Simulated", few)


def test_the_command_trains_asks_and_goes_on_where_it_was_killed(
    checkpoints: dict[str, str],
    tiny: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(paper_ablations, "FOLDER", tmp_path / "work")
    monkeypatch.setattr(paper_ablations, "OUTPUT", tmp_path / "paper.json")
    monkeypatch.setattr(paper_ablations, "Scale", partial(Scale, batch=1, of_task=ONE))
    trained, train = [], ablation_runs.train

    def counted(config, **others):
        trained.append(config)
        if len(trained) == 3:
            raise KeyboardInterrupt  # killed in the third training
        return train(config, **others)

    monkeypatch.setattr(ablation_runs, "train", counted)
    asked = ["--only", "grouping", "insertion", "--steps", "2", "--rooms", "1", "--held-out", "1"]
    asked += ["--workers", "1"]
    asked += [part for kind, path in checkpoints.items() for part in (f"--{kind}", path)]
    with pytest.raises(KeyboardInterrupt):
        paper_ablations.main(asked)
    assert paper_ablations.main(asked) == 0
    assert [config.model.insertion for config in trained[2:]] == [
        "sequential",  # killed
        "sequential",
        "interleaved",
    ]
    told = capsys.readouterr().out
    assert paper_ablations.main(asked) == 0
    assert len(trained) == 5, "what was finished was trained again"
    assert not list((tmp_path / "work" / "runs").iterdir())

    found = json.loads((tmp_path / "paper.json").read_text())
    assert found["steps"] == {"proxy3d": 2, "ssr": 2}
    grouping, insertion = (found["ablations"][name] for name in ("grouping", "insertion"))
    assert {"identify", "coordinates"} <= set(grouping["questions_of_task"])
    assert set(insertion["questions_of_task"]) <= {
        *("counting", "distance", "object_size", "room_size"),
        *("nearest", "direction", "route", "order"),
    }
    for table in (grouping, insertion):
        for variant, row in table["variants"].items():
            assert f"{variant}" in told
            assert row["mean"] == pytest.approx(np.mean(list(row["tasks"].values())))
            assert 0 <= row["mean"] <= 1
            assert row["difference"]["low"] is None  # of a single room
        assert table["variants"][table["reference"]]["difference"]["mean"] == 0
    assert grouping["variants"]["off"]["paper"]["ScanRefer Acc@0.5"] == 31.0
    assert "VSI-Bench           sequential 72.1   interleaved 73.9" in told


@pytest.mark.parametrize(
    ("name", "variant"), [("coordinates", "on"), ("minimum", "5"), ("stage_1", "without")]
)
def test_other_variants_are_trained_as_they_say(
    name: str,
    variant: str,
    checkpoints: dict[str, str],
    tiny: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trained, train = [], ablation_runs.train

    def seen(config, **others):
        trained.append((config, weights(config.model.checkpoint)))
        return train(config, **others)

    monkeypatch.setattr(ablation_runs, "train", seen)
    scale = Scale(tmp_path, checkpoints, {"proxy3d": 2, "ssr": 2}, 1, 1, batch=1, of_task=ONE)
    found = examined(ABLATIONS[name].variants[variant], scale)
    assert {each.room for each in found} == {"simulated/room-100000"}
    assert found == sorted(found)
    shown = [config.data.shown for config, _ in trained]
    first = trained[0][1]
    if name == "coordinates":
        assert shown == ["placed_symbols", "proxies"]
        assert not first["position.mlp.2.weight"].any()
        assert trained[1][1]["position.mlp.2.weight"].any(), "the first stage taught nothing"
    elif name == "minimum":
        assert shown == ["proxies"]
        assert all("asked" in each.id for each in found)
    else:
        assert shown == ["frames"]
        assert not torch.equal(
            first["lm_head.weight"], weights(checkpoints["ssr"])["lm_head.weight"]
        )


def test_impossible_settings_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for asked, said in (
        (["--steps", "0", "--ssr", "any"], "must be at least 1"),
        (["--only", "colour"], "invalid choice: 'colour'"),
        (["--only", "budget", "--proxy3d", "nowhere/at-all"], "budget: there is no folder nowhere"),
    ):
        assert said in refused(asked, capsys)


def refused(asked: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        paper_ablations.main(asked)
    assert ended.value.code
    return capsys.readouterr().err


def test_where_no_model_ships_one_must_be_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started: list[str] = []

    def stopped(variant: Variant, scale: Scale) -> list[Answered]:
        started.append(scale.checkpoints[variant.kind])
        return asked(("a", "counting", 1.0))

    monkeypatch.setattr(paper_ablations, "examined", stopped)
    monkeypatch.setattr(paper_ablations, "OUTPUT", tmp_path / "paper.json")
    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "weights")
    said = refused([], capsys)
    assert "grouping, coordinates, budget, map_resolution, minimum: no proxy3d-small ships" in said
    assert "data: no ssr-small ships, pass --ssr CHECKPOINT" in said
    (tmp_path / "weights" / "proxy3d-small").mkdir(parents=True)
    (tmp_path / "weights" / "proxy3d-small" / "config.json").write_text("{}")
    assert "insertion: no ssr-small" in refused(["--only", "grouping", "insertion"], capsys)
    assert not started
    assert paper_ablations.main([]) == 0
    told = "left out: insertion, stage_1, data: no ssr-small ships, pass --ssr CHECKPOINT"
    assert capsys.readouterr().out.splitlines()[-1] == told
    assert set(started) == {"proxy3d-small"}
    found = json.loads((tmp_path / "paper.json").read_text())
    assert found["left_out"] == ["insertion", "stage_1", "data"]
    assert [*found["ablations"], *found["left_out"]] == list(ABLATIONS)
    assert paper_ablations.main(["--ssr", "mine"]) == 0
    assert set(started) == {"proxy3d-small", "mine"}
    assert json.loads((tmp_path / "paper.json").read_text())["left_out"] == []
