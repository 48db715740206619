"""Metres for predictions without a unit: four sources alone, disagreeing, and over time."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from box_room import TABLE, camera, depth, points_fixed

from spatial_vlm_ros.geometry.config import ScaleConfig
from spatial_vlm_ros.geometry.gravity import Floor, find_floor
from spatial_vlm_ros.geometry.scale import (
    ScaleEstimate,
    from_camera_height,
    from_depth,
    from_metric_depth,
    from_odometry,
)
from spatial_vlm_ros.geometry.scale_tracker import ScaleTracker
from spatial_vlm_ros.settings import check

HEIGHT = 1.2
CONFIG = ScaleConfig(camera_height=HEIGHT)
NETWORK = 0.1  # spread of the depth network


CAMERAS = np.array(
    [camera((0.12 * i - 1.5, 0.02 * i % 0.05, HEIGHT), 5.0 * i - 15, 15) for i in range(8)]
)
DEPTH = np.array([depth(T, TABLE) for T in CAMERAS])


class World:
    """A window of eight views, 1 unit = ``metres`` m, with errors as real ones are.

    Predicted depth is off by 1 % over each image and 2 % a pixel, poses by 5 mm; the confidence
    says nothing. wrong: share of all measurements, of pixels or poses, that are anything. each: by
    how much the depth network errs in each image beside what it errs in all.
    """

    def __init__(self, seed: int, wrong: float, metres: float, each: float = 0.05) -> None:
        random = self.random = np.random.default_rng(seed)
        self.wrong, self.metres, self.each = wrong, metres, each
        self.T_fixed_camera, self.depth = CAMERAS, DEPTH
        bent = 1 + 0.01 * random.standard_normal((8, 1, 1))
        rough = 1 + 0.02 * random.standard_normal(self.depth.shape)
        self.predicted = self.depth * bent * rough / metres
        self.confidence = 1 + random.exponential(1, self.depth.shape)
        centres = self.T_fixed_camera[:, :3, 3] + random.normal(0, 0.005, (8, 3))
        self.centres = centres / metres

    def estimate(self, source: str, config: ScaleConfig = CONFIG) -> ScaleEstimate | None:
        """What a source says; its lasting errors are drawn as its settings say."""
        random = self.random
        if source == "depth":
            off = 1 + config.depth_spread * random.standard_normal()
            measured = self.spoilt(self.depth * off)
            measured[random.random(measured.shape) < 0.1] = 0.0
            measured[random.random(measured.shape) < 0.1] = np.nan
            return from_depth(measured, self.predicted, self.confidence, config)
        if source == "metric_depth":
            off = math.exp(NETWORK * random.standard_normal())
            each = np.exp(self.each * random.standard_normal((8, 1, 1)))
            seen = self.spoilt(self.depth * off * each)
            return from_metric_depth(seen, self.predicted, self.confidence, NETWORK)
        if source == "odometry":
            off = 1 + config.odometry_spread * random.standard_normal()
            fixed = self.T_fixed_camera[:, :3, 3] * off
            fixed = fixed + random.normal(0, config.odometry_noise, fixed.shape)
            jumped = random.permutation(8)[: round(self.wrong * 8)]
            fixed[jumped] += random.normal(0, 1, (len(jumped), 3))
            return from_odometry(self.centres, fixed, config)
        predicted = self.spoilt(self.predicted * self.metres) / self.metres
        points = np.concatenate(
            [points_fixed(T, units) for T, units in zip(self.window(), predicted, strict=True)]
        )
        off = config.camera_height_error * random.standard_normal()
        off += HEIGHT * config.camera_height_spread * random.standard_normal()
        told = replace(config, camera_height=HEIGHT + off)
        return from_camera_height(find_floor(points, self.window()), self.centres, told)

    def window(self) -> np.ndarray:
        """Poses as predicted; the window's axes are those of the fixed frame."""
        T = self.T_fixed_camera.copy()
        T[:, :3, 3] = self.centres
        return T

    def spoilt(self, metres: np.ndarray) -> np.ndarray:
        """A share of pixels further away than they are: as glass and edges are measured."""
        metres = metres.copy()
        off = self.random.random(metres.shape) < self.wrong
        metres[off] *= self.random.uniform(1.2, 2.5, np.count_nonzero(off))
        return metres


