"""What is followed, shown, named, lost, found again and let go, case by case."""

import numpy as np
import pytest

from spatial_vlm_ros.frame import Detection
from spatial_vlm_ros.naming.votes import NameVotes
from spatial_vlm_ros.perception.segments import UNNAMED
from spatial_vlm_ros.settings import check
from spatial_vlm_ros.tracking.config import TrackerConfig
from spatial_vlm_ros.tracking.masks import box_of, ious, label_image, overlaps, stability
from spatial_vlm_ros.tracking.prompting import Prompting
from spatial_vlm_ros.tracking.propagation import Candidate, Followed
from spatial_vlm_ros.tracking.tracker import Tracker
from spatial_vlm_ros.tracking.tracks import Tracks
from spatial_vlm_ros.vision import boxes

H, W = 20, 40
IMAGE = np.zeros((H, W, 3), np.uint8)


def box(u_min, v_min, u_max, v_max, logit=8.0):
    """Logits (H, W) of a rectangle."""
    logits = np.full((H, W), -8.0, np.float32)
    logits[v_min:v_max, u_min:u_max] = logit
    return logits


LEFT, RIGHT = box(0, 0, 10, 10), box(20, 0, 30, 10)


class Scripted:
    """A propagator that reports what the test puts into ``world``, by number."""

    size = 0

    def __init__(self):
        self.world, self.prompts, self.boxes, self.asked = {}, [], [], []
        self.following, self.shown, self.resets = set(), [], 0

    def step(self, rgb):
        return {number: self.world.get(number, Followed(box(0, 0, 0, 0), 0.0))
                for number in self.following}  # fmt: skip

    def at_points(self, points):
        self.asked.append(points)
        return self.prompts

    def in_boxes(self, boxes):
        self.asked.append(boxes)
        return self.boxes[: len(boxes)]

    def follow(self, number, logits):
        self.following.add(number)
        self.shown.append((number, int((logits > 0).sum())))

    def drop(self, numbers):
        self.following -= set(numbers)

    def reset(self):
        self.following.clear()
        self.resets += 1


def tracker(**settings):
    defaults = {"prompt_every": 1, "confirm_after": 1, "max_area": 1.0, "patience": 0}
    config = TrackerConfig(**(defaults | settings))
    check(config)
    network = Scripted()
    return Tracker(config, network), network


def shown(labels):
    return {int(number): int((labels.ids == number).sum()) for number in np.unique(labels.ids)[1:]}


def begin(logits, **settings):
    """A tracker that follows these things, numbered from 1 by size."""
    one, network = tracker(**settings)
    network.prompts = [Candidate(each, 0.9) for each in logits]
    one.see(IMAGE)
    network.prompts = []
    for number, each in enumerate(logits, 1):
        network.world[number] = Followed(each, 0.9)
    return one, network


# Masks


def test_overlaps_by_hand():
    first, second = box(0, 0, 4, 2) > 0, box(2, 0, 6, 2) > 0
    assert overlaps([first], [second, ~second]).tolist() == [[4, 4]]
    np.testing.assert_allclose(ious([first], [second, first]), [[4 / 12, 1]])
    empty = np.zeros((H, W), bool)
    assert ious([empty], [empty]).tolist() == [[0]] and ious([], [empty]).shape == (0, 1)


def test_boxes_by_hand():
    assert box_of(box(3, 4, 7, 9) > 0) == (3, 4, 7, 9)
    assert box_of(np.zeros((3, 3), bool)) == (0, 0, 0, 0)
    others = np.array([[1, 1, 3, 3], [2, 0, 3, 3]])
    np.testing.assert_allclose(boxes.ious(np.array([0, 0, 2, 2]), others), [1 / 7, 0])


def test_stability_compares_a_high_and_a_low_threshold():
    logits = box(0, 0, 10, 1)
    logits[1, :10] = 0.5  # above -1, not above 1
    assert stability(logits) == 0.5 and stability(box(0, 0, 0, 0)) == 0


