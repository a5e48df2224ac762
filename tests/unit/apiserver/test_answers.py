"""What is answered: columns, watch transitions, logs, protobuf, certificates, kubeconfigs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from leeward.base.clock import VirtualClock
from leeward.base.errors import UserInputError
from leeward.cluster.apiserver.logs import LogOptions, render_line
from leeward.cluster.apiserver.openapi import make_document
from leeward.cluster.apiserver.pki import ensure_pki
from leeward.cluster.apiserver.printers.catalog import printers
from leeward.cluster.apiserver.printers.table import human_duration
from leeward.cluster.apiserver.protobuf import decode
from leeward.cluster.apiserver.served import Catalog
from leeward.cluster.apiserver.watches import SharedLines, visible
from leeward.cluster.interface.store import Event
from leeward.kube.kubeconfig import (
    load_access,
    make_kubeconfig,
    merge_into_file,
    renewed_kubeconfig,
    write_kubeconfig,
)
from leeward.kube.status import BadRequestError


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (5, "5s"),
        (119, "119s"),
        (150, "2m30s"),
        (600, "10m"),
        (3 * 3600, "3h"),
        (50 * 3600, "2d2h"),
        (-9, "<invalid>"),
    ],
)
def test_durations_read_as_in_kubectl(seconds: int, shown: str) -> None:
    assert human_duration(seconds) == shown


def test_a_row_of_every_printer_fits_its_columns() -> None:
    now = VirtualClock().now()
    for resource, printer in printers().items():
        row = printer.row({"metadata": {"name": "x"}}, now)
        assert len(row) == len(printer.columns), resource


def _object(version: str, **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": "x", "labels": labels, "resourceVersion": version}}


def test_an_object_that_stops_matching_is_deleted_for_the_watcher() -> None:
    event = Event("MODIFIED", "pods", _object("2"), _object("1", app="web"), 2)
    seen = visible(event, lambda obj: obj["metadata"]["labels"].get("app") == "web")
    assert seen == ("DELETED", _object("2", app="web"))
    assert visible(event, lambda obj: obj["metadata"]["labels"].get("app") == "db") is None


def test_a_line_is_made_once_for_all_watches_of_what_is_served() -> None:
    made: list[str] = []

    def shown(obj: dict[str, Any]) -> dict[str, Any]:
        made.append(obj["metadata"]["name"])
        return obj

    served, changed = object(), object()
    shared, big = SharedLines(), {"metadata": {"name": "a", "annotations": {"a": "x" * (3 << 20)}}}
    lines = [shared.maker(served, shown)("ADDED", big) for _ in range(3)]
    assert (len(set(lines)), made) == (1, ["a"])
    other = shared.maker(served, shown)("MODIFIED", {"metadata": {"name": "b"}})
    assert other.startswith(b'{"type":"MODIFIED"')
    shared.maker(changed, shown)("ADDED", big)  # more than is kept
    shared.maker(served, shown)("ADDED", big)
    assert made == ["a", "b", "a", "a"]


def test_a_log_line_loses_its_stamp_and_a_partial_one_its_end() -> None:
    line = b"2026-01-01T00:00:00.000000000Z stdout F hello there"
    assert render_line(line, LogOptions()) == b"hello there\n"
    assert render_line(line.replace(b" F ", b" P "), LogOptions()) == b"hello there"


def test_protobuf_bodies_become_json_objects() -> None:
    kind = b"\x0a\x02v1\x12\x09ConfigMap"
    entry = b"\x0a\x01a\x12\x01b"
    raw = b"\x0a\x03\x0a\x01x" + b"\x12" + bytes([len(entry)]) + entry
    body = b"k8s\x00\x0a" + bytes([len(kind)]) + kind + b"\x12" + bytes([len(raw)]) + raw
    expected = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "x"}, "data": {"a": "b"}}
    assert decode(body) == expected
    with pytest.raises(BadRequestError):
        decode(body[:-1])


def test_openapi_tells_kubectl_that_the_server_validates_fields() -> None:
    document = make_document(Catalog().of("apps", "v1"), [])
    patch = document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    assert "fieldValidation" in [parameter["name"] for parameter in patch["parameters"]]
    schemas = document["components"]["schemas"]
    assert (
        schemas["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"]["x-kubernetes-patch-merge-key"]
        == "name"
    )


def test_keys_and_token_survive_a_restart_and_are_private(tmp_path: Path) -> None:
    first = ensure_pki(tmp_path / "pki", VirtualClock())
    before = first.ca_certificate.read_bytes()
    again = ensure_pki(tmp_path / "pki", VirtualClock())
    assert (again.admin_token, again.ca_certificate.read_bytes()) == (first.admin_token, before)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "pki").iterdir()} == {0o600}


def test_merging_keeps_what_the_user_had(tmp_path: Path) -> None:
    path = tmp_path / "config"
    write_kubeconfig(path, make_kubeconfig(name="theirs", server="https://a", ca_data="", token="t"))
    mine = make_kubeconfig(name="mine", server="https://b", ca_data="", token="u")
    merge_into_file(mine, path, switch=False)
    assert load_access(path).server == "https://a"
    assert load_access(path, context="mine").token == "u"


def test_a_number_or_a_string_says_what_it_is() -> None:
    document = make_document(Catalog().of("apps", "v1"), [])
    schema = document["components"]["schemas"]["io.k8s.apimachinery.pkg.util.intstr.IntOrString"]
    assert schema["description"].startswith("IntOrString is a type that can hold an int32 or a string.")
    assert schema["format"] == "int-or-string"


def test_what_every_object_has_is_described_for_custom_kinds_too() -> None:
    schema = {"type": "object", "properties": {"spec": {"type": "object"}}}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": "widgets", "kind": "Widget"}
    spec = {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [version]}
    document = make_document(Catalog([{"spec": spec}]).of("example.com", "v1"), [{"spec": spec}])
    properties = document["components"]["schemas"]["com.example.v1.Widget"]["properties"]
    assert properties["metadata"]["description"].startswith("Standard object's metadata.")
    assert properties["kind"]["type"] == "string"
    assert "enum" not in properties["kind"]
    assert properties["apiVersion"]["description"].startswith("APIVersion defines the versioned schema")


def test_custom_kinds_take_no_strategic_patches_and_say_so() -> None:
    version = {"name": "v1", "served": True, "storage": True, "schema": {}}
    names = {"plural": "widgets", "kind": "Widget"}
    spec = {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [version]}
    custom = make_document(Catalog([{"spec": spec}]).of("example.com", "v1"), [{"spec": spec}])
    built_in = make_document(Catalog().of("apps", "v1"), [])

    def taken(document: Any, path: str) -> set[str]:
        return set(document["paths"][path]["patch"]["requestBody"]["content"])

    both = {"application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml"}
    root = "namespaces/{namespace}"
    assert taken(custom, f"/apis/example.com/v1/{root}/widgets/{{name}}") == both
    path = f"/apis/apps/v1/{root}/deployments/{{name}}"
    assert taken(built_in, path) == {*both, "application/strategic-merge-patch+json"}


def test_a_renewed_kubeconfig_keeps_contexts_that_were_changed() -> None:
    before = make_kubeconfig(name="lab", server="https://127.0.0.1:6443", ca_data="old", token="t")
    before["contexts"][0]["context"]["namespace"] = "shop"
    before["contexts"].append({"name": "mine", "context": {"cluster": "lab", "user": "lab"}})
    before["current-context"] = "mine"
    now = make_kubeconfig(name="lab", server="https://127.0.0.1:6445", ca_data="new", token="t")

    renewed = renewed_kubeconfig(now, before)
    assert renewed["clusters"] == now["clusters"]
    assert {each["name"]: each for each in renewed["contexts"]} == {
        each["name"]: each for each in before["contexts"]
    }
    assert renewed["current-context"] == "mine"
    with pytest.raises(UserInputError, match="not a kubeconfig"):
        renewed_kubeconfig(now, {"contexts": ["lab"]})