SOURCES = ("depth", "odometry", "metric_depth", "camera_height")


#: Settings for sources without lasting errors: what is left is what was measured wrongly.
EXACT = replace(
    CONFIG,
    depth_spread=0.001,
    odometry_spread=0.001,
    odometry_noise=0.003,
    camera_height_spread=0.001,
    camera_height_error=0.0,
)


@pytest.mark.parametrize("wrong", [0.0, 0.1, 0.3])
@pytest.mark.parametrize("source", SOURCES)
def test_each_source_alone_with_outliers(source, wrong, monkeypatch) -> None:
    monkeypatch.setitem(globals(), "NETWORK", 0.001)
    errors = []
    for seed in range(25):
        metres = math.exp(np.random.default_rng(seed).uniform(-2, 2))
        world = World(seed, wrong, metres, each=0.02)
        said = world.estimate(source, EXACT)
        assert said is not None and said.source == source
        errors.append(abs(math.log(said.metres_per_unit / metres)))
    assert max(errors) < 0.03


@pytest.mark.parametrize("source", SOURCES)
def test_the_spread_is_honest(source) -> None:
    """The truth lies within 2 sigma nearly always, and sigma is not simply large."""
    apart, spreads = [], []
    for seed in range(300):
        said = World(seed, 0.3 * (seed % 2), metres=0.7).estimate(source)
        assert said is not None
        apart.append(abs(math.log(said.metres_per_unit / 0.7)) / said.spread)
        spreads.append(said.spread)
    assert 0.85 <= np.mean(np.array(apart) < 2)
    assert np.mean(np.array(apart) < 0.3) < 0.5
    assert np.median(spreads) < (0.16 if source == "metric_depth" else 0.08)


def test_by_hand() -> None:
    """A wall 2 m away that is predicted at 0.5; a way of 3 m that is predicted as 1.5."""
    measured, predicted = np.full((30, 40), 2.0), np.full((30, 40), 0.5)
    said = from_depth(measured, predicted, np.ones((30, 40)), CONFIG)
    assert said == ScaleEstimate(pytest.approx(4.0), pytest.approx(0.02), "depth", 0.02)
    way = np.linspace(0, 1.5, 6)[:, None] * np.array([[0.6, 0.0, 0.8]])
    config = replace(CONFIG, odometry_noise=0.03, odometry_spread=0.04)
    said = from_odometry(way, 2 * way[:, [2, 0, 1]], config)
    assert said is not None and said.metres_per_unit == pytest.approx(2.0)
    # Six poses 0.6 m apart: mean square from the middle (9 + 1.8 + 0.2) / 3 ... = 35/12 * 0.36 m²
    noise = 0.03 / math.sqrt(35 / 12 * 0.36) / math.sqrt(6)
    assert said.spread == pytest.approx(math.hypot(0.04, noise)) and said.lasting == 0.04
    floor = Floor(np.array([0.0, -1, 0]), -0.3, 0.01, 0.4, 0.006)
    config = replace(CONFIG, camera_height_spread=0.03, camera_height_error=0.048)
    said = from_camera_height(floor, np.zeros((3, 3)), config)  # 0.3 units are 1.2 m
    assert said is not None and said.metres_per_unit == pytest.approx(4.0)
    assert said.lasting == pytest.approx(0.05)  # 3 % and 4 %
    assert said.spread == pytest.approx(math.hypot(0.05, 0.02))


def test_unsure_pixels_and_bad_ranges_do_not_count() -> None:
    measured = np.full((20, 40), 2.0)
    predicted, confidence = np.full((20, 40), 1.0), np.ones((20, 40))
    predicted[:, :20], confidence[:, 20:] = 7.0, 2.0  # half of them wrong, and unsure
    said = from_depth(measured, predicted, confidence, CONFIG)
    assert said is not None and said.metres_per_unit == pytest.approx(2.0)
    measured[:12] = 9.0  # too far for the camera, and the rest is right
    predicted[:12] = 0.1
    said = from_depth(measured, predicted, confidence, CONFIG)
    assert said is not None and said.metres_per_unit == pytest.approx(2.0)
    for none in (0.0, np.nan, np.inf, 0.1, 20.0):
        reasons: list[str] = []
        assert (
            from_depth(0 * measured + none, predicted, confidence, CONFIG, reasons.append) is None
        )
        assert reasons and "depth: no image has 100 pixels" in reasons[0]
    far = from_metric_depth(np.full((20, 40), 20.0), np.ones((20, 40)), confidence, 0.1)
    assert far is not None and far.metres_per_unit == pytest.approx(20.0)  # a network sees far


