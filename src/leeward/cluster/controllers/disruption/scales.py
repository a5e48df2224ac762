"""How many Pods what controls a Pod wants: the workloads' own number, or that of their scale.

Source: the finders of ``pkg/controller/disruption/disruption.go`` (Kubernetes 1.36).
"""

from __future__ import annotations

from leeward.cluster.controllers.disruption.plan import Owner, UnknownScaleError
from leeward.cluster.interface.client import Reader
from leeward.kube.objects import Obj, controller_of
from leeward.kube.resources import BUILT_IN, CRDS, Resource, custom_resources, group_of
from leeward.kube.scale import replicas_at, scale_paths

SCALED = {
    "ReplicaSet": "replicasets.apps",
    "StatefulSet": "statefulsets.apps",
    "ReplicationController": "replicationcontrollers",
    "Deployment": "deployments.apps",
}


class Scales:
    """Looks up scales.

    Args:
        reader: where workloads are.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def find(self, namespace: str, owner: Owner) -> tuple[str, int] | None:
        """Return uid and replicas of what scales a Pod: its controller, or that one's Deployment.

        Raises:
            UnknownScaleError: it is of a kind that cannot be scaled.
        """
        version, kind, name, uid = owner
        resource = self._resource(version, kind)
        found = self._reader.find(resource.name, namespace, name)
        if resource.name in SCALED.values():
            if found is None or found["metadata"]["uid"] != uid:
                return None
            above = controller_of(found)
            if kind == "ReplicaSet" and above is not None and above["kind"] == "Deployment":
                higher = self._reader.find(SCALED["Deployment"], namespace, above["name"])
                if higher is not None and higher["metadata"]["uid"] == above["uid"]:
                    found = higher
            return found["metadata"]["uid"], found["spec"].get("replicas", 1)
        if "scale" not in resource.subresources:
            raise UnknownScaleError(f"{resource.name} does not implement the scale subresource")
        if found is None or found["metadata"]["uid"] != uid:
            return None
        return uid, self._custom_replicas(resource, found)

    def _resource(self, version: str, kind: str) -> Resource:
        group = group_of(version)
        for found in (*BUILT_IN, *custom_resources(self._reader.list(CRDS))):
            if (found.group, found.kind) == (group, kind):
                return found
        raise UnknownScaleError(f'no matches for kind "{kind}" in version "{version}"')

    def _custom_replicas(self, resource: Resource, obj: Obj) -> int:
        definition = self._reader.get(CRDS, "", resource.name)
        stored = next(each for each in definition["spec"]["versions"] if each.get("storage"))
        paths = scale_paths(stored)
        return (replicas_at(obj, paths.replicas) if paths else None) or 0
