"""10 000 images of a simulated drive through the tracker; only the network is played."""

import pickle
import time

import numpy as np
import pytest
from simulated_masks import PERFECT, Faults, Score, SimulatedMasks, drive_ids, image, to_and_fro

from spatial_vlm_ros.frame import Detection
from spatial_vlm_ros.tracking.config import TrackerConfig
from spatial_vlm_ros.tracking.masks import box_of
from spatial_vlm_ros.tracking.tracker import Tracker

CONFIG = TrackerConfig(min_area=0.003, maximum=24)  # 9 cells
IMAGES = 10_000
DETECT_EVERY = 10


class Run:
    """A drive, and what it showed of the tracker, image by image."""

    def __init__(self, faults, config, images, detect=True):
        self.network = SimulatedMasks(faults)
        self.tracker = Tracker(config, self.network)
        self.score = Score(config.lost_after)
        self.seconds, self.sizes, self.followed, self.right = [], [], [], []
        self.unnamed, self.ids = 0, set()
        rng = np.random.default_rng(5)
        for step, truth in enumerate(to_and_fro(drive_ids(), images)):
            detections = detected(truth, rng) if detect and step % DETECT_EVERY == 0 else None
            start = time.perf_counter()
            labels = self.tracker.see(image(truth), detections, step)
            self.seconds.append(time.perf_counter() - start)
            self.score.add(truth, labels.ids, list(labels.names))
            self.followed.append(self.tracker.followed)
            self.ids |= labels.names.keys()
            for number, name in labels.names.items():
                if name == "object":
                    self.unnamed += 1
                else:
                    self.right.append(name == f"thing {self.network.followed[number]}")
            if step % 250 == 249:
                self.sizes.append(len(pickle.dumps(self.tracker)))

    @property
    def forced(self):
        """Switches that no tracker can prevent: the network never finds a thing again, or jumps."""
        return self.network.faults["blind"] + self.network.faults["drift"]

    @property
    def named(self):
        """The share of things shown that have a name."""
        return len(self.right) / (len(self.right) + self.unnamed)

    def __str__(self):
        images, score = self.score.images, self.score
        return (
            f"{images} images, {score.shown / images:.1f} things in view: "
            f"{1e3 * score.switches / images:.1f} switches per 1000 images "
            f"({1e3 * self.forced / images:.1f} forced), "
            f"{1e3 * score.fragments / images:.1f} fragments, cover {score.cover:.3f}, "
            f"{self.named:.3f} named, {np.mean(self.right or [0]):.3f} of them right, "
            f"{1e3 * np.median(self.seconds):.2f} ms an image, "
            f"{self.sizes[-1] / 1e3:.0f} kB, {self.tracker.counts}, {dict(self.network.faults)}"
        )


def detected(truth, rng):
    """Boxes of what is in view; one in five is missed, one in ten called something else."""
    found = []
    for true in np.flatnonzero(np.bincount(truth.reshape(-1), minlength=256)[1:] >= 24) + 1:
        if rng.random() < 0.8:
            called = true if rng.random() < 0.9 else rng.integers(1, 256)
            box = box_of(truth == true)
            found.append(Detection(f"thing {called}", float(rng.uniform(0.4, 0.9)), *box))
    return found


@pytest.fixture(scope="module")
def drive():
    start = time.perf_counter()
    run = Run(Faults(), CONFIG, IMAGES)
    run.total = time.perf_counter() - start
    print(f"\n{run}")
    return run


def test_a_perfect_network_never_switches_an_id():
    run = Run(PERFECT, CONFIG, 2500, detect=False)
    print(f"\n{run}")
    assert run.score.switches == run.score.fragments == 0
    assert run.score.cover > 0.85  # the rest waits for a search
    assert run.tracker.counts["duplicates"] == 0


def test_ids_switch_only_where_the_network_leaves_no_choice(drive):
    assert drive.forced > 100  # it is put to the test
    assert drive.score.switches <= drive.forced
    assert drive.score.cover > 0.75


def test_without_what_cannot_be_prevented_ids_hardly_switch():
    """Dropouts, ghosts, ragged and halved masks: each is reported wrong, none loses its thing."""
    run = Run(Faults(blind=0, drift=0), CONFIG, 2500, detect=False)
    print(f"\n{run}")
    assert run.network.faults["dropout"] > 50 and run.network.faults["ghost"] > 20
    assert run.score.switches <= 10
    assert run.score.cover > 0.75


def test_detections_name_things_and_outvote_errors(drive):
    assert drive.named > 0.5  # others are gone before they are detected twice
    assert np.mean(drive.right) > 0.97  # nine votes of ten are right


def test_caps_hold_in_every_image(drive):
    assert max(drive.followed) <= CONFIG.maximum and drive.network.most <= CONFIG.maximum
    few = Run(Faults(), TrackerConfig(min_area=0.003, maximum=5), 1500)
    assert max(few.followed) == few.network.most == 5
    assert few.tracker.counts["displaced"] > 10


def test_every_birth_is_accounted_for(drive):
    counts = drive.tracker.counts
    gone = counts["forgotten"] + counts["duplicates"] + counts["displaced"]
    assert counts["found"] == gone + drive.tracker.followed
    assert drive.ids <= set(range(1, counts["found"] + 1))  # each id once
    assert len(drive.network.followed) == drive.tracker.followed


def test_memory_is_flat(drive):
    assert len(drive.sizes) == IMAGES // 250
    half = len(drive.sizes) // 2
    assert np.mean(drive.sizes[half:]) <= 1.15 * np.mean(drive.sizes[:half])
    assert max(drive.sizes) < CONFIG.maximum * 16_000 + 50_000  # two grids of floats for each


def test_time_is_flat(drive):
    quarter = IMAGES // 4
    first, last = np.median(drive.seconds[:quarter]), np.median(drive.seconds[-quarter:])
    assert last < 2 * first
    assert drive.total < 60
