"""Scene inputs come back as they were stored; what is not whole or of another kind is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from spatial_vlm_ros.training.store import FrameStore, ProxyStore, StoredFrames, StoredProxies

SETTINGS = {"budget": 4}


def proxies(seed: int = 0, count: int = 4) -> StoredProxies:
    draw = torch.Generator().manual_seed(seed)
    return StoredProxies(
        torch.randn(count, 6, generator=draw).half(),
        torch.randn(count, 3, generator=draw),
        torch.arange(count) - 2,
        floor_z=-1.2 - seed,
        shift=seed,
    )


def frames(spatial: bool = True) -> StoredFrames:
    maps = torch.full((2, 2, 4, 3), torch.nan)
    maps[0, 1, 2] = torch.tensor([1.0, 2.0, 3.0])
    images = torch.arange(2 * 3 * 28 * 56).reshape(2, 3, 28, 56).to(torch.uint8)
    return StoredFrames(images, maps if spatial else None)


def test_proxies_come_back(tmp_path: Path) -> None:
    store = ProxyStore.create(tmp_path / "new", "tower-0123", SETTINGS)
    for seed, name in enumerate(["simulated/room-12", "scannet/scene0000_00"]):
        assert name not in store
        store.put(name, proxies(seed))
    again = ProxyStore.open(tmp_path / "new")
    assert again.names == ("scannet/scene0000_00", "simulated/room-12")
    assert (again.encoder, again.settings) == ("tower-0123", SETTINGS)
    assert "simulated/room-12" in again
    found, given = again["scannet/scene0000_00"], proxies(1)
    assert found.features.dtype == torch.float16
    assert found.floor_z == given.floor_z == -2.2
    assert (found.shift, again["simulated/room-12"].shift) == (1, 0)
    for part in ("features", "points_scene", "groups"):
        assert torch.equal(getattr(found, part), getattr(given, part))


def test_proxies_of_before_there_was_a_shift_are_read(tmp_path: Path) -> None:
    store, given = ProxyStore.create(tmp_path, "tower", {}), proxies()
    parts = {name: getattr(given, name) for name in ("features", "points_scene", "groups")}
    content = save(parts, {"scene": "a/b", "numbers": '{"floor_z": -1.2}'})
    (tmp_path / "a__b.safetensors").write_bytes(content)
    found = store["a/b"]
    assert (found.floor_z, found.shift) == (-1.2, 0)


@pytest.mark.parametrize("spatial", [True, False])
def test_frames_come_back_with_what_is_unknown(tmp_path: Path, spatial: bool) -> None:
    store = FrameStore.create(tmp_path, "", {})
    store.put("3rscan/ab-cd", frames(spatial))
    found, given = FrameStore.open(tmp_path)["3rscan/ab-cd"], frames(spatial)
    assert torch.equal(found.images, given.images)
    if spatial:
        torch.testing.assert_close(found.spatial, given.spatial, equal_nan=True, rtol=0, atol=0)
    else:
        assert found.spatial is None


def test_another_kind_or_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"store\.json cannot be read .* precompute it first"):
        ProxyStore.open(tmp_path)
    FrameStore.create(tmp_path, "", {})
    with pytest.raises(ValueError, match="is of frames .* not of proxies"):
        ProxyStore.open(tmp_path)
    head = json.loads((tmp_path / "store.json").read_text()) | {"format": "other 9"}
    (tmp_path / "store.json").write_text(json.dumps(head))
    with pytest.raises(ValueError, match=r"\(other 9\)"):
        FrameStore.open(tmp_path)


def test_a_store_is_continued_only_with_its_own_encoder_and_settings(tmp_path: Path) -> None:
    ProxyStore.create(tmp_path, "tower", {"order": "bfs", "size": (1, 2)}).put("a/b", proxies())
    same = ProxyStore.create(tmp_path, "tower", {"order": "bfs", "size": (1, 2)})
    assert same.names == ("a/b",)
    for encoder, settings in (("other", same.settings), ("tower", {"order": "dfs_mst"})):
        with pytest.raises(ValueError, match="choose another folder"):
            ProxyStore.create(tmp_path, encoder, settings)


def test_what_is_missing_or_damaged_is_named(tmp_path: Path) -> None:
    store = ProxyStore.create(tmp_path, "tower", {})
    with pytest.raises(KeyError, match="scene a/b is not in"):
        store["a/b"]
    store.put("a/b", proxies())
    path = tmp_path / "a__b.safetensors"
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(ValueError, match=r"a__b\.safetensors is damaged"):
        store["a/b"]


def test_a_scene_cut_off_while_it_is_written_is_not_there(tmp_path: Path, monkeypatch) -> None:
    store = ProxyStore.create(tmp_path, "tower", {})

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("spatial_vlm_ros.training.store.save", killed)
        with pytest.raises(KeyboardInterrupt):
            store.put("a/b", proxies())
    assert "a/b" not in store
    assert store.names == ()


@pytest.mark.parametrize("name", ["", "a__b", "../a"])
def test_names_that_would_be_mixed_up_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="cannot be a scene's name"):
        ProxyStore.create(tmp_path, "tower", {}).put(name, proxies())


def test_shapes_are_checked() -> None:
    whole = proxies()
    with pytest.raises(ValueError, match=r"points_scene are \(3, 3\)"):
        StoredProxies(whole.features, whole.points_scene[:3], whole.groups, 0.0)
    with pytest.raises(ValueError, match=r"groups are \(4,\) torch.int32"):
        StoredProxies(whole.features, whole.points_scene, whole.groups.int(), 0.0)
    with pytest.raises(ValueError, match=r"images are .* torch.float32"):
        StoredFrames(frames().images.float())
    with pytest.raises(ValueError, match=r"spatial are \(2, 4, 4, 3\)"):
        StoredFrames(frames().images, torch.zeros(2, 4, 4, 3))
