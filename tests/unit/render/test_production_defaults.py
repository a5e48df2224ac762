"""What every production manifest has without being asked: a manifest without it is found out.

Each default is a way to take it away; its rule holds for what is rendered, and no longer afterwards.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from leeward.compose.project import Project
from leeward.kube.objects import Obj
from leeward.render.render import RenderOptions, render
from tests.production import NODE, RULES, SERVING, ZONE, Objects, broken_rules, containers, of_kind, templates

Spoil = Callable[[Objects], object]
PROJECT = """
    services:
      web:
        image: x
        user: "1000"
        ports: ["80:80"]
        scale: 3
        configs: [motd]
        environment: {DB_PASSWORD: x}
        x-leeward: {hosts: [shop.example]}
      api: {image: x, expose: ["8080"], healthcheck: {test: curl localhost}, x-leeward: {autoscale: 6}}
      db: {image: x, expose: ["5432"], volumes: ["data:/d"], mem_limit: 1g, depends_on: [api]}
      agent: {image: x, deploy: {mode: global}}
      migrate: {image: x, restart: "no"}
      report: {image: x, x-leeward: {schedule: "@daily"}}
    volumes: {data: }
    configs: {motd: {content: hi}}
"""


def pods(key: str) -> Spoil:
    """Take a field of the PodSpec away."""
    return lambda objects: [template["spec"].pop(key, None) for _, template in templates(objects)]


def from_containers(key: str) -> Spoil:
    """Take a field of the containers away."""
    return lambda objects: [each.pop(key, None) for _, each in containers(objects)]


def without(kind: str) -> Spoil:
    def spoil(objects: Objects) -> None:
        objects[:] = [obj for obj in objects if obj["kind"] != kind]

    return spoil


def without_constraint(key: str) -> Spoil:
    def spoil(objects: Objects) -> None:
        for obj in of_kind(objects, *SERVING):
            pod = obj["spec"]["template"]["spec"]
            kept = [each for each in pod["topologySpreadConstraints"] if each["topologyKey"] != key]
            pod["topologySpreadConstraints"] = kept

    return spoil


def with_soft_zones(objects: Objects) -> None:
    for obj in of_kind(objects, *SERVING):
        for constraint in obj["spec"]["template"]["spec"]["topologySpreadConstraints"]:
            constraint["whenUnsatisfiable"] = "ScheduleAnyway"


def spec_of(kind: str, **fields: Any) -> Spoil:
    """Set fields of a spec, or with None take them away."""

    def spoil(objects: Objects) -> None:
        for obj in of_kind(objects, kind):
            obj["spec"] |= fields
            for key in [key for key, value in fields.items() if value is None]:
                del obj["spec"][key]

    return spoil


def without_limits(objects: Objects) -> None:
    for _, container in containers(objects):
        container["resources"].pop("limits", None)


def security(key: str, value: Any = None) -> Spoil:
    """Set a field of the containers' securityContext, or take it away."""

    def spoil(objects: Objects) -> None:
        for _, container in containers(objects):
            context = container.setdefault("securityContext", {})
            context.pop(key, None)
            if value is not None:
                context[key] = value

    return spoil


def with_liveness(objects: Objects) -> None:
    for _, container in containers(objects):
        if "readinessProbe" in container:
            container["livenessProbe"] = container["readinessProbe"]


def without_policy(name: str) -> Spoil:
    def spoil(objects: Objects) -> None:
        objects[:] = [obj for obj in objects if obj["metadata"]["name"] != name]

    return spoil


def without_dns(objects: Objects) -> None:
    for obj in of_kind(objects, "NetworkPolicy"):
        if obj["spec"]["podSelector"] == {}:
            obj["spec"]["egress"] = []


