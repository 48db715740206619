"""Settings: one declaration, one place that says a value is wrong."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, is_dataclass

import pytest

from spatial_vlm_ros.config import MemoryConfig, PointsConfig
from spatial_vlm_ros.settings import check, refusal, setting


@dataclass(frozen=True)
class Inner:
    share: float = setting(0.5, "A share", low=0.0, high=1.0)
    names: list[str] = setting(["floor"], "Names")  # noqa: RUF009


@dataclass(frozen=True)
class Outer:
    mode: str = setting("a", "A mode", choices=("a", "b"))
    on: bool = setting(True, "A switch", low=5)
    inner: Inner = field(default_factory=Inner)


def test_good_values_pass_ends_included():
    check(Outer())
    for share in (0.0, 1.0, 1):
        check(Outer(mode="b", inner=Inner(share)))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (Outer(mode="c"), "^mode: 'c' is not one of 'a', 'b'$"),
        (Outer(inner=Inner(-0.1)), r"^inner\.share: -0.1 is below the minimum 0.0$"),
        (Outer(inner=Inner(1.5)), r"^inner\.share: 1.5 is above the maximum 1.0$"),
        (Outer(inner=Inner(float("nan"))), r"^inner\.share: is not a number$"),
        (Outer(inner=Inner(float("inf"))), r"^inner\.share: inf is above"),
    ],
)
def test_the_wrong_setting_is_named(config, message):
    with pytest.raises(ValueError, match=message):
        check(config)


def test_settings_that_contradict_each_other_are_refused():
    check(MemoryConfig(points=PointsConfig(min_range=1.0, max_range=1.1)))
    with pytest.raises(ValueError, match=r"^points\.min_range: 3.0 is not below max_range, 2.0$"):
        check(MemoryConfig(points=PointsConfig(min_range=3.0, max_range=2.0)))


def test_a_list_default_is_not_shared():
    first, second = Inner(), Inner()
    first.names.append("wall")
    assert second.names == ["floor"]


def leaves(config, prefix=""):
    for item in fields(config):
        value = getattr(config, item.name)
        if is_dataclass(value):
            yield from leaves(value, f"{prefix}{item.name}.")
        else:
            yield f"{prefix}{item.name}", item, value


@pytest.mark.parametrize(
    ("item", "value"), [pytest.param(i, v, id=n) for n, i, v in leaves(MemoryConfig())]
)
def test_every_memory_setting_is_described_and_its_default_fits(item, value):
    assert len(item.metadata["description"]) > 10
    assert refusal(item, value) == ""
