"""ROS parameters of a node, declared from a dataclass of settings."""

from __future__ import annotations

import dataclasses
import difflib
import math
import typing
from collections.abc import Callable, Collection, Mapping
from typing import Any, Generic, TypeVar

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter

from spatial_vlm_ros.settings import build, check, default_of, flat

Config = TypeVar("Config")
_INT64 = (-(2**63), 2**63 - 1)
_DOUBLE = (-1.7e308, 1.7e308)


class Parameters(Generic[Config]):
    """Declares every field of ``config_type`` (nested names joined by dots) on ``node``.

    While ``locked()`` only the parameters named ``live`` can be set, since the others have been
    built into what is running. ``ValueError`` names the parameter a file or command line got
    wrong.
    """

    def __init__(
        self,
        node: Node,
        config_type: type[Config],
        locked: Callable[[], bool],
        live: Collection[str] = (),
    ) -> None:
        self._node, self._type, self._locked, self._live = node, config_type, locked, live
        self._fields = {name: field for name, field, _ in flat(config_type)}
        for name, field in self._fields.items():
            try:
                node.declare_parameter(name, default_of(field), _descriptor(field))
            except (InvalidParameterTypeException, InvalidParameterValueException) as error:
                raise ValueError(f"parameter {name}: {error}") from None
        self.config()
        self._warn_of_unknown()
        node.add_on_set_parameters_callback(self._judge)

    def config(self) -> Config:
        """The settings as they are now; ``ValueError`` names one that cannot be."""
        try:
            return self._checked({})
        except ValueError as error:
            raise ValueError(f"parameter {error}") from None

    def _checked(self, changes: Mapping[str, Any]) -> Config:
        def value_of(name: str, kind: Any) -> Any:
            given = name in changes
            value = changes[name] if given else self._node.get_parameter_or(name).value
            return _plain(name, value, kind)

        config: Config = build(self._type, value_of)
        check(config)
        return config

    def _warn_of_unknown(self) -> None:
        """Say which given parameters nobody has declared: ROS drops them without a word."""
        for name in self._node._parameter_overrides:
            if not self._node.has_parameter(name) and not name.startswith("qos_overrides."):
                meant = difflib.get_close_matches(name, self._fields, 1)
                hint = f", did you mean {meant[0]}?" if meant else ""
                self._node.get_logger().warning(f"parameter {name} is not known{hint}")

    def _judge(self, parameters: list[Parameter]) -> SetParametersResult:
        changes = {p.name: p.value for p in parameters if p.name in self._fields}
        try:
            self._checked(changes)
        except ValueError as error:
            return SetParametersResult(successful=False, reason=str(error))
        fixed = [name for name in changes if name not in self._live] if self._locked() else []
        if not fixed:
            return SetParametersResult(successful=True)
        reason = (
            f"{fixed[0]}: takes effect when the node is configured: deactivate, clean up, set it, "
            "then configure and activate"
        )
        return SetParametersResult(successful=False, reason=reason)


def _plain(name: str, value: Any, kind: Any) -> Any:
    """A parameter's value as a setting; ROS hands over an empty list as no value at all."""
    if typing.get_origin(kind) is list:
        return list(value or ())
    if value is None:
        raise ValueError(f"{name}: has no value")
    return value


def _descriptor(field: dataclasses.Field[Any]) -> ParameterDescriptor:
    low, high = field.metadata.get("low"), field.metadata.get("high")
    choices = field.metadata.get("choices")
    descriptor = ParameterDescriptor(
        description=field.metadata.get("description", ""),
        read_only=bool(field.metadata.get("read_only", False)),
        additional_constraints=f"one of: {', '.join(choices)}" if choices else "",
    )
    if low is None and high is None:
        return descriptor
    if isinstance(field.default, float):
        descriptor.floating_point_range = [
            FloatingPointRange(
                from_value=float(_DOUBLE[0] if low is None else low),
                to_value=float(_DOUBLE[1] if high is None else high),
            )
        ]
    else:
        descriptor.integer_range = [
            IntegerRange(
                from_value=_INT64[0] if low is None else math.ceil(low),
                to_value=_INT64[1] if high is None else math.floor(high),
                step=1,
            )
        ]
    return descriptor
