"""A Scale has the types of autoscaling/v1, whatever it is sent as."""

from __future__ import annotations

from typing import Any

import pytest

DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
WRONG = ["x", 1.5, True, 1 << 40, {}, []]
KINDS = ["merge", "json", "strategic-merge"]


@pytest.fixture(params=["deployments", "widgets"])
def scale(request: Any, api: Any) -> str:
    """The path of the Scale of something with two replicas."""
    if request.param == "widgets":
        path: str = api.define()
        widget = {"apiVersion": "example.com/v1", "kind": "Widget", "spec": {"size": 2}}
        made = api.send("POST", path, {**widget, "metadata": {"name": "a"}})
    else:
        path = DEPLOYMENTS
        template = {
            "metadata": {"labels": {"a": "b"}},
            "spec": {"containers": [{"name": "c", "image": "i"}]},
        }
        spec = {"replicas": 2, "selector": {"matchLabels": {"a": "b"}}, "template": template}
        made = api.send("POST", path, {"metadata": {"name": "a"}, "spec": spec})
    assert made.status == 201, made.document
    return f"{path}/a/scale"


def _replicas(api: Any, scale: str) -> Any:
    return api.send("GET", scale).document["spec"].get("replicas", 0)


def _whole(**fields: Any) -> dict[str, Any]:
    return {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "a"}, **fields}


@pytest.mark.parametrize("value", WRONG)
def test_replicas_that_are_no_small_number_are_refused_in_a_put(api: Any, scale: str, value: Any) -> None:
    told = api.send("PUT", scale, _whole(spec={"replicas": value}))

    assert told.status == 400
    head = 'Scale in version "v1" cannot be handled as a Scale: json: cannot unmarshal '
    assert told.message.startswith(head)
    assert told.message.endswith("into Go struct field ScaleSpec.spec.replicas of type int32")
    assert _replicas(api, scale) == 2


@pytest.mark.parametrize("spec", ["x", 5, []])
def test_a_spec_that_is_no_object_is_refused_in_a_put(api: Any, scale: str, spec: Any) -> None:
    told = api.send("PUT", scale, _whole(spec=spec))

    assert told.status == 400
    assert told.message.endswith("into Go struct field Scale.spec of type v1.ScaleSpec")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", WRONG)
def test_replicas_that_are_no_small_number_are_refused_in_a_patch(
    api: Any, scale: str, value: Any, kind: str
) -> None:
    if kind == "strategic-merge" and "widgets" in scale:
        pytest.skip("custom resources have no strategic merge patch")
    operation = {"op": "replace", "path": "/spec/replicas", "value": value}
    patch = [operation] if kind == "json" else {"spec": {"replicas": value}}
    told = api.patch(scale, patch, kind)

    assert told.status == 422
    assert told.message.startswith(' "" is invalid: patch: Invalid value: ')
    assert told.message.endswith("into Go struct field ScaleSpec.spec.replicas of type int32")
    assert _replicas(api, scale) == 2


@pytest.mark.parametrize("value", [5, "x", []])
def test_a_json_patch_leaves_a_spec_an_object(api: Any, scale: str, value: Any) -> None:
    told = api.patch(scale, [{"op": "replace", "path": "/spec", "value": value}], "json")

    assert told.status == 422
    assert told.message.endswith("into Go struct field Scale.spec of type v1.ScaleSpec")


@pytest.mark.parametrize("value", WRONG)
def test_replicas_that_are_no_small_number_are_not_applied(api: Any, scale: str, value: Any) -> None:
    told = api.patch(scale, _whole(spec={"replicas": value}), "apply")

    assert told.status in (400, 500)  # where it is no number at all, upstream gives no reason
    assert "reason" not in told.document or told.document["reason"] == "BadRequest"
    assert "replicas" in told.message
    assert _replicas(api, scale) == 2


@pytest.mark.parametrize("spec", [None, {}])
def test_a_scale_without_a_spec_leaves_the_replicas_when_it_is_applied(
    api: Any, scale: str, spec: Any
) -> None:
    assert api.patch(scale, _whole(spec=spec), "apply").status == 200
    assert _replicas(api, scale) == 2


def test_replicas_that_are_applied_no_more_are_none(api: Any, scale: str) -> None:
    assert api.send("PATCH", f"{scale}?fieldManager=m&force=true", _whole(spec={"replicas": 3}), APPLY)
    assert _replicas(api, scale) == 3
    assert api.patch(scale, _whole(), "apply").status == 200
    assert _replicas(api, scale) == (0 if "widgets" in scale else 1)


def test_unknown_fields_of_a_scale_are_told(api: Any, scale: str) -> None:
    assert api.send("PUT", f"{scale}?fieldValidation=Strict", _whole(spec={"replica": 1})).status == 400
    told = api.send("PUT", f"{scale}?fieldValidation=Warn", _whole(spec={"replicas": 3, "size": 1}))

    assert told.warnings == ['299 - "unknown field \\"spec.size\\""']
    assert _replicas(api, scale) == 3


APPLY = "application/apply-patch+yaml"
