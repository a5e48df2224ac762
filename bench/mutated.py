"""Requests that are right but for a field or two, to places where there is something.

Bodies of objects, of subresources by their kinds, of DeleteOptions, of custom resources with their metadata
and of the definition of one, each with a field replaced by junk, or a patch that does so.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from typing import Any

PATCHES = (
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/json-patch+json",
    "application/apply-patch+yaml",
)
SIMPLE: tuple[Any, ...] = (
    None, True, False, 0, -1, 5, 1.5, 2**31, 2**63, 2**70, -(2**70), 1e308, "", "a", "x", "1Gi", "(?=a)",
    ".a", "a.b", ".metadata", "[0]", "self.a[", "\u00b2", [], {},
)  # fmt: skip
DEFAULT = "/api/v1/namespaces/default"
APPS, CUSTOM = "/apis/apps/v1/namespaces/default", "/apis/x.io/v1/namespaces/default"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
CONTAINERS = {"containers": [{"name": "c", "image": "i"}]}
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": CONTAINERS}
META: dict[str, Any] = {
    "name": "a",
    "labels": {"a": "b"},
    "annotations": {"a": "b"},
    "finalizers": [],
    "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": "u", "controller": True}],
}


def _definition(plural: str) -> dict[str, Any]:
    rule = {"rule": "self.size >= 0", "message": "m", "reason": "FieldValueInvalid", "fieldPath": ".size"}
    items = {"type": "object", "required": ["k"], "properties": {"k": {"type": "string"}}}
    keyed = {"type": "array", "items": items, "x-kubernetes-list-type": "map"}
    spec = {
        "type": "object",
        "x-kubernetes-validations": [rule],
        "properties": {
            "size": {"type": "integer", "minimum": 0, "default": 1},
            "text": {"type": "string", "pattern": "^[a-z]*$", "maxLength": 9, "enum": ["a", "b"]},
            "list": {**keyed, "maxItems": 3, "x-kubernetes-list-map-keys": ["k"]},
            "map": {"type": "object", "additionalProperties": {"type": "string", "nullable": True}},
        },
    }
    paths = {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}},
        "subresources": {"scale": paths},
        "additionalPrinterColumns": [
            {"name": "A", "type": "string", "jsonPath": ".spec.text", "priority": 1}
        ],
        "selectableFields": [{"jsonPath": ".spec.text"}],
    }
    kind = plural.title()
    names: dict[str, Any] = {"plural": plural, "singular": plural, "kind": kind, "listKind": f"{kind}List"}
    names |= {"shortNames": ["m"], "categories": ["all"]}
    group = {"group": "x.io", "scope": "Namespaced", "names": names, "conversion": {"strategy": "None"}}
    return _of("apiextensions.k8s.io/v1", "CustomResourceDefinition", f"{plural}.x.io") | {
        "spec": {**group, "versions": [version]}
    }


def _of(version: str, kind: str, name: str = "a", **fields: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **fields}


DEPLOYMENT = _of(
    "apps/v1",
    "Deployment",
    spec={"replicas": 0, "selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE},
)
WIDGET = _of("x.io/v1", "Widgets", spec={"size": 1, "text": "a", "list": [{"k": "a"}], "map": {"a": "b"}})
WIDGET["metadata"] = META
SCALE = _of("autoscaling/v1", "Scale", spec={"replicas": 1})
OPTIONS = {
    "gracePeriodSeconds": 1,
    "preconditions": {"uid": "u"},
    "propagationPolicy": "Orphan",
    "dryRun": ["All"],
}
BOUND = {"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": "u"}
MADE: tuple[tuple[str, Any], ...] = (  # what there is
    (f"{DEFAULT}/pods", _of("v1", "Pod", spec=CONTAINERS)),
    (f"{DEFAULT}/serviceaccounts", _of("v1", "ServiceAccount")),
    (f"{APPS}/deployments", DEPLOYMENT),
    (DEFINITIONS, _definition("widgets")),
    (f"{CUSTOM}/widgets", {**WIDGET, "metadata": {"name": "a"}}),
)
PLACES: tuple[tuple[str, str, Any], ...] = (  # path, methods, a body that is right
    (f"{DEFAULT}/pods/a/binding", "POST", _of("v1", "Binding", target={"kind": "Node", "name": "n"})),
    (f"{DEFAULT}/pods/a/eviction", "POST", _of("policy/v1", "Eviction", deleteOptions=OPTIONS)),
    (
        f"{DEFAULT}/pods/a/status",
        "PUT PATCH",
        _of("v1", "Pod", status={"phase": "Running", "conditions": []}),
    ),
    (f"{DEFAULT}/pods/a/resize", "PUT PATCH", _of("v1", "Pod", spec=CONTAINERS)),
    (
        f"{DEFAULT}/serviceaccounts/a/token",
        "POST",
        _of(
            "authentication.k8s.io/v1",
            "TokenRequest",
            spec={"audiences": ["a"], "expirationSeconds": 600, "boundObjectRef": BOUND},
        ),
    ),
    (f"{DEFAULT}/pods/a", "DELETE", {"kind": "DeleteOptions", "apiVersion": "v1", **OPTIONS}),
    (f"{CUSTOM}/widgets", "DELETE", OPTIONS),
    (f"{APPS}/deployments/a/scale", "PUT PATCH", SCALE),
    (f"{CUSTOM}/widgets/a/scale", "PUT PATCH", SCALE),
    (f"{APPS}/deployments/a", "PUT PATCH", DEPLOYMENT),
    (f"{CUSTOM}/widgets/a", "PUT PATCH", WIDGET),
    (f"{CUSTOM}/widgets", "POST", WIDGET),
    (
        "/api/v1/namespaces/default/finalize",
        "PUT",
        _of("v1", "Namespace", "default", spec={"finalizers": ["kubernetes"]}),
    ),
    (DEFINITIONS, "POST", _definition("others")),
    (f"{DEFINITIONS}/others.x.io", "PUT PATCH", _definition("others")),
)


class Mutated:
    """Makes requests that are right but for a field or two, to places where there is something."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def request(self) -> tuple[str, str, dict[str, str], bytes]:
        """Return method, path with query, headers and body."""
        pick = self._random.choice
        path, methods, body = pick(PLACES)
        method = pick(methods.split())
        kind = pick(PATCHES) if method == "PATCH" else "application/json"
        lasts = method != "DELETE" and "eviction" not in path  # what is there stays
        rehearsal = "?" if lasts and self._random.random() < 0.5 else "?dryRun=All"
        query = f"{rehearsal}&fieldValidation={pick(('Ignore', 'Warn', 'Strict'))}"
        query += "&fieldManager=a&force=true" if "apply" in kind else ""
        made: Any = json.loads(json.dumps(body))
        for _ in range(pick((1, 1, 1, 2, 3))):
            where = pick(list(_pointers(made)))
            made = _replaced(made, where, self._junk(_at(made, where)))
        if "json-patch" in kind:
            where = pick(list(_pointers(body)))
            text = "".join(f"/{step}" for step in where)
            made = [{"op": pick(("add", "replace")), "path": text, "value": self._junk(_at(body, where))}]
        return method, path + query, {"content-type": kind}, json.dumps(made).encode()

    def _junk(self, old: Any) -> Any:
        """Return what may stand in the place of a value; half of the time it has its type."""
        pick = self._random.choice
        alike = [each for each in SIMPLE if type(each) is type(old)]
        simple = pick(alike) if alike and self._random.random() < 0.5 else pick(SIMPLE)
        if type(simple) is type(old):
            return simple
        return pick((simple, simple, simple, [simple], {"a": simple}, {"name": simple}, [{"name": simple}]))


def _pointers(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the paths of all values."""
    yield path
    pairs: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, dict):
        pairs = value.items()
    elif isinstance(value, list):
        pairs = enumerate(value)
    for key, inner in pairs:
        yield from _pointers(inner, (*path, key))


def _at(value: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


def _replaced(value: Any, path: tuple[str | int, ...], new: Any) -> Any:
    if not path:
        return new
    place = value
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = new
    return value
