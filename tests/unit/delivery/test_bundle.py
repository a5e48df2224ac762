"""What a release contains, as JSON and as an object."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from leeward.base.errors import OperationError
from leeward.delivery.records import pack
from leeward.delivery.releases.bundle import Bundle, Need, bundle_of, release_object
from leeward.kube.objects import Obj
from tests.unit.delivery.releasing import made, write

BUNDLE = Bundle(
    app="shop",
    compose=("compose.yaml", "_outside/0/more.yaml"),
    files={"compose.yaml": "services: {ü: {}}\n".encode(), "_outside/0/more.yaml": b"", "x.bin": b"\xff\x00"},
    shelves={"_outside/0": ".."},
    executable=("x.bin",),
    places={"data": "empty"},
    links={"a": "b"},
    images={"web": f"r/web@sha256:{'a' * 64}"},
    variables={"TAG": "1"},
    secrets=(Need(name="TOKEN", kind="variable", services=("web",), places=("compose.yaml:1",)),),
    model="services: {}\n",
    rendered=({"kind": "Service"},),
)


def release(**changes: Any) -> Obj:
    return release_object(dataclasses.replace(BUNDLE, **changes), version="1.1", created_by="jane")


def test_a_bundle_is_the_same_after_a_journey_as_json() -> None:
    again = Bundle.from_content(json.loads(json.dumps(BUNDLE.to_content())))

    assert again == BUNDLE
    assert again.digest == BUNDLE.digest
    assert BUNDLE.to_content()["files"]["x.bin"] == {"base64": "/wA="}


def test_the_order_of_files_and_variables_is_no_part_of_the_digest() -> None:
    other = dataclasses.replace(BUNDLE, files=dict(reversed([*BUNDLE.files.items()])))

    assert other.digest == BUNDLE.digest
    assert dataclasses.replace(BUNDLE, compose=BUNDLE.compose[::-1]).digest != BUNDLE.digest


def test_a_release_is_named_after_its_content_and_not_after_what_people_call_it() -> None:
    obj = release()

    assert obj["metadata"]["name"] == BUNDLE.id == release_object(BUNDLE)["metadata"]["name"]
    assert obj["metadata"]["namespace"] == "leeward-shop"
    assert obj["spec"]["images"] == BUNDLE.images
    assert (obj["spec"]["version"], obj["spec"]["createdBy"]) == ("1.1", "jane")
    assert bundle_of(obj) == BUNDLE


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"spec": {}}, "it has no content"),
        ({"spec": {"content": "%%"}}, "base64"),
        ({"spec": {**release()["spec"], "digest": "sha256:00"}}, "its digest is not that of its content"),
        ({"spec": release(app="other")["spec"]}, "its name or images"),
        ({"metadata": {"name": "shop-000000000000"}}, "its name or images"),
        ({"spec": {**release()["spec"], "images": {}}}, "its name or images"),
        ({"spec": {"content": pack({"app": "shop"}, "it")}}, "KeyError"),
        ({"spec": {"content": pack([], "it")}}, "damaged"),
        ({"spec": {"content": pack({**BUNDLE.to_content(), "compose": ["x"]}, "it")}}, "there is no x"),
        ({"spec": {"content": pack({"format": 2}, "it")}}, "later leeward"),
    ],
)
def test_what_is_damaged_is_refused(change: Obj, why: str) -> None:
    with pytest.raises(OperationError, match=why):
        bundle_of({**release(), **change})


def test_the_objects_and_the_model_of_a_release_have_no_values_of_secrets(tmp_path: Path) -> None:
    text = """
services:
  web:
    image: x
    environment: {DB_PASSWORD: hunter2, URL: "http://a:hunter2@b", LEVEL: info}
    secrets: [token]
secrets: {token: {file: token.txt}}
"""
    found = made(write(tmp_path, {"compose.yaml": text, "token.txt": "hunter2"})).bundle

    assert "hunter2" not in str(found.to_content())
    assert "Secret" not in {obj["kind"] for obj in found.rendered}
    assert "DB_PASSWORD: ${DB_PASSWORD:?set it with leeward env set}" in found.model
    assert "file: ./token.txt" in found.model
    assert [(need.name, need.kind, need.services) for need in found.secrets] == [
        ("token", "file", ("web",)), ("DB_PASSWORD", "variable", ("web",)), ("URL", "variable", ("web",)),
    ]  # fmt: skip


def test_a_value_that_is_also_elsewhere_is_told(tmp_path: Path) -> None:
    service = "image: x\n    environment: {DB_PASSWORD: correct-horse1}\n    command: run correct-horse1\n"
    text = f"services:\n  web:\n    {service}"
    (found,) = made(write(tmp_path, {"compose.yaml": text})).findings

    assert str(found).startswith("compose.yaml:5: warning: The value of DB_PASSWORD is also here")
