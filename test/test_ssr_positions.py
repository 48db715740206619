"""Where SSR's tokens stand: placeholders and M-RoPE positions, by hand and by transformers."""

from __future__ import annotations

import pytest
import torch
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLModel

from spatial_vlm_ros.models.ssr_positions import FrameLayout

V, S, TEXT, PAD = 90, 91, 5, 0
ORDERS = ("interleaved", "sequential", None)


def layout(insertion) -> FrameLayout:
    return FrameLayout(visual=V, spatial=S, merge=2, insertion=insertion)


def positions(insertion, ids, *grids, mask=None) -> list[list[tuple[int, int, int]]]:
    """Per prompt the (t, h, w) of every token."""
    mask = None if mask is None else torch.tensor(mask)
    found = layout(insertion).positions(torch.tensor(ids), mask, torch.tensor(grids).view(-1, 3))
    assert found.dtype == torch.long
    return [[tuple(token) for token in prompt] for prompt in found.permute(1, 2, 0).tolist()]


def square(t: int, b: int = 0) -> list[tuple[int, int, int]]:
    """A map of 2 x 2 tokens at time t, in a block that begins at b."""
    return [(t, b, b), (t, b, b + 1), (t, b + 1, b), (t, b + 1, b + 1)]


def test_two_frames_of_2_by_2_tokens_interleaved():
    ids = [V] * 4 + [S] * 4 + [V] * 4 + [S] * 4 + [TEXT]
    assert layout("interleaved").tokens(2, 4, 4) == ids[:-1]
    [found] = positions("interleaved", [ids], (2, 4, 4))
    assert found == square(0) + square(1) + square(2) + square(3) + [(4, 4, 4)]


def test_two_frames_of_2_by_2_tokens_in_sequence():
    ids = [V] * 8 + [S] * 8 + [TEXT]
    assert layout("sequential").tokens(2, 4, 4) == ids[:-1]
    [found] = positions("sequential", [ids], (2, 4, 4))
    times = {
        kind: [t for (t, _, _), id in zip(found, ids, strict=True) if id == kind] for kind in (V, S)
    }
    assert times == {V: [0] * 4 + [1] * 4, S: [2] * 4 + [3] * 4}  # t(S_k) = T + k
    assert found[-1] == (4, 4, 4)


def test_two_frames_without_spatial_tokens():
    [found] = positions(None, [[V] * 8 + [TEXT]], (2, 4, 4))
    assert found == square(0) + square(1) + [(2, 2, 2)]


def test_three_frames_with_text_before_and_behind():
    ids = [TEXT, TEXT, *layout("interleaved").tokens(3, 4, 4), TEXT, TEXT]
    [found] = positions("interleaved", [ids], (3, 4, 4))
    maps = [token for t in range(6) for token in square(2 + t, b=2)]
    assert found == [(0, 0, 0), (1, 1, 1), *maps, (8, 8, 8), (9, 9, 9)]  # 2 + max(2 * 3, 2, 2)


def test_text_goes_on_behind_the_longest_side_of_a_block():
    for insertion, size, following in (
        ("interleaved", (1, 4, 10), 5),  # max(2, 2, 5)
        ("interleaved", (1, 14, 4), 7),
        ("interleaved", (4, 4, 10), 8),
        (None, (1, 4, 10), 5),
        (None, (6, 4, 10), 6),
        ("sequential", (3, 4, 10), 6),
    ):
        ids = [TEXT, *layout(insertion).tokens(*size), TEXT]
        [found] = positions(insertion, [ids], size)
        assert found[-1] == (1 + following,) * 3, (insertion, size)


@pytest.mark.parametrize("insertion", ORDERS)
def test_a_prompt_in_a_padded_batch_has_the_positions_it_has_alone(insertion):
    sizes = [[(1, 4, 6)], [(3, 8, 4), (2, 2, 2)], [], [(5, 2, 8)]]
    tokens = layout(insertion).tokens
    prompts = [[TEXT, *(t for size in of for t in [*tokens(*size), TEXT, TEXT])] for of in sizes]
    longest = max(map(len, prompts))
    padded = [[PAD] * (longest - len(ids)) + ids for ids in prompts]
    mask = [[0] * (longest - len(ids)) + [1] * len(ids) for ids in prompts]
    together = positions(insertion, padded, *(size for of in sizes for size in of), mask=mask)
    for ids, of, found in zip(prompts, sizes, together, strict=True):
        assert found[longest - len(ids) :] == positions(insertion, [ids], *of)[0]
        assert found[: longest - len(ids)] == [(0, 0, 0)] * (longest - len(ids))


def test_without_spatial_tokens_transformers_counts_the_same():
    """While frames are no more than the longest side has tokens; else it lets text overlap them."""
    config = Qwen2_5_VLConfig(video_token_id=V)
    config.vision_config.tokens_per_second = 2
    with torch.device("meta"):
        plain = Qwen2_5_VLModel.__new__(Qwen2_5_VLModel)
    torch.nn.Module.__init__(plain)
    plain.config = config
    grids = [(3, 8, 4), (2, 4, 6)]
    ids = [TEXT]
    for grid in grids:
        ids += [*layout(None).tokens(*grid), TEXT, TEXT]
    input_ids = torch.tensor([ids])
    expected, _ = plain.get_rope_index(
        input_ids,
        mm_token_type_ids=2 * (input_ids == V).int(),
        video_grid_thw=torch.tensor(grids),
        second_per_grid_ts=torch.tensor([0.5, 0.5]),
    )
    assert torch.equal(layout(None).positions(input_ids, None, torch.tensor(grids)), expected)


def test_wrong_counts_are_named():
    with pytest.raises(ValueError, match="15 frame placeholders.*have 16"):
        positions("interleaved", [[V] * 8 + [S] * 7], (2, 4, 4))
    with pytest.raises(ValueError, match="1 blocks.*2 grids"):
        positions(None, [[V] * 4], (1, 4, 4), (1, 4, 4))
    with pytest.raises(ValueError, match="2 blocks.*1 grids"):
        positions(None, [[V] * 4 + [TEXT] + [V] * 4], (1, 4, 4))
    with pytest.raises(ValueError, match="0 blocks.*1 grids"):
        positions(None, [[TEXT]], (1, 4, 4))


def test_placeholders_in_the_wrong_order_are_refused():
    """As many of each, so that nothing would fail: each frame would have another's geometry."""
    ids = layout("sequential").tokens(2, 4, 4)
    with pytest.raises(ValueError, match="not in interleaved order"):
        positions("interleaved", [ids], (2, 4, 4))


def test_frames_have_whole_tokens():
    with pytest.raises(ValueError, match="3 x 4 patches do not divide by 2"):
        layout(None).tokens(1, 3, 4)


def test_blocks_are_counted_per_prompt():
    ids = [[V, S, TEXT, V, S], [TEXT] * 5, [TEXT, V, S, V, S]]
    assert layout("interleaved").blocks(torch.tensor(ids)) == [2, 0, 1]
