"""The command that compares the rules of local maps: by hand, and on a few simulated rooms."""

from __future__ import annotations

import json
import sys

import pytest
from hand_built_room import at

from bench import cogmaps


def test_the_letter_of_the_paper_by_hand() -> None:
    """3 and 4 are 0.1 m apart and the two nearest to 5: its grid is 0.05 m fine."""
    room = at((0, 0), (0, -1), (1.3, -1), (1.3, -1.1), (2.3, -1))
    rows = cogmaps.measured([room])
    literal = rows["literal"]
    # 1, 2 and 3 start; 4 hangs on 3 and 2, 5 on 3 and 4. [5, 5] and [5, 3] are 2 cells apart.
    made = cogmaps.literal(room)
    assert [(m.a.tolist(), m.b.tolist(), m.target.tolist()) for m in made] == [
        ([0, 0], [0, -1], [1.3, -1]),
        ([1.3, -1], [0, -1], [1.3, -1.1]),
        ([1.3, -1], [1.3, -1.1], [2.3, -1]),
    ]
    assert literal["near anchors, %"] == pytest.approx(100 / 3)
    assert literal["out of grid, %"] == pytest.approx(100 / 3)
    # 2.6 cells right of anchor 2's row and 2 down: [7.6, 3] is 0.4 from [8, 3], cells of 0.5 m;
    # 0.1 m of 0.65 m cells beside [5, 5].
    assert literal["error, m"] == pytest.approx((0.4 * 0.5 + 0.1) / 2)
    assert literal["error, cells"] == pytest.approx((0.4 + 0.1 / 0.65) / 2)
    assert rows["ours"]["out of grid, %"] == rows["ours"]["near anchors, %"] == 0


def test_ours_holds_every_target_in_simulated_rooms() -> None:
    pytest.importorskip("shapely")
    table = cogmaps.measured([cogmaps.room_objects(seed) for seed in range(6)])
    assert list(table) == list(cogmaps.ROWS)
    ours, literal = table["ours"], table["literal"]
    assert ours["out of grid, %"] == ours["near anchors, %"] == ours["unplaced"] == 0
    assert literal["out of grid, %"] > 5
    assert ours["error, m"] < min(row["error, m"] for name, row in table.items() if name != "ours")


def test_the_command_writes_its_table(monkeypatch, tmp_path, capsys) -> None:
    monkeypatch.setattr(cogmaps, "OUTPUT", tmp_path / "build" / "cogmaps.json")
    monkeypatch.setattr(sys, "argv", ["cogmaps", "--rooms", "2"])
    assert cogmaps.main() == 0
    written = json.loads((tmp_path / "build" / "cogmaps.json").read_text())
    assert set(written["table"]) == set(cogmaps.ROWS)
    assert written["doubted"]["wrong maps"] > 5 * written["doubted"]["right maps"]
    assert written["doubted"]["misplaced objects"] > written["doubted"]["other objects"]
    printed = capsys.readouterr().out
    assert "2 rooms" in printed
    assert all(f"\n{name}" in printed for name in cogmaps.ROWS)
    monkeypatch.setattr(sys, "argv", ["cogmaps", "--rooms", "0"])
    with pytest.raises(SystemExit):
        cogmaps.main()
