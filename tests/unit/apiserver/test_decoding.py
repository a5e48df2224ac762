"""Bodies have the types of their kind."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.cluster.apiserver.decoding import fit_changed, fit_document, fit_object, strict_error
from leeward.kube.objects import Obj
from leeward.kube.status import BadRequestError


def pod(**container: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "a"},
        "spec": {"containers": [{"name": "c", "image": "i", **container}]},
    }


@pytest.mark.parametrize(
    "container",
    [
        {"env": [{"name": "A", "value": "5"}]},
        {"ports": [{"containerPort": 80, "name": "web"}]},
        {"livenessProbe": {"httpGet": {"port": "http"}}},
        {"livenessProbe": {"httpGet": {"port": 80}}},
        {"securityContext": {"runAsUser": 1000, "capabilities": {"drop": ["ALL"]}}},
    ],
)
def test_right_types_stay_as_they_are(container: dict[str, Any]) -> None:
    assert fit_object(pod(**container), "v1", "Pod") == (pod(**container), [])


@pytest.mark.parametrize(
    ("container", "message"),
    [
        ({"env": [{"name": "A", "value": 5}]}, "number {} EnvVar.{}.env.value of type string"),
        ({"command": "sh"}, "string {} Container.{}.command of type []string"),
        ({"ports": [1]}, "number {} Container.{}.ports of type v1.ContainerPort"),
        ({"stdin": "yes"}, "string {} Container.{}.stdin of type bool"),
        ({"ports": [{"hostPort": 1.5}]}, "number 1.5 {} ContainerPort.{}.ports.hostPort of type int32"),
        ({"ports": [{"hostPort": 1 << 40}]}, "number 1099511627776 {} ContainerPort.{}.ports.hostPort"),
    ],
)
def test_a_wrong_type_is_refused_in_the_words_of_the_real_server(
    container: dict[str, Any], message: str
) -> None:
    with pytest.raises(BadRequestError) as caught:
        fit_object(pod(**container), "v1", "Pod")

    beginning = 'Pod in version "v1" cannot be handled as a Pod: json: cannot unmarshal '
    assert str(caught.value).startswith(beginning + message.format("into Go struct field", "spec.containers"))


def test_a_spec_that_is_no_object_is_refused() -> None:
    with pytest.raises(BadRequestError, match=r"string into Go struct field Pod\.spec of type v1\.PodSpec"):
        fit_object({**pod(), "spec": "x"}, "v1", "Pod")


def test_quantities_may_be_numbers() -> None:
    fitted = fit_object(pod(resources={"limits": {"cpu": 2, "memory": "1Gi"}}), "v1", "Pod").document

    assert fitted["spec"]["containers"][0]["resources"] == {"limits": {"cpu": "2", "memory": "1Gi"}}


def test_unknown_fields_go_and_are_named_with_their_place() -> None:
    document, unknown = fit_object({**pod(imagePullpolicy="Always"), "x": 1}, "v1", "Pod")

    assert document == pod()
    assert sorted(unknown) == ["spec.containers[0].imagePullpolicy", "x"]
    assert str(strict_error(unknown, "v1", "Pod")) == (
        'Pod in version "v1" cannot be handled as a Pod: strict decoding error: '
        'unknown field "spec.containers[0].imagePullpolicy", unknown field "x"'
    )


def test_what_has_no_schema_is_taken_as_it_is() -> None:
    custom = {"apiVersion": "example.com/v1", "kind": "Widget", "spec": {"anything": [1]}}

    assert fit_document(custom, "example.com/v1", "Widget") == (custom, [])


def test_directives_of_a_patch_are_no_unknown_fields() -> None:
    patch = {"spec": {"containers": [{"name": "c", "$patch": "delete"}], "$retainKeys": ["containers"]}}

    assert fit_document(patch, "v1", "Pod") == (patch, [])


def test_a_patch_may_remove_a_field_that_nobody_knows() -> None:
    patch = {"spec": {"selectr": None, "selector": {"app": "a"}, "types": {"a": None}}}

    fitted, unknown = fit_document(patch, "v1", "Service")
    assert fitted == {"spec": {"selector": {"app": "a"}}}
    assert unknown == ["spec.types"]
    assert fit_object({"spec": {"selectr": None}}, "v1", "Service").unknown == ["spec.selectr"]


def test_null_means_absent() -> None:
    given = pod(name="c", image=None, env=[{"name": "A", "value": None}, None])
    meta = {"name": None, "annotations": {"a": None}}

    fitted = fit_object({**given, "metadata": meta}, "v1", "Pod").document
    assert fitted["metadata"] == {"annotations": {"a": ""}}
    assert fitted["spec"]["containers"] == [{"name": "c", "env": [{"name": "A"}, {}]}]


def test_of_a_custom_object_only_the_metadata_have_a_type() -> None:
    given = {
        "a": None,
        "b": [{"c": None, "d": 1}],
        "metadata": {"labels": {"x": None}, "kind": "x", "uid": None},
    }
    fitted = fit_object(given, "apps.example.com/v1", "Deployment")
    assert fitted.document == {**given, "metadata": {"labels": {"x": ""}}}
    assert fitted.unknown == ["metadata.kind"]
    assert fit_document({"a": None}, "example.com/v1", "Widget").document == {"a": None}


def test_an_empty_scalar_says_nothing_and_an_empty_list_does() -> None:
    behavior: Obj = {"scaleUp": {"policies": []}}
    given = {"spec": {"maxReplicas": 3, "scaleTargetRef": {"name": "", "kind": "D"}, "behavior": behavior}}
    service = {"spec": {"clusterIP": "", "type": "ClusterIP"}}

    assert fit_object(service, "v1", "Service").document["spec"] == {"type": "ClusterIP"}
    fitted = fit_object(given, "autoscaling/v2", "HorizontalPodAutoscaler").document
    assert fitted["spec"]["behavior"] == behavior


@pytest.mark.parametrize(
    ("api_version", "kind"),
    [
        ("certificates.k8s.io/v1", "CertificateSigningRequest"),
        ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"),
        ("flowcontrol.apiserver.k8s.io/v1", "FlowSchema"),
        ("resource.k8s.io/v1", "ResourceClaim"),
    ],
)
def test_types_of_every_stable_group_are_checked(api_version: str, kind: str) -> None:
    with pytest.raises(BadRequestError, match="cannot unmarshal array into Go struct field"):
        fit_object({"spec": [1]}, api_version, kind)
    assert fit_object({"nosuch": 1}, api_version, kind).unknown == ["nosuch"]


def test_what_policies_leave_of_a_custom_object_has_metadata_of_their_types() -> None:
    with pytest.raises(ValueError, match=r"number into Go struct field ObjectMeta\.labels of type string"):
        fit_changed({"metadata": {"labels": {"x": 5}}}, "example.com/v1", "Widget")