@pytest.mark.parametrize("source", [from_depth, from_metric_depth])
def test_whole_images_may_be_wrong(source) -> None:
    measured = np.random.default_rng(0).uniform(1, 4, (10, 30, 40))
    predicted = measured / 2.5
    measured[[1, 4, 8]] = np.minimum(measured[[1, 4, 8]] * 1.2, 4.99)
    by = 0.02 if source is from_metric_depth else CONFIG
    said = source(measured, predicted, np.ones(measured.shape), by)
    assert said is not None and said.metres_per_unit == pytest.approx(2.5, rel=0.01)


def test_more_pixels_or_images_are_not_surer() -> None:
    """What an image is off by is one error, however many pixels it has."""
    spreads = []
    for images, side in [(4, 20), (4, 120), (40, 20)]:
        found = []
        for seed in range(20):
            random = np.random.default_rng(seed)
            off = np.exp(0.1 * random.standard_normal((images, 1, 1)))
            measured = random.uniform(1, 4, (images, side, side))
            said = from_metric_depth(
                measured, measured * off, np.ones(off.shape) + 0 * measured, 0.01
            )
            assert said is not None
            found.append(said.spread)
        spreads.append(np.median(found))
    assert spreads[1] == pytest.approx(spreads[0], rel=0.15)
    assert 0.07 < spreads[0] <= spreads[2] < 0.13


@pytest.mark.parametrize(
    ("window", "fixed", "why"),
    [
        (np.zeros((2, 3)), np.zeros((2, 3)), "2 poses, three are needed"),
        (np.zeros((5, 3)), np.zeros((5, 3)), "has not moved"),
        (np.eye(3), 0.01 * np.eye(3), r"moved 0\.02 m, too little"),
        (
            np.random.default_rng(0).normal(size=(9, 3)),
            np.random.default_rng(1).normal(size=(9, 3)),
            "odometry: ",
        ),
    ],
)
def test_no_scale_by_odometry(window, fixed, why) -> None:
    reasons: list[str] = []
    assert from_odometry(window, fixed, CONFIG, reasons.append) is None
    (reason,) = reasons
    assert re.search(why, reason)


def test_how_far_the_robot_has_to_move() -> None:
    """About 30 times the noise of odometry, whatever the unit; the spread falls with the way."""
    random = np.random.default_rng(0)
    spreads = {}
    for metres in (0.1, 0.2, 0.4, 0.8, 1.6):
        way = np.linspace(0, metres, 10)[:, None] * np.array([[1.0, 0, 0]])
        said = from_odometry(way * 50 + random.normal(0, 0.05, way.shape), way, CONFIG)
        spreads[metres] = said and said.spread
    assert spreads[0.1] is None and spreads[0.2] is None
    assert spreads[0.4] > spreads[0.8] > spreads[1.6] > CONFIG.odometry_spread
    assert spreads[0.4] < 0.06


def test_no_scale_by_the_camera_height() -> None:
    reasons: list[str] = []
    floor = Floor(np.array([0.0, -1, 0]), -1.0, 0.05, 0.4, 0.3)
    assert from_camera_height(None, np.zeros((1, 3)), CONFIG, reasons.append) is None
    assert from_camera_height(floor, np.zeros((1, 3)), CONFIG, reasons.append) is None
    assert from_camera_height(floor, np.zeros((1, 3)), ScaleConfig(), reasons.append) is None
    assert [reason.split(",")[0] for reason in reasons] == [
        "camera_height: no floor is in view",
        "camera_height: the floor is too rough",
        "camera_height: not set",
    ]


# --- over time ----------------------------------------------------------------------------------


def says(source: str, metres: float, spread: float, lasting: float = 0.0) -> ScaleEstimate:
    return ScaleEstimate(metres, spread, source, lasting)