def test_the_smaller_mask_lies_on_top():
    table, book = box(0, 0, 20, 10), box(5, 5, 8, 8, logit=0.1)
    for layers in ([(1, table), (2, book)], [(2, book), (1, table)]):
        ids = label_image(layers, H, W)
        assert ids.dtype == np.int32 and np.array_equal(ids == 2, book > 0)
        assert (ids == 1).sum() == 200 - 9


def test_coarse_masks_are_stretched_over_the_image():
    coarse = np.full((10, 20), -8.0, np.float32)
    coarse[:, :10] = 8
    ids = label_image([(7, coarse)], 40, 80)
    assert (ids[:, :40] == 7).all() and (ids[:, 40:] == 0).all()


# Votes


def test_votes_are_counted_by_score():
    votes = NameVotes()
    assert votes.winner == (None, 0.0) and not votes.called
    for name, score in (("cup", 0.4), ("vase", 0.7), ("cup", 0.4)):
        votes.add(name, score)
    assert votes.winner == (None, 0.0)  # cup 0.761, vase 0.665: no lead
    votes.add("cup", 0.4)
    assert votes.winner == ("cup", pytest.approx(1.12295 / 1.7547))
    votes.add(None, 0.9)  # cup 1.0668, vase 0.6002
    assert votes.winner == (None, 0.0) and votes.called
    votes.add(None, 0.9)
    total = 1.755 + 0.95**2 * 1.7547
    assert votes.winner == (None, pytest.approx(1.755 / total)) and not votes.called


def test_old_votes_fade():
    votes = NameVotes()
    for _ in range(1000):
        votes.add("cup", 0.9)
    for number in range(1000):
        votes.add(f"wrong {number}", 0.01)
        assert len(votes._tallies) <= 16
    for _ in range(100):
        votes.add("vase", 0.9)
    assert votes.winner[0] == "vase"


# Prompting


