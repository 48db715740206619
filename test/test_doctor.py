"""The doctor must find what is broken, say it, and say what to do."""

from __future__ import annotations

import builtins
from pathlib import Path

import pytest

from spatial_vlm_ros import doctor
from spatial_vlm_ros.doctor import Finding, Level

PROFILE = Path(__file__).parents[1] / "config" / "fastdds.xml"


@pytest.mark.parametrize(
    ("version", "level"), [((3, 9, 18), Level.FAIL), ((3, 10, 0), Level.OK), ((3, 14, 3), Level.OK)]
)
def test_python_version(version, level) -> None:
    assert doctor.python_version(version).level is level


def test_missing_library_names_the_package_to_install() -> None:
    finding = doctor.library("no_such_module", "no-such-package")
    assert finding.level is Level.FAIL
    assert "pip install no-such-package" in finding.remedy
    assert doctor.library("numpy", "numpy").level is Level.OK


@pytest.fixture
def without_rclpy(monkeypatch) -> None:
    real = builtins.__import__

    def refuse(name, *arguments, **keywords):
        if name.partition(".")[0] == "rclpy":
            raise ImportError(f"No module named {name!r}")
        return real(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", refuse)
    monkeypatch.setattr(doctor.importlib, "import_module", refuse)


def test_no_ros_is_a_warning_and_a_wrong_python_a_failure(without_rclpy) -> None:
    assert doctor.ros_client({}).level is Level.WARN
    sourced = doctor.ros_client({"ROS_DISTRO": "jazzy"})
    assert sourced.level is Level.FAIL
    assert "jazzy" in sourced.remedy


def test_missing_interfaces_say_how_to_build_them() -> None:
    own, other = doctor.interfaces(["spatial_vlm_msgs.no_such", "no_such_msgs.msg"])
    assert own.level is other.level is Level.FAIL
    assert "colcon build" in own.remedy
    assert "ros-<distro>-no-such-msgs" in other.remedy


@pytest.mark.parametrize(
    ("value", "level"),
    [(None, Level.OK), ("42", Level.OK), ("150", Level.WARN), ("233", Level.FAIL),
     ("-1", Level.FAIL), ("abc", Level.FAIL), ("", Level.FAIL)],
)  # fmt: skip
def test_domain(value, level) -> None:
    assert doctor.domain({} if value is None else {"ROS_DOMAIN_ID": value}).level is level


def test_shipped_profile_is_enough() -> None:
    finding = doctor.middleware({"FASTDDS_DEFAULT_PROFILES_FILE": str(PROFILE)})
    assert finding.level is Level.OK
    assert "64 MiB" in finding.text


def test_no_profile_warns_that_images_are_lost() -> None:
    finding = doctor.middleware({})
    assert finding.level is Level.WARN
    assert "lost" in finding.text
    assert "FASTRTPS_DEFAULT_PROFILES_FILE" in finding.remedy
    assert doctor.middleware({"RMW_IMPLEMENTATION": "rmw_zenoh_cpp"}).level is Level.OK


@pytest.mark.parametrize(
    ("content", "level"),
    [
        (None, Level.FAIL),
        ("<dds><broken", Level.FAIL),
        ("<dds><segment_size>much</segment_size></dds>", Level.FAIL),
        ("<dds></dds>", Level.WARN),
        ("<dds><segment_size>524288</segment_size></dds>", Level.WARN),
    ],
)
def test_unusable_profiles(tmp_path: Path, content, level) -> None:
    profile = tmp_path / "profile.xml"
    if content is not None:
        profile.write_text(content)
    finding = doctor.middleware({"FASTRTPS_DEFAULT_PROFILES_FILE": str(profile)})
    assert finding.level is level
    assert str(profile) in finding.text


def test_shared_memory() -> None:
    assert doctor.shared_memory(1 << 30).level is Level.OK
    assert doctor.shared_memory(64 << 20).level is Level.WARN  # Docker's default
    assert doctor.shared_memory(None).level is Level.WARN


def test_discovery_limits_are_told() -> None:
    assert list(doctor.discovery({})) == []
    (local,) = doctor.discovery({"ROS_LOCALHOST_ONLY": "1"})
    assert local.level is Level.OK
    (off,) = doctor.discovery({"ROS_AUTOMATIC_DISCOVERY_RANGE": "off"})
    assert off.level is Level.WARN


def test_exit_status_is_the_worst_finding(capsys) -> None:
    fine, warning = Finding(Level.OK, "a", "fine"), Finding(Level.WARN, "b", "hm", "do this")
    assert doctor.report(iter([fine])) == 0
    assert doctor.report(iter([warning, fine])) == 1
    assert doctor.report(iter([Finding(Level.FAIL, "c", "bad"), warning])) == 2
    printed = capsys.readouterr().out
    assert "-> do this" in printed
    assert "0 OK, 1 WARN, 1 FAIL" in printed
