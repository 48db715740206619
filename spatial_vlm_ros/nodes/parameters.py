"""ROS parameters of a node, declared from a dataclass of settings."""

from __future__ import annotations

import dataclasses
import difflib
import math
import typing
from collections.abc import Callable, Collection, Iterator
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

from spatial_vlm_ros.settings import check, refusal

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
        self._fields = dict(_fields(config_type))
        for name, field in self._fields.items():
            default = field.default
            if field.default_factory is not dataclasses.MISSING:
                default = field.default_factory()
            try:
                node.declare_parameter(name, default, _descriptor(field))
            except (InvalidParameterTypeException, InvalidParameterValueException) as error:
                raise ValueError(f"parameter {name}: {error}") from None
        self.config()
        self._warn_of_unknown()
        node.add_on_set_parameters_callback(self._judge)

    def config(self) -> Config:
        """The settings as they are now; ``ValueError`` names one that is out of its range."""
        config: Config = _build(self._type, self._node, "")
        try:
            check(config)
        except ValueError as error:
            raise ValueError(f"parameter {error}") from None
        return config

    def _warn_of_unknown(self) -> None:
        """Say which given parameters nobody has declared: ROS drops them without a word."""
        for name in self._node._parameter_overrides:
            if not self._node.has_parameter(name) and not name.startswith("qos_overrides."):
                meant = difflib.get_close_matches(name, self._fields, 1)
                hint = f", did you mean {meant[0]}?" if meant else ""
                self._node.get_logger().warning(f"parameter {name} is not known{hint}")

    def _judge(self, parameters: list[Parameter]) -> SetParametersResult:
        for parameter in parameters:
            field = self._fields.get(parameter.name)
            if field is None:
                continue
            reason = refusal(field, parameter.value)
            if not reason and self._locked() and parameter.name not in self._live:
                reason = (
                    "takes effect when the node is configured: deactivate, clean up, set it, "
                    "then configure and activate"
                )
            if reason:
                return SetParametersResult(successful=False, reason=f"{parameter.name}: {reason}")
        return SetParametersResult(successful=True)


def _fields(config_type: Any, prefix: str = "") -> Iterator[tuple[str, dataclasses.Field[Any]]]:
    types = typing.get_type_hints(config_type)
    for field in dataclasses.fields(config_type):
        if dataclasses.is_dataclass(types[field.name]):
            yield from _fields(types[field.name], f"{prefix}{field.name}.")
        else:
            yield prefix + field.name, field


def _build(config_type: Any, node: Node, prefix: str) -> Any:
    types, values = typing.get_type_hints(config_type), {}
    for field in dataclasses.fields(config_type):
        name = prefix + field.name
        if dataclasses.is_dataclass(types[field.name]):
            values[field.name] = _build(types[field.name], node, f"{name}.")
        else:
            value = node.get_parameter(name).value
            values[field.name] = list(value) if isinstance(value, (list, tuple)) else value
    return config_type(**values)


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
