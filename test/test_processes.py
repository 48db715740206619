"""Children of the demo are ended whatever happens, and their ends are told apart."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from spatial_vlm_ros.demo.processes import Processes, ProcessFailed

# Says its own and its child's process id, ignores polite requests, and waits.
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""


def wait_for(condition, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.02)


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_children_and_their_children_end_on_an_exception(tmp_path: Path, monkeypatch) -> None:
    quick = tuple((number, 0.3) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL))
    monkeypatch.setattr("spatial_vlm_ros.demo.processes.STOP_SIGNALS", quick)
    log = tmp_path / "stubborn.log"
    with pytest.raises(ValueError, match="on purpose"), Processes(tmp_path, os.environ) as children:
        children.start("stubborn", [sys.executable, "-c", STUBBORN])
        wait_for(lambda: log.read_text().strip())
        children.check("stubborn")
        grandchild = int(log.read_text())
        assert alive(grandchild)
        raise ValueError("on purpose")
    wait_for(lambda: not alive(grandchild))


def test_a_bad_end_is_told_with_the_log(tmp_path: Path) -> None:
    with Processes(tmp_path, os.environ) as children:
        children.start("bad", [sys.executable, "-c", "print('the reason'); raise SystemExit(3)"])
        with pytest.raises(ProcessFailed, match=r"(?s)bad ended with status 3.*the reason"):
            wait_for(lambda: not children.running("bad"))


def test_a_good_end_is_an_end(tmp_path: Path) -> None:
    with Processes(tmp_path, os.environ) as children:
        children.start("good", [sys.executable, "-c", "pass"])
        wait_for(lambda: not children.running("good"))
        with pytest.raises(ProcessFailed, match="before its time"):
            children.check("good")


def test_sigterm_to_the_demo_leaves_no_child(tmp_path: Path) -> None:
    # The demo turns SIGTERM into an exception; without that its children would stay behind.
    program = f"""
import os, sys, time
from pathlib import Path
from spatial_vlm_ros.demo.processes import Processes, end_on_sigterm
end_on_sigterm()
with Processes(Path({str(tmp_path)!r}), os.environ) as children:
    children.start("child", [sys.executable, "-c",
        "import os, time; print(os.getpid(), flush=True); time.sleep(60)"])
    time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", program])
    log = tmp_path / "child.log"
    wait_for(lambda: log.exists() and log.read_text().strip())
    child = int(log.read_text())
    parent.terminate()
    parent.wait(20)
    wait_for(lambda: not alive(child))
