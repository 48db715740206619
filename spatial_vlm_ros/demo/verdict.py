"""What the demo found, judged against the truth: tables for the reader, numbers for the report."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from textwrap import shorten
from typing import Any

import numpy as np

from spatial_vlm_ros.demo.session import Answers, Outcome
from spatial_vlm_ros.evaluation import BoxScores
from spatial_vlm_ros.judge import judge
from spatial_vlm_ros.nodes.conversions import box_from
from spatial_vlm_ros.nodes.image_conversions import proxy_places
from spatial_vlm_ros.nodes.interfaces import Ask
from spatial_vlm_ros.reasoning.answer import Answer, GoalPose
from spatial_vlm_ros.scene.graph import SceneGraph
from spatial_vlm_ros.simulation.truth import TrueQuestion, Truth

_PROXY_MARGIN = 0.05  # metres


@dataclass(frozen=True)
class Verdict:
    """One question, its answer and whose it is, the truth, and whether they agree."""

    question: str
    kind: str
    answer: str
    truth: str
    right: bool
    why: str
    ms: float
    reasoner: str


def judge_all(
    questions: Sequence[TrueQuestion], answers: Answers, scene: SceneGraph, truth: Truth
) -> tuple[Verdict, ...]:
    """A verdict for each question."""
    verdicts = []
    for question, result, ms in zip(questions, answers.results, answers.ms, strict=True):
        boxes = {item.id: item.box for item in scene.objects}
        boxes |= {int(d.id): box_from(d.bbox) for d in result.boxes.detections}
        right, why = judge(_answer(result), question, truth, boxes)
        verdicts.append(
            Verdict(
                question.question,
                question.kind,
                result.answer,
                true_text(question, truth),
                right,
                "" if right else why,
                round(ms, 2),
                result.reasoner,
            )
        )
    return tuple(verdicts)


def true_text(question: TrueQuestion, truth: Truth) -> str:
    """The truth of a question, for a reader."""
    if not question.answered:
        return "cannot be answered" if not question.candidates else "ambiguous"
    if isinstance(question.truth, float):
        return f"{question.truth:.2f} {question.unit}" if question.unit else f"{question.truth:g}"
    if question.truth is not None:
        return str(question.truth)
    return ", ".join(f"{truth[i].colour} {truth[i].category}" for i in question.objects)


def _answer(result: Ask.Result) -> Answer:
    goal = None
    if result.has_goal_pose:
        place, turn = result.goal_pose.pose.position, result.goal_pose.pose.orientation
        goal = GoalPose(place.x, place.y, place.z, 2 * float(np.arctan2(turn.z, turn.w)))
    return Answer(
        text=result.answer,
        answered=result.answered,
        kind=result.kind,
        value=result.value if result.has_value else None,
        unit=result.unit,
        objects=tuple(result.object_ids),
        evidence=tuple(result.evidence_ids),
        candidates=tuple(result.candidates),
        goal=goal,
        confidence=result.confidence,
    )


def print_verdicts(verdicts: Sequence[Verdict], beside: Sequence[Verdict] = ()) -> None:
    """Question, answer, truth, right or wrong, and what the model says, if one was asked."""
    for number, item in enumerate(verdicts, 1):
        print(f"{number:3} {'right' if item.right else 'WRONG'}  [{item.kind}] {item.question}")
        print(f"           {item.answer}")
        print(f"           truth: {item.truth}" + (f"  ({item.why})" if item.why else ""))
        for other in beside[number - 1 : number]:
            said = shorten(other.answer, 70, placeholder=" ...")
            print(f"           {other.reasoner}: {said}  ({'right' if other.right else 'wrong'})")


def model_record(model: str, verdicts: Sequence[Verdict], outcome: Outcome) -> dict[str, Any]:
    """What a model said beside geometry, and how often it was right.

    ``problems``: why questions were answered by another reasoner instead.
    """
    others = [answer for answer in outcome.beside.results if answer.reasoner != model]
    return {
        "reasoner": model,
        "questions": [vars(verdict) for verdict in verdicts],
        "right": sum(verdict.right for verdict in verdicts),
        "answer median [ms]": float(np.median(outcome.beside.ms)),
        "problems": sorted({" ".join(answer.warnings) for answer in others}),
    }


def print_model(record: Mapping[str, Any]) -> None:
    """How often the model was right, which is no promise."""
    print(
        f"{record['right']} of them right by the small model {record['reasoner']}, "
        f"{record['answer median [ms]']:.0f} ms each (median)"
    )


def print_boxes(title: str, scores: BoxScores) -> None:
    """Recall, precision, IoU and every miss with its reason."""
    print(f"{title}: {scores.well_seen} objects well seen, {scores.boxes} boxes")
    for threshold in sorted(scores.recall):
        print(
            f"  IoU >= {threshold:.2f}: recall {scores.recall[threshold]:6.1%}"
            f"   precision {scores.precision[threshold]:6.1%}"
        )
    print(f"  mean 3D IoU of matches {scores.mean_iou:.3f}")
    for miss in scores.misses:
        print(
            f"  missed: {miss.category} {miss.true_id} ({miss.surface_seen:.0%} of it seen, "
            f"best IoU {miss.best_iou:.2f}): {miss.reason}"
        )


def proxies_record(outcome: Outcome, truth: Truth) -> dict[str, Any]:
    """How many proxies there are, of how many objects, and which share is where it should be.

    That is: in the true box of an object of the category that the proxy's object has.
    """
    points, ids = proxy_places(outcome.proxies)
    label_of = {item.id: item.label for item in outcome.scene.objects}
    inside = np.zeros(len(points), np.bool_)
    for number in np.unique(ids[ids > 0]).tolist():
        own = ids == number
        for item in truth.objects:
            if item.category == label_of.get(number):
                inside[own] |= item.box.contains(points[own], _PROXY_MARGIN)
    return {
        "proxies": len(points),
        "of objects": int((ids > 0).sum()),
        "objects": len(np.unique(ids[ids > 0])),
        "well placed": float(inside[ids > 0].mean()) if (ids > 0).any() else 0.0,
        "encoder": outcome.proxies.encoder,
    }


def print_proxies(record: Mapping[str, Any]) -> None:
    """Number and places of the proxies."""
    print(
        f"proxies: {record['proxies']}, {record['of objects']} of them of {record['objects']} "
        f"objects, {record['well placed']:.1%} of these in a true box; {record['encoder']}"
    )


def referring_record(outcome: Outcome) -> dict[str, Any]:
    """Of the phrases for one of several objects, how many the mapper took for the one meant."""
    phrases = len(outcome.referred)
    others = [wanted.text for wanted, found in outcome.referred if found != (wanted.target,)]
    return {"phrases": phrases, "understood": phrases - len(others), "others": others}


def boxes_record(scores: BoxScores) -> dict[str, Any]:
    """The scores for the report."""
    record = asdict(scores)
    for name in ("recall", "precision"):
        record[name] = {f"{threshold:g}": value for threshold, value in record[name].items()}
    return record


def performance_record(outcome: Outcome) -> dict[str, float]:
    """The mapper's own counts and latencies, and how long answers took through the action."""
    numbers = {}
    for key, value in outcome.diagnostics.items():
        with contextlib.suppress(ValueError):  # the rest is text
            numbers[key] = float(value)
    if outcome.answers.ms:
        median, p95 = np.percentile(outcome.answers.ms, [50, 95]).tolist()
        numbers |= {"answer median [ms]": median, "answer 95% [ms]": p95}
    return numbers


def print_performance(numbers: Mapping[str, float]) -> None:
    """Frames used and dropped, and how long everything took."""
    dropped = [f", {v:.0f} {key}" for key, v in numbers.items() if key.startswith("dropped ")]
    used, taken = numbers["frames used"], numbers["frames in"]
    print(f"frames: {taken:.0f} in, {used:.0f} used{''.join(dropped)}")
    for key, what in (
        ("observe", "mapping a frame"),
        ("latency", "image arrival to map"),
        ("encode", "encoding a keyframe, beside it"),
        ("answer", "question to answer through the action"),
    ):
        if f"{key} median [ms]" in numbers:
            median, p95 = numbers[f"{key} median [ms]"], numbers[f"{key} 95% [ms]"]
            print(f"{what}: {median:.1f} ms median, {p95:.1f} ms p95")
