"""The built-in resources: what a kind is called, where it lives, what can be done with it.

Source: the discovery documents of kube-apiserver 1.36 (stable groups).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from leeward.kube.objects import Obj

CRDS = "customresourcedefinitions.apiextensions.k8s.io"
ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


class Resource(NamedTuple):
    """One resource."""

    name: str  # "pods", "deployments.apps": plural, then "." and group unless the core group
    group: str
    kind: str
    namespaced: bool
    version: str = "v1"
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()  # "status", "scale", …
    verbs: tuple[str, ...] = ALL_VERBS

    @property
    def plural(self) -> str:
        """The name in URLs."""
        return self.name.split(".", 1)[0]

    @property
    def singular(self) -> str:
        """The name kubectl prints before a slash."""
        return self.kind.lower()

    @property
    def api_version(self) -> str:
        """What ``apiVersion`` says."""
        return f"{self.group}/{self.version}" if self.group else self.version


# plural Kind short,names @categories /subresources; in this order, groups in the order of discovery
_NAMESPACED = {
    "": (
        "bindings Binding",
        "configmaps ConfigMap cm",
        "endpoints Endpoints ep",
        "events Event ev",
        "limitranges LimitRange limits",
        "persistentvolumeclaims PersistentVolumeClaim pvc /status",
        "pods Pod po @all /status,binding,eviction,log,exec,attach,portforward,proxy,ephemeralcontainers,"
        "resize",
        "podtemplates PodTemplate",
        "replicationcontrollers ReplicationController rc @all /status,scale",
        "resourcequotas ResourceQuota quota /status",
        "secrets Secret",
        "serviceaccounts ServiceAccount sa /token",
        "services Service svc @all /status,proxy",
    ),
    "apps": (
        "controllerrevisions ControllerRevision",
        "daemonsets DaemonSet ds @all /status",
        "deployments Deployment deploy @all /status,scale",
        "replicasets ReplicaSet rs @all /status,scale",
        "statefulsets StatefulSet sts @all /status,scale",
    ),
    "events.k8s.io": ("events Event ev",),
    "autoscaling": ("horizontalpodautoscalers HorizontalPodAutoscaler hpa @all /status",),
    "batch": ("cronjobs CronJob cj @all /status", "jobs Job @all /status"),
    "networking.k8s.io": ("ingresses Ingress ing /status", "networkpolicies NetworkPolicy netpol"),
    "policy": ("poddisruptionbudgets PodDisruptionBudget pdb /status",),
    "rbac.authorization.k8s.io": ("rolebindings RoleBinding", "roles Role"),
    "storage.k8s.io": ("csistoragecapacities CSIStorageCapacity",),
    "coordination.k8s.io": ("leases Lease",),
    "discovery.k8s.io": ("endpointslices EndpointSlice",),
    "resource.k8s.io": (
        "resourceclaims ResourceClaim /status",
        "resourceclaimtemplates ResourceClaimTemplate",
    ),
}
_CLUSTER = {
    "": (
        "componentstatuses ComponentStatus cs",
        "namespaces Namespace ns /status,finalize",
        "nodes Node no /status,proxy",
        "persistentvolumes PersistentVolume pv /status",
    ),
    "apiregistration.k8s.io": ("apiservices APIService @api-extensions /status",),
    "certificates.k8s.io": ("certificatesigningrequests CertificateSigningRequest csr /status,approval",),
    "networking.k8s.io": (
        "ingressclasses IngressClass",
        "ipaddresses IPAddress ip",
        "servicecidrs ServiceCIDR /status",
    ),
    "rbac.authorization.k8s.io": ("clusterrolebindings ClusterRoleBinding", "clusterroles ClusterRole"),
    "storage.k8s.io": (
        "csidrivers CSIDriver",
        "csinodes CSINode",
        "storageclasses StorageClass sc",
        "volumeattachments VolumeAttachment /status",
        "volumeattributesclasses VolumeAttributesClass vac",
    ),
    "admissionregistration.k8s.io": (
        "mutatingadmissionpolicies MutatingAdmissionPolicy @api-extensions",
        "mutatingadmissionpolicybindings MutatingAdmissionPolicyBinding @api-extensions",
        "mutatingwebhookconfigurations MutatingWebhookConfiguration @api-extensions",
        "validatingadmissionpolicies ValidatingAdmissionPolicy @api-extensions /status",
        "validatingadmissionpolicybindings ValidatingAdmissionPolicyBinding @api-extensions",
        "validatingwebhookconfigurations ValidatingWebhookConfiguration @api-extensions",
    ),
    "apiextensions.k8s.io": (
        "customresourcedefinitions CustomResourceDefinition crd,crds @api-extensions /status",
    ),
    "scheduling.k8s.io": ("priorityclasses PriorityClass pc",),
    "node.k8s.io": ("runtimeclasses RuntimeClass",),
    "resource.k8s.io": ("deviceclasses DeviceClass", "resourceslices ResourceSlice"),
    "flowcontrol.apiserver.k8s.io": (
        "flowschemas FlowSchema /status",
        "prioritylevelconfigurations PriorityLevelConfiguration /status",
    ),
}
_VERSIONS = {"autoscaling": "v2"}
_VERBS = {"bindings": ("create",), "componentstatuses": ("get", "list")}


def _rows(table: dict[str, tuple[str, ...]], namespaced: bool) -> Iterable[Resource]:
    for group, rows in table.items():
        for row in rows:
            plural, kind, *rest = row.split()
            marked = {part[0]: tuple(part[1:].split(",")) for part in rest if part[0] in "@/"}
            short = next((tuple(part.split(",")) for part in rest if part[0] not in "@/"), ())
            yield Resource(
                f"{plural}.{group}" if group else plural,
                group,
                kind,
                namespaced,
                _VERSIONS.get(group, "v1"),
                short,
                marked.get("@", ()),
                marked.get("/", ()),
                _VERBS.get(plural, ALL_VERBS),
            )


BUILT_IN: tuple[Resource, ...] = (*_rows(_NAMESPACED, True), *_rows(_CLUSTER, False))


def custom_resources(definitions: Iterable[Obj]) -> list[Resource]:
    """Return the resources that CustomResourceDefinitions define, in their storage version.

    A definition that cannot be read, as an earlier release may have stored it, defines none.
    """
    return [row for row in map(_custom_resource, definitions) if row is not None]


def readable_definitions(definitions: Iterable[Obj]) -> list[Obj]:
    """Return the definitions that define something."""
    return [each for each in definitions if _custom_resource(each) is not None]


def _custom_resource(definition: Obj) -> Resource | None:
    try:
        spec = definition["spec"]
        names = spec["names"]
        version = next((v for v in spec.get("versions") or () if v.get("storage")), {"name": "v1"})
        subresources = tuple(
            name for name in ("status", "scale") if name in (version.get("subresources") or {})
        )
        return Resource(
            f"{names['plural']}.{spec['group']}",
            spec["group"],
            names["kind"],
            spec.get("scope") == "Namespaced",
            version["name"],
            tuple(names.get("shortNames") or ()),
            tuple(names.get("categories") or ()),
            subresources,
        )
    except (AttributeError, KeyError, TypeError):
        return None


def group_of(api_version: str) -> str:
    """Return the group of an apiVersion; "" for the core group."""
    return api_version.rpartition("/")[0]


def resource_of_kind(api_version: str, kind: str) -> Resource | None:
    """Return the built-in resource of an object, or None."""
    group = group_of(api_version)
    return next((row for row in BUILT_IN if row.group == group and row.kind == kind), None)
