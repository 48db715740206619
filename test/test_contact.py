"""Sides nobody sees: feet on a support, backs on a wall, legs under a seat."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from box_world import Block, frame, look, orbit

from spatial_vlm_ros.config import LifecycleConfig, MemoryConfig
from spatial_vlm_ros.memory import SpatialMemory
from spatial_vlm_ros.perception.walls import Wall
from spatial_vlm_ros.scene.box import Box
from spatial_vlm_ros.scene.contact import Contacts

NOTHING = Contacts.of([], None, [])


def plane(x0, x1, y0, y1, z) -> np.ndarray:
    """Points of a level surface, 5 cm apart."""
    x, y = np.meshgrid(np.arange(x0, x1, 0.05), np.arange(y0, y1, 0.05))
    return np.stack([x, y, np.full_like(x, z)], axis=-1).reshape(-1, 3).astype(np.float32)


def test_without_anything_around_a_box_stays():
    box = Box(0, 0, 0.5, 0.4, 0.3, 0.2, 0.3)
    assert NOTHING.complete(box, 1) == box


@pytest.mark.parametrize(("gap", "bottom"), [(0.04, 0.0), (-0.02, 0.0), (0.1, 0.1)])
def test_a_foot_near_the_floor_stands_on_it(gap, bottom):
    """A box 0.5 m tall whose lowest seen point is ``gap`` above the floor; its top stays."""
    box = Box(1, 1, gap + 0.25, 0.4, 0.3, 0.5, 0.0)
    done = Contacts.of([], 0.0, []).complete(box, 1)
    assert done.bottom == pytest.approx(bottom)
    assert done.top == pytest.approx(gap + 0.5)


def test_a_pillow_stands_on_the_bed_around_it():
    """The bed's points under the pillow are hidden, those around it tell the height: 0.5."""
    bed = plane(-1, 1, -1, 1, 0.5)
    bed = bed[np.abs(bed[:, :2]).max(axis=1) > 0.21]
    pillow = Box(0, 0, 0.6, 0.4, 0.4, 0.1, 0.0)  # seen from 0.55 up
    contacts = Contacts.of([(7, bed)], 0.0, [])
    assert contacts.complete(pillow, 1).bottom == pytest.approx(0.5)
    assert contacts.complete(pillow, 7) == pillow  # not on itself


def wall() -> Wall:
    """The plane x = 3, seen from smaller x, for y in -2..2."""
    normal = np.array([-1.0, 0.0, 0.0])
    return Wall(normal, -3.0, np.array([-2.0, 2.0]), np.array([0.0, 2.5]), 1.0)


def test_a_picture_hangs_on_its_wall():
    """Only its front is seen, 8 cm before the wall: the box reaches back to the wall."""
    picture = Box(2.91, 0.5, 1.5, 0.6, 0.02, 0.4, np.pi / 2)
    done = Contacts.of([], 0.0, [wall()]).complete(picture, 1)
    assert (done.length, done.width) == pytest.approx((0.6, 0.1))
    assert done.center == pytest.approx([2.95, 0.5, 1.5])


@pytest.mark.parametrize(
    "box",
    [
        Box(2.6, 0.5, 1.5, 0.6, 0.02, 0.4, np.pi / 2),  # too far from the wall
        Box(2.91, 0.5, 1.5, 0.6, 0.02, 0.4, np.pi / 2 + 0.4),  # not parallel
        Box(2.91, 2.5, 1.5, 0.6, 0.02, 0.4, np.pi / 2),  # beside the wall
        Box(2.7, 0.5, 1.5, 0.6, 0.4, 0.4, np.pi / 2),  # no plate
    ],
)
def test_other_things_do_not_hang(box):
    assert Contacts.of([], None, [wall()]).complete(box, 1) == box


def unlabelled(blocks, pose, step):
    return replace(frame(blocks, pose, step, noise=0.0015), labels=None)


def test_legs_belong_to_what_stands_on_them():
    """A stool whose legs are each a piece of their own in depth is one object."""
    legs = [
        Block(k, None, (2.0 + x, y, 0.2), (0.04, 0.04, 0.4))
        for k, (x, y) in enumerate([(-0.15, -0.15), (-0.15, 0.15), (0.15, -0.15), (0.15, 0.15)], 1)
    ]
    seat = Block(5, None, (2.0, 0, 0.43), (0.4, 0.4, 0.06))
    memory = SpatialMemory(MemoryConfig(instances="geometric"))
    for step, pose in enumerate(orbit((2, 0, 0.3), 1.8, 1.1, np.arange(90, 270, 5))):
        memory.observe(unlabelled([*legs, seat], pose, step))
    (item,) = memory.graph().present()
    assert item.box.height == pytest.approx(0.46, abs=0.03)
    assert item.box.length == pytest.approx(0.4, abs=0.04)


def test_without_a_name_more_frames_must_agree():
    rules = LifecycleConfig(confirm_after=2, confirm_unnamed_after=5)
    named = Block(1, "box", (2.0, 0.3, 0.3), (0.4, 0.4, 0.6))
    unnamed = Block(2, None, (2.0, -0.5, 0.3), (0.4, 0.4, 0.6))
    memory = SpatialMemory(MemoryConfig(lifecycle=rules))
    counts = []
    for step in range(6):
        memory.observe(frame([named, unnamed], look((0, 0, 1.2), (2, 0, 0.3)), step))
        counts.append(len(memory.graph().present()))
    assert counts == [0, 1, 1, 1, 2, 2]


def test_what_turns_out_to_be_wall_is_cut_off():
    """A cabinet and the piece of wall behind it pass for one thing until the wall is seen whole."""
    wall_block = Block(1, None, (3.05, 0, 1.3), (0.1, 6.0, 2.6))
    cabinet = Block(2, None, (2.8, 0, 0.4), (0.4, 0.6, 0.8))
    memory = SpatialMemory(MemoryConfig(instances="geometric"))
    for step in range(8):
        seen = unlabelled([wall_block, cabinet], look((1.3, 0, 1.3), (3.0, 0, 0.7)), step)
        depth = seen.depth.copy()
        depth[:40] = 0
        memory.observe(replace(seen, depth=depth))
    (item,) = memory.graph().present()
    assert item.box.height > 1.0
    for step, x in enumerate(np.linspace(0.0, -0.5, 12)):
        memory.observe(
            unlabelled([wall_block, cabinet], look((x, x, 1.4), (3.0, 0, 0.8)), 20 + step)
        )
    (item,) = memory.graph().present()
    assert item.box.height == pytest.approx(0.8, abs=0.05)
    assert item.box.length == pytest.approx(0.6, abs=0.05)
