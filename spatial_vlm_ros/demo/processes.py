"""Child processes that never outlive their parent's interest in them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType, TracebackType

STOP_SIGNALS = ((signal.SIGINT, 5.0), (signal.SIGTERM, 3.0), (signal.SIGKILL, 3.0))
TAIL_LINES = 25


class ProcessFailed(Exception):
    """A child ended when it should not have; the message holds the end of its log."""


class Processes:
    """Starts programs, each in a process group of its own with a log; ends all on leaving.

    Use it in a ``with`` statement: children are ended last started first, also on an exception
    or Ctrl-C, by SIGINT, then SIGTERM, then SIGKILL to the whole group.
    """

    def __init__(self, logs: Path, environ: Mapping[str, str], prefix: str = "") -> None:
        self._logs, self._environ, self._prefix = logs, dict(environ), prefix
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Processes:
        self._logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for child in reversed(self._children.values()):
            _stop(child)

    def start(self, name: str, command: Sequence[str]) -> None:
        """Run ``command``; its output goes to ``<logs>/<prefix><name>.log``."""
        with self._log(name).open("wb") as log:
            self._children[name] = subprocess.Popen(
                command,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def running(self, name: str) -> bool:
        """Whether it runs still. ``ProcessFailed`` when it ended badly."""
        status = self._children[name].poll()
        if status:
            raise ProcessFailed(f"{name} ended with status {status}\n{self.tail(name)}")
        return status is None

    def check(self, *names: str) -> None:
        """``ProcessFailed`` when one of them has ended in any way."""
        for name in names:
            if not self.running(name):
                raise ProcessFailed(f"{name} ended before its time\n{self.tail(name)}")

    def tail(self, name: str) -> str:
        """The end of a child's log."""
        lines = self._log(name).read_text(errors="replace").splitlines()[-TAIL_LINES:]
        return "\n".join([f"--- {self._log(name)}", *lines])

    def _log(self, name: str) -> Path:
        return self._logs / f"{self._prefix}{name}.log"


def _stop(child: subprocess.Popen[bytes]) -> None:
    """End a child and all it started, however long that takes."""
    for number, patience in STOP_SIGNALS:
        # Ctrl-C while waiting hurries on to the next signal; it must not leave anybody behind.
        with contextlib.suppress(ProcessLookupError, KeyboardInterrupt):
            os.killpg(child.pid, number)
            end = time.monotonic() + patience
            while time.monotonic() < end:
                child.poll()  # reaps it, so that its group can vanish
                os.killpg(child.pid, 0)  # ProcessLookupError once nobody is left
                time.sleep(0.05)
        if child.poll() is not None and not _group_alive(child.pid):
            return


def _group_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def end_on_sigterm() -> None:
    """Turn SIGTERM into an exception, so that children are ended with this process."""

    def leave(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, leave)
