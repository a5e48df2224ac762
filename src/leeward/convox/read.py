"""Text of ``convox.yml`` → nodes with positions that have known keys, right shapes and valid references.

Everything wrong is collected. ``${NAME}`` in a number or a boolean is filled in from the release's
environment, because Compose substitutes after an importer has looked; in text it stays.

Source: the manifest package of Convox 3 (validation).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from leeward.base.diagnostics import Location
from leeward.compose.findings import Findings, ValuePath, did_you_mean
from leeward.compose.node import Node, describe
from leeward.compose.scalars import resolve_plain
from leeward.compose.syntax import parse_documents
from leeward.convox.support import BY_KEY
from leeward.convox.values import check_values, remedy_for

_NAME = re.compile(r"[a-z][a-z0-9-]*\Z")
_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_SHAPES: dict[str, tuple[type, ...]] = {
    "map": (dict,),
    "list": (list,),
    "text": (str, int, float),
    "integer": (int,),
    "boolean": (bool,),
}
_WORDS = {
    "map": "a mapping",
    "list": "a list",
    "text": "text",
    "integer": "a whole number",
    "boolean": "true or false",
}
_NAMED = ("services", "resources", "timers", "balancers")


def read(text: str | bytes, file: str, environment: Mapping[str, str], findings: Findings) -> Node | None:
    """Return the checked tree, or None where there is none to go on with."""
    documents = parse_documents(text, file, findings)
    if not documents:
        if not findings.failed:
            findings.error(
                "empty-file",
                f"{file} is empty.",
                at=Location(file, 0),
                remedy="Describe at least one service.",
            )
        return None
    tree = _shaped(documents[0], (), "", environment, findings)
    if not isinstance(tree.value, dict):
        found = f"The file must be a mapping, not {describe(tree)}."
        findings.error("wrong-type", found, at=tree.location, remedy='Start with "services:".')
        return None
    if not _entries(tree, "services"):
        findings.error(
            "no-services",
            "There are no services.",
            at=tree.location,
            remedy='Add "services:" with at least one.',
        )
    _check_names(tree, findings)
    check_values(tree, findings)
    _check_references(tree, findings)
    return tree


def _shaped(
    node: Node, path: ValuePath, key: str, environment: Mapping[str, str], findings: Findings
) -> Node:
    row = BY_KEY.get(key)
    if row is not None and row.shape != "any":
        node = _filled(node, row.shape, environment)
        allowed = row.shape.split("|")
        if node.value is not None and not any(_fits(node, shape) for shape in allowed):
            wanted = " or ".join(_WORDS[shape] for shape in allowed)
            findings.error(
                "wrong-type",
                f"This must be {wanted}, not {describe(node)}.",
                path=path,
                at=node.location,
                remedy=remedy_for(node, "Correct the value."),
            )
            return node.having(None)
    if isinstance(node.value, list):
        inner = f"{key}.*"
        return node.having(
            [_shaped(each, (*path, at), inner, environment, findings) for at, each in enumerate(node.value)]
        )
    if isinstance(node.value, dict) and (not key or _has_inside(key)):
        entries = {}
        for name, entry in node.value.items():
            known = _row_key(key, name)
            if known is None:
                _unknown(name, entry, (*path, name), key, findings)
                continue
            entries[name] = _shaped(entry, (*path, name), known, environment, findings)
        return node.having(entries)
    return node


def _filled(node: Node, shape: str, environment: Mapping[str, str]) -> Node:
    """Return `node` with the variables of `environment`, where Compose would substitute too late."""
    if not isinstance(node.value, str) or shape.split("|")[0] not in ("integer", "boolean"):
        return node
    text = _VARIABLE.sub(lambda found: environment.get(found[1], found[0]), node.value)
    return node if text == node.value else node.having(resolve_plain(text))


def _fits(node: Node, shape: str) -> bool:
    if isinstance(node.value, bool):
        return shape == "boolean"
    return isinstance(node.value, _SHAPES[shape])


def _has_inside(key: str) -> bool:
    return any(each.startswith(f"{key}.") for each in BY_KEY)


def _row_key(key: str, name: str) -> str | None:
    for each in (name, "*"):
        known = f"{key}.{each}" if key else each
        if known in BY_KEY:
            return known
    return None


def _unknown(name: str, entry: Node, path: ValuePath, key: str, findings: Findings) -> None:
    prefix = f"{key}." if key else ""
    near = [
        each[len(prefix) :] for each in BY_KEY if each.startswith(prefix) and "." not in each[len(prefix) :]
    ]
    findings.error(
        "unknown-key",
        f'convox.yml has no key "{name}" here.',
        path=path,
        at=entry.location,
        remedy=did_you_mean(name, near) or "Remove it.",
    )


def _check_names(tree: Node, findings: Findings) -> None:
    for section in _NAMED:
        entries = tree.get(section)
        for name, entry in entries.items().items() if entries else ():
            if not _NAME.match(name):
                findings.error(
                    "invalid-name",
                    f'"{name}" is no valid name.',
                    path=(section, name),
                    at=entry.location,
                    remedy="Use lower-case letters, digits and dashes, beginning with a letter.",
                )


def _references(tree: Node) -> Iterator[tuple[ValuePath, Node, str, str]]:
    """Yield path, node, section and name of everything that is named elsewhere."""
    for section in ("timers", "balancers"):
        for name, entry in _entries(tree, section).items():
            target = entry.get("service")
            if target is None:
                yield (section, name), entry, "services", ""
            else:
                yield (section, name, "service"), target, "services", str(target.value)
    for name, service in _entries(tree, "services").items():
        linked = service.get("resources")
        for at, each in enumerate(linked.elements() if linked else ()):
            yield ("services", name, "resources", at), each, "resources", str(each.value).split(":")[0]
        mounts = service.get("configMounts")
        for at, each in enumerate(mounts.elements() if mounts else ()):
            yield ("services", name, "configMounts", at), each, "configs", each.text("id") or ""


def _entries(tree: Node, section: str) -> Mapping[str, Node]:
    node = tree.get(section)
    return node.items() if node else {}


def _check_references(tree: Node, findings: Findings) -> None:
    configs = tree.get("configs")
    known = {section: set(_entries(tree, section)) for section in ("services", "resources")}
    known["configs"] = {each.text("id") or "" for each in (configs.elements() if configs else ())}
    for path, node, section, name in _references(tree):
        if name and name in known[section]:
            continue
        what = section.removesuffix("s")
        message = f'There is no {what} "{name}".' if name else f"It does not say which {what} it is for."
        findings.error(
            "unknown-reference",
            message,
            path=path,
            at=node.location,
            remedy=did_you_mean(name, known[section]) or f'Add it to "{section}", or correct the name.',
        )
