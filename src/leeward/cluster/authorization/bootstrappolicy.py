"""The roles and bindings that every cluster begins with, read from ``bootstrap-policy.txt``.

Source: plugin/pkg/auth/authorizer/rbac/bootstrappolicy (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from leeward.cluster.authorization.rbac import CLUSTER_BINDINGS, CLUSTER_ROLES, GROUP
from leeward.kube.objects import Obj

_VERBS = {
    "R": ("get", "list", "watch"),
    "W": ("create", "delete", "deletecollection", "patch", "update"),
}
_AGGREGATE = f"{GROUP}/"


def bootstrap_policy() -> Iterator[tuple[str, Obj]]:
    """Yield (resource, object): the roles, then the bindings."""
    text = files("leeward.cluster.authorization").joinpath("bootstrap-policy.txt").read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    starts = [index for index, line in enumerate(lines) if line.startswith("role ")]
    ends = [*starts[1:], len(lines)]
    found = [each for start, end in zip(starts, ends, strict=True) for each in _role(lines[start:end])]
    yield from sorted(found, key=lambda each: each[0] == CLUSTER_BINDINGS)


def _role(block: list[str]) -> Iterator[tuple[str, Obj]]:
    head, *lines = block
    words, _, source = head.removeprefix("role ").partition(" = ")
    name, *labels = words.split()
    meta = _metadata(name, {f"{_AGGREGATE}{label[1:]}": "true" for label in labels})
    rules = [_rule(line) for line in lines if not line.startswith("to ")]
    role: Obj = {"metadata": meta, "rules": rules}
    if source:
        selector = {"matchLabels": {f"{_AGGREGATE}{source}": "true"}}
        role = {"metadata": meta, "aggregationRule": {"clusterRoleSelectors": [selector]}}
    yield CLUSTER_ROLES, role
    subjects = [_subject(line) for line in lines if line.startswith("to ")]
    if subjects:
        reference = {"apiGroup": GROUP, "kind": "ClusterRole", "name": name}
        yield CLUSTER_BINDINGS, {"metadata": _metadata(name, {}), "roleRef": reference, "subjects": subjects}


def _metadata(name: str, labels: dict[str, str]) -> Obj:
    return {
        "name": name,
        "labels": {"kubernetes.io/bootstrapping": "rbac-defaults", **labels},
        "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"},
    }


def _rule(line: str) -> dict[str, Any]:
    verbs, arrow, urls = line.partition(" > ")
    if arrow:
        return {"verbs": verbs.split(), "nonResourceURLs": urls.split()}
    verbs, groups, resources, *names = line.split(" | ")
    rule: dict[str, Any] = {
        "verbs": list(_VERBS.get(verbs, verbs.split())),
        "apiGroups": ["" if group == "core" else group for group in groups.split()],
        "resources": resources.split(),
    }
    return {**rule, "resourceNames": names[0].split()} if names else rule


def _subject(line: str) -> dict[str, str]:
    _, kind, name = line.split()
    if kind != "ServiceAccount":
        return {"kind": kind, "apiGroup": GROUP, "name": name}
    namespace, _, name = name.partition("/")
    return {"kind": kind, "name": name, "namespace": namespace}
