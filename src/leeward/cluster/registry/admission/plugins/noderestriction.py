"""NodeRestriction: a kubelet changes its own node, its own Pods and its own lease, nothing else.

Source: plugin/pkg/admission/noderestriction/admission.go, pkg/auth/nodeidentifier/default.go,
k8s.io/kubelet/pkg/apis/well_known_labels.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from leeward.cluster.interface.client import Reader
from leeward.cluster.registry.admission.attributes import Attributes
from leeward.cluster.registry.admission.plugin import EVERY, Handler, PluginContext, PluginDescriptor
from leeward.cluster.registry.admission.plugins.serviceaccount import MIRROR
from leeward.cluster.registry.admission.references import config_map_names, secret_names
from leeward.kube.objects import Obj, annotations_of, labels_of
from leeward.kube.status import NotFoundError
from leeward.kube.wellknown import NODE_LEASE_NAMESPACE

_USER = "system:node:"
_GROUP = "system:nodes"
_NODES_OWN = frozenset(
    (
        "kubernetes.io/hostname", "kubernetes.io/os", "kubernetes.io/arch", "beta.kubernetes.io/os",
        "beta.kubernetes.io/arch", "node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type",
        "topology.kubernetes.io/zone", "topology.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/region",
        "node.kubernetes.io/windows-build",
    )
)  # fmt: skip
_NODES_OWN_PREFIXES = ("kubelet.kubernetes.io", "node.kubernetes.io")
_RESTRICTED = "node-restriction.kubernetes.io"
_CLAIM_STATUS = ("capacity", "conditions", "allocatedResources", "allocatedResourceStatuses")


class NodeRestriction:
    """Knows which Pods are whose."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._rules = {
            ("pods", ""): self._pod,
            ("pods", "status"): self._pod_status,
            ("pods", "eviction"): self._eviction,
            ("persistentvolumeclaims", "status"): _claim_status,
            ("serviceaccounts", "token"): self._token,
        }

    def admit(self, write: Attributes) -> Obj:
        """Refuse what is not the node's."""
        if _GROUP not in write.user.groups or not write.user.name.startswith(_USER):
            return write.obj
        node = write.user.name.removeprefix(_USER)
        rule = self._rules.get((write.resource.name, write.subresource))
        if rule is not None:
            rule(write, node)
        elif write.resource.name == "pods":
            only = "only 'status' and 'eviction' are allowed"
            raise write.forbidden(f'unexpected pod subresource "{write.subresource}", {only}')
        elif write.resource.name == "persistentvolumeclaims":
            raise write.forbidden("may only update PVC status")
        elif write.resource.name == "nodes":
            _own_node(write, node)
        elif write.resource.name == "leases.coordination.k8s.io":
            _lease(write, node)
        elif write.resource.name == "csinodes.storage.k8s.io" and _name(write) != node:
            raise write.forbidden("can only access CSINode with the same name as the requesting node")
        return write.obj

    def _existing(self, write: Attributes, name: str) -> Obj:
        pod = self._reader.find("pods", write.namespace, name)
        if pod is None:
            raise NotFoundError(f'pods "{name}" not found', details={"name": name, "kind": "pods"})
        return pod

    def _pod(self, write: Attributes, node: str) -> None:
        if write.operation == "CREATE":
            self._new_pod(write, node)
        elif write.operation == "DELETE":
            if self._existing(write, write.name)["spec"].get("nodeName") != node:
                raise write.forbidden(f'node "{node}" can only delete pods with spec.nodeName set to itself')
        else:
            raise write.forbidden(
                f'unexpected operation "{write.operation}", '
                f'node "{node}" can only create and delete mirror pods'
            )

    def _new_pod(self, write: Attributes, node: str) -> None:
        pod = write.obj
        spec = pod["spec"]
        if MIRROR not in annotations_of(pod):
            raise write.forbidden(
                f'pod does not have "{MIRROR}" annotation, node "{node}" can only create mirror pods'
            )
        if spec.get("nodeName") != node:
            raise write.forbidden(f'node "{node}" can only create pods with spec.nodeName set to itself')
        self._owner(write, node, pod["metadata"].get("ownerReferences") or ())
        sources = [
            s for v in spec.get("volumes") or () for s in (v.get("projected") or {}).get("sources") or ()
        ]
        for there, what in (
            (spec.get("serviceAccountName"), "a service account"),
            (any(True for _ in secret_names(spec)), "secrets"),
            (any(True for _ in config_map_names(spec)), "configmaps"),
            (any("clusterTrustBundle" in each for each in sources), "clustertrustbundles"),
            (
                any("persistentVolumeClaim" in each for each in spec.get("volumes") or ()),
                "persistentvolumeclaims",
            ),
        ):
            if there:
                raise write.forbidden(f'node "{node}" can not create pods that reference {what}')

    def _owner(self, write: Attributes, node: str, owners: Sequence[Obj]) -> None:
        head = f'node "{node}" can only create pods with'
        if len(owners) > 1:
            raise write.forbidden(f"{head} a single owner reference set to itself")
        owner = owners[0] if owners else {}
        if (owner.get("apiVersion"), owner.get("kind"), owner.get("name")) != ("v1", "Node", node):
            raise write.forbidden(f"{head} an owner reference set to itself")
        if not owner.get("controller"):
            raise write.forbidden(f"{head} a controller owner reference set to itself")
        if owner.get("blockOwnerDeletion"):
            raise write.forbidden(f'node "{node}" must not set blockOwnerDeletion on an owner reference')
        found = self._reader.get("nodes", "", node)["metadata"]["uid"]
        if owner.get("uid") != found:
            raise write.forbidden(f"node {node} UID mismatch: expected {owner.get('uid')} got {found}")

    @staticmethod
    def _pod_status(write: Attributes, node: str) -> None:
        old = write.old or {}
        if (old.get("spec") or {}).get("nodeName") != node:
            raise write.forbidden(
                f'node "{node}" can only update pod status for pods with spec.nodeName set to itself'
            )
        if labels_of(old) != labels_of(write.obj):
            raise write.forbidden(f'node "{node}" cannot update labels through pod status')
        claims = [(each.get("status") or {}).get("resourceClaimStatuses") or [] for each in (old, write.obj)]
        if claims[0] != claims[1]:
            raise write.forbidden(f'node "{node}" cannot update resource claim statues')

    def _eviction(self, write: Attributes, node: str) -> None:
        if self._existing(write, write.name)["spec"].get("nodeName") != node:
            raise write.forbidden(f"node {node} can only evict pods with spec.nodeName set to itself")

    def _token(self, write: Attributes, node: str) -> None:
        reference = (write.obj.get("spec") or {}).get("boundObjectRef") or {}
        if (reference.get("apiVersion"), reference.get("kind")) != ("v1", "Pod") or not reference.get("name"):
            raise write.forbidden("node requested token not bound to a pod")
        if not reference.get("uid"):
            raise write.forbidden("node requested token with a pod binding without a uid")
        pod = self._existing(write, reference["name"])
        if reference["uid"] != pod["metadata"]["uid"]:
            raise write.forbidden(
                f"the UID in the bound object reference ({reference['uid']}) does not match the UID in "
                "record. The object might have been deleted and then recreated"
            )
        if pod["spec"].get("nodeName") != node:
            raise write.forbidden("node requested token bound to a pod scheduled on a different node")


