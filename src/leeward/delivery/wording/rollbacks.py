"""What going back to an earlier release does not bring back. Pure.

Objects come back as they were. What programs wrote, what Jobs did and what was deleted for good does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from leeward.delivery.wording.compose import facts_of
from leeward.delivery.wording.differences import Line, Side, differences
from leeward.delivery.wording.facts import Facts, base_name, subject_of
from leeward.kube.objects import Obj


def rollback_verdict(before: Sequence[Obj], after: Sequence[Obj]) -> list[str]:
    """Return what will not come back, a sentence each, data first.

    Args:
        before: what runs.
        after: what shall come back.
    """
    old, new = facts_of(before), facts_of(after)
    return [
        *_data(old, new),
        *_jobs(before, after),
        *_secrets(before, after),
        *(f"{line.subject}: {line.text}" for line in _fixed(before, after)),
    ]


def _data(old: dict[str, Facts], new: dict[str, Facts]) -> Iterator[str]:
    """Say what becomes of data; claims are known by service or volume, and name."""
    had, has = _claims(old), _claims(new)
    for subject, name in sorted(had & has):
        yield f"{_volume(subject, name)}: what was written since stays written"
    for subject, name in sorted(had - has):
        yield f"{_volume(subject, name)}: nothing uses it any longer; its data stays in the claim"
    for subject, name in sorted(has - had):
        yield f"{_volume(subject, name)}: it has the data that is left in its claim, and is empty without one"


def _claims(facts: dict[str, Facts]) -> set[tuple[str, str]]:
    return {(subject, item) for subject, each in facts.items() for aspect, item in each if aspect == "claim"}


def _volume(subject: str, name: str) -> str:
    return subject if subject == f"volume {name}" else f"volume {name} of {subject}"


def _jobs(before: Sequence[Obj], after: Sequence[Obj]) -> Iterator[str]:
    """Say which Jobs have done what the release that comes back did not ask for."""
    wanted = {obj["metadata"]["name"] for obj in after if obj["kind"] == "Job"}
    for obj in before:
        if obj["kind"] == "Job" and obj["metadata"]["name"] not in wanted:
            yield f"{subject_of(obj)}: what it did when it ran is not undone"


def _secrets(before: Sequence[Obj], after: Sequence[Obj]) -> Iterator[str]:
    """Say which Secrets are not there any longer; no promotion has their values."""
    there = {obj["metadata"]["name"] for obj in before if obj["kind"] == "Secret"}
    for obj in after:
        name = obj["metadata"]["name"]
        if obj["kind"] == "Secret" and name not in there:
            subject = subject_of(obj)
            called = subject if subject.startswith("secret ") else f"{subject}: Secret {base_name(name)}"
            yield f"{called}: its values come from the environment's variables, not from the promotion"


def _fixed(before: Sequence[Obj], after: Sequence[Obj]) -> list[Line]:
    return [line for line in differences(Side(objects=before), Side(objects=after)) if line.danger == "fixed"]
