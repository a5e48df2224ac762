"""A service run once with another command, as ``docker compose run`` does: a Job made of its template. Pure.

It has the service's image, variables, secrets, volumes and networks. It has none of its labels by which
traffic, disruption budgets and workloads find Pods, none of its ports and probes, and none of the containers
that share its Pods. It is not started again when it fails, and goes by itself an hour after it has ended.

A volume that only one node can have is used where a Pod of the service has it already.

Source: docs.docker.com/reference/cli/docker/compose/run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from leeward.delivery.services import Service, containers_of
from leeward.kube.objects import Obj, annotations_of, labels_of
from leeward.kube.pods import is_active
from leeward.kube.wellknown import ALIAS_PREFIX, APP_MANAGED_BY, APP_NAME, APP_PART_OF
from leeward.render.renderers.command import escape
from leeward.render.renderers.startorder import GATE

RUN_OF = "leeward.dev/run"  # label of the Job and its Pod: the service
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
_KEPT_SECONDS = 3600  # after its end, when nobody removes it
_OF_CONTROLLERS = (
    "pod-template-hash",
    "controller-revision-hash",
    "batch.kubernetes.io/job-name",
    "job-name",
)
_OF_SERVICE = ("ports", "readinessProbe", "livenessProbe", "startupProbe")
_PLACEMENT = ("topologySpreadConstraints", "restartPolicy", "activeDeadlineSeconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class OneOff:
    """What is to be otherwise than in the service."""

    name: str  # of the Job
    command: Sequence[str] = ()  # instead of the service's; () for the service's own
    entrypoint: Sequence[str] | None = None  # instead of the image's and the service's
    variables: Mapping[str, str] = field(default_factory=dict)  # over the service's
    workdir: str = ""
    user: int | None = None
    group: int | None = None
    stdin: bool = False
    tty: bool = False
    waits: bool = True  # for what the service depends on


def one_off_job(service: Service, wanted: OneOff, namespace: str, pods: Iterable[Obj] = ()) -> Obj:
    """Return the Job.

    Args:
        service: as it was applied.
        wanted: what is otherwise.
        namespace: where.
        pods: those of the namespace, for volumes that are in use.
    """
    template = service.template
    labels = {APP_PART_OF: service.project, RUN_OF: service.name}
    notes = {key: value for key, value in annotations_of_template(template).items() if key != RESTARTED_AT}
    spec = {**_spec(service, wanted), "restartPolicy": "Never"}
    spec = _with_claims(spec, service.workload)
    node = _node_of(_claims(spec), pods)
    if node:
        spec["affinity"] = _pinned(spec.get("affinity") or {}, node)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": wanted.name, "namespace": namespace, "labels": labels},
        "spec": {
            "backoffLimit": 0,
            "ttlSecondsAfterFinished": _KEPT_SECONDS,
            "template": {
                "metadata": {"labels": {**_own_labels(template), **labels}, "annotations": notes},
                "spec": spec,
            },
        },
    }


def annotations_of_template(template: Obj) -> dict[str, str]:
    """Return the annotations of a template, which may have no metadata."""
    return annotations_of(template) if "metadata" in template else {}


def _own_labels(template: Obj) -> dict[str, str]:
    """Return the labels that give a Pod its networks, without those by which anything else finds it."""
    found = labels_of(template) if "metadata" in template else {}
    not_ours = (APP_NAME, APP_MANAGED_BY, *_OF_CONTROLLERS)
    return {k: v for k, v in found.items() if k not in not_ours and not k.startswith(ALIAS_PREFIX)}


def _spec(service: Service, wanted: OneOff) -> Obj:
    spec = service.template["spec"]
    found = {key: value for key, value in spec.items() if key not in _PLACEMENT}
    before = [each for each in spec.get("initContainers") or () if _is_before(each, service, wanted)]
    every = [*spec["containers"], *(spec.get("initContainers") or ())]
    main = next(each for each in every if each["name"] == service.container)
    found["containers"] = [_container(main, wanted)]
    found.pop("initContainers", None)
    return {**found, "initContainers": before} if before else found


def _is_before(container: Obj, service: Service, wanted: OneOff) -> bool:
    """Tell whether an init container is the service's own: a guest's has its name in front."""
    if container.get("restartPolicy") == "Always":
        return False
    name = str(container["name"])
    if not wanted.waits and name.endswith(GATE):
        return False
    if service.name != service.host:
        return name.startswith(f"{service.name}-")
    guests = [str(each["name"]) for each in containers_of(service.template)[1:]]
    return not any(name.startswith(f"{guest}-") for guest in guests)


def _container(main: Obj, wanted: OneOff) -> Obj:
    found: Obj = {key: value for key, value in main.items() if key not in (*_OF_SERVICE, "restartPolicy")}
    if "lifecycle" in found:
        after = {key: value for key, value in found.pop("lifecycle").items() if key == "postStart"}
        found |= {"lifecycle": after} if after else {}
    if wanted.entrypoint is not None:
        found["command"] = [escape(word) for word in wanted.entrypoint]
        found.pop("args", None)
    if wanted.command:
        found["args"] = [escape(word) for word in wanted.command]
    if wanted.variables:
        kept = [each for each in found.get("env") or () if each["name"] not in wanted.variables]
        found["env"] = [*kept, *({"name": k, "value": escape(v)} for k, v in wanted.variables.items())]
    if wanted.workdir:
        found["workingDir"] = wanted.workdir
    ids = {"runAsUser": wanted.user, "runAsGroup": wanted.group}
    if chosen := {key: value for key, value in ids.items() if value is not None}:
        found["securityContext"] = {**(found.get("securityContext") or {}), **chosen}
    flags = {"stdin": wanted.stdin, "stdinOnce": wanted.stdin, "tty": wanted.tty}
    for key, value in flags.items():
        found.pop(key, None)
        found |= {key: True} if value else {}
    return found


def _with_claims(spec: Obj, workload: Obj) -> Obj:
    """Return a Pod's spec with the volumes of the first Pod of a StatefulSet."""
    claims = workload["spec"].get("volumeClaimTemplates") or ()
    if not claims:
        return spec
    named = {each["name"]: each for each in spec.get("volumes") or ()}
    for claim in claims:
        name = claim["metadata"]["name"]
        first = f"{name}-{workload['metadata']['name']}-0"
        named[name] = {"name": name, "persistentVolumeClaim": {"claimName": first}}
    return {**spec, "volumes": list(named.values())}


def _claims(spec: Obj) -> set[str]:
    volumes: Sequence[Mapping[str, Any]] = spec.get("volumes") or ()
    return {each["persistentVolumeClaim"]["claimName"] for each in volumes if "persistentVolumeClaim" in each}


def _node_of(claims: set[str], pods: Iterable[Obj]) -> str:
    """Return the node where a Pod has one of the volumes; "" for none."""
    if not claims:
        return ""
    there = (pod for pod in pods if is_active(pod) and claims & _claims(pod["spec"]))
    return next((str(pod["spec"]["nodeName"]) for pod in there if pod["spec"].get("nodeName")), "")


def _pinned(affinity: Obj, node: str) -> Obj:
    fields = [{"key": "metadata.name", "operator": "In", "values": [node]}]
    term = {"nodeSelectorTerms": [{"matchFields": fields}]}
    near = {**(affinity.get("nodeAffinity") or {}), "requiredDuringSchedulingIgnoredDuringExecution": term}
    return {**affinity, "nodeAffinity": near}
