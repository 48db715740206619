"""The mapper's services: reset, enable, save, load, remove, query."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from std_srvs.srv import SetBool, Trigger

from spatial_vlm_ros.memory import SpatialMemory
from spatial_vlm_ros.nodes import interfaces as ros
from spatial_vlm_ros.nodes.conversions import header, object_message, polygon_points
from spatial_vlm_ros.nodes.managed import ManagedNode
from spatial_vlm_ros.nodes.mapper_config import MapperConfig
from spatial_vlm_ros.reasoning.geometric import find_objects
from spatial_vlm_ros.scene.graph import ObjectState
from spatial_vlm_ros.scene.region import within


class MapServices:
    """Serves a memory, always under ``lock``; ``changed`` is called after it was altered.

    The services are there as long as the node; between :meth:`close` and :meth:`open` they say
    that there is no map. Destroyed ones could not answer what they have been asked before.
    ``anew`` is called, under ``lock``, when all has been forgotten.
    """

    def __init__(
        self,
        node: ManagedNode,
        lock: threading.Lock,
        changed: Callable[[], None],
        enable: Callable[[bool], None],
        anew: Callable[[], None],
    ) -> None:
        self._lock, self._changed, self._enable, self._anew = lock, changed, enable, anew
        self._serving = threading.Lock()  # held during a service
        self._is_open = False
        for kind, name, callback in (
            (Trigger, "reset", self._reset),
            (SetBool, "enable", self._set_enabled),
            (ros.SaveScene, "save_scene", self._save),
            (ros.LoadScene, "load_scene", self._load),
            (ros.RemoveObject, "remove_object", self._remove),
            (ros.QueryObjects, "query_objects", self._query),
        ):
            served = node.aside(self._when_open(callback))
            node.create_service(kind, f"~/{name}", served, callback_group=node.services_group)

    def open(self, config: MapperConfig, memory: SpatialMemory) -> None:
        """Serve ``memory``."""
        self._config, self._memory, self._is_open = config, memory, True

    def close(self) -> None:
        """Stop serving; returns when the service that runs has ended."""
        with self._serving:
            self._is_open = False

    def _when_open(self, callback: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        def answer(request: Any, response: Any) -> Any:
            with self._serving:
                if not self._is_open:
                    raise ValueError("there is no map: the mapper is not configured")
                return callback(request, response)

        return answer

    def _reset(self, request: Any, response: Any) -> Any:
        with self._lock:
            count = len(self._memory.graph().objects)
            self._memory.reset()
            self._anew()
        self._changed()
        return _done(response, f"forgot {count} objects")

    def _set_enabled(self, request: Any, response: Any) -> Any:
        self._enable(request.data)
        return _done(response, "taking frames in" if request.data else "ignoring frames")

    def _save(self, request: Any, response: Any) -> Any:
        folder = _folder(request.path)
        with self._lock:
            try:
                self._memory.save(folder, self._config.tied_to)
            except OSError as error:
                raise ValueError(f"{folder} cannot be written: {error.strerror}") from error
            count = len(self._memory.graph().objects)
        return _done(response, f"wrote {count} objects to {folder}")

    def _load(self, request: Any, response: Any) -> Any:
        folder = _folder(request.path)
        if not self._config.tied_to:
            raise ValueError(
                "poses come from images alone, so nobody knows where in a saved scene the camera "
                "is: set geometry.poses to tf"
            )
        with self._lock:
            without = self._memory.load(folder, self._config.tied_to)
            count = len(self._memory.graph().objects)
        self._changed()
        note = f"; no proxies: {without}" if without else ""
        return _done(response, f"read {count} objects from {folder}{note}")

    def _remove(self, request: Any, response: Any) -> Any:
        with self._lock:
            known = {item.id: item.label for item in self._memory.graph().objects}
            if request.id not in known:
                raise ValueError(f"there is no object {request.id}; ids: {sorted(known)}")
            self._memory.remove(request.id)
        self._changed()
        return _done(response, f"removed {known[request.id]} {request.id}")

    def _query(self, request: Any, response: Any) -> Any:
        with self._lock:
            scene = self._memory.graph()
        response.header = header(scene.stamp_ns, self._config.scene_frame)
        corners = polygon_points(request.region)
        if corners is not None:
            scene = within(scene, corners)
        if request.phrase.strip():
            answer = find_objects(request.phrase, scene, request.include_missing)
            response.success, response.message = answer.answered, answer.text
            found = [scene[i] for i in answer.objects]
        else:
            found = [
                item
                for item in scene.objects
                if request.include_missing or item.state is ObjectState.CONFIRMED
            ]
            _done(response, f"{len(found)} objects")
        response.objects = [object_message(item) for item in found]
        return response


def _folder(path: str) -> Path:
    if not path.strip():
        raise ValueError("path is empty: give a folder on the mapper's machine")
    try:
        return Path(path).expanduser().absolute()
    except RuntimeError as error:  # ~somebody
        raise ValueError(f"{path}: {error}") from None


def _done(response: Any, message: str) -> Any:
    response.success, response.message = True, message
    return response
