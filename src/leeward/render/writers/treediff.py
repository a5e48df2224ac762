"""What is otherwise between two directories of rendered files, as a unified diff of each file. Pure.

For layouts whose files are no plain manifests: Kustomize and Helm. Line numbers of origins make no
difference. Values of Secrets are never shown, only that they changed.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping

from leeward.render.writers.directory import same_but_for_lines

_DOCUMENT = re.compile(r"^---$", re.MULTILINE)
_SECRET = re.compile(r"^kind: Secret$", re.MULTILINE)
_NAME = re.compile(r"^  name: (.*)$", re.MULTILINE)
_FIELDS = re.compile(r"^(?:data|stringData):\n((?:(?: .*)?\n)*)", re.MULTILINE)
_VALUE = re.compile(r"^  ([^ \n][^\n]*?):(?: [^\n]*)?\n((?:(?:   [^\n]*)?\n)*)", re.MULTILINE)
_Secrets = dict[tuple[str, str], str]  # name of the Secret and key → value


def tree_differences(
    before: Mapping[str, str], after: Mapping[str, str], *, names: tuple[str, str]
) -> Iterator[str]:
    """Yield the lines of the diff, without line ends, of every file that is not the same.

    Args:
        before: path → content of what is there.
        after: path → content of what shall be there.
        names: what the two sides are called.
    """
    for path in sorted({**before, **after}):
        texts = before.get(path, ""), after.get(path, "")
        if path in before and path in after and same_but_for_lines(*texts):
            continue
        old, new = (secrets_of(text) for text in texts)
        lines = (_masked(texts[0], new, "before"), _masked(texts[1], old, "after"))
        yield from difflib.unified_diff(
            lines[0].splitlines(),
            lines[1].splitlines(),
            f"{names[0]}/{path}" if path in before else "/dev/null",
            f"{names[1]}/{path}" if path in after else "/dev/null",
            lineterm="",
        )


def secrets_of(text: str) -> _Secrets:
    """Return the values of the Secrets in a text."""
    return {
        (name, value[1]): value[0]
        for document in _DOCUMENT.split(text)
        if (name := _secret(document)) is not None
        for field in _FIELDS.finditer(document)
        for value in _VALUE.finditer(field[1])
    }


def _secret(document: str) -> str | None:
    if not _SECRET.search(document):
        return None
    name = _NAME.search(document)
    return name[1] if name else ""


def _masked(text: str, others: _Secrets, side: str) -> str:
    documents = _DOCUMENT.split(text)
    for index, document in enumerate(documents):
        name = _secret(document)
        if name is None:
            continue

        def hide(value: re.Match[str], name: str = name) -> str:
            same = others.get((name, value[1]), value[0]) == value[0]
            return f"  {value[1]}: '***{'' if same else f' ({side})'}'\n"

        documents[index] = _FIELDS.sub(
            lambda field: field[0][: -len(field[1])] + _VALUE.sub(hide, field[1]) if field[1] else field[0],
            document,
        )
    return "---".join(documents)