def test_searches_are_due_at_first_then_now_and_then_and_when_much_is_new():
    prompting = Prompting(TrackerConfig(prompt_every=4, prompt_uncovered=0.2))
    full, half = np.ones((H, W), bool), np.zeros((H, W), bool)
    half[:, : W // 2] = True
    assert prompting.due(full)
    prompting.searched(full)
    assert [prompting.due(full) for _ in range(4)] == [False, False, False, True]
    prompting.searched(full)
    assert prompting.due(half)
    prompting.searched(half)
    assert not prompting.due(half)  # what a search left is no reason for another
    never = Prompting(TrackerConfig(prompt_every=0))
    assert not never.due(half)


def test_points_lie_where_nothing_is_and_move():
    prompting = Prompting(TrackerConfig(prompt_grid=10, prompt_points=12))
    covered = np.zeros((H // 2, W // 2), bool)  # a coarser grid
    covered[:, : W // 4] = True
    first = prompting.points(covered, H, W)
    assert 0 < len(first) <= 12 and first.dtype == np.float32
    assert (first[:, 0] >= W / 2).all() and (first < [W, H]).all()
    prompting.searched(covered)
    assert not np.array_equal(first, prompting.points(covered, H, W))
    assert len(prompting.points(np.ones((H, W), bool), H, W)) == 0


def test_the_whole_image_is_asked_with_time():
    prompting = Prompting(TrackerConfig(prompt_grid=4, prompt_points=1000))
    near = np.zeros((H, W), bool)
    covered = np.zeros((H, W), bool)
    for _ in range(60):
        for u, v in prompting.points(covered, H, W).astype(int):
            near[max(0, v - 1) : v + 2, max(0, u - 1) : u + 2] = True
        prompting.searched(covered)
    assert near.mean() > 0.95


def test_large_good_new_masks_are_accepted():
    prompting = Prompting(TrackerConfig(min_area=0.01, max_area=0.5, max_overlap=0.3))
    covered = box(0, 0, 10, 20) > 0
    wobbly = np.where(box(30, 10, 38, 18) > 0, 0.5, -8).astype(np.float32)
    candidates = [
        Candidate(box(12, 0, 14, 4), 0.9),  # accepted: 8 cells
        Candidate(box(12, 0, 22, 10), 0.9),  # accepted first: 100 cells, though later
        Candidate(box(16, 0, 26, 9), 0.99),  # overlaps the one above by 60 %
        Candidate(box(6, 0, 16, 5), 0.9),  # covered by 40 %
        Candidate(box(25, 0, 27, 3), 0.9),  # 6 cells of 800: too small
        Candidate(box(0, 0, 40, 19), 0.9),  # too large
        Candidate(box(30, 0, 38, 8), 0.7),  # does not fit
        Candidate(wobbly, 0.9),  # is not stable
    ]  # fmt: skip
    candidates[0] = Candidate(box(24, 12, 28, 14), 0.9)
    accepted = prompting.accepted(candidates, covered, 5)
    assert accepted == [candidates[1], candidates[0]]
    assert prompting.accepted(candidates, covered, 1) == [candidates[1]]
    assert not covered[:, 12:].any()  # it is not written to


# Who stays


def followed(tracks, number, logits=LEFT, presence=1.0):
    return [(t.number, Followed(logits if t.number == number else box(0, 0, 0, 0), presence))
            for t in tracks]  # fmt: skip


def test_the_one_lost_longest_goes_first():
    tracks = Tracks(3)
    for _ in range(3):
        tracks.found(RIGHT)
    tracks.get(1).votes.add("cup", 1)
    tracks.update(followed(tracks, 2), 0.5, 1)  # 1 and 3 lost
    tracks.update([(1, Followed(LEFT, 0.9)), (2, Followed(LEFT, 0.9))], 0.5, 1)
    tracks.update([(2, Followed(LEFT, 0.9))], 0.5, 1)  # 3 lost twice, 1 once: named or not
    assert [tracks.found(LEFT)[1] for _ in range(2)] == [[3], [1]]
    assert [track.number for track in tracks] == [2, 4, 5]


def test_what_is_in_view_goes_only_for_more():
    tracks = Tracks(2)
    tracks.found(box(0, 0, 4, 4))  # 16 cells
    tracks.found(box(0, 0, 6, 6))
    assert tracks.found(box(0, 0, 8, 3)) == (None, [])  # 24 cells, less than twice 16
    newcomer, gone = tracks.found(box(0, 0, 8, 4))
    assert (newcomer.number, gone) == (3, [1])
    small, gone = tracks.found(box(0, 0, 2, 2), named=True)  # named is more than unnamed
    small.votes.add("mouse", 0.9)
    assert gone == [3] and small.number == 4
    tracks.get(2).votes.add("bag", 0.9)
    assert tracks.found(box(0, 0, 20, 20)) == (None, [])  # unnamed never for named
    assert tracks.found(box(0, 0, 3, 2), named=True) == (None, [])
    assert tracks.found(box(0, 0, 4, 2), named=True)[1] == [4]


def test_two_that_were_detected_once_do_not_take_turns():
    tracks = Tracks(1)
    first, _ = tracks.found(box(0, 0, 4, 4), named=True)
    first.votes.add("mouse", 0.4)
    assert first.votes.winner[0] is None  # not yet
    assert tracks.found(box(0, 0, 5, 5), named=True) == (None, [])


def test_of_two_that_coincide_the_younger_goes_and_leaves_its_votes():
    tracks = Tracks(9)
    for logits in (LEFT, RIGHT, box(0, 0, 10, 9), LEFT):
        tracks.found(logits)
    tracks.get(1).votes.add("cup", 0.5)
    tracks.get(4).votes.add("cup", 0.5)
    assert tracks.get(1).votes.winner[0] is None
    assert tracks.forget_duplicates(0.85) == [3, 4]
    assert tracks.get(1).votes.winner == ("cup", 1.0) and len(tracks) == 2
    assert tracks.found(LEFT)[0].number == 5  # ids of those gone are not given again


# The tracker


def test_things_are_found_shown_and_followed():
    one, network = begin([LEFT, RIGHT[:, ::-1]])
    network.world[1] = Followed(RIGHT, 0.9)  # it has moved
    del network.world[2]
    labels = one.see(IMAGE)
    assert shown(labels) == {1: 100} and (labels.ids[0, 20:30] == 1).all()
    assert labels.names == {1: UNNAMED} and labels.scores == {1: 0.0} and labels.per_instance


def test_a_new_thing_is_shown_when_it_has_been_seen_enough():
    one, _ = begin([LEFT], confirm_after=3)
    assert shown(one.see(IMAGE)) == {}
    assert shown(one.see(IMAGE)) == {1: 100}


def test_presence_and_area_decide_what_is_in_view():
    one, network = begin([LEFT], min_area=0.01)  # 8 cells
    network.world[1] = Followed(LEFT, 0.4)
    assert shown(one.see(IMAGE)) == {}
    network.world[1] = Followed(box(0, 0, 7, 1), 0.9)
    assert shown(one.see(IMAGE)) == {}
    network.world[1] = Followed(box(0, 0, 8, 1), 0.9)
    assert shown(one.see(IMAGE)) == {1: 8}


def test_a_lost_thing_has_its_id_again_until_it_is_let_go():
    one, network = begin([LEFT], lost_after=3)
    del network.world[1]
    for _ in range(3):
        assert shown(one.see(IMAGE)) == {}
    network.world[1] = Followed(RIGHT, 0.9)
    assert shown(one.see(IMAGE)) == {1: 100}
    del network.world[1]
    for _ in range(4):
        one.see(IMAGE)
    assert one.followed == 0 and network.following == set() and one.counts["forgotten"] == 1
    network.prompts = [Candidate(RIGHT, 0.9)]
    assert shown(one.see(IMAGE)) == {2: 100}  # the map has to say that it is the same


def test_nothing_is_searched_where_a_thing_was_a_moment_ago():
    one, network = begin([LEFT], patience=2)
    del network.world[1]
    network.prompts = [Candidate(LEFT, 0.9)]
    for _ in range(2):
        one.see(IMAGE)
        assert not (network.asked[-1] < 10).all(1).any()  # nor asked
    assert one.followed == 1
    one.see(IMAGE)
    assert one.followed == 2


def test_detections_name_found_or_nothing():
    one, network = begin([LEFT], prompt_every=0, min_score=0.3)
    assert one.followed == 0  # nothing is searched
    one, network = begin([LEFT, RIGHT])
    network.boxes = [Candidate(box(20, 12, 30, 20), 0.9)]
    detections = [
        Detection("cup", 0.8, 0.4, 0, 10, 9),  # of 1, by its box
        Detection("lamp", 0.6, 21, 11, 31, 20),  # of none
        Detection("ghost", 0.2, 0, 0, 40, 20),  # not sure
        Detection("nothing", 0.9, 50, 30, 60, 40),  # not in the image
    ]
    labels = one.see(IMAGE, detections, 1)
    assert len(network.asked[-2]) == 1  # the search comes after
    assert labels.names == dict.fromkeys((1, 2, 3), UNNAMED)  # one view names nothing
    network.world[3] = Followed(box(20, 12, 30, 20), 0.9)
    asked = len(network.asked)
    labels = one.see(IMAGE, [*detections, Detection("vase", 0.31, 0, 0, 10, 10)], 2)
    assert len(network.asked) == asked + 1  # all are known: only the search
    assert labels.names == {1: "cup", 2: UNNAMED, 3: "lamp"}
    cup, vase = 0.95 * (0.95 * 0.8 + 0.8), 0.31  # the surest votes first
    assert labels.scores == {1: pytest.approx(cup / (cup + vase)), 2: 0.0, 3: 1.0}


def test_a_wrong_sure_detection_names_nothing_and_two_right_ones_do():
    one, _ = begin([LEFT])
    said = []
    for name, score in (("lamp", 0.99), ("cup", 0.8), ("cup", 0.8)):
        said.append(one.see(IMAGE, [Detection(name, score, 0, 0, 10, 10)], 1).names[1])
    assert said == [UNNAMED, UNNAMED, "cup"]
    other, _ = begin([LEFT])
    unsure = [Detection("cup", 0.3, 0, 0, 10, 10)]
    assert [other.see(IMAGE, unsure, 1).names[1] for _ in range(2)] == [UNNAMED, "cup"]


def test_a_detection_whose_mask_is_known_votes_for_it():
    one, network = begin([LEFT])
    network.boxes = [Candidate(box(0, 0, 10, 9), 0.9)]
    detections = [Detection("cup", 0.8, 0, 0, 30, 20)]  # a box too large
    names = [one.see(IMAGE, detections, 1).names for _ in range(2)]
    assert names == [{1: UNNAMED}, {1: "cup"}] and one.followed == 1


def test_a_detection_of_what_was_just_lost_finds_it_again():
    one, network = begin([LEFT], patience=2)
    one.vote(1, "cup", 0.7)
    del network.world[1]
    network.boxes = [Candidate(box(0, 1, 10, 10), 0.9)]
    labels = one.see(IMAGE, [Detection("cup", 0.8, 0, 0, 10, 10)], 1)
    assert shown(labels) == {1: 90} and labels.names == {1: "cup"}
    assert network.shown[-1] == (1, 90)  # the network is shown it


def test_poor_masks_of_detections_are_not_followed():
    one, network = begin([])
    network.boxes = [Candidate(LEFT, 0.5)]
    one.see(IMAGE, [Detection("cup", 0.8, 0, 0, 10, 10)], 1)
    assert one.followed == 0


def test_only_the_surest_detections_prompt():
    one, network = begin([], prompt_every=0, prompt_points=2)
    network.boxes = [Candidate(LEFT, 0.5)] * 9
    scores = [0.4, 0.9, 0.5, 0.8]
    boxes = [Detection("cup", score, 10 * i, 0, 10 * i + 8, 8) for i, score in enumerate(scores)]
    one.see(IMAGE, boxes, 1)
    assert network.asked[-1][:, 0].tolist() == [10, 30]


def test_others_vote_too():
    one, _ = begin([LEFT])
    for _ in range(2):
        assert one.see(IMAGE).names == {1: UNNAMED}
        one.vote(1, "cup", 0.7)
        one.vote(99, "cup", 0.7)
    assert one.see(IMAGE).names == {1: "cup"}
    for _ in range(3):
        one.vote(1, None, 0.7)
    labels = one.see(IMAGE)
    assert labels.names == {1: UNNAMED} and labels.scores == {1: 0.0}


def test_duplicates_go_at_once():
    one, network = begin([LEFT, RIGHT])
    network.world[2] = Followed(LEFT, 0.9)
    assert shown(one.see(IMAGE)) == {1: 100}
    assert network.following == {1} and one.counts["duplicates"] == 1


def test_a_recording_that_starts_again_forgets_all_but_the_ids():
    one, network = begin([LEFT])
    assert shown(one.see(IMAGE, None, 100)) == shown(one.see(IMAGE, None, 100)) == {1: 100}
    assert network.resets == 0
    network.prompts = [Candidate(LEFT, 0.9)]
    labels = one.see(IMAGE, None, 99)
    assert network.resets == 1 and shown(labels) == {2: 100} and one.followed == 1


def test_no_more_are_found_at_once_than_set():
    one, _ = begin([box(8 * i, 0, 8 * i + 6, 6) for i in range(5)], births=3)
    assert one.followed == 3
