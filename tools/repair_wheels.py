"""Point the CMake files of the ROS wheels at this interpreter instead of the wheel builder's.

The wheels were built in /opt/python/cp3X-cp3X and say so in their exported targets; building an
interface package against them fails until those paths are replaced. Safe to run again.
"""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path


def repair(prefix: Path) -> int:
    """Rewrite every CMake file below ``prefix``/share; returns how many needed it."""
    major, minor = sys.version_info[:2]
    builder = f"/opt/python/cp{major}{minor}-cp{major}{minor}"
    paths = {
        f"{builder}/include/python{major}.{minor}": sysconfig.get_path("include"),
        f"{builder}/lib/python{major}.{minor}/site-packages": sysconfig.get_path("purelib"),
    }
    repaired = 0
    for file in (prefix / "share").rglob("*.cmake"):
        before = after = file.read_text()
        for old, new in paths.items():
            after = after.replace(old, new)
        if after != before:
            file.write_text(after)
            repaired += 1
    return repaired


if __name__ == "__main__":
    print(f"repaired {repair(Path(sys.prefix))} CMake files")
