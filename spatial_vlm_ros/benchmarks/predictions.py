"""Files of predictions: a line of JSON each, so that any system's can be scored.

``{"id": "17", "text": "B. sofa"}``; optional: ``objects`` (numbers), ``boxes`` (centre and size in
the aligned scan, six numbers; seven for 7-DoF grounding), ``confidence`` (0..1), ``failed`` (why
there is no answer).
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from spatial_vlm_ros.benchmarks.item import Prediction
from spatial_vlm_ros.data import checks
from spatial_vlm_ros.files import replaced


def read_predictions(*paths: Path) -> dict[str, Prediction]:
    """Of all files, by id. ``ValueError`` names the line that is none, or answers again what its
    file has answered, and the file that does so with what another has.
    """
    found: dict[str, Prediction] = {}
    for path in paths:
        own = _read(path, path.read_bytes())
        if again := found.keys() & own.keys():
            raise ValueError(f"{path} answers {min(again)}, which another file answers")
        found |= own
    return found


class PredictionFile:
    """One that grows; what is in it is kept, so that a run that was killed goes on.

    A line that was cut off goes, and answers that failed: they are asked for again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        kept: list[Prediction] = []
        if path.exists():
            content = path.read_bytes()
            whole = content[: content.rfind(b"\n") + 1]
            kept = [each for each in _read(path, whole).values() if not each.failed]
            with replaced(path) as file:
                file.writelines(map(_line, kept))
        self.answered = {each.id for each in kept}

    def add(self, prediction: Prediction) -> None:
        """At once in the file."""
        with self._path.open("ab") as file:
            file.write(_line(prediction))
        self.answered.add(prediction.id)


def _line(prediction: Prediction) -> bytes:
    told = {name: value for name, value in asdict(prediction).items() if value not in ("", None)}
    return json.dumps(told, ensure_ascii=False).encode() + b"\n"


def _read(path: Path, content: bytes) -> dict[str, Prediction]:
    found: dict[str, Prediction] = {}
    for number, line in enumerate(content.splitlines(), 1):
        if line.strip():
            prediction = _parsed(f"{path}:{number}", line)
            if prediction.id in found:
                raise ValueError(f"{path}:{number} answers {prediction.id} again")
            found[prediction.id] = prediction
    return found


def _parsed(where: str, line: bytes) -> Prediction:
    try:
        content = json.loads(line)
        return _prediction(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{where} is no prediction: {error}") from None


def _prediction(content: Any) -> Prediction:
    told = checks.members("it", content, Prediction)
    checks.text("id", told["id"])
    for name in ("text", "failed"):
        checks.text(name, told.get(name, ""))
    if (confidence := told.get("confidence")) is not None:
        told["confidence"] = checks.number("confidence", confidence)
        if not 0 <= told["confidence"] <= 1:
            raise ValueError(f"confidence {confidence} is not within 0 and 1")
    if (objects := told.get("objects")) is not None:
        told["objects"] = checks.each("objects", objects, checks.whole)
    if (boxes := told.get("boxes")) is not None:
        told["boxes"] = checks.each("boxes", boxes, _box)
    return Prediction(**told)


def _box(name: str, values: Any) -> tuple[float, ...]:
    numbers = checks.each(name, values, checks.number)
    if len(numbers) not in (6, 7):
        raise ValueError(f"{name} has {len(numbers)} numbers, not 6 or 7")
    if min(numbers[3:6]) < 0:
        raise ValueError(f"{name} has a negative size")
    return numbers
