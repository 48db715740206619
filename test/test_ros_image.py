"""Decoding of image, label and detection messages, against values computed by hand."""

from __future__ import annotations

import struct
import zlib
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from rosbag_messages import camera_info, compressed, image

from spatial_vlm_ros.camera_model import CameraHistory, CameraModel
from spatial_vlm_ros.frame import Detection
from spatial_vlm_ros.ros_image import (
    decode_color,
    decode_depth,
    decode_labels,
    detections,
    label_names,
    stamp_ns,
)

RGB = np.array([[[10, 20, 30], [40, 50, 60]], [[70, 80, 90], [100, 110, 120]]], np.uint8)
ALPHA = np.full((2, 2, 1), 255, np.uint8)


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize(
    ("encoding", "pixels"),
    [
        ("rgb8", RGB),
        ("bgr8", RGB[..., ::-1]),
        ("rgba8", np.concatenate([RGB, ALPHA], 2)),
        ("bgra8", np.concatenate([RGB[..., ::-1], ALPHA], 2)),
    ],
)
def test_colour_encodings_become_rgb(encoding, pixels, padding):
    decoded = decode_color(image(pixels, encoding, padding=padding))
    np.testing.assert_array_equal(decoded, RGB)
    assert decoded.dtype == np.uint8


@pytest.mark.parametrize("encoding", ["mono8", "8UC1"])
def test_grey_becomes_three_equal_channels(encoding):
    decoded = decode_color(image(RGB[..., 0], encoding, padding=1))
    np.testing.assert_array_equal(decoded, np.repeat(RGB[..., :1], 3, axis=2))


@pytest.mark.parametrize("padding", [0, 2, 3])
@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("encoding", ["16UC1", "mono16"])
def test_sixteen_bit_depth_is_millimetres(encoding, big_endian, padding):
    pixels = np.array([[0, 1], [1234, 65535]], np.uint16)
    decoded = decode_depth(image(pixels, encoding, padding=padding, big_endian=big_endian))
    np.testing.assert_allclose(decoded, [[0, 0.001], [1.234, 65.535]], rtol=1e-6)
    assert decoded.dtype == np.float32


@pytest.mark.parametrize("padding", [0, 4, 1])
@pytest.mark.parametrize("big_endian", [False, True])
def test_float_depth_is_metres_and_keeps_what_is_not_measured(big_endian, padding):
    pixels = np.array([[0.0, np.nan], [np.inf, 2.5]], np.float32)
    decoded = decode_depth(image(pixels, "32FC1", padding=padding, big_endian=big_endian))
    np.testing.assert_array_equal(decoded, pixels)
    assert decoded.dtype == np.float32 and decoded.dtype.isnative


@pytest.mark.parametrize(
    ("encoding", "dtype"),
    [("8UC1", "u1"), ("mono8", "u1"), ("16UC1", "u2"), ("mono16", "u2"), ("32SC1", "i4")],
)
@pytest.mark.parametrize("big_endian", [False, True])
def test_label_encodings(encoding, dtype, big_endian):
    ids = np.array([[0, 7], [200, 1]], dtype)
    decoded = decode_labels(image(ids, encoding, big_endian=big_endian, padding=3))
    np.testing.assert_array_equal(decoded, ids)
    assert decoded.dtype == np.int32


@pytest.mark.parametrize("decode", [decode_color, decode_depth, decode_labels])
def test_unknown_encoding_is_named_with_the_supported_ones(decode):
    with pytest.raises(ValueError, match=r"'yuv422'.*supported: .*C1"):
        decode(image(RGB, "yuv422"))


def test_depth_encoding_for_colour_is_refused():
    with pytest.raises(ValueError, match=r"colour image has encoding '16UC1'.*rgb8, bgr8"):
        decode_color(image(np.zeros((2, 2), np.uint16), "16UC1"))


def test_truncated_data_says_bytes_got_and_needed():
    message = image(RGB, "rgb8")
    message.data = message.data[:-1]
    with pytest.raises(ValueError, match="11 bytes, 2x2 rgb8 needs 12"):
        decode_color(message)


def test_last_row_may_lack_its_padding():
    message = image(RGB, "rgb8", padding=4)
    message.data = message.data[:-4]
    np.testing.assert_array_equal(decode_color(message), RGB)


def test_step_smaller_than_a_row_is_refused():
    message = image(RGB, "rgb8")
    message.step = 5
    with pytest.raises(ValueError, match="step 5, a row of 2 pixels needs 6"):
        decode_color(message)


