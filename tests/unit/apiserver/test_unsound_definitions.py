"""A definition that could not be made now, but was once, stops nobody; it can be deleted."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from leeward.kube.resources import CRDS
from tests.unit.apiserver.conftest import DEFINITIONS, Api

WRONG: list[tuple[tuple[Any, ...], Any]] = [
    (("spec",), "x"),
    (("spec", "names"), {}),
    (("spec", "names"), "x"),
    (("spec", "names", "shortNames"), 5),
    (("spec", "names", "categories"), [5]),
    (("spec", "group"), None),
    (("spec", "versions"), 5),
    (("spec", "versions", 0), "x"),
    (("spec", "versions", 0, "name"), 5),
    (("spec", "versions", 0, "served"), "zz"),
    (("spec", "versions", 0, "subresources"), "x"),
    (("spec", "versions", 0, "additionalPrinterColumns"), "x"),
    (("spec", "versions", 0, "schema", "openAPIV3Schema"), "x"),
    (("spec", "versions", 0, "schema", "openAPIV3Schema", "required"), [5]),
    (("spec", "conversion"), "x"),
]


def _store(api: Api, path: tuple[Any, ...], value: Any) -> None:
    """Store a definition with something wrong, past the rules, and an object of it."""
    api.define()
    api.send("DELETE", f"{DEFINITIONS}/widgets.example.com")
    spec: dict[str, Any] = {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "widgets", "kind": "Widget", "singular": "widget", "listKind": "WidgetList"},
        "versions": [
            {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
        ],
    }
    definition = copy.deepcopy({"metadata": {"name": "widgets.example.com", "uid": "u"}, "spec": spec})
    place: Any = definition
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    kind = {"kind": "CustomResourceDefinition", "apiVersion": "apiextensions.k8s.io/v1"}
    api.store.create(CRDS, {**kind, **definition})
    widget = {"kind": "Widget", "apiVersion": "example.com/v1"}
    api.store.create("widgets.example.com", {**widget, "metadata": {"name": "a", "namespace": "default"}})


@pytest.mark.parametrize(("path", "value"), WRONG)
def test_everything_else_is_served_beside_it(api: Api, path: tuple[Any, ...], value: Any) -> None:
    _store(api, path, value)

    for url in ("/apis", "/openapi/v3", "/api/v1/namespaces/default/configmaps", DEFINITIONS):
        assert api.send("GET", url).status == 200
    groups = api.send("GET", "/apis").document["groups"]
    assert "example.com" not in [each["name"] for each in groups]
    path_of_maps = "/api/v1/namespaces/default/configmaps"
    assert api.send("POST", path_of_maps, {"metadata": {"name": "a"}}).status == 201


@pytest.mark.parametrize(("path", "value"), WRONG)
def test_it_can_be_deleted_with_its_objects(api: Api, path: tuple[Any, ...], value: Any) -> None:
    _store(api, path, value)

    told = api.send("DELETE", f"{DEFINITIONS}/widgets.example.com")
    assert told.status == 200, told.document
    assert api.store.list(CRDS) == []
    assert api.store.list("widgets.example.com") == []


@pytest.mark.parametrize("value", [{}, {"a": 5}, None])
def test_a_version_without_a_name_is_refused(api: Api, value: Any) -> None:
    names = {"plural": "widgets", "kind": "Widget"}
    spec = {"group": "example.com", "names": names, "scope": "Namespaced", "versions": [value]}
    told = api.send("POST", DEFINITIONS, {"metadata": {"name": "widgets.example.com"}, "spec": spec})

    assert told.status == 422
    assert "spec.versions[0].name" in told.message
