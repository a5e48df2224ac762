"""What the cluster adds to an object, or refuses, because of other objects.

In upstream's order: namespace lifecycle, service account, Pod Security, default tolerations, priority,
storage class, cluster IP.

Source: plugin/pkg/admission (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from leeward.cluster.interface.client import Reader
from leeward.cluster.registry.ipallocator import IpAllocator
from leeward.cluster.registry.kinds.pods import qos_class
from leeward.cluster.registry.podsecurity import check_pod
from leeward.kube.objects import Obj, annotations_of, is_terminating
from leeward.kube.resources import Resource
from leeward.kube.status import ForbiddenError, NotFoundError
from leeward.kube.wellknown import PV_PROTECTION, PVC_PROTECTION, TAINT_NOT_READY, TAINT_UNREACHABLE

DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionOptions:
    """Flags of the admission plugins."""

    default_toleration_seconds: int = 300


class Admission:
    """Applies the plugins.

    Args:
        reader: other objects.
        addresses: free cluster IPs.
        options: flags.
    """

    def __init__(self, reader: Reader, addresses: IpAllocator, options: AdmissionOptions) -> None:
        self._reader = reader
        self._addresses = addresses
        self._options = options

    def create(self, resource: Resource, obj: Obj) -> Obj:
        """Return a new object as it is admitted.

        Raises:
            StatusError: it is refused.
        """
        self._check_namespace(resource, obj)
        if resource.name == "pods":
            check_pod(self._reader.find("namespaces", "", obj["metadata"]["namespace"]) or {}, obj)
            return self._create_pod(obj)
        if resource.name == "persistentvolumeclaims":
            return _protected(self._default_storage_class(obj), PVC_PROTECTION)
        if resource.name == "persistentvolumes":
            return _protected(obj, PV_PROTECTION)
        if resource.name == "services":
            return self._addresses.assign(resource, obj, None)
        return obj

    def update(self, resource: Resource, obj: Obj, old: Obj) -> Obj:
        """Return a changed object as it is admitted."""
        return self._addresses.assign(resource, obj, old) if resource.name == "services" else obj

    def _check_namespace(self, resource: Resource, obj: Obj) -> None:
        if not resource.namespaced:
            return
        name = obj["metadata"]["namespace"]
        namespace = self._reader.find("namespaces", "", name)
        if namespace is None:
            raise NotFoundError(
                f'namespaces "{name}" not found', details={"name": name, "kind": "namespaces"}
            )
        if is_terminating(namespace) and resource.name not in ("events", "events.events.k8s.io"):
            what = f"{resource.plural}.{resource.group}" if resource.group else resource.plural
            text = f"unable to create new content in namespace {name} because it is being terminated"
            cause = {"reason": "NamespaceTerminating", "message": f"namespace {name} is being terminated"}
            raise ForbiddenError(
                f'{what} "{obj["metadata"]["name"]}" is forbidden: {text}',
                details={
                    "name": obj["metadata"]["name"],
                    "kind": resource.plural,
                    "causes": [{**cause, "field": "metadata.namespace"}],
                },
            )

    def _create_pod(self, pod: Obj) -> Obj:
        spec = dict(pod["spec"])
        if not spec.get("serviceAccountName"):
            spec["serviceAccountName"] = spec["serviceAccount"] = "default"
        spec["tolerations"] = self._tolerations(spec.get("tolerations") or ())
        spec.update(self._priority(pod, spec))
        spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
        status = {**(pod.get("status") or {}), "qosClass": qos_class(spec)}
        return {**pod, "spec": spec, "status": status}

    def _tolerations(self, given: Sequence[Any]) -> list[Any]:
        """Add what lets a Pod stay a while on a node that is lost."""
        result = list(given)
        for key in (TAINT_NOT_READY, TAINT_UNREACHABLE):
            covered = any(
                each.get("key") in (None, "", key) and each.get("effect") in (None, "", "NoExecute")
                for each in given
            )
            if not covered:
                result.append(
                    {
                        "key": key,
                        "operator": "Exists",
                        "effect": "NoExecute",
                        "tolerationSeconds": self._options.default_toleration_seconds,
                    }
                )
        return result

    def _priority(self, pod: Obj, spec: Obj) -> dict[str, Any]:
        """Turn a priority class into a number."""
        name = spec.get("priorityClassName")
        if not name:
            classes = self._reader.list("priorityclasses.scheduling.k8s.io")
            default = next((each for each in classes if each.get("globalDefault")), None)
            if default is None:
                return {"priority": 0}
            return {**_preference(default), "priorityClassName": default["metadata"]["name"]}
        found = self._reader.find("priorityclasses.scheduling.k8s.io", "", name)
        if found is None:
            pod_name = pod["metadata"]["name"]
            raise ForbiddenError(
                f'pods "{pod_name}" is forbidden: no PriorityClass with name {name} was found',
                details={"name": pod_name, "kind": "pods"},
            )
        return _preference(found)

    def _default_storage_class(self, claim: Obj) -> Obj:
        spec = claim["spec"]
        if "storageClassName" in spec:
            return claim
        for each in self._reader.list("storageclasses.storage.k8s.io"):
            if annotations_of(each).get(DEFAULT_CLASS) == "true":
                return {**claim, "spec": {**spec, "storageClassName": each["metadata"]["name"]}}
        return claim


def _preference(priority_class: Obj) -> dict[str, Any]:
    policy = priority_class.get("preemptionPolicy") or "PreemptLowerPriority"
    return {"priority": priority_class.get("value", 0), "preemptionPolicy": policy}


def _protected(obj: Obj, finalizer: str) -> Obj:
    """Keep storage that is in use (admission plugin StorageObjectInUseProtection)."""
    meta = obj["metadata"]
    have = meta.get("finalizers") or []
    if finalizer in have:
        return obj
    return {**obj, "metadata": {**meta, "finalizers": [*have, finalizer]}}
