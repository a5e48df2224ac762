"""What every manifest for production has without being asked, as rules that name what lacks it.

A rule is a function of everything that was rendered and of the project it comes from; it returns the names of
what breaks it. The unit tests take each default away and see that its rule finds out; the corpus keeps all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from leeward.compose.project import Project
from leeward.kube.objects import Obj
from leeward.kube.podsecurity import LEVELS, judge, violations

Objects = list[Obj]
Rule = Callable[[Objects, Project], Iterable[str]]

ZONE, NODE = "topology.kubernetes.io/zone", "kubernetes.io/hostname"
SERVING = ("Deployment", "StatefulSet")
_ORDER = ("Namespace", "NetworkPolicy", "PodDisruptionBudget", "ServiceAccount", "Secret", "ConfigMap",
          "StorageClass", "PersistentVolume", "PersistentVolumeClaim", "Service", "DaemonSet", "Deployment",
          "HorizontalPodAutoscaler", "StatefulSet", "Job", "CronJob", "Ingress")  # fmt: skip
_HASHED = re.compile(r"-[0-9a-f]{8}$")


def of_kind(objects: Objects, *kinds: str) -> Objects:
    """Return the objects of some kinds."""
    return [obj for obj in objects if obj["kind"] in kinds]


def name_of(obj: Obj) -> str:
    """Return the name of an object."""
    return str(obj["metadata"]["name"])


def templates(objects: Objects) -> Iterator[tuple[str, Obj]]:
    """Return (name of the workload, Pod template) of everything that makes Pods."""
    for obj in objects:
        spec = obj.get("spec") or {}
        spec = (spec.get("jobTemplate") or {}).get("spec") or spec
        if template := spec.get("template"):
            yield name_of(obj), template


def containers(objects: Objects, *, all_of_them: bool = True) -> Iterator[tuple[str, Obj]]:
    """Return (workload/container, container) of every Pod; init containers only with `all_of_them`."""
    for name, template in templates(objects):
        first = template["spec"].get("initContainers", ()) if all_of_them else ()
        for container in (*first, *template["spec"]["containers"]):
            yield f"{name}/{container['name']}", container


def _constraints(workload: Obj, key: str) -> Objects:
    found = workload["spec"]["template"]["spec"].get("topologySpreadConstraints", ())
    return [each for each in found if each["topologyKey"] == key]


def _several(objects: Objects) -> Objects:
    """Return what serves and has two replicas or more, by number or by an autoscaler."""
    scaled = {obj["spec"]["scaleTargetRef"]["name"] for obj in of_kind(objects, "HorizontalPodAutoscaler")}
    return [
        obj
        for obj in of_kind(objects, *SERVING)
        if obj["spec"].get("replicas", 0) >= 2 or name_of(obj) in scaled
    ]


def spread(objects: Objects, project: Project) -> Iterable[str]:
    """Find Pods that may all be in one zone, or on one node."""
    return [
        f"{name_of(obj)}: {key}"
        for obj in of_kind(objects, *SERVING)
        for key in (ZONE, NODE)
        if not _constraints(obj, key)
    ]


def balanced_zones(objects: Objects, project: Project) -> Iterable[str]:
    """Find replicas that zones need not have equally many of, or that a lost zone would block."""
    wanted = ("DoNotSchedule", "Honor")
    return [
        name_of(obj)
        for obj in _several(objects)
        for each in _constraints(obj, ZONE)
        if (each["whenUnsatisfiable"], each.get("nodeTaintsPolicy")) != wanted
    ]


def disruption_budgets(objects: Objects, project: Project) -> Iterable[str]:
    """Find replicas that maintenance may take all at once, or that would block it."""
    budgets = {
        name_of(obj)
        for obj in of_kind(objects, "PodDisruptionBudget")
        if (obj["spec"]["maxUnavailable"], obj["spec"]["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")
    }
    return {name_of(obj) for obj in _several(objects)} ^ budgets


def lost_nodes(objects: Objects, project: Project) -> Iterable[str]:
    """Find Pods that stay for minutes on nodes that are gone."""
    wanted = {"node.kubernetes.io/not-ready": 30, "node.kubernetes.io/unreachable": 30}
    for obj in of_kind(objects, "Deployment"):
        found = obj["spec"]["template"]["spec"].get("tolerations", ())
        if {each["key"]: each.get("tolerationSeconds") for each in found} != wanted:
            yield name_of(obj)


def no_unavailable_pod(objects: Objects, project: Project) -> Iterable[str]:
    """Find roll-outs that take a Pod away before the next one is ready."""
    for obj in of_kind(objects, "Deployment"):
        rolling = obj["spec"].get("strategy", {}).get("rollingUpdate", {})
        if rolling.get("maxUnavailable") != 0 or not rolling.get("maxSurge"):
            yield name_of(obj)


def replicas_or_autoscaler(objects: Objects, project: Project) -> Iterable[str]:
    """Find workloads whose replicas an autoscaler and a manifest fight about, or nobody says."""
    scaled = {obj["spec"]["scaleTargetRef"]["name"] for obj in of_kind(objects, "HorizontalPodAutoscaler")}
    return [
        name_of(obj)
        for obj in of_kind(objects, *SERVING)
        if ("replicas" in obj["spec"]) is (name_of(obj) in scaled)
    ]


def resources(objects: Objects, project: Project) -> Iterable[str]:
    """Find containers that the scheduler cannot place, or whose limit from the file is gone."""
    limited = {name for name, service in project.services.items() if service.mem_limit}
    for name, container in containers(objects):
        found = container.get("resources", {})
        if not {"cpu", "memory"} <= found.get("requests", {}).keys():
            yield name
        if container["name"] in limited and "memory" not in found.get("limits", {}):
            yield name


def no_token(objects: Objects, project: Project) -> Iterable[str]:
    """Find Pods that are given a token of the Kubernetes API."""
    return [
        name
        for name, template in templates(objects)
        if template["spec"].get("automountServiceAccountToken") is not False
    ]


def no_service_links(objects: Objects, project: Project) -> Iterable[str]:
    """Find Pods that get variables of other services."""
    return [
        name
        for name, template in templates(objects)
        if template["spec"].get("enableServiceLinks") is not False
    ]


def probes(objects: Objects, project: Project) -> Iterable[str]:
    """Find health checks that decide nothing, or restart containers without being asked."""
    checked = {
        name
        for name, service in project.services.items()
        if service.healthcheck and service.healthcheck.test and not service.healthcheck.disable
    }
    for name, container in containers(of_kind(objects, *SERVING, "DaemonSet"), all_of_them=False):
        missing = {"readinessProbe", "startupProbe"} - container.keys()
        if (container["name"] in checked and missing) or "livenessProbe" in container:
            yield name


def readiness_of_what_is_published(objects: Objects, project: Project) -> Iterable[str]:
    """Find containers that get requests from outside before they listen."""
    published = {
        name
        for name, service in project.services.items()
        if any(port.protocol == "tcp" for port in service.ports)
    }
    for name, container in containers(of_kind(objects, *SERVING), all_of_them=False):
        if container["name"] in published and "readinessProbe" not in container:
            yield name


def drain(objects: Objects, project: Project) -> Iterable[str]:
    """Find containers that stop serving before load balancers know."""
    for name, container in containers(of_kind(objects, *SERVING), all_of_them=False):
        if container.get("ports") and not container.get("lifecycle", {}).get("preStop"):
            yield name


def grace(objects: Objects, project: Project) -> Iterable[str]:
    """Find Pods whose time to end is whatever Kubernetes takes."""
    return [
        name
        for name, template in templates(objects)
        if "terminationGracePeriodSeconds" not in template["spec"]
    ]


def _selects(policy: Obj, labels: Mapping[str, str]) -> bool:
    wanted = policy["spec"]["podSelector"].get("matchLabels", {})
    return bool(wanted) and wanted.items() <= labels.items()


def network_policies(objects: Objects, project: Project) -> Iterable[str]:
    """Find open namespaces, namespaces without DNS, and Pods that no policy opens anything for."""
    policies = of_kind(objects, "NetworkPolicy")
    closing = [each["spec"] for each in policies if each["spec"]["podSelector"] == {}]
    closed = [each for each in closing if set(each["policyTypes"]) == {"Ingress", "Egress"}]
    if not closed or any("ingress" in each for each in closing):
        yield "default-deny"
    if not any(port["port"] == 53 for each in closed for rule in each["egress"] for port in rule["ports"]):
        yield "dns"
    for name, template in templates(objects):
        labels = template["metadata"]["labels"]
        apart = template["spec"].get("hostNetwork") or not any("network." in key for key in labels)
        if not apart and not any(_selects(each, labels) for each in policies):
            yield name


def pod_security(objects: Objects, project: Project) -> Iterable[str]:
    """Find Pods that their namespace refuses, and Pods of another user than root that may do too much."""
    (namespace,) = of_kind(objects, "Namespace")
    enforced = namespace["metadata"].get("labels", {}).get("pod-security.kubernetes.io/enforce", "")
    for name, template in templates(objects):
        spec = template["spec"]
        level, _ = judge(spec, template["metadata"].get("annotations"))
        if enforced not in LEVELS or LEVELS.index(level) > LEVELS.index(enforced):
            yield name
        if _all_by_number(spec) and violations("restricted", spec):
            yield name
        if level != "privileged" and "seccompProfile" not in spec.get("securityContext", {}):
            yield name


def _all_by_number(spec: Obj) -> bool:
    """Tell whether every container runs as a user other than root, and asks for nothing special."""
    found = [each.get("securityContext", {}) for each in spec["containers"]]
    return all(
        each.get("runAsUser") and not each.get("privileged") and not each.get("capabilities", {}).get("add")
        for each in found
    )


def _sources(value: Any) -> Iterator[str]:
    """Return the names of ConfigMaps and Secrets that a Pod refers to."""
    if isinstance(value, list):
        for each in value:
            yield from _sources(each)
    elif isinstance(value, dict):
        for key, each in value.items():
            if key in ("configMap", "configMapRef", "configMapKeyRef", "secretRef", "secretKeyRef"):
                yield each["name"]
            elif key == "secret":
                yield each.get("secretName") or each["name"]
            else:
                yield from _sources(each)


def immutable_content(objects: Objects, project: Project) -> Iterable[str]:
    """Find ConfigMaps and Secrets of Pods that can change under them, or keep their name when they do."""
    used = {source for _, template in templates(objects) for source in _sources(template["spec"])}
    for obj in of_kind(objects, "ConfigMap", "Secret"):
        if name_of(obj) in used and not (obj.get("immutable") and _HASHED.search(name_of(obj))):
            yield name_of(obj)


def order(objects: Objects, project: Project) -> Iterable[str]:
    """Find objects out of order: what others need first, then by name."""
    ranks = {kind: rank for rank, kind in enumerate(_ORDER)}
    places = [(ranks.get(obj["kind"], len(ranks)), obj["kind"], name_of(obj)) for obj in objects]
    return [place[2] for place, at in zip(places, sorted(places), strict=True) if place != at]


def origins(objects: Objects, project: Project) -> Iterable[str]:
    """Find objects that do not say which key of which file they come from."""
    return [
        name_of(obj)
        for obj in objects
        if obj["kind"] != "Namespace" and "leeward.dev/origin" not in obj["metadata"].get("annotations", {})
    ]


RULES: Mapping[str, Rule] = {
    rule.__name__: rule
    for rule in (
        spread, balanced_zones, disruption_budgets, lost_nodes, no_unavailable_pod, replicas_or_autoscaler,
        resources, no_token, no_service_links, probes, readiness_of_what_is_published, drain, grace,
        network_policies, pod_security, immutable_content, order, origins,
    )
}  # fmt: skip


def broken_rules(objects: Objects, project: Project) -> dict[str, list[str]]:
    """Return rule → what breaks it."""
    return {name: found for name, rule in RULES.items() if (found := list(rule(objects, project)))}
