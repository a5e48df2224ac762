"""``convox.yml`` → the text of a Compose file and a report: the entry point of this package."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import yaml

from leeward.base.diagnostics import Diagnostic
from leeward.compose.dotenv import parse_dotenv
from leeward.compose.findings import Findings, ValuePath
from leeward.compose.node import Node
from leeward.convox.read import read
from leeward.convox.support import BY_KEY, Handling, Row
from leeward.convox.translate import Translation, translate


@dataclass(frozen=True, slots=True)
class Imported:
    """The result of an import."""

    text: str
    report: tuple[Diagnostic, ...]  # warnings: keys without an equal; notes: keys that mean nearly the same


def convert(
    content: str | bytes, file: str, name: str, env_text: str = "", env_file: str = ".env"
) -> Imported:
    """Translate a ``convox.yml``.

    Args:
        content: the file.
        file: its name, for locations and comments.
        name: the project's.
        env_text: the environment of a release, as ``convox env`` prints it.
        env_file: its name, for locations.

    Raises:
        DiagnosticsError: it is wrong somewhere; with everything that is.
    """
    findings = Findings()
    release: Mapping[str, str] = parse_dotenv(env_text, {}, env_file, findings)
    tree = read(content, file, release, findings)
    findings.raise_errors()
    assert tree is not None  # else there is an error
    made = translate(tree, name, release, findings)
    findings.raise_errors()
    for row, path, node in _used(tree, (), ""):
        _report(row, path, node, findings)
    return Imported(_text(made, file), findings.diagnostics)


def _used(node: Node, path: ValuePath, key: str) -> Iterator[tuple[Row, ValuePath, Node]]:
    row = BY_KEY.get(key)
    if row is not None and row.handling is not Handling.EXACT:
        yield row, path, node
        if row.handling is Handling.IGNORED:
            return
    for name, entry in node.items().items():
        known = next((each for each in _candidates(key, name) if each in BY_KEY), None)
        if known is not None:
            yield from _used(entry, (*path, name), known)
    for at, entry in enumerate(node.elements()):
        yield from _used(entry, (*path, at), f"{key}.*")


def _candidates(key: str, name: str) -> tuple[str, str]:
    prefix = f"{key}." if key else ""
    return f"{prefix}{name}", f"{prefix}*"


def _report(row: Row, path: ValuePath, node: Node, findings: Findings) -> None:
    if row.becomes.startswith("see "):
        return  # said by the key above it
    add = findings.warning if row.handling is Handling.IGNORED else findings.note
    said = (
        f"Left out: {row.becomes}."
        if row.handling is Handling.IGNORED
        else f"Became nearly the same: {row.becomes}."
    )
    add(f"convox-{row.handling}", said, path=path, at=node.location, remedy=row.fix)


class _Dumper(yaml.SafeDumper):
    """Lists are indented below their key; nothing is written as an alias."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: object) -> bool:
        return True


def _dump(value: object) -> str:
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=1000, allow_unicode=True)


def _text(made: Translation, file: str) -> str:
    lines = [f"# From {file}."]
    for section, value in made.compose.items():
        if section not in ("services", "volumes", "configs"):
            lines.append(_dump({section: value}).rstrip())
            continue
        lines.append(f"\n{section}:")
        for name, entry in value.items():
            line = made.lines.get((section, name))
            if line:
                lines.append(f"  # {file}:{line}")
            lines += [f"  {each}" if each else "" for each in _dump({name: entry}).rstrip().split("\n")]
    return "\n".join(lines) + "\n"