def test_empty_image_is_refused():
    message = image(RGB, "rgb8")
    message.height = 0
    with pytest.raises(ValueError, match="empty"):
        decode_color(message)


def test_python_arrays_decode_like_numpy_arrays():
    import array

    message = image(RGB, "rgb8", padding=2)
    message.data = array.array("B", message.data.tobytes())
    np.testing.assert_array_equal(decode_color(message), RGB)


COLUMNS, ROWS = np.meshgrid(np.arange(64), np.arange(48))
SMOOTH = np.dstack([COLUMNS * 3, ROWS * 4, np.full((48, 64), 40)]).astype(np.uint8)


@pytest.mark.parametrize(
    "format_name", ["jpeg", "jpg", "bgr8; jpeg compressed bgr8", "rgb8; jpeg compressed bgr8"]
)
def test_jpeg_as_image_transport_publishes_it(format_name):
    data = cv2.imencode(".jpg", SMOOTH[..., ::-1])[1].tobytes()
    decoded = decode_color(compressed(data, format_name))
    assert np.abs(decoded.astype(int) - SMOOTH).mean() < 2  # swapped channels differ by > 50


def test_codec_given_rgb_says_so():
    data = cv2.imencode(".png", SMOOTH)[1].tobytes()
    decoded = decode_color(compressed(data, "rgb8; png compressed rgb8"))
    np.testing.assert_array_equal(decoded, SMOOTH)