def test_nothing_is_known_at_first() -> None:
    tracker = ScaleTracker(CONFIG)
    for _ in range(2):
        assert tracker.metres_per_unit is None and tracker.spread == math.inf
        tracker.update([])
        tracker.carry(2.0, 0.1)
    tracker.update([says("depth", 3.0, 0.1)])
    assert tracker.metres_per_unit == pytest.approx(3.0)
    assert tracker.spread == pytest.approx(0.1)
    tracker.reset()
    assert tracker.metres_per_unit is None and tracker.spread == math.inf


@pytest.mark.parametrize("lasting", [0.0, 0.05])
def test_two_are_fused_by_their_spreads(lasting) -> None:
    """exp(0) with 0.1 and exp(0.1) with 0.2: weights 100 and 25, so exp(0.02), 1/sqrt(125)."""
    tracker = ScaleTracker(CONFIG)
    tracker.update(
        [says("odometry", math.exp(0.1), 0.2, lasting), says("depth", 1.0, 0.1, lasting)]
    )
    assert tracker.metres_per_unit == pytest.approx(math.exp(0.02))
    assert tracker.spread == pytest.approx(1 / math.sqrt(125), rel=1e-6)
    assert not tracker.disagreements


def test_what_lasts_is_not_averaged_away() -> None:
    plain, honest = ScaleTracker(CONFIG), ScaleTracker(CONFIG)
    for _ in range(400):
        plain.update([says("depth", 1.0, 0.1)])
        honest.update([says("depth", 1.0, 0.1, 0.06)])
    assert plain.spread == pytest.approx(0.1 / 20, rel=0.01)
    assert honest.spread == pytest.approx(math.hypot(0.06, 0.08 / 20), rel=0.01)
    honest.update([says("odometry", 1.0, 0.08, 0.08)])  # another one helps
    assert honest.spread == pytest.approx(1 / math.hypot(1 / 0.06, 1 / 0.08), rel=0.02)


def test_another_unit_is_carried_with_its_spread() -> None:
    tracker = ScaleTracker(CONFIG)
    tracker.update([says("depth", 2.0, 0.03)])
    tracker.carry(1.5, 0.04)
    assert tracker.metres_per_unit == pytest.approx(3.0)
    assert tracker.spread == pytest.approx(0.05)
    for ratio, spread in [(0.0, 0.1), (math.inf, 0.1), (1.0, -0.1), (1.0, math.nan)]:
        with pytest.raises(ValueError, match="unit of a window"):
            tracker.carry(ratio, spread)


def test_the_more_trusted_one_is_right() -> None:
    tracker = ScaleTracker(CONFIG)
    four = [
        says("camera_height", 1.02, 0.04),
        says("metric_depth", 1.6, 0.1),  # 0.47 from depth: more than 3 * 0.102
        says("odometry", 1.05, 0.02),  # 0.049: not more than 3 * 0.028
        says("depth", 1.0, 0.02),
    ]
    tracker.update(four)
    assert tracker.disagreements == ["metric_depth says 1.6 m per unit, depth 1"]
    alone = ScaleTracker(CONFIG)
    alone.update([four[3], four[2], four[0]])
    assert tracker.metres_per_unit == alone.metres_per_unit
    assert 1.01 < alone.metres_per_unit < 1.04
    other = ScaleTracker(replace(CONFIG, sources=["metric_depth", "odometry", "depth"]))
    other.update(four)  # camera_height is not configured, and the network is trusted most
    assert other.metres_per_unit == pytest.approx(1.6)
    assert len(other.disagreements) == 2
    wide = ScaleTracker(replace(CONFIG, gate=10.0))
    wide.update(four)
    assert not wide.disagreements


