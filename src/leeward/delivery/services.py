"""The services that are on a cluster, by their Compose names: workloads, containers, Pods. Pure.

Everything is read from labels and annotations of what was applied, so that no Compose file is needed.
Services that share a Pod are a container each: the first is that of the workload's service, another one is
that of the service of its name.

Invariant: what runs once beside a service (a check, ``leeward run``) is no Pod of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from leeward.delivery.api import Lists
from leeward.delivery.apply import project_selector
from leeward.delivery.health import WORKLOADS
from leeward.delivery.records import ENVIRONMENT_LABEL
from leeward.kube.objects import Obj, annotations_of, is_terminating, labels_of
from leeward.kube.pods import is_finished, is_ready
from leeward.kube.wellknown import APP_MANAGED_BY, APP_NAME, APP_PART_OF

RESTARTABLE = ("Deployment", "StatefulSet", "DaemonSet")


@dataclass(frozen=True, slots=True)
class Service:
    """A service as a cluster has it."""

    name: str  # as the cluster calls it: a DNS label
    workload: Obj
    container: str  # its own one in the Pods of the workload

    @property
    def host(self) -> str:
        """The service whose Pods it runs in: itself, unless it shares another one's."""
        return labels_of(self.workload).get(APP_NAME) or str(self.workload["metadata"]["name"])

    @property
    def kind(self) -> str:
        """The kind of its workload."""
        return str(self.workload["kind"])

    @property
    def project(self) -> str:
        """The project that it is of, as labels have it."""
        return labels_of(self.workload).get(APP_PART_OF, "")

    @property
    def template(self) -> Obj:
        """The template of its Pods."""
        spec: Obj = self.workload["spec"]
        found: Obj = spec["jobTemplate"]["spec"]["template"] if self.kind == "CronJob" else spec["template"]
        return found

    @property
    def image(self) -> str:
        """What its container runs."""
        return str(
            next(each for each in containers_of(self.template) if each["name"] == self.container)["image"]
        )

    def pods(self, pods: Iterable[Obj]) -> list[Obj]:
        """Return its Pods among those of a namespace, those that can be talked to first."""
        mine = [
            pod
            for pod in pods
            if (labels_of(pod).get(APP_NAME), labels_of(pod).get(APP_PART_OF)) == (self.host, self.project)
        ]
        return sorted(mine, key=lambda pod: (_is_away(pod), not is_ready(pod), str(pod["metadata"]["name"])))


def _is_away(pod: Obj) -> bool:
    return is_finished(pod) or is_terminating(pod)


def containers_of(template: Obj) -> list[Obj]:
    """Return the containers that run as long as the Pod: the main ones first, then sidecars."""
    spec = template["spec"]
    beside = [each for each in spec.get("initContainers") or () if each.get("restartPolicy") == "Always"]
    return [*spec["containers"], *beside]


def services_of(workloads: Iterable[Obj]) -> dict[str, Service]:
    """Return the services of workloads by name, in the order of names."""
    found: dict[str, Service] = {}
    guests: dict[str, Service] = {}
    for workload in workloads:
        name = labels_of(workload).get(APP_NAME) or workload["metadata"]["name"]
        own = Service(name, workload, "")
        first, *others = (str(each["name"]) for each in containers_of(own.template))
        found[name] = Service(name, workload, first)
        guests |= {other: Service(other, workload, other) for other in others}
    return dict(sorted({**guests, **found}.items()))


async def services_in(
    api: Lists, namespace: str, *, project: str = "", environment: str = ""
) -> dict[str, Service]:
    """Return what runs in a namespace.

    Args:
        api: the cluster.
        namespace: where.
        project: only of this project.
        environment: only what was promoted to this environment.
    """
    selector = project_selector(project) if project else f"{APP_MANAGED_BY}=leeward"
    workloads = [
        workload
        for resource in WORKLOADS.values()
        for workload in await api.list(resource, namespace, label_selector=selector)
    ]
    if environment:
        workloads = [each for each in workloads if annotations_of(each).get(ENVIRONMENT_LABEL) == environment]
    return services_of(each for each in workloads if not is_terminating(each))


def of_manifest(service: Service, applied: Iterable[Obj]) -> Service:
    """Return a service as it was applied, whoever changed it since; as it is, where that is not known."""
    meta: Mapping[str, str] = service.workload["metadata"]
    for obj in applied:
        if obj["kind"] == service.kind and obj["metadata"]["name"] == meta["name"]:
            return Service(service.name, obj, service.container)
    return service
