"""The one document of OpenAPI v2, as JSON and as protobuf."""

from __future__ import annotations

import gzip
from typing import Any

import orjson
import pytest

from leeward.cluster.apiserver import gnostic
from leeward.cluster.apiserver.negotiation import openapi_v2_type
from leeward.cluster.apiserver.openapi import OpenApi
from leeward.cluster.apiserver.openapiv2 import to_v2
from leeward.cluster.apiserver.served import Catalog
from leeward.kube.status import NotAcceptableError

_PROTOBUF = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"


@pytest.fixture(scope="module")
def whole() -> Any:
    catalog = Catalog()
    return orjson.loads(gzip.decompress(OpenApi(lambda: catalog, list, dict).whole(protobuf=False)))


def test_every_kind_is_defined_with_its_group_and_version(whole: Any) -> None:
    assert whole["swagger"] == "2.0"
    mark = {"group": "apps", "kind": "Deployment", "version": "v1"}
    assert whole["definitions"]["io.k8s.api.apps.v1.Deployment"]["x-kubernetes-group-version-kind"] == [mark]
    assert "io.k8s.api.core.v1.Pod" in whole["definitions"]


def test_references_stay_beside_descriptions_and_point_to_definitions(whole: Any) -> None:
    surge = whole["definitions"]["io.k8s.api.apps.v1.RollingUpdateDeployment"]["properties"]["maxSurge"]
    name = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
    assert surge["$ref"] == f"#/definitions/{name}"
    assert surge["description"].startswith("The maximum number of pods")
    assert "allOf" not in surge
    assert whole["definitions"][name]["type"] == "string"
    assert whole["definitions"][name]["format"] == "int-or-string"


def test_a_patch_says_that_the_server_validates_fields(whole: Any) -> None:
    patch = whole["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    names = {each["name"]: each["in"] for each in patch["parameters"]}
    assert (names["body"], names["fieldValidation"]) == ("body", "query")
    assert "application/merge-patch+json" in patch["consumes"]
    assert patch["x-kubernetes-group-version-kind"]["kind"] == "Deployment"
    assert patch["responses"]["200"]["schema"]["$ref"] == "#/definitions/io.k8s.api.apps.v1.Deployment"


def test_what_v2_has_no_words_for_is_left_out() -> None:
    schemas = {
        "Free": {"type": "object", "nullable": True, "not": {"required": ["a"]}, "x-mark": 1},
        "Map": {"type": "object", "additionalProperties": {"type": "array", "items": {"$ref": "#/x"}}},
        "All": {"allOf": [{"type": "object"}, {"required": ["a"]}], "additionalProperties": False},
    }
    made = to_v2({"info": {}, "paths": {}, "components": {"schemas": schemas}})["definitions"]
    assert made["Free"] == {"type": "object", "x-mark": 1}
    assert made["Map"]["additionalProperties"]["items"] == {"$ref": "#/definitions/#/x"}
    assert made["All"]["allOf"] == [{"type": "object"}, {"required": ["a"]}]
    assert made["All"]["additionalProperties"] is False


def test_protobuf_carries_names_types_and_extensions() -> None:
    schema = {"type": "object", "required": ["a"], "minimum": 1, "x-mark": {"b": 1}}
    encoded = gnostic.encode({"swagger": "2.0", "definitions": {"Widget": schema}})
    name, kind, required = b"\x0a\x06Widget", b"\xb2\x01\x08\x0a\x06object", b"\x9a\x01\x01a"
    minimum = b"\x49\x00\x00\x00\x00\x00\x00\xf0\x3f"
    mark = b"\xfa\x01\x14\x0a\x06x-mark\x12\x0a\x12\x08" + b'{"b":1}\n'
    value = kind + required + minimum + mark
    entry = name + b"\x12" + bytes([len(value)]) + value
    whole = b"\x0a" + bytes([len(entry)]) + entry
    assert encoded == b"\x0a\x032.0" + b"\x4a" + bytes([len(whole)]) + whole


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", "application/json"),
        ("application/json", "application/json"),
        (_PROTOBUF, _PROTOBUF),
        ("application/com.github.proto-openapi.spec.v2@v1.0+protobuf", _PROTOBUF),
        ("text/plain, application/json;q=0.9", "application/json"),
    ],
)
def test_the_document_is_served_as_json_and_as_protobuf(accept: str, media_type: str) -> None:
    assert openapi_v2_type(accept) == media_type


def test_other_media_types_are_not_acceptable() -> None:
    with pytest.raises(NotAcceptableError):
        openapi_v2_type("text/plain")
