"""Frames of a ROS bag (MCAP or SQLite), read without ROS."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rosbags.highlevel import AnyReader, AnyReaderError
from rosbags.typesys import Stores, get_typestore

from spatial_vlm_ros.assembler import AssemblerConfig, FrameAssembler
from spatial_vlm_ros.frame import Frame
from spatial_vlm_ros.ros_image import label_names, stamp_ns
from spatial_vlm_ros.sources.topics import Topics, choose_topics
from spatial_vlm_ros.tf.buffer import TransformBuffer

_NOTHING_IS_LOST = AssemblerConfig(queue_size=300, ready_size=100_000)
_FOR_EVER = 1e9  # seconds


class RosbagSource:
    """Iterates over the frames of a bag in stamp order.

    Topics are found by type and name unless given (see ``topics`` for what was chosen).
    ``instances``: "labels", "detections" or "geometric"; None takes the first that the bag has.
    ``fixed_frame``: "" takes "odom" if the bag has it, else the root of the camera's TF tree.
    ``streams``: what makes a frame with a colour image, of "depth", "labels", "detections"; None:
    depth and what the instances need. ``poses``: whether frames have one; if not, no TF is needed.
    ``len()`` is the number of colour images; ``dropped`` and ``details`` say what was not used.

    ``ValueError`` when the bag cannot be read or lacks something, with what it has instead.
    """

    def __init__(
        self,
        path: Path,
        *,
        instances: str | None = None,
        fixed_frame: str = "",
        streams: Sequence[str] | None = None,
        poses: bool = True,
        **topics: str,
    ) -> None:
        self.path = Path(path)
        with self._open() as reader:
            types = {c.topic: c.msgtype for c in reader.connections}
            self.topics = choose_topics(types, streams is None or "depth" in streams, **topics)
            self.instances = _instances(self.topics, instances, streams)
            self.streams = _needs(self.instances) if streams is None else tuple(streams)
            self._count = sum(
                c.msgcount for c in reader.connections if c.topic == self.topics.color
            )
            if not self._count:
                raise ValueError(f"{self.path}: {self.topics.color} has no messages")
            self._transforms: TransformBuffer | None = None
            parents: dict[str, str] = {}
            if poses:
                self._transforms, parents = _read_transforms(reader)
            self._names = self._read_names(reader)
            camera_frame = self._first(reader, self.topics.color).header.frame_id
        self.fixed_frame = self._choose_fixed_frame(fixed_frame, parents, camera_frame)
        self.dropped: Counter[str] = Counter()
        self.details: dict[str, str] = {}

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Frame]:
        names = ("color", "camera_info", *self.streams)
        streams = {getattr(self.topics, name): name for name in names}
        assembler = FrameAssembler(
            None if self._transforms is None else self._transforms.lookup,
            self.fixed_frame,
            self.streams,
            _NOTHING_IS_LOST,
            rectified="image_rect" in self.topics.color,
        )
        assembler.set_label_names(self._names)
        self.dropped, self.details = assembler.dropped, assembler.details
        now = 0.0
        with self._open() as reader:
            wanted = [c for c in reader.connections if c.topic in streams]
            for connection, logged_ns, raw in reader.messages(wanted):
                message: Any = reader.deserialize(raw, connection.msgtype)
                now = logged_ns / 1e9
                stamp = stamp_ns(message.header.stamp)
                assembler.add(streams[connection.topic], stamp, message, now)
                yield from _drain(assembler, now)
        yield from _drain(assembler, now + _FOR_EVER)
        yield from _drain(assembler, now + 2 * _FOR_EVER)

    @contextmanager
    def _open(self) -> Iterator[AnyReader]:
        try:
            with AnyReader([self.path], default_typestore=get_typestore(Stores.LATEST)) as reader:
                yield reader
        except (AnyReaderError, FileNotFoundError) as error:
            raise ValueError(f"{self.path} cannot be read as a bag: {error}") from None

    def _first(self, reader: AnyReader, topic: str) -> Any:
        wanted = [c for c in reader.connections if c.topic == topic]
        connection, _, raw = next(reader.messages(wanted))
        return reader.deserialize(raw, connection.msgtype)

    def _read_names(self, reader: AnyReader) -> dict[int, str]:
        if not self.topics.label_info:
            return {}
        return label_names(self._first(reader, self.topics.label_info))

    def _choose_fixed_frame(self, given: str, parents: dict[str, str], camera_frame: str) -> str:
        if self._transforms is None:
            return ""
        known = self._transforms.frames()
        if given:
            if given not in known:
                raise ValueError(
                    f"{self.path}: fixed frame {given!r} is not in TF; frames there: "
                    f"{', '.join(sorted(known)) or 'none'}"
                )
            return given
        if not known:
            raise ValueError(f"{self.path}: no /tf and no /tf_static, the camera has no pose")
        root = camera_frame
        while root in parents:
            root = parents[root]
        return "odom" if "odom" in known else root


def _drain(assembler: FrameAssembler, now: float) -> Iterator[Frame]:
    while (frame := assembler.take(now)) is not None:
        yield frame


def _instances(topics: Topics, wanted: str | None, streams: Sequence[str] | None) -> str:
    has = {"labels": bool(topics.labels and topics.label_info), "geometric": True}
    has["detections"] = bool(topics.detections)
    if wanted is None and streams is not None:
        wanted = next((kind for kind in ("labels", "detections") if kind in streams), "geometric")
    if wanted is None:
        return next(kind for kind in ("labels", "detections", "geometric") if has[kind])
    if wanted not in has:
        raise ValueError(f"instances is {wanted!r}, not one of {', '.join(has)}")
    if not has[wanted]:
        missing = "label image and LabelInfo" if wanted == "labels" else "Detection2DArray"
        raise ValueError(f"instances is {wanted!r} but the recording has no {missing} topic")
    return wanted


def _needs(instances: str) -> tuple[str, ...]:
    return ("depth",) if instances == "geometric" else ("depth", instances)


def _read_transforms(reader: AnyReader) -> tuple[TransformBuffer, dict[str, str]]:
    """All transforms of the recording, and the parent of each frame.

    They are read ahead of the images, so a frame has the transforms after its stamp at hand.
    """
    buffer, parents = TransformBuffer(cache_s=_FOR_EVER), {}
    wanted = [c for c in reader.connections if c.topic in ("/tf", "/tf_static")]
    for connection, _, raw in reader.messages(wanted) if wanted else ():
        message: Any = reader.deserialize(raw, connection.msgtype)
        for item in message.transforms:
            parent, child = item.header.frame_id.lstrip("/"), item.child_frame_id.lstrip("/")
            shift, turn = item.transform.translation, item.transform.rotation
            buffer.set(
                parent,
                child,
                stamp_ns(item.header.stamp),
                (shift.x, shift.y, shift.z),
                (turn.x, turn.y, turn.z, turn.w),
                static=connection.topic == "/tf_static",
            )
            parents[child] = parent
    return buffer, parents
