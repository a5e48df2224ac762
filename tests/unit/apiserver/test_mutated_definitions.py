"""A definition with any field made wrong is refused or harmless."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from leeward.kube.objects import Obj
from tests.unit.apiserver.conftest import DEFINITIONS, Api

VALUES: tuple[Any, ...] = ("zz", 5, -1, 1.5, True, [], [5], {}, {"a": 5}, None, 2**70, ["a"], [None])
RULE = {
    "rule": 'self.a == "a"',
    "message": "m",
    "messageExpression": '"x"',
    "reason": "FieldValueInvalid",
    "fieldPath": ".a",
}
ITEMS = {"type": "object", "required": ["k"], "properties": {"k": {"type": "string"}}}
SPEC = {
    "type": "object",
    "x-kubernetes-validations": [RULE],
    "properties": {
        "a": {"type": "string", "maxLength": 4, "pattern": "a", "default": "a", "enum": ["a"]},
        "r": {"type": "integer", "minimum": 0, "multipleOf": 2, "anyOf": [{"minimum": 1}], "not": {}},
        "l": {
            "type": "array",
            "maxItems": 3,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["k"],
            "items": ITEMS,
        },
        "m": {"type": "object", "additionalProperties": {"type": "string", "nullable": True}},
    },
}
VERSION = {
    "name": "v1",
    "served": True,
    "storage": True,
    "deprecated": True,
    "deprecationWarning": "old",
    "subresources": {
        "status": {},
        "scale": {
            "specReplicasPath": ".spec.r",
            "statusReplicasPath": ".status.r",
            "labelSelectorPath": ".status.s",
        },
    },
    "additionalPrinterColumns": [{"name": "A", "type": "string", "jsonPath": ".spec.a", "priority": 1}],
    "selectableFields": [{"jsonPath": ".spec.a"}],
    "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": SPEC}}},
}
NAMES = {
    "plural": "ms",
    "singular": "m",
    "kind": "M",
    "listKind": "MList",
    "shortNames": ["mm"],
    "categories": ["all"],
}
DEFINITION: Obj = {
    "metadata": {"name": "ms.x.io"},
    "spec": {
        "group": "x.io",
        "scope": "Namespaced",
        "names": NAMES,
        "conversion": {
            "strategy": "Webhook",
            "webhook": {"conversionReviewVersions": ["v1"], "clientConfig": {"url": "https://a.example/"}},
        },
        "versions": [VERSION],
    },
}
OBJECT = {"apiVersion": "x.io/v1", "kind": "M", "metadata": {"name": "a"}, "spec": {"a": "a", "r": 2}}


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield (*path, key)
        yield from _paths(inner, (*path, key))


def _with(path: tuple[Any, ...], value: Any) -> Obj:
    made = copy.deepcopy(DEFINITION)
    place: Any = made
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return made


PATHS = [path for path in _paths(DEFINITION) if path != ("metadata", "name")]


def test_the_definition_itself_is_right(api: Any) -> None:
    assert api.send("POST", DEFINITIONS, DEFINITION).status == 201


@pytest.mark.parametrize("path", PATHS, ids=lambda path: ".".join(map(str, path)))
def test_no_wrong_field_is_trouble(api: Api, path: tuple[Any, ...]) -> None:
    objects = "/apis/x.io/v1/namespaces/default/ms"
    for value in VALUES:
        told = api.send("POST", DEFINITIONS, _with(path, value))
        assert told.status in (201, 400, 422), (value, told.document)
        if told.status != 201:
            continue
        for method, url, body in (
            ("GET", "/apis", None),
            ("GET", "/apis/x.io/v1", None),
            ("GET", "/openapi/v3", None),
            ("PUT", f"{objects}/a/scale", {}),
            ("POST", objects, OBJECT),
            ("GET", f"{objects}?labelSelector=a", None),
        ):
            answer = api.send(method, url, body)
            assert answer.status < 500, (value, url, answer.document)
        assert api.send("DELETE", f"{DEFINITIONS}/ms.x.io").status == 200