@pytest.mark.parametrize("wild", SOURCES)
def test_all_four_of_a_world_disagree(wild) -> None:
    """One source is 60 % off for good. In the order of trust, all that come behind depth are found
    out; when depth is wrong it is believed, and the others are told to contradict it.
    """
    world = World(3, 0.2, metres=0.5)
    tracker = ScaleTracker(CONFIG)
    told = set()
    for _ in range(6):
        said = {source: world.estimate(source) for source in SOURCES}
        assert all(said.values())
        said[wild] = replace(said[wild], metres_per_unit=1.6 * said[wild].metres_per_unit)
        tracker.update(list(said.values()))
        told |= {line.split()[0] for line in tracker.disagreements}
    truth = 0.8 if wild == "depth" else 0.5
    assert abs(math.log(tracker.metres_per_unit / truth)) < 2.5 * tracker.spread < 0.08
    assert told == (set(SOURCES) - {"depth"} if wild == "depth" else {wild})


def test_a_wild_window_is_passed_over() -> None:
    tracker = ScaleTracker(CONFIG)
    for _ in range(4):
        tracker.update([says("depth", 1.0, 0.02)])
    before = tracker.metres_per_unit, tracker.spread
    tracker.update([says("depth", 1.5, 0.02), says("odometry", 1.48, 0.02)])
    assert (tracker.metres_per_unit, tracker.spread) == before
    assert tracker.disagreements == ["depth says 1.5 m per unit, the windows so far 1"]
    tracker.update([says("depth", 1.01, 0.02)])
    assert not tracker.disagreements
    for wild in (1.5, 0.5, 1.5, 0.5, 2.0, 3.0):  # wild ones that do not agree never win
        tracker.update([says("depth", wild, 0.02)])
    assert tracker.metres_per_unit == pytest.approx(1.0, abs=0.02)


def test_a_lasting_change_wins() -> None:
    tracker = ScaleTracker(replace(CONFIG, patience=3))
    for _ in range(50):
        tracker.update([says("depth", 1.0, 0.02, 0.01)])
    history = []
    for _ in range(3):
        tracker.update([says("depth", 1.5, 0.02, 0.01)])
        history.append(round(tracker.metres_per_unit, 3))
    assert history == [1.0, 1.0, 1.5]
    assert tracker.spread == pytest.approx(0.02)
    tracker.update([says("depth", 1.5, 0.02, 0.01)])
    assert not tracker.disagreements


def test_windows_that_contradict_are_carried_too() -> None:
    tracker = ScaleTracker(replace(CONFIG, patience=3))
    for _ in range(5):
        tracker.update([says("depth", 1.0, 0.02)])
    for power in range(3):
        tracker.update([says("depth", 1.5 * 2**power, 0.02)])
        if power < 2:
            tracker.carry(2.0, 0.0)
    assert tracker.metres_per_unit == pytest.approx(6.0)


def test_the_filter_is_honest_over_windows() -> None:
    """Sources with lasting errors, units that change, a tenth of the windows wild."""
    within = []
    for seed in range(300):
        random = np.random.default_rng(seed)
        tracker = ScaleTracker(CONFIG)
        off = {source: spread * random.standard_normal() for source, spread in LASTING.items()}
        truth = 0.0
        for _ in range(12):
            ratio = random.uniform(0.5, 2)
            tracker.carry(ratio * math.exp(0.01 * random.standard_normal()), 0.01)
            truth += math.log(ratio)
            wild = random.normal(0, 1) if random.random() < 0.1 else 0.0
            heard = [source for source in LASTING if random.random() < 0.7]
            tracker.update(
                [
                    says(
                        source,
                        math.exp(truth + off[source] + 0.03 * random.standard_normal() + wild),
                        math.hypot(LASTING[source], 0.03),
                        LASTING[source],
                    )
                    for source in heard
                ]
            )
        error = abs(math.log(tracker.metres_per_unit) - truth)
        within.append(error < 2 * tracker.spread)
        assert 0.01 < tracker.spread < 0.06
    assert 0.85 <= np.mean(within)


LASTING = {"odometry": 0.03, "metric_depth": 0.1}


def test_settings_that_contradict_each_other() -> None:
    check(CONFIG)
    for change, why in [
        ({"sources": ["depth", "lidar"]}, "sources: 'lidar' is not one of depth, odometry"),
        ({"sources": ["depth", "depth"]}, "named twice"),
        ({"depth_near": 6.0}, "depth_near: 6.0 is not less than depth_far"),
        ({"gate": 0.1}, "gate: "),
    ]:
        with pytest.raises(ValueError, match=why):
            check(replace(CONFIG, **change))
