"""SAM 2 and EdgeTAM from the files to masks, beside transformers' own sessions."""

import dataclasses
import json
import shutil
import time

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from small_trackers import PREPROCESSOR, SIZE, save_small_edgetam, save_small_sam2
from torch.nn.functional import interpolate
from transformers import ViTImageProcessorPil
from transformers.models.edgetam_video.modeling_edgetam_video import EdgeTamVideoInferenceSession
from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

from spatial_vlm_ros.frame import Detection
from spatial_vlm_ros.perception.segments import UNNAMED
from spatial_vlm_ros.simulation import robot
from spatial_vlm_ros.simulation.record import build
from spatial_vlm_ros.simulation.renderer import Renderer
from spatial_vlm_ros.tracking.config import TrackerConfig
from spatial_vlm_ros.tracking.loading import open_propagator, open_tracker
from spatial_vlm_ros.tracking.network import Network
from spatial_vlm_ros.tracking.sam2 import Sam2Propagator

H, W = 96, 128
SAVE = {"sam2": save_small_sam2, "edgetam": save_small_edgetam}
COLOURS = [PREPROCESSOR["image_mean"], PREPROCESSOR["image_std"]]
SESSION = {"sam2": Sam2VideoInferenceSession, "edgetam": EdgeTamVideoInferenceSession}


@pytest.fixture(scope="session", params=list(SAVE))
def kind(request):
    return request.param


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    folders = {name: tmp_path_factory.mktemp(name) for name in SAVE}
    for name, save in SAVE.items():
        save(folders[name])
    return folders


@pytest.fixture(scope="session")
def models(folders):
    """Loaded once; they have no state."""
    return {name: opened(folder)._network._model for name, folder in folders.items()}


@pytest.fixture
def propagator(models, kind):
    return Sam2Propagator(Network(models[kind]), COLOURS, 16)


def opened(folder, **settings):
    return open_propagator(TrackerConfig(checkpoint=str(folder), device="cpu", **settings))


@pytest.fixture(scope="session")
def clip():
    """Images of a simulated drive."""
    world, drive = build(3, 1)
    renderer = Renderer(world.mesh(), world.room_lights(), robot.camera(W, H))
    poses = drive.pose(np.arange(40) * 0.1)
    return [
        renderer.render(robot.camera_pose(robot.base_pose(*pose))).rgb for pose in poses
    ]  # fmt: skip


