"""What a client is told about an object that is accepted."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.cluster.registry.warnings.catalog import warnings_about
from leeward.kube.objects import Obj

CONTAINER = {"name": "c", "image": "web:1"}
TEMPLATE_WARNING = (
    "spec.template.spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid"
)
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def pod(name: str = "web", annotations: Obj | None = None, **spec: Any) -> Obj:
    meta = {"name": name, "annotations": annotations or {}}
    return {"metadata": meta, "spec": {"containers": [CONTAINER], **spec}}


@pytest.mark.parametrize(
    ("given", "warnings"),
    [
        (pod(), []),
        (pod(name="a.b"),
         ["metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; "
          "a DNS label is recommended: [must not contain dots]"]),
        (pod(nodeSelector={"beta.kubernetes.io/os": "linux"}),
         ['spec.nodeSelector[beta.kubernetes.io/os]: '
          'deprecated since v1.14; use "kubernetes.io/os" instead']),
        (pod(annotations={"seccomp.security.alpha.kubernetes.io/pod": "unconfined"}),
         ["metadata.annotations[seccomp.security.alpha.kubernetes.io/pod]: "
          'non-functional in v1.27+; use the "seccompProfile" field instead']),
        (pod(volumes=[{"name": "v", "gitRepo": {"repository": "r"}}]),
         ["spec.volumes[0].gitRepo: deprecated in v1.11, and disabled by default in v1.33+"]),
        (pod(imagePullSecrets=[{"name": "a"}, {"name": "a"}, {}]),
         ['spec.imagePullSecrets[1].name: duplicate name "a"',
          'spec.imagePullSecrets[2].name: invalid empty name ""']),
        (pod(containers=[{**CONTAINER, "resources": {"limits": {"memory": "0.5"}}}]),
         ['spec.containers[0].resources.limits[memory]: fractional byte value "500m" is invalid, '
          "must be an integer"]),
        (pod(containers=[{**CONTAINER, "env": [
            {"name": "A", "value": "1"}, {"name": "A", "value": "$(A)2"}, {"name": "A", "value": "3"}]}]),
         ['spec.containers[0].env[2]: hides previous definition of "A", '
          "which may be dropped when using apply"]),
        (pod(containers=[{**CONTAINER, "ports": [
            {"containerPort": 80, "protocol": "TCP"}, {"containerPort": 80, "protocol": "TCP"},
            {"containerPort": 80, "protocol": "TCP", "hostPort": 8080}]}]),
         ["spec.containers[0].ports[1]: duplicate port definition with spec.containers[0].ports[0]",
          "spec.containers[0].ports[2]: overlapping port definition with spec.containers[0].ports[0]",
          "spec.containers[0].ports[2]: overlapping port definition with spec.containers[0].ports[1]"]),
        (pod(affinity={"podAffinity": {REQUIRED: [{"topologyKey": "z"}]}}),
         [f"spec.affinity.podAffinity.{REQUIRED}[0].labelSelector: "
          "a null labelSelector results in matching no pod"]),
    ],
)  # fmt: skip
def test_a_pod_that_is_not_what_it_seems_is_told(given: Obj, warnings: list[str]) -> None:
    assert warnings_about("pods", given) == warnings


def workload(generation: int, name: str = "web", **spec: Any) -> Obj:
    template = {"spec": {"containers": [CONTAINER], "terminationGracePeriodSeconds": -1}}
    return {"metadata": {"name": name, "generation": generation}, "spec": {"template": template, **spec}}


@pytest.mark.parametrize(
    "resource", ["deployments.apps", "daemonsets.apps", "jobs.batch", "statefulsets.apps"]
)
def test_a_template_is_told_about_when_it_is_new(resource: str) -> None:
    (warning,) = warnings_about(resource, workload(1))
    assert warning.startswith(TEMPLATE_WARNING)
    assert warnings_about(resource, workload(1), workload(1)) == []
    assert len(warnings_about(resource, workload(2), workload(1))) == 1


def test_updates_of_pods_are_not_told_about() -> None:
    assert warnings_about("pods", pod(name="a.b"), pod(name="a.b")) == []


def test_names_that_make_hostnames_are_told_about_where_upstream_does() -> None:
    named = [
        len(warnings_about(kind, workload(1, name="a.b")))
        for kind in ("deployments.apps", "statefulsets.apps")
    ]
    assert named == [2, 1]


def test_a_zone_in_a_schedule_is_told_about_when_it_stays() -> None:
    def cron_job(generation: int) -> Obj:
        spec = {"schedule": "TZ=UTC @daily", "jobTemplate": {}}
        return {"metadata": {"name": "c", "generation": generation}, "spec": spec}

    assert warnings_about("cronjobs.batch", cron_job(1)) == []
    (warning,) = warnings_about("cronjobs.batch", cron_job(1), cron_job(1))
    assert warning.startswith("cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead")
