"""Which variables and secrets a release would take from an environment: every name that its files use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from leeward.compose.findings import Findings
from leeward.compose.load import LoadOptions
from leeward.compose.syntax import parse_documents
from leeward.delivery.environments.environment import Overlay
from leeward.delivery.releases.concealing import variables_in
from leeward.delivery.releases.inputs import record_project
from leeward.delivery.releases.making import texts_of
from leeward.delivery.releases.marks import Mark, marks_of_compose, marks_of_variables
from leeward.delivery.releases.redact import redact


def used_by_project(options: LoadOptions) -> frozenset[str]:
    """Return the names that the files of a project use.

    Args:
        options: as for a release: files are named, profiles do not count.

    Raises:
        DiagnosticsError: the files cannot be used.
        UserInputError: a secret cannot be taken out of a file, or a file has no name.
    """
    recorded = record_project(options, decides=False)
    redacted = redact(texts_of(recorded), recorded.environment, recorded.unset)
    return frozenset((*redacted.secrets, *redacted.used, *recorded.project.secrets, *recorded.notes.keys))


def used_by_overlay(overlay: Overlay) -> frozenset[str]:
    """Return the names that the files of an environment use, as far as they can be read."""
    return frozenset(name for path in overlay.files for name in _used_by_file(overlay, path))


def _used_by_file(overlay: Overlay, path: str) -> Iterator[str]:
    text = overlay.files[path]
    if path in overlay.env_files:
        yield from _names(marks_of_variables(text, {}, raw=False))
    elif path not in overlay.compose:
        for line in text.splitlines():
            yield from (each.name for each in variables_in(line))
    else:
        findings = Findings()
        for document in parse_documents(text, path, findings):
            secrets = document.get("secrets")
            yield from secrets.items() if secrets is not None else ()
        if not findings.failed:
            yield from _names(marks_of_compose(text))


def _names(marks: Iterable[Mark]) -> Iterator[str]:
    for mark in marks:
        yield from (each.name for each in mark.uses)
        if mark.passed is not None:
            yield mark.passed