def with_labels(value: str) -> Spoil:
    def spoil(objects: Objects) -> None:
        for obj in of_kind(objects, "Namespace"):
            obj["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] = value

    return spoil


def mutable(kind: str) -> Spoil:
    return lambda objects: [obj.pop("immutable", None) for obj in of_kind(objects, kind)]


def with_plain_names(objects: Objects) -> None:
    """Give the ConfigMap a name that says nothing of its content."""

    def renamed(value: Any, old: str) -> Any:
        if isinstance(value, dict):
            return {key: renamed(each, old) for key, each in value.items()}
        if isinstance(value, list):
            return [renamed(each, old) for each in value]
        return "motd" if value == old else value

    (found,) = of_kind(objects, "ConfigMap")
    objects[:] = [renamed(obj, found["metadata"]["name"]) for obj in objects]


def without_origins(objects: Objects) -> None:
    for obj in objects:
        obj["metadata"].pop("annotations", None)


TAKEN_AWAY: list[tuple[str, str, Spoil]] = [
    ("spread", "over zones", without_constraint(ZONE)),
    ("spread", "over nodes", without_constraint(NODE)),
    ("balanced_zones", "strictness", with_soft_zones),
    ("disruption_budgets", "all", without("PodDisruptionBudget")),
    ("disruption_budgets", "unhealthy Pods", spec_of("PodDisruptionBudget", unhealthyPodEvictionPolicy="")),
    ("lost_nodes", "tolerations", pods("tolerations")),
    ("no_unavailable_pod", "strategy", spec_of("Deployment", strategy=None)),
    ("no_unavailable_pod", "surge", spec_of("Deployment", strategy={"rollingUpdate": {"maxUnavailable": 1}})),
    ("replicas_or_autoscaler", "autoscaler", without("HorizontalPodAutoscaler")),
    ("replicas_or_autoscaler", "silence", spec_of("Deployment", replicas=2)),
    ("resources", "all", from_containers("resources")),
    ("resources", "limits", without_limits),
    ("no_token", "field", pods("automountServiceAccountToken")),
    ("no_service_links", "field", pods("enableServiceLinks")),
    ("probes", "readiness", from_containers("readinessProbe")),
    ("probes", "startup", from_containers("startupProbe")),
    ("probes", "patience", with_liveness),
    ("readiness_of_what_is_published", "readiness", from_containers("readinessProbe")),
    ("drain", "preStop", from_containers("lifecycle")),
    ("grace", "field", pods("terminationGracePeriodSeconds")),
    ("network_policies", "all", without("NetworkPolicy")),
    ("network_policies", "default-deny", without_policy("default-deny")),
    ("network_policies", "network", without_policy("network-default")),
    ("network_policies", "DNS", without_dns),
    ("pod_security", "label", with_labels("")),
    ("pod_security", "its truth", with_labels("restricted")),
    ("pod_security", "seccomp", pods("securityContext")),
    ("pod_security", "no escalation", security("allowPrivilegeEscalation")),
    ("pod_security", "no capabilities", security("capabilities")),
    ("pod_security", "no root", security("runAsNonRoot")),
    ("pod_security", "no privileges", security("privileged", value=True)),
    ("immutable_content", "ConfigMap", mutable("ConfigMap")),
    ("immutable_content", "Secret", mutable("Secret")),
    ("immutable_content", "hash", with_plain_names),
    ("order", "order", lambda objects: objects.reverse()),
    ("origins", "annotations", without_origins),
]


@pytest.fixture
def project(make_project: Callable[[str], Project]) -> Project:
    return make_project(PROJECT)


@pytest.fixture
def objects(project: Project) -> Objects:
    return render(project, RenderOptions(environment="production")).objects


def test_what_is_rendered_for_production_breaks_no_rule(objects: list[Obj], project: Project) -> None:
    assert broken_rules(objects, project) == {}


@pytest.mark.parametrize(
    ("rule", "spoil"),
    [(rule, spoil) for rule, _, spoil in TAKEN_AWAY],
    ids=[f"{rule}: {what}" for rule, what, _ in TAKEN_AWAY],
)
def test_a_manifest_without_the_default_is_found_out(
    rule: str, spoil: Spoil, objects: list[Obj], project: Project
) -> None:
    spoilt = copy.deepcopy(objects)
    spoil(spoilt)
    assert spoilt != objects
    assert rule in broken_rules(spoilt, project)


def test_every_rule_has_a_manifest_that_breaks_it() -> None:
    assert {rule for rule, _, _ in TAKEN_AWAY} == RULES.keys()
