"""Similarities between point sets: by hand, from random ones, and with a third of them wrong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from spatial_vlm_ros.geometry.similarity import Similarity, robust_umeyama, umeyama

QUARTER = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])  # x to y, y to -x
CORNERS = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
MOVED = np.array([[5.0, 6, 7], [5, 8, 7], [3, 6, 7], [5, 6, 9]])  # turned, twice as large, shifted


def some(seed: int) -> Similarity:
    random = np.random.default_rng(seed)
    return Similarity(
        float(np.exp(random.uniform(-3, 3))),
        Rotation.random(random_state=seed).as_matrix(),
        random.normal(0, 5, 3),
    )


def same(a: Similarity, b: Similarity, tolerance: float = 1e-9) -> None:
    assert a.scale == pytest.approx(b.scale, rel=tolerance)
    np.testing.assert_allclose(a.rotation, b.rotation, atol=tolerance)
    np.testing.assert_allclose(a.translation, b.translation, atol=tolerance * 100)


@pytest.mark.parametrize("fit", [umeyama, lambda a, b: robust_umeyama(a, b)[0]])
def test_a_quarter_turn_twice_as_large_and_shifted(fit) -> None:
    found = fit(CORNERS, MOVED)
    same(found, Similarity(2.0, QUARTER, np.array([5.0, 6, 7])))
    np.testing.assert_allclose(found.apply(np.array([[1.0, 1, 1]])), [[3, 8, 9]])
    back = found.inverse()
    assert back.scale == pytest.approx(0.5)
    np.testing.assert_allclose(back.apply(MOVED), CORNERS, atol=1e-12)


def test_scale_of_least_squares() -> None:
    """Points at ±1 on each axis go to ±2, but on x to ±5: (2·5 + 4·2) / 6 = 3."""
    source = np.concatenate([np.eye(3), -np.eye(3)])
    found = umeyama(source, source * [5, 2, 2])
    same(found, Similarity(3.0, np.eye(3), np.zeros(3)))


def test_weights_are_of_the_squares() -> None:
    wrong = MOVED.copy()
    wrong[0] += 3
    four = np.concatenate([CORNERS, [[1.0, 1, 1]]])
    aims = np.concatenate([wrong, [[3.0, 8, 9]]])
    same(
        umeyama(four, aims, np.array([0, 1.0, 1, 1, 2])),
        Similarity(2.0, QUARTER, np.array([5.0, 6, 7])),
    )
    weights = np.array([1, 2, 3, 1, 2])
    same(
        umeyama(four, aims, weights),
        umeyama(np.repeat(four, weights, axis=0), np.repeat(aims, weights, axis=0)),
    )


def test_mirrored_points_get_a_proper_rotation() -> None:
    found = umeyama(CORNERS, CORNERS * [1, 1, -1])
    assert np.linalg.det(found.rotation) == pytest.approx(1)
    np.testing.assert_allclose(found.rotation @ found.rotation.T, np.eye(3), atol=1e-12)
    assert 0 < found.scale < 1
    flat = CORNERS[:3]  # in a plane the mirror is a turn
    same(umeyama(flat, flat * [1, -1, 1]), Similarity(1.0, np.diag([1.0, -1, -1]), np.zeros(3)))


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (CORNERS[:2], "three points, not 2"),
        (np.ones((5, 3)), "in one place"),
        (np.arange(5)[:, None] * np.array([[1.0, 2, 3]]), "on one line"),
        (np.full((4, 3), np.nan), "not finite"),
        (np.zeros((4, 2)), r"not \(n, 3\)"),
    ],
)
def test_degenerate_points_are_refused(source, why) -> None:
    with pytest.raises(ValueError, match=why):
        umeyama(source, source)
    with pytest.raises(ValueError, match=why):
        robust_umeyama(source, source)
    with pytest.raises(ValueError, match="weights"):
        umeyama(CORNERS, MOVED, np.array([1.0, -1, 1, 1]))


def test_points_on_a_line_have_a_scale() -> None:
    line = np.array([0.0, 1, 2, 4, 7])[:, None] * np.array([[0.0, 0, 1]])
    aims = np.array([0.0, 3, 6, 12, 21])[:, None] * np.array([[0.6, 0.8, 0]]) + 1
    found, inliers = robust_umeyama(line, aims, collinear=True)
    assert found.scale == pytest.approx(3) and np.all(inliers)
    np.testing.assert_allclose(found.apply(line), aims, atol=1e-9)
    np.testing.assert_allclose(found.rotation @ found.rotation.T, np.eye(3), atol=1e-9)
    with pytest.raises(ValueError, match="one place"):
        robust_umeyama(np.zeros((4, 3)), np.zeros((4, 3)), collinear=True)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 10_000), st.integers(3, 40))
def test_exact_points_give_back_the_similarity(a: int, b: int, count: int) -> None:
    points = np.random.default_rng(a).normal(0, 2, (count, 3))
    same(umeyama(points, some(b).apply(points)), some(b), 1e-6)
    robust, inliers = robust_umeyama(points, some(b).apply(points))
    same(robust, some(b), 1e-6)
    assert np.all(inliers)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 10_000), st.integers(0, 10_000))
def test_algebra(a: int, b: int, seed: int) -> None:
    first, second = some(a), some(b)
    points = np.random.default_rng(seed).normal(size=(4, 3))
    np.testing.assert_allclose(
        second.after(first).apply(points), second.apply(first.apply(points)), rtol=1e-9, atol=1e-9
    )
    same(first.after(first.inverse()), Similarity.identity())
    T = np.tile(np.eye(4), (2, 1, 1))
    T[1, :3, :3], T[1, :3, 3] = some(seed).rotation, points[0]
    moved = first.pose(T)
    np.testing.assert_allclose(moved[:, 3], [[0, 0, 0, 1]] * 2)
    np.testing.assert_allclose(moved[1, :3, :3].T @ moved[1, :3, :3], np.eye(3), atol=1e-9)
    # What a camera sees at depth d it sees at scale · d from its new place.
    seen = T[1, :3, :3] @ (0.0, 0, 2) + T[1, :3, 3]
    np.testing.assert_allclose(
        first.apply(seen), moved[1, :3, :3] @ (0, 0, 2 * first.scale) + moved[1, :3, 3], atol=1e-8
    )


@pytest.mark.parametrize("wrong", [0.0, 0.1, 0.3])
@pytest.mark.parametrize("count", [10, 30, 300, 20_000])
@pytest.mark.parametrize("all_alike", [False, True])
def test_a_third_may_be_wrong(count: int, wrong: float, all_alike: bool) -> None:
    for seed in range(5):
        random = np.random.default_rng(seed)
        truth = some(seed)
        points = random.normal(0, 1, (count, 3))
        aims = truth.apply(points) + random.normal(0, 0.01 * truth.scale, (count, 3))
        bad = random.permutation(count)[: int(wrong * count)]
        off = random.normal(0, 2, (1 if all_alike else len(bad), 3))
        aims[bad] += truth.scale * off  # all moved alike agree with each other
        found, inliers = robust_umeyama(points, aims)
        assert not np.any(inliers[bad])
        assert np.mean(np.delete(inliers, bad)) > (0.7 if count == 10 else 0.9)
        assert found.scale == pytest.approx(truth.scale, rel=0.03)
        angle = Rotation.from_matrix(found.rotation @ truth.rotation.T).magnitude()
        assert np.degrees(angle) < 1.5
        again, same_ones = robust_umeyama(points, aims)
        assert again.scale == found.scale and np.array_equal(same_ones, inliers)


def test_a_tolerance_keeps_what_is_near_enough() -> None:
    random = np.random.default_rng(0)
    points = random.normal(size=(60, 3))
    aims = points.copy()
    aims[:20] += 0.05  # exact but for these
    aims[20] += 5
    assert np.count_nonzero(robust_umeyama(points, aims)[1]) == 39
    assert np.count_nonzero(robust_umeyama(points, aims, tolerance=0.1)[1]) == 59
