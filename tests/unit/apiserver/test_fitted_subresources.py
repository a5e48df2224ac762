"""Bodies of subresources and DeleteOptions have the types of their kinds."""

from __future__ import annotations

from typing import Any

import pytest

PODS = "/api/v1/namespaces/default/pods"
TOKEN = "/api/v1/namespaces/default/serviceaccounts/a/token"
SPEC = {"containers": [{"name": "c", "image": "i"}]}


@pytest.fixture
def pod(api: Any) -> str:
    made = api.send("POST", PODS, {"metadata": {"name": "a"}, "spec": SPEC})
    assert made.status == 201, made.document
    return f"{PODS}/a"


@pytest.mark.parametrize(
    ("subresource", "body", "text"),
    [
        ("binding", {"target": "x"}, "string into Go struct field Binding.target of type v1.ObjectReference"),
        ("binding", {"target": {"name": 5}}, "number into Go struct field ObjectReference.target.name of"),
        ("binding", {"metadata": []}, "array into Go struct field Binding.metadata of type v1.ObjectMeta"),
        ("eviction", {"deleteOptions": "x"}, "string into Go struct field Eviction.deleteOptions of type"),
        (
            "eviction",
            {"metadata": "x"},
            "string into Go struct field Eviction.metadata of type v1.ObjectMeta",
        ),
        (
            "eviction",
            {"deleteOptions": {"gracePeriodSeconds": "x"}},
            "string into Go struct field DeleteOptions.deleteOptions.gracePeriodSeconds of type int64",
        ),
    ],
)
def test_a_wrong_type_in_the_body_of_a_pods_subresource_is_refused(
    api: Any, pod: str, subresource: str, body: Any, text: str
) -> None:
    told = api.send("POST", f"{pod}/{subresource}", body)
    kind = subresource.title()

    assert told.status == 400
    head = f'{kind} in version "v1" cannot be handled as a {kind}: json: cannot unmarshal '
    assert told.message.startswith(head + text)
    assert "nodeName" not in api.send("GET", pod).document["spec"]


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("x", "string into Go struct field TokenRequest.spec of type v1.TokenRequestSpec"),
        (
            {"expirationSeconds": "x"},
            "string into Go struct field TokenRequestSpec.spec.expirationSeconds of",
        ),
        ({"boundObjectRef": "x"}, "string into Go struct field TokenRequestSpec.spec.boundObjectRef of type"),
        ({"audiences": "x"}, "string into Go struct field TokenRequestSpec.spec.audiences of type []string"),
    ],
)
def test_a_wrong_type_in_a_token_request_is_refused(api: Any, spec: Any, text: str) -> None:
    told = api.send("POST", TOKEN, {"spec": spec})

    assert told.status == 400
    head = 'TokenRequest in version "v1" cannot be handled as a TokenRequest: json: cannot unmarshal '
    assert told.message.startswith(head + text)


@pytest.mark.parametrize("path", [PODS, f"{PODS}/a"])
@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"preconditions": "x"},
            "string into Go struct field DeleteOptions.preconditions of type v1.Precond",
        ),
        (
            {"preconditions": {"uid": 5}},
            "number into Go struct field Preconditions.preconditions.uid of type",
        ),
        ({"gracePeriodSeconds": "x"}, "string into Go struct field DeleteOptions.gracePeriodSeconds of type"),
        ({"dryRun": "All"}, "string into Go struct field DeleteOptions.dryRun of type []string"),
        ({"propagationPolicy": 5}, "number into Go struct field DeleteOptions.propagationPolicy of type str"),
        ([], "array into Go value of type v1.DeleteOptions"),
    ],
)
def test_a_wrong_type_in_delete_options_is_refused(
    api: Any, pod: str, path: str, options: Any, text: str
) -> None:
    told = api.send("DELETE", path, options)

    assert told.status == 400
    assert told.message.startswith(f"json: cannot unmarshal {text}")
    assert api.send("GET", pod).status == 200


@pytest.mark.parametrize("path", [PODS, f"{PODS}/a"])
def test_an_empty_propagation_policy_is_none(api: Any, pod: str, path: str) -> None:
    assert api.send("DELETE", path, {"propagationPolicy": "", "gracePeriodSeconds": 0}).status == 200
    assert api.send("GET", pod).status == 404


def test_what_is_no_delete_options_deletes_nothing(api: Any, pod: str) -> None:
    assert api.send("DELETE", pod, {"kind": "Pod", "apiVersion": "v1"}).status == 400
    assert api.send("GET", pod).status == 200


@pytest.mark.parametrize("subresource", ["binding", "eviction"])
def test_another_kind_is_no_body_of_a_subresource(api: Any, pod: str, subresource: str) -> None:
    told = api.send("POST", f"{pod}/{subresource}", {"kind": "Pod", "apiVersion": "v1"})

    assert told.status == 400
    assert told.message.startswith(f'Pod in version "v1" cannot be handled as a {subresource.title()}: ')


def test_unknown_fields_in_the_body_of_a_subresource_are_told(api: Any, pod: str) -> None:
    body = {"target": {"name": "n", "nosuch": 1}}
    assert api.send("POST", f"{pod}/binding?fieldValidation=Strict", body).status == 400
    told = api.send("POST", f"{pod}/binding", body)

    assert told.status == 201
    assert told.warnings == ['299 - "unknown field \\"target.nosuch\\""']
    assert api.send("GET", pod).document["spec"]["nodeName"] == "n"


def test_a_namespace_that_is_to_be_finalized_has_its_types(api: Any) -> None:
    body = {"metadata": {"name": "default"}, "spec": "x"}
    told = api.send("PUT", "/api/v1/namespaces/default/finalize", body)

    assert told.status == 400
    assert "string into Go struct field Namespace.spec of type v1.NamespaceSpec" in told.message