def discs():
    """Three masks (SIZE / 4)² as logits."""
    rows, columns = np.mgrid[: SIZE // 4, : SIZE // 4]
    return [
        np.where((rows - v) ** 2 + (columns - u) ** 2 < r**2, 8.0, -8.0).astype(np.float32)
        for u, v, r in ((8, 10, 5), (20, 16, 7), (26, 26, 4))
    ]


def reference(propagator, kind, images, masks):
    """(n, k, h, w) logits and (n, k) presence of transformers' own session, image by image."""
    model = propagator._network._model
    session = SESSION[kind](dtype=torch.float32)
    outs = []
    for number, image in enumerate(images):
        pixels = propagator.pixels(image)
        if number == 0:
            session.add_new_frame(pixels)
            for name, mask in enumerate(masks):
                index = session.obj_id_to_idx(name)
                fine = interpolate(torch.from_numpy(mask)[None, None], (SIZE,) * 2, mode="bilinear")
                session.add_mask_inputs(index, 0, (fine > 0).float())
                session.obj_with_new_inputs.append(name)
            model(session, frame_idx=0)
        else:
            out = model(session, frame=pixels)
            outs.append((out.pred_masks[:, 0], out.object_score_logits[:, 0]))
    return [torch.stack(part) for part in zip(*outs, strict=True)], session


@pytest.mark.parametrize("count", [1, 3])
def test_masks_are_those_of_transformers_own_session(propagator, kind, clip, count, monkeypatch):
    # Both round SAM 2's memories to bfloat16. A value in between goes either way by the last bit of
    # what is before it, and that depends on the size of a batch: here neither rounds.
    monkeypatch.setattr(torch, "bfloat16", torch.float32)
    shown, hidden, error = compare(propagator, kind, clip[:12], discs()[:count])
    assert error < 2e-5
    assert shown and (hidden or (kind, count) != ("sam2", 3))  # the weights show both there


def test_rounded_memories_change_little(propagator, kind, clip):
    assert compare(propagator, kind, clip[:12], discs())[2] < 2e-3  # the logits' deviation is 1.6


def compare(propagator, kind, images, masks):
    """How many are shown, how many hidden, and the largest difference of any logit."""
    (logits, presence), _ = reference(propagator, kind, images, masks)
    propagator.step(images[0])
    for number, mask in enumerate(masks):
        propagator.follow(number, mask)
    error = 0.0
    for step, image in enumerate(images[1:]):
        followed = propagator.step(image)
        assert list(followed) == list(range(len(masks)))
        for number, one in followed.items():
            error = max(error, np.abs(one.logits - logits[step, number].numpy()).max())
            expected = torch.sigmoid(presence[step, number]).item()
            assert one.presence == pytest.approx(expected, abs=1e-3)
    return int((presence > 0).sum()), int((presence < 0).sum()), error


def test_what_is_found_later_is_followed_as_in_a_session_of_its_own(propagator, kind, clip):
    first, _, late = discs()
    (logits, _), _ = reference(propagator, kind, clip[4:12], [late])
    for step, image in enumerate(clip[:12]):
        followed = propagator.step(image)
        if step > 4:
            np.testing.assert_allclose(
                followed[9].logits, logits[step - 5, 0], rtol=1e-4, atol=1e-4
            )
        if step == 0:
            propagator.follow(5, first)
        if step == 4:
            propagator.follow(9, late)
        if step == 8:
            propagator.drop([5, 77])
    assert list(propagator.step(clip[12])) == [9]


def test_batches_change_nothing(models, kind, clip):
    results = []
    for batch in (1, 2, 16):
        propagator = Sam2Propagator(Network(models[kind]), COLOURS, batch)
        propagator.step(clip[0])
        for number, mask in enumerate(discs()):
            propagator.follow(number, mask)
        results.append([propagator.step(image) for image in clip[1:6]][-1])
    for number in range(3):
        for other in results[:2]:
            np.testing.assert_allclose(
                other[number].logits, results[2][number].logits, rtol=1e-4, atol=1e-4
            )


def test_prompts_are_those_of_transformers_own_decoder(propagator, clip):
    propagator.step(clip[0])
    model, seen = propagator._network._model, propagator._present()
    embeddings = model.get_image_embeddings(propagator.pixels(clip[0]))
    point = torch.tensor([[[[64 * SIZE / W, 30 * SIZE / H]]]])
    expected = model._single_frame_forward(
        image_embeddings=embeddings, input_points=point, input_labels=torch.ones(1, 1, 1).int()
    )
    found = propagator.at_points(np.array([[10, 10], [64, 30]], np.float32))
    assert len(found) == 6
    ours = [one.quality for one in found[3:]]
    np.testing.assert_allclose(ours, expected.iou_scores[0, 0].clamp(0, 1), rtol=1e-4, atol=1e-5)
    best = found[3 + int(np.argmax(ours))].logits
    np.testing.assert_allclose(best, expected.pred_masks[0, 0], rtol=1e-4, atol=1e-4)

    box = torch.tensor([[[20.0 * SIZE / W, 10.0 * SIZE / H, 70.0 * SIZE / W, 60.0 * SIZE / H]]])
    expected = model._single_frame_forward(
        image_embeddings=embeddings, input_boxes=box, multimask_output=False
    )
    found = propagator.in_boxes(np.array([[20, 10, 70, 60]], np.float32))
    assert len(found) == 1 and seen is propagator._present()
    np.testing.assert_allclose(found[0].logits, expected.pred_masks[0, 0], rtol=1e-4, atol=1e-4)


def test_memory_and_results_stay_bounded_over_several_hundred_images(models, clip):
    """And transformers' own session, given the same images, does not."""
    propagator = Sam2Propagator(Network(models["sam2"]), COLOURS, 16)
    propagator.step(clip[0])
    for number, mask in enumerate(discs()[:2]):
        propagator.follow(number, mask)
    sizes, seconds = [], []
    for step in range(1, 241):
        start = time.perf_counter()
        followed = propagator.step(clip[step % len(clip)])
        seconds.append(time.perf_counter() - start)
        sizes.append(propagator.size)
    assert all(np.isfinite(one.logits).all() for one in followed.values())
    assert len(set(sizes[15:])) == 1  # bytes, to the last one
    assert np.median(seconds[-60:]) < 2 * np.median(seconds[20:80])
    _, session = reference(propagator, "sam2", [clip[0]] * 20, discs()[:2])
    assert session_size(session) > 5 * sizes[-1]
    assert propagator._banks[0].shape == (1 + 6, 1 + 15)


def session_size(session):
    def tensors(value):
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, dict):
            for one in value.values():
                yield from tensors(one)
        elif isinstance(value, (list, tuple)):
            for one in value:
                yield from tensors(one)

    kept = [session.processed_frames, session.output_dict_per_obj, session.cache._vision_features]
    storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors(kept)}
    return sum(storages.values())


