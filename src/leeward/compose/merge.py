"""How a later file changes an earlier one, as a table of path patterns.

Both sides are in long form (see ``conform``). Without a rule: mappings merge key by key, lists append,
scalars replace, and null keeps what is there. ``!reset`` removes, ``!override`` replaces. Tags of the
later side stay in the result until :func:`strip_tags`, so that they also apply to what it extends.

Source: Compose Specification, "Merge and override"; rules of compose-go ``override``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from leeward.compose.node import Node, Tag, plain

Rule = Callable[[Node, Node], Node]
Rules = Mapping[str, Any]  # a trie: step or "*" -> Rules; "" -> Rule


def _replace(_base: Node, over: Node) -> Node:
    return over


def _entries(base: Node, over: Node) -> Node:
    """Merge one level; null is a value."""
    if over.value is None:
        return base
    return Node({**base.items(), **over.items()}, base.location)


def _logging(base: Node, over: Node) -> Node:
    """Options belong to their driver."""
    before, after = base.text("driver"), over.text("driver")
    if before is not None and after is not None and before != after:
        return over
    return _merge(base, over, {})


def _unique(key: Callable[[Node], object]) -> Rule:
    """Return a rule that appends, or replaces in place the element with the same key."""

    def rule(base: Node, over: Node) -> Node:
        if over.value is None:
            return base
        elements: dict[object, Node] = {}
        for element in (*base.elements(), *over.elements()):
            elements[key(element)] = element
        return Node(list(elements.values()), base.location)

    return rule


def _pools(base: Node, over: Node) -> Node:
    """Address pools of one subnet are one pool."""
    elements: dict[object, Node] = {}
    for element in (*base.elements(), *over.elements()):
        subnet = element.text("subnet")
        elements[subnet] = _merge(elements[subnet], element, {}) if subnet in elements else element
    return Node(list(elements.values()), base.location)


def _itself(node: Node) -> object:
    return node.value


def _target(node: Node) -> object:
    return node.text("target") or node.text("source")


def _file_target(directory: str) -> Callable[[Node], object]:
    def key(node: Node) -> object:
        target = node.text("target") or node.text("source") or ""
        return target if target.startswith("/") else f"{directory}/{target}"

    return key


def _port(node: Node) -> object:
    entry = plain(node)
    return (
        entry.get("host_ip") or "0.0.0.0",
        entry.get("published"),
        entry.get("target"),
        entry.get("protocol") or "tcp",
    )


_TABLE: dict[str, Rule] = {
    "services.*.command": _replace,
    "services.*.entrypoint": _replace,
    "services.*.healthcheck.test": _replace,
    "services.*.ulimits.*": _replace,
    "services.*.build.ulimits.*": _replace,
    "services.*.logging": _logging,
    "services.*.annotations": _entries,
    "services.*.build.args": _entries,
    "services.*.build.additional_contexts": _entries,
    "services.*.build.labels": _entries,
    "services.*.deploy.labels": _entries,
    "services.*.environment": _entries,
    "services.*.labels": _entries,
    "services.*.sysctls": _entries,
    "networks.*.labels": _entries,
    "volumes.*.labels": _entries,
    "configs.*.labels": _entries,
    "secrets.*.labels": _entries,
    "networks.*.ipam.config": _pools,
    "services.*.build.tags": _unique(_itself),
    "services.*.build.platforms": _unique(_itself),
    "services.*.build.extra_hosts.*": _unique(_itself),
    "services.*.cap_add": _unique(_itself),
    "services.*.cap_drop": _unique(_itself),
    "services.*.configs": _unique(_file_target("")),
    "services.*.secrets": _unique(_file_target("/run/secrets")),
    "services.*.devices": _unique(_target),
    "services.*.dns": _unique(_itself),
    "services.*.dns_opt": _unique(_itself),
    "services.*.dns_search": _unique(_itself),
    "services.*.env_file": _unique(lambda node: node.text("path")),
    "services.*.expose": _unique(_itself),
    "services.*.extra_hosts.*": _unique(_itself),
    "services.*.links": _unique(_itself),
    "services.*.networks.*.aliases": _unique(_itself),
    "services.*.networks.*.link_local_ips": _unique(_itself),
    "services.*.ports": _unique(_port),
    "services.*.profiles": _unique(_itself),
    "services.*.tmpfs": _unique(lambda node: str(node.value).partition(":")[0]),
    "services.*.volumes": _unique(_target),
}


def _compile(table: Mapping[str, Rule]) -> Rules:
    root: dict[str, Any] = {}
    for pattern, rule in table.items():
        here = root
        for step in pattern.split("."):
            here = here.setdefault(step, {})
        here[""] = rule
    return root


_RULES = _compile(_TABLE)
_NO_RULES: Rules = {}
_COLLECTIONS = frozenset((dict, list))
_SERVICE_RULES: Rules = _RULES["services"]["*"]


def merge_files(base: Node, over: Node) -> Node:
    """Return `base` as changed by `over`, two whole files."""
    return _merge(base, over, _RULES)


def merge_resource(kind: str, base: Node, over: Node) -> Node:
    """Return `base` as changed by `over`, two entries of the top-level key `kind`."""
    return _merge(base, over, _RULES.get(kind, {}).get("*", {}))


def merge_services(base: Node, over: Node) -> Node:
    """Return `base` as changed by `over`, two services (``extends``)."""
    return _merge(base, over, _SERVICE_RULES)


def strip_tags(node: Node) -> Node:
    """Return `node` without what ``!reset`` removed and without tags; lists lose repeated elements."""
    return _strip(node, _RULES)


def strip_service_tags(node: Node) -> Node:
    """Return one service as :func:`strip_tags` does."""
    return _strip(node, _SERVICE_RULES)


def _merge(base: Node, over: Node, rules: Rules) -> Node:
    if over.tag is not Tag.NONE:
        return over
    rule: Rule | None = rules.get("")
    if rule is not None:
        return rule(base, over)
    if over.value is None:
        return base
    if isinstance(base.value, dict) and isinstance(over.value, dict):
        merged = dict(base.value)
        for key, entry in over.value.items():
            if key in merged:
                merged[key] = _merge(merged[key], entry, rules.get(key) or rules.get("*") or {})
            else:
                merged[key] = entry
        return Node(merged, base.location)
    if isinstance(base.value, list) and isinstance(over.value, list):
        return Node([*base.value, *over.value], base.location)
    return over


def _strip(node: Node, rules: Rules) -> Node:
    value = node.value
    if value.__class__ is dict:
        return _strip_mapping(node, value, rules)
    if value.__class__ is list:
        rule: Rule | None = rules.get("")
        elements = [_strip(element, _NO_RULES) for element in value]
        if rule is not None and rule is not _replace:
            return rule(Node([], node.location), Node(elements, node.location))
        return Node(elements, node.location)
    return Node(value, node.location) if node.tag is not Tag.NONE else node


def _strip_mapping(node: Node, value: dict[str, Node], rules: Rules) -> Node:
    """Return a mapping stripped, or itself when there is nothing to strip: most of a file is so."""
    entries: dict[str, Node] = {}
    changed = node.tag is not Tag.NONE
    for key, entry in value.items():
        if entry.tag is Tag.RESET:
            changed = True
            continue
        if entry.value.__class__ in _COLLECTIONS or entry.tag is not Tag.NONE:
            stripped = _strip(entry, rules.get(key) or rules.get("*") or _NO_RULES)
            changed = changed or stripped is not entry
            entries[key] = stripped
        else:
            entries[key] = entry
    return Node(entries, node.location) if changed else node
