"""The metadata of custom resources have types, however they are written."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.apiserver.conftest import DEFINITIONS

WRONG: list[tuple[str, Any, str]] = [
    ("labels", {"x": 5}, "number into Go struct field ObjectMeta.labels of type string"),
    ("labels", "s", "string into Go struct field ObjectMeta.labels of type map[string]string"),
    ("annotations", {"a": {}}, "object into Go struct field ObjectMeta.annotations of type string"),
    ("finalizers", 5, "number into Go struct field ObjectMeta.finalizers of type []string"),
    ("finalizers", [5], "number into Go struct field ObjectMeta.finalizers of type string"),
    ("ownerReferences", "x", "string into Go struct field ObjectMeta.ownerReferences of type []v1.Owner"),
    ("ownerReferences", [{"name": 5}], "number into Go struct field OwnerReference.ownerReferences.name of"),
    ("generateName", 5, "number into Go struct field ObjectMeta.generateName of type string"),
]


def _widget(**meta: Any) -> dict[str, Any]:
    return {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "a", **meta}, "spec": {}}


@pytest.mark.parametrize(("field", "value", "text"), WRONG)
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_wrong_type_is_refused(api: Any, method: str, field: str, value: Any, text: str) -> None:
    path = api.define()
    made = api.send("POST", path, _widget()) if method == "PUT" else None
    version = {"resourceVersion": made.document["metadata"]["resourceVersion"]} if made else {}
    told = api.send(method, f"{path}/a" if made else path, _widget(**{field: value}, **version))

    assert told.status == 400
    head = 'Widget in version "v1" cannot be handled as a Widget: json: cannot unmarshal '
    assert told.message.startswith(head + text)


@pytest.mark.parametrize(("field", "value", "text"), WRONG)
@pytest.mark.parametrize("kind", ["merge", "json"])
def test_a_patch_to_a_wrong_type_is_refused(api: Any, kind: str, field: str, value: Any, text: str) -> None:
    path = api.define()
    api.send("POST", path, _widget())
    operation = {"op": "add", "path": f"/metadata/{field}", "value": value}
    told = api.patch(f"{path}/a", [operation] if kind == "json" else {"metadata": {field: value}}, kind)

    assert told.status == 422
    assert told.message.startswith(' "" is invalid: patch: Invalid value: ')
    assert f"json: cannot unmarshal {text}" in told.message


@pytest.mark.parametrize(("field", "value", "text"), WRONG)
def test_metadata_of_wrong_types_are_not_applied(api: Any, field: str, value: Any, text: str) -> None:
    told = api.patch(f"{api.define()}/a", _widget(**{field: value}), "apply")

    if "reason" in told.document:  # upstream tells none for a value in the place of a list or map
        assert told.status == 400
        assert f"json: cannot unmarshal {text}" in told.message
    else:
        start = f"failed to create typed patch object (/a; example.com/v1, Kind=Widget): .metadata.{field}"
        assert told.message.startswith(start)
    assert api.client.find("widgets.example.com", "default", "a") is None


@pytest.mark.parametrize("kind", ["merge", "json", "apply"])
@pytest.mark.parametrize("value", ["x", 5, [1]])
def test_metadata_that_are_no_object_are_refused(api: Any, kind: str, value: Any) -> None:
    path = api.define()
    api.send("POST", path, _widget())
    whole = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": value}
    operation = [{"op": "replace", "path": "/metadata", "value": value}]
    told = api.patch(f"{path}/a", operation if kind == "json" else whole, kind)

    assert told.status == (500 if kind == "apply" else 400)
    assert "reason" not in told.document or told.document["reason"] == "BadRequest"


@pytest.mark.parametrize("field", ["apiVersion", "kind"])
def test_what_is_of_no_kind_is_not_applied(api: Any, field: str) -> None:
    assert api.patch(f"{api.define()}/a", {**_widget(), field: 5}, "apply").status == 400


def test_unknown_metadata_are_dropped_and_told(api: Any) -> None:
    path = api.define()
    widget = _widget(nosuch=1, ownerReferences=[])
    widget["metadata"]["managedFields"] = [{"operatio": "x"}]
    assert api.send("POST", f"{path}?fieldValidation=Strict", widget).status == 400
    told = api.send("POST", path, widget)

    assert told.status == 201
    assert "nosuch" not in told.document["metadata"]
    fields = ("metadata.managedFields[0].operatio", "metadata.nosuch")
    assert told.warnings == [f'299 - "unknown field \\"{each}\\""' for each in fields]


def test_a_null_in_an_applied_definition_is_no_schema(api: Any) -> None:
    api.define()
    definition = api.send("GET", f"{DEFINITIONS}/widgets.example.com").document
    version = definition["spec"]["versions"][0]
    version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["none"] = None
    whole = {**definition, "metadata": {"name": "widgets.example.com"}, "status": None}
    path = f"{DEFINITIONS}/widgets.example.com?fieldManager=m&force=true"
    told = api.send("PATCH", path, whole, "application/apply-patch+yaml")

    assert told.status == 200, told.document


def test_numbers_that_are_too_large_are_not_applied(api: Any) -> None:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"replicas": 1 << 40, "selector": {"matchLabels": {"a": "b"}}, "template": template}
    whole = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": spec}
    told = api.patch("/apis/apps/v1/namespaces/default/deployments/a", whole, "apply")

    assert told.status == 400
    assert "DeploymentSpec.spec.replicas of type int32" in told.message
