"""Pods that are like others that nothing is wrong with are not looked at again; what differs is."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.cluster.registry.validation.pods import pod_failures

SPEC: dict[str, Any] = {
    "containers": [
        {
            "name": "c",
            "image": "i",
            "imagePullPolicy": "Always",
            "terminationMessagePolicy": "File",
        }
    ],
    "restartPolicy": "Always",
    "dnsPolicy": "ClusterFirst",
    "serviceAccountName": "default",
}


def pod(name: str = "a", annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "annotations": annotations or {}}, "spec": {**SPEC, **spec}}


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (pod(restartPolicy="Never ever"), "spec.restartPolicy"),
        (pod(containers=[]), "spec.containers"),
        (pod(containers=[{**SPEC["containers"][0], "image": ""}]), "spec.containers[0].image"),
        (
            pod(annotations={"container.apparmor.security.beta.kubernetes.io/x": "runtime/default"}),
            "metadata.annotations",
        ),
    ],
)
def test_what_differs_in_anything_that_is_checked_is_checked(wrong: dict[str, Any], field: str) -> None:
    for _ in range(2):
        assert pod_failures(pod()) == pod_failures(pod("b")) == []
        assert [failure.field.startswith(field) for failure in pod_failures(wrong)][:1] == [True]


def test_the_name_counts_where_claims_are_named_after_it() -> None:
    claim = {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}
    volumes = [{"name": "v", "ephemeral": {"volumeClaimTemplate": claim}}]

    assert pod_failures(pod("a", volumes=volumes)) == []
    assert pod_failures(pod("a" * 253, volumes=volumes))


def test_two_volumes_of_one_name_are_not_taken_for_one_with_a_name_of_its_own() -> None:
    def with_volumes(*suffixes: str) -> dict[str, Any]:
        return pod(volumes=[{"name": f"kube-api-access-{each}", "emptyDir": {}} for each in suffixes])

    assert pod_failures(with_volumes("aaaaa", "bbbbb")) == []
    assert pod_failures(with_volumes("ccccc")) == pod_failures(with_volumes("ddddd")) == []
    assert pod_failures(with_volumes("aaaaa", "aaaaa"))
    assert pod_failures(with_volumes("%%%%%"))