def test_png_colour_is_exact():
    data = cv2.imencode(".png", SMOOTH[..., ::-1])[1].tobytes()
    np.testing.assert_array_equal(
        decode_color(compressed(data, "rgb8; png compressed bgr8")), SMOOTH
    )


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_truncated_compressed_image_is_refused(suffix):
    data = cv2.imencode(suffix, SMOOTH)[1].tobytes()
    with pytest.raises(ValueError, match="truncated"):
        decode_color(compressed(data[: len(data) // 2], "jpeg"))


def test_what_is_no_picture_is_refused():
    with pytest.raises(ValueError, match=r"'jpeg' \(4 bytes\) is neither jpeg nor png"):
        decode_color(compressed(b"abcd", "jpeg"))


def png(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".png", pixels)[1].tobytes()


MILLIMETRES = np.array([[0, 500], [1500, 60000]], np.uint16)


@pytest.mark.parametrize("format_name", ["16UC1; compressedDepth png", "16UC1; compressedDepth"])
def test_compressed_depth_in_millimetres(format_name):
    decoded = decode_depth(compressed(bytes(12) + png(MILLIMETRES), format_name))
    np.testing.assert_allclose(decoded, [[0, 0.5], [1.5, 60]], rtol=1e-6)


def test_depth_png_of_the_plain_compressed_transport():
    decoded = decode_depth(compressed(png(MILLIMETRES), "16UC1; png compressed "))
    np.testing.assert_allclose(decoded, [[0, 0.5], [1.5, 60]], rtol=1e-6)


def test_compressed_float_depth_uses_the_header_of_its_quantisation():
    # compressed_depth_image_transport: a = z (z + 1), b = 1 - a / max; code = a / depth + b
    a = 100.0 * 101.0
    b = 1.0 - a / 10.0
    depth = np.array([[0.0, 0.8], [2.0, 9.5]])
    codes = np.where(depth > 0, a / np.maximum(depth, 0.1) + b, 0).astype(np.uint16)
    data = struct.pack("<iff", 0, a, b) + png(codes)
    decoded = decode_depth(compressed(data, "32FC1; compressedDepth png"))
    np.testing.assert_allclose(decoded, depth, atol=0.01)
    assert decoded[0, 0] == 0


def test_compressed_depth_of_unknown_quantisation_is_refused():
    data = struct.pack("<iff", 3, 1.0, 1.0) + png(MILLIMETRES)
    with pytest.raises(ValueError, match="quantisation 3"):
        decode_depth(compressed(data, "32FC1; compressedDepth png"))


def test_compressed_depth_shorter_than_its_header_is_refused():
    with pytest.raises(ValueError, match="5 bytes, header alone is 12"):
        decode_depth(compressed(bytes(5), "16UC1; compressedDepth png"))


def test_rvl_depth_is_refused_with_what_to_do():
    with pytest.raises(ValueError, match="RVL.*png"):
        decode_depth(compressed(bytes(40), "16UC1; compressedDepth rvl"))


def test_eight_bit_depth_picture_is_refused():
    with pytest.raises(ValueError, match="not a 16-bit"):
        decode_depth(compressed(bytes(12) + png(RGB), "16UC1; compressedDepth png"))


def test_picture_larger_than_any_camera_makes_is_refused():
    png = bytearray(cv2.imencode(".png", np.zeros((4, 4, 3), np.uint8))[1].tobytes())
    png[16:24] = struct.pack(">II", 40_000, 40_000)
    png[29:33] = struct.pack(">I", zlib.crc32(png[12:29]))
    with pytest.raises(ValueError, match="cannot be decoded"):
        decode_color(SimpleNamespace(format="png", data=bytes(png)))


def test_compressed_labels_must_be_lossless():
    ids = np.array([[0, 3], [300, 2]], np.uint16)
    np.testing.assert_array_equal(
        decode_labels(compressed(png(ids), "16UC1; png compressed ")), ids
    )
    lossy = cv2.imencode(".jpg", SMOOTH[..., 0])[1].tobytes()
    with pytest.raises(ValueError, match="not single-channel png"):
        decode_labels(compressed(lossy, "mono8; jpeg compressed "))


def test_stamp_keeps_every_nanosecond():
    assert (
        stamp_ns(SimpleNamespace(sec=1_700_000_000, nanosec=123_456_789))
        == 1_700_000_000_123_456_789
    )


# vision_msgs is in no library's type store; its messages are attributes all the same
def hypothesis(class_id: str, score: float) -> SimpleNamespace:
    return SimpleNamespace(hypothesis=SimpleNamespace(class_id=class_id, score=score))


def detection(u: float, v: float, width: float, height: float, results, theta: float = 0.0):
    center = SimpleNamespace(position=SimpleNamespace(x=u, y=v), theta=theta)
    return SimpleNamespace(
        results=results, bbox=SimpleNamespace(center=center, size_x=width, size_y=height)
    )


def test_detection_takes_its_best_hypothesis_and_its_corners():
    message = SimpleNamespace(
        detections=[detection(50, 40, 20, 10, [hypothesis("cup", 0.2), hypothesis("mug", 0.7)])]
    )
    assert detections(message) == (Detection("mug", 0.7, 40, 35, 60, 45),)


def test_numeric_class_gets_its_name_and_nameless_is_object():
    message = SimpleNamespace(
        detections=[
            detection(1, 1, 2, 2, [hypothesis("41", 0.5)]),
            detection(1, 1, 2, 2, [hypothesis("7", 0.5)]),
            detection(1, 1, 2, 2, []),
        ]
    )
    assert [d.label for d in detections(message, {41: "cup"})] == ["cup", "7", "object"]


def test_turned_detection_becomes_the_box_around_it():
    message = SimpleNamespace(detections=[detection(0, 0, 20, 10, [hypothesis("a", 1)], np.pi / 2)])
    (box,) = detections(message)
    np.testing.assert_allclose([box.u_min, box.v_min, box.u_max, box.v_max], [-5, -10, 5, 10])


def test_label_names():
    info = SimpleNamespace(
        class_map=[
            SimpleNamespace(class_id=3, class_name="chair"),
            SimpleNamespace(class_id=9, class_name="mug"),
        ]
    )
    assert label_names(info) == {3: "chair", 9: "mug"}


# -- camera model ----------------------------------------------------------------------------


def test_intrinsics_are_k():
    camera = CameraModel(camera_info(640, 480, 500.0))
    got = camera.intrinsics
    assert (got.width, got.height, got.fx, got.fy, got.cx, got.cy) == (
        640,
        480,
        500,
        500,
        319.5,
        239.5,
    )
    assert not camera.distorted


def test_uncalibrated_camera_is_refused():
    with pytest.raises(ValueError, match="zero K: the camera is not calibrated"):
        CameraModel(camera_info(640, 480, 0.0))


def test_rectified_images_use_p_and_no_distortion():
    p = (400, 0, 300, 0, 0, 410, 200, 0, 0, 0, 1, 0)
    camera = CameraModel(
        camera_info(640, 480, 500.0, distortion=(0.3, 0, 0, 0, 0), p=p), rectified=True
    )
    got = camera.intrinsics
    assert (got.fx, got.fy, got.cx, got.cy) == (400, 410, 300, 200)
    assert not camera.distorted
    with pytest.raises(ValueError, match="zero P"):
        CameraModel(camera_info(640, 480, 500.0, p=(0,) * 12), rectified=True)


def test_region_of_interest_and_binning_move_the_intrinsics():
    camera = CameraModel(camera_info(640, 480, 500.0, roi=(100, 40, 320, 240), binning=2))
    got = camera.intrinsics
    assert (got.width, got.height) == (160, 120)
    assert (got.fx, got.fy) == (250, 250)
    assert (got.cx, got.cy) == ((319.5 - 100) / 2, (239.5 - 40) / 2)


@pytest.mark.parametrize(
    ("model", "distortion"),
    [
        ("plumb_bob", (0.26, -0.95, -0.005, 0.003, 1.16)),
        ("rational_polynomial", (0.2, -0.1, 0, 0, 0.01, 0.1, 0.02, 0.0)),
        ("equidistant", (0.05, -0.02, 0.01, 0.0)),
    ],
)
def test_rectified_pixel_lies_on_its_pinhole_ray(model, distortion):
    info = camera_info(320, 240, 260.0, distortion=distortion, model=model)
    camera = CameraModel(info)
    assert camera.distorted
    point = np.array([[[0.2, -0.15, 1.0]]])
    matrix, lens = np.array(info.k).reshape(3, 3), np.array(distortion)
    zero = np.zeros(3)
    if model == "equidistant":
        pixel, _ = cv2.fisheye.projectPoints(point, zero, zero, matrix, lens)
    else:
        pixel, _ = cv2.projectPoints(point, zero, zero, matrix, lens)
    u, v = pixel.ravel()
    rows, columns = np.mgrid[:240, :320]
    blob = np.exp(-((columns - u) ** 2 + (rows - v) ** 2) / (2 * 3.0**2)).astype(np.float32)
    straight = camera.rectify(blob, smooth=True)
    found = [(straight * columns).sum() / straight.sum(), (straight * rows).sum() / straight.sum()]
    expected = [260 * 0.2 + 159.5, 260 * -0.15 + 119.5]
    np.testing.assert_allclose(found, expected, atol=0.5)
    box = camera.rectify_detection(Detection("a", 1.0, u - 1, v - 1, u + 1, v + 1))
    np.testing.assert_allclose(
        [(box.u_min + box.u_max) / 2, (box.v_min + box.v_max) / 2], expected, atol=0.2
    )


def test_rectifying_ids_invents_none():
    camera = CameraModel(camera_info(64, 48, 50.0, distortion=(0.3, 0.1, 0, 0, 0)))
    ids = np.zeros((48, 64), np.int32)
    ids[:, 32:] = 70_000
    straight = camera.rectify(ids, smooth=False)
    assert straight.dtype == np.int32 and set(np.unique(straight)) == {0, 70_000}


def test_unknown_distortion_is_refused_and_zero_distortion_is_none():
    with pytest.raises(ValueError, match="'odd_lens'.*plumb_bob"):
        CameraModel(camera_info(64, 48, 50.0, distortion=(0.3,), model="odd_lens"))
    assert not CameraModel(camera_info(64, 48, 50.0, distortion=(0.0,) * 5, model="")).distorted


@pytest.mark.parametrize(
    ("model", "distortion", "said"),
    [
        ("plumb_bob", (0.1, 0.2, 0.3), "3 distortion coefficients, plumb_bob has 4 or 5"),
        ("rational_polynomial", (0.1,) * 7, "7 distortion coefficients"),
        ("equidistant", (0.01,) * 5, "5 distortion coefficients, equidistant has 4"),
        ("plumb_bob", (float("nan"),) * 5, "nan"),
    ],
)
def test_impossible_distortion_is_refused(model, distortion, said):
    with pytest.raises(ValueError, match=said):
        CameraModel(camera_info(64, 48, 50.0, distortion=distortion, model=model))


def test_history_gives_the_calibration_in_force_at_a_stamp():
    history = CameraHistory()
    wide, narrow = camera_info(64, 48, 50.0), camera_info(64, 48, 90.0)
    for stamp, info in ((10, wide), (20, wide), (30, narrow)):
        history.add(stamp, info)
        history.at(stamp, expired=False)
    assert history.at(25, False) is wide and history.at(30, False) is narrow
    assert history.at(40, False) is None, "the message of image 40 may still come"
    assert history.at(40, expired=True) is narrow
    assert history.changes == 1


def test_history_of_a_latched_camera_info_holds_at_once():
    history = CameraHistory()
    assert history.at(5, False) is None
    info = camera_info(64, 48, 50.0)
    history.add(0, info)
    assert history.at(5, False) is info
