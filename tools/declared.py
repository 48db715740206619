"""Print the requirements that setup.py declares, with those of the extras named as arguments."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

SETUP = Path(__file__).parents[1] / "setup.py"


def declared(*extras: str) -> list[str]:
    """Requirement lines of the package itself and of ``extras``."""
    arguments: dict[str, Any] = {}
    with patch("setuptools.setup", arguments.update):
        runpy.run_path(str(SETUP))
    lines = list(arguments["install_requires"])
    for extra in extras:
        lines += arguments["extras_require"][extra]
    return lines


if __name__ == "__main__":
    print("\n".join(declared(*sys.argv[1:])))