def _name(write: Attributes) -> str:
    return write.name or str((write.obj.get("metadata") or {}).get("name") or "")


def _claim_status(write: Attributes, node: str) -> None:
    def rest(claim: Obj) -> Obj:
        meta = {k: v for k, v in claim["metadata"].items() if k not in ("resourceVersion", "managedFields")}
        status = {k: v for k, v in (claim.get("status") or {}).items() if k not in _CLAIM_STATUS}
        return {**claim, "metadata": meta, "status": status}

    if rest(write.obj) != rest(write.old or {"metadata": {}}):
        raise write.forbidden(
            f'node "{node}" is not allowed to update fields other than status.capacity and status.conditions'
        )


def _own_node(write: Attributes, node: str) -> None:
    name = _name(write)
    if name != node:
        raise write.forbidden(f'node "{node}" is not allowed to modify node "{name}"')
    new, old = write.obj, write.old
    if write.operation == "CREATE":
        forbidden = _foreign(labels_of(new), {})
        if forbidden:
            raise write.forbidden(
                f'node "{node}" is not allowed to set the following labels: {", ".join(forbidden)}'
            )
    if write.operation == "UPDATE" and old is not None:
        taints = [(each.get("spec") or {}).get("taints") or [] for each in (new, old)]
        if taints[0] != taints[1]:
            raise write.forbidden(f'node "{node}" is not allowed to modify taints')
        forbidden = _foreign(labels_of(new), labels_of(old))
        if forbidden:
            raise write.forbidden(f"is not allowed to modify labels: {', '.join(forbidden)}")


def _foreign(new: Mapping[str, str], old: Mapping[str, str]) -> list[str]:
    """Return the labels that changed, and that are not a kubelet's to change."""
    changed = {key for key in {*new, *old} if new.get(key) != old.get(key)}
    return sorted(key for key in changed if not _is_nodes_own(key))


def _is_nodes_own(key: str) -> bool:
    domain = key.partition("/")[0] if "/" in key else ""

    def within(*parents: str) -> bool:
        return any(domain == parent or domain.endswith(f".{parent}") for parent in parents)

    if within(_RESTRICTED):
        return False
    return not within("kubernetes.io", "k8s.io") or key in _NODES_OWN or within(*_NODES_OWN_PREFIXES)


def _lease(write: Attributes, node: str) -> None:
    if write.namespace != NODE_LEASE_NAMESPACE:
        raise write.forbidden(f'can only access leases in the "{NODE_LEASE_NAMESPACE}" system namespace')
    if _name(write) != node:
        raise write.forbidden("can only access node lease with the same name as the requesting node")


def build(context: PluginContext) -> Sequence[Handler]:
    """Return its handlers."""
    plugin = NodeRestriction(context.reader)
    resources = (
        "pods", "nodes", "persistentvolumeclaims", "serviceaccounts", "leases.coordination.k8s.io",
        "csinodes.storage.k8s.io",
    )  # fmt: skip
    return (
        Handler(
            operations=("CREATE", "UPDATE", "DELETE"),
            resources=resources,
            subresources=(EVERY,),
            admit=plugin.admit,
        ),
    )


DESCRIPTOR = PluginDescriptor(name="NodeRestriction", build=build)
