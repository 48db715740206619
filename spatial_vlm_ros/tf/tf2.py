"""The one place that chooses: tf2_ros where it is installed, else a stand-in with its calls."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rclpy.time import Time

from spatial_vlm_ros.tf.buffer import (
    NotConnected,
    Sample,
    TooNew,
    TooOld,
    TransformError,
    UnknownFrame,
)

try:
    from tf2_ros import (
        Buffer,
        ConnectivityException,
        ExtrapolationException,
        LookupException,
        StaticTransformBroadcaster,
        TransformBroadcaster,
        TransformException,
        TransformListener,
    )
except ImportError:
    from spatial_vlm_ros.tf.tf2_standin import (
        Buffer,
        ConnectivityException,
        ExtrapolationException,
        LookupException,
        StaticTransformBroadcaster,
        TransformBroadcaster,
        TransformException,
        TransformListener,
    )

__all__ = [
    "Buffer",
    "ConnectivityException",
    "ExtrapolationException",
    "LookupException",
    "StaticTransformBroadcaster",
    "TransformBroadcaster",
    "TransformException",
    "TransformListener",
    "lookup",
]


def lookup(buffer: Buffer, target: str, source: str, stamp_ns: int) -> NDArray[np.float64]:
    """(4, 4) T_target_source at ``stamp_ns``, with the errors of :mod:`.buffer`."""
    if stamp_ns == 0:  # tf2 would take the latest
        raise TransformError("the image has no stamp (0), so no transform belongs to it")
    try:
        message = buffer.lookup_transform(target, source, Time(nanoseconds=stamp_ns))
    except LookupException as error:
        raise UnknownFrame(str(error)) from error
    except ConnectivityException as error:
        raise NotConnected(str(error)) from error
    except ExtrapolationException as error:
        raise (TooOld if "into the past" in str(error) else TooNew)(str(error)) from error
    except TransformException as error:  # a frame name that tf2 refuses
        raise TransformError(f"{target!r} <- {source!r}: {error}") from error
    place, turn = message.transform.translation, message.transform.rotation
    sample = Sample(target, (place.x, place.y, place.z), (turn.x, turn.y, turn.z, turn.w))
    return sample.matrix()
