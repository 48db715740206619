"""``python -m bench [words...]``: run the benchmarks whose names hold any of the words."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench.harness import collect, run


def main() -> int:
    """Exit status: 0 when everything ran and kept its bound, 1 otherwise, 2 for a wrong word."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "words", nargs="*", help="run only benchmarks whose name holds one of these"
    )
    parser.add_argument("--output", type=Path, default=Path("build/bench.json"))
    arguments = parser.parse_args()
    everything = collect()
    words = [word.lower() for word in arguments.words]
    chosen = {
        name: function
        for name, function in everything.items()
        if not words or any(word in name.lower() for word in words)
    }
    if not chosen:
        parser.error(f"no benchmark fits; there are: {', '.join(everything)}")
    return 0 if run(chosen, arguments.output) else 1


if __name__ == "__main__":
    sys.exit(main())
