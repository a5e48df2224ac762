"""Completion indexes: whose they are, and how a status writes many of them.

Source: pkg/controller/job/indexed_job_utils.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from leeward.kube.objects import Obj, annotations_of

INDEX = "batch.kubernetes.io/job-completion-index"


def parse_indexes(text: str) -> set[int]:
    """Return the numbers of "0-2,4"."""
    return {index for first, last in _runs(text) for index in range(first, last + 1)}


def _runs(text: str) -> list[tuple[int, int]]:
    """Return the first and last of each run of numbers."""
    parts = (part.partition("-") for part in filter(None, text.split(",")))
    return [(int(first), int(last or first)) for first, _, last in parts]


def format_indexes(numbers: Collection[int]) -> str:
    """Return "0-2,4" for 0, 1, 2 and 4; two in a row are written one by one."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(
        str(run[0]) if len(run) == 1 else f"{run[0]}{',' if len(run) == 2 else '-'}{run[-1]}" for run in runs
    )


def is_indexed(job: Obj) -> bool:
    """Tell whether the Pods of a Job have indexes."""
    return bool(job["spec"].get("completionMode") == "Indexed")


def index_of(pod: Obj) -> int | None:
    """Return the completion index of a Pod."""
    text = annotations_of(pod).get(INDEX, "")
    return int(text) if text.isdigit() else None


def valid_index(job: Obj, pod: Obj) -> int | None:
    """Return the completion index of a Pod if it is one of the Job's."""
    index = index_of(pod)
    return index if index is not None and index < (job["spec"].get("completions") or 0) else None


def indexes_of(pods: Iterable[Obj]) -> set[int]:
    """Return the indexes that Pods have."""
    return {index for pod in pods if (index := index_of(pod)) is not None}


def met_rule(job: Obj, done: Collection[int]) -> str:
    """Return which rule of the success policy is met by the indexes that are done; "" for none."""
    rules = (job["spec"].get("successPolicy") or {}).get("rules") or ()
    for number, rule in enumerate(rules if done else ()):
        wanted = _runs(rule["succeededIndexes"]) if rule.get("succeededIndexes") else None
        matching, size = len(done), None
        if wanted is not None:
            matching = sum(1 for index in done if any(first <= index <= last for first, last in wanted))
            size = sum(last - first + 1 for first, last in wanted)
        least = rule.get("succeededCount", size)
        if least is not None and matching >= least:
            return f"Matched rules at index {number}"
    return ""