def test_works_after_very_many_images(propagator, clip):
    propagator.step(clip[0])
    propagator.follow(3, discs()[1])
    propagator.step(clip[1])
    propagator._image += 10**6
    for bank in propagator._banks.values():  # as if the images between had been followed
        for recent in (bank._features, bank._pointers):
            for _ in range(len(recent)):
                number, tensor = recent.popleft()
                recent.append((number + 10**6, tensor))
    assert np.isfinite(propagator.step(clip[2])[3].logits).all()


def test_a_correction_is_remembered_beside_the_first_prompt(propagator, clip):
    one, two, three = discs()
    sizes = []
    for step, image in enumerate(clip[:30]):
        propagator.step(image)
        if step in (0, 5, 9):
            propagator.follow(1, {0: one, 5: two, 9: three}[step])
        if step in (5, 9):
            bank = propagator._banks[1]
            assert [memory.image for memory in bank._prompted] == [1, step + 1]
            assert bank._features[-1][0] == step  # not this image as well
        sizes.append(propagator.size)
    assert len(set(sizes[26:])) == 1


def test_reset_forgets(propagator, clip):
    propagator.step(clip[0])
    propagator.follow(1, discs()[0])
    propagator.reset()
    assert propagator.size == 0 and propagator.step(clip[0]) == {}
    propagator.reset()
    with pytest.raises(ValueError, match="no image"):
        propagator.at_points(np.zeros((1, 2), np.float32))


def antialiased(image, rows, columns):
    """Bilinear with a triangle as wide as the shrinking, in double precision, by matrices."""

    def matrix(before, after):
        scale = before / after
        support = max(scale, 1.0)
        centres = (np.arange(after) + 0.5) * scale
        weights = 1 - np.abs(np.arange(before)[None] + 0.5 - centres[:, None]) / support
        weights = np.maximum(weights, 0)
        return weights / weights.sum(1, keepdims=True)

    image = image.astype(np.float64)
    image = np.einsum("ij,jkc->ikc", matrix(image.shape[0], rows), image)
    return np.einsum("ij,kjc->kic", matrix(image.shape[1], columns), image)


@pytest.mark.parametrize("shape", [(480, 640), (96, 128), (90, 250), (128, 128)])
def test_images_are_prepared_as_the_processor_of_transformers_does(folders, shape):
    """Its own needs torchvision; the same settings run in its Pillow backend."""
    image = np.random.default_rng(1).integers(0, 256, (*shape, 3), np.uint8)
    ours = opened(folders["sam2"]).pixels(image)[0]
    mean, std = torch.tensor(COLOURS)[:, :, None, None]
    names = ("size", "resample", "image_mean", "image_std", "rescale_factor")
    pillow = ViTImageProcessorPil(**{name: PREPROCESSOR[name] for name in names})
    theirs = pillow(image, return_tensors="pt").pixel_values[0]
    exact = antialiased(image, SIZE, SIZE)
    levels = (ours * std + mean) * 255
    pillow_levels = (theirs * std + mean) * 255
    assert ours.shape == theirs.shape == (3, SIZE, SIZE)
    assert (levels - pillow_levels).abs().max() < 1.01  # a grey level, by rounding
    assert (levels - pillow_levels).abs().mean() < 0.05
    error = np.abs(levels.permute(1, 2, 0).numpy() - exact)
    assert error.max() < 1.01 and error.mean() < 0.4  # rounded after either direction
    torch.testing.assert_close(levels, levels.round(), atol=1e-3, rtol=0)


def test_from_images_to_label_images(folders, kind, clip):
    """The whole way, with a network that has learnt nothing; so everything is accepted."""
    tracker = open_tracker(
        TrackerConfig(
            checkpoint=str(folders[kind]), device="cpu", maximum=6, min_quality=0.0,
            min_stability=0.0, min_presence=0.0, confirm_after=1, prompt_every=3, max_area=1.0,
            duplicate=1.0,
        )
    )  # fmt: skip
    ids: set[int] = set()
    for step, image in enumerate(clip[:15]):
        detections = [Detection("lamp", 0.9, 20, 10, 70, 60)] if step == 4 else None
        labels = tracker.see(image, detections, step)
        assert labels.ids.shape == (H, W) and labels.ids.dtype == np.int32
        assert set(np.unique(labels.ids)) - {0} <= labels.names.keys()
        assert set(labels.names.values()) <= {UNNAMED, "lamp"} and labels.per_instance
        assert tracker.followed <= 6
        ids |= set(labels.names)
    assert ids and tracker.counts["found"] >= 2
    assert ids <= set(range(1, tracker.counts["found"] + 1))


def test_lower_precision_runs(folders, kind, clip):
    propagator = opened(folders[kind], dtype="bfloat16")
    propagator.step(clip[0])
    propagator.follow(1, propagator.at_points(np.array([[40, 40]], np.float32))[2].logits)
    followed = propagator.step(clip[1])[1]
    assert followed.logits.dtype == np.float32 and np.isfinite(followed.logits).all()
    assert propagator.in_boxes(np.array([[4, 4, 40, 40]], np.float32))[0].logits.dtype == np.float32


@pytest.fixture
def copied(folders, tmp_path):
    def copy(kind):
        shutil.copytree(folders[kind], tmp_path / kind)
        return tmp_path / kind

    return copy


def changed(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_what_is_no_tracker_is_refused(copied, tmp_path):
    folder = copied("sam2")
    changed(folder / "config.json", model_type="sam3")
    with pytest.raises(ValueError, match=r"config.json has model_type sam3, not sam2_video or "):
        opened(folder)
    changed(folder / "config.json", model_type="sam2_video", num_maskmem="seven")
    with pytest.raises(ValueError, match=r"config.json is not understood"):
        opened(folder)
    with pytest.raises(ValueError, match=r"there is no folder .*fetch"):
        opened(tmp_path / "nowhere")
    save_small_sam2(tmp_path / "still", video=False)
    with pytest.raises(ValueError, match=r"single images; take one for video"):
        opened(tmp_path / "still")


def test_a_model_type_without_video_opens_if_the_weights_are_there(copied, clip):
    folder = copied("sam2")
    changed(folder / "config.json", model_type="sam2")
    opened(folder).step(clip[0])


def test_broken_files_are_named(copied):
    folder = copied("edgetam")
    weights = folder / "model.safetensors"
    whole = load_file(weights)
    name = "vision_encoder.backbone.timm_model.stages_1.downsample.ffn.conv1.c.weight"
    save_file({key: value for key, value in whole.items() if key != name}, weights)
    with pytest.raises(ValueError, match=r"1 weights are missing, first vision_encoder.backbone"):
        opened(folder)
    save_file(whole | {"surplus": torch.zeros(1)}, weights)
    with pytest.raises(ValueError, match=r"1 weights are not known, first surplus"):
        opened(folder)
    save_file(whole | {name: torch.zeros(1)}, weights)
    with pytest.raises(ValueError, match=r"1 weights are of another shape .*, first vision_enc"):
        opened(folder)
    weights.write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"model.safetensors is damaged"):
        opened(folder)
    weights.unlink()
    with pytest.raises(ValueError, match=r"model.safetensors is missing"):
        opened(folder)
    (folder / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(ValueError, match=r"can run any program"):
        opened(folder)


def test_other_backbones_of_edgetam_are_refused(copied):
    folder = copied("edgetam")
    settings = json.loads((folder / "config.json").read_text())
    settings["vision_config"]["backbone_config"]["architecture"] = "resnet50"
    (folder / "config.json").write_text(json.dumps(settings))
    with pytest.raises(ValueError, match=r"backbone is resnet50, not repvit_m1"):
        opened(folder)


def test_a_device_that_is_not_there_is_named(folders):
    config = TrackerConfig(checkpoint=str(folders["sam2"]))
    with pytest.raises(ValueError, match="the tracker"):
        open_propagator(dataclasses.replace(config, device="cuda:7"))
