"""What the columns of Tables are about: the description of the field shown, or words of its own.

The fields are those of Kubernetes' definitions, which are read once, when the first Table is made.

Source: pkg/printers/internalversion/printers.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from leeward.kube.definitions import read_definitions

_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_EVERYWHERE = {
    "Name": f"{_META}#name",
    "Age": f"{_META}#creationTimestamp",
    "Created At": f"{_META}#creationTimestamp",
}
_TEMPLATE = (
    "Containers: Names of each container in the template.; "
    "Images: Images referenced by each container in the template."
)
_REPLICAS = (
    "Desired={0}Spec#replicas; Current={0}Status#replicas; Ready={0}Status#readyReplicas; "
    "Selector={0}Spec#selector"
)
_SUBJECTS = "Users: Users in the {0}; Groups: Groups in the {0}; ServiceAccounts: ServiceAccounts in the {0}"

# resource: "Column=Type#field" of a definition, or "Column: words"
_COLUMNS: Mapping[str, tuple[str, str]] = {
    "pods": (
        "core.v1",
        "Ready: The aggregate readiness state of this pod for accepting traffic.; "
        "Status: The aggregate status of the containers in this pod.; "
        "Restarts: The number of times the containers in this pod have been restarted and when the last "
        "container "
        "in this pod has restarted.; "
        "IP=PodStatus#podIP; Node=PodSpec#nodeName; Nominated Node=PodStatus#nominatedNodeName; "
        "Readiness Gates=PodSpec#readinessGates",
    ),
    "podtemplates": ("core.v1", f"{_TEMPLATE}; Pod Labels: The labels for the pod template."),
    "namespaces": ("core.v1", "Status: The status of the namespace"),
    "configmaps": ("core.v1", "Data=ConfigMap#data"),
    "secrets": ("core.v1", "Type=Secret#type; Data=Secret#data"),
    "serviceaccounts": ("core.v1", "Secrets=ServiceAccount#secrets"),
    "endpoints": ("core.v1", "Endpoints=Endpoints#subsets"),
    "persistentvolumeclaims": (
        "core.v1",
        "Status=PersistentVolumeClaimStatus#phase; Volume=PersistentVolumeClaimSpec#volumeName; "
        "Capacity=PersistentVolumeClaimStatus#capacity; "
        "Access Modes=PersistentVolumeClaimStatus#accessModes; "
        "StorageClass: StorageClass of the pvc; VolumeAttributesClass: VolumeAttributesClass of the pvc; "
        "VolumeMode=PersistentVolumeClaimSpec#volumeMode",
    ),
    "persistentvolumes": (
        "core.v1",
        "Capacity=PersistentVolumeSpec#capacity; Access Modes=PersistentVolumeSpec#accessModes; "
        "Reclaim Policy=PersistentVolumeSpec#persistentVolumeReclaimPolicy; "
        "Status=PersistentVolumeStatus#phase; "
        "Claim=PersistentVolumeSpec#claimRef; StorageClass: StorageClass of the pv; "
        "VolumeAttributesClass: VolumeAttributesClass of the pv; Reason=PersistentVolumeStatus#reason; "
        "VolumeMode=PersistentVolumeSpec#volumeMode",
    ),
    "replicationcontrollers": ("core.v1", f"{_REPLICAS.format('ReplicationController')}; {_TEMPLATE}"),
    "resourcequotas": (
        "core.v1",
        "Request: Request represents a minimum amount of cpu/memory that a container may consume.; "
        "Limit: Limits control the maximum amount of cpu/memory that a container may use independent of "
        "contention on the node.",
    ),
    "services": (
        "core.v1",
        "Type=ServiceSpec#type; Cluster-IP=ServiceSpec#clusterIP; External-IP=ServiceSpec#externalIPs; "
        "Port(s)=ServiceSpec#ports; Selector=ServiceSpec#selector",
    ),
    "nodes": (
        "core.v1",
        "Status: The status of the node; Roles: The roles of the node; "
        "Version=NodeSystemInfo#kubeletVersion; "
        "Internal-IP=NodeStatus#addresses; External-IP=NodeStatus#addresses; "
        "OS-Image=NodeSystemInfo#osImage; "
        "Kernel-Version=NodeSystemInfo#kernelVersion; "
        "Container-Runtime=NodeSystemInfo#containerRuntimeVersion",
    ),
    "events": (
        "core.v1",
        "Last Seen=Event#lastTimestamp; Type=Event#type; Reason=Event#reason; Object=Event#involvedObject; "
        "Subobject=ObjectReference#fieldPath; Source=Event#source; Message=Event#message; "
        "First Seen=Event#firstTimestamp; Count=Event#count",
    ),
    "controllerrevisions.apps": (
        "apps.v1",
        "Controller: Controller of the object; Revision=ControllerRevision#revision",
    ),
    "daemonsets.apps": (
        "apps.v1",
        "Desired=DaemonSetStatus#desiredNumberScheduled; Current=DaemonSetStatus#currentNumberScheduled; "
        "Ready=DaemonSetStatus#numberReady; Up-to-date=DaemonSetStatus#updatedNumberScheduled; "
        "Available=DaemonSetStatus#numberAvailable; Node Selector=core.v1.PodSpec#nodeSelector; "
        f"Selector=DaemonSetSpec#selector; {_TEMPLATE}",
    ),
    "deployments.apps": (
        "apps.v1",
        "Ready: Number of the pod with ready state; Up-to-date=DeploymentStatus#updatedReplicas; "
        f"Available=DeploymentStatus#availableReplicas; Selector=DeploymentSpec#selector; {_TEMPLATE}",
    ),
    "replicasets.apps": ("apps.v1", f"{_REPLICAS.format('ReplicaSet')}; {_TEMPLATE}"),
    "statefulsets.apps": ("apps.v1", f"Ready: Number of the pod with ready state; {_TEMPLATE}"),
    "cronjobs.batch": (
        "batch.v1",
        "Schedule=CronJobSpec#schedule; Timezone=CronJobSpec#timeZone; Suspend=CronJobSpec#suspend; "
        "Active=CronJobStatus#active; Last Schedule=CronJobStatus#lastScheduleTime; "
        f"Selector=JobSpec#selector; {_TEMPLATE}",
    ),
    "jobs.batch": (
        "batch.v1",
        "Status: Status of the job.; Completions=JobStatus#succeeded; "
        "Duration: Time required to complete the job.; "
        f"Selector=JobSpec#selector; {_TEMPLATE}",
    ),
    "horizontalpodautoscalers.autoscaling": (
        "autoscaling.v2",
        "Reference=HorizontalPodAutoscalerSpec#scaleTargetRef; Targets=HorizontalPodAutoscalerSpec#metrics; "
        "MinPods=HorizontalPodAutoscalerSpec#minReplicas; MaxPods=HorizontalPodAutoscalerSpec#maxReplicas; "
        "Replicas=HorizontalPodAutoscalerStatus#currentReplicas",
    ),
    "certificatesigningrequests.certificates.k8s.io": (
        "certificates.v1",
        "SignerName: Requested signer for the request. It is a qualified name in the form: "
        "`scope-hostname.io/name`. If empty, it will be defaulted:\n"
        " 1. If it's a kubelet client certificate, it is assigned\n"
        '    "kubernetes.io/kube-apiserver-client-kubelet".\n'
        " 2. If it's a kubelet serving certificate, it is assigned\n"
        '    "kubernetes.io/kubelet-serving".\n'
        ' 3. Otherwise, it is assigned "kubernetes.io/legacy-unknown".\n'
        "Distribution of trust for signers happens out of band. You can select on this field using "
        "`spec.signerName`.; "
        "Requestor: Base64-encoded PKCS#10 CSR data; "
        "RequestedDuration=CertificateSigningRequestSpec#expirationSeconds; "
        "Condition: Conditions applied to the request, such as approval or denial.",
    ),
    "leases.coordination.k8s.io": ("coordination.v1", "Holder=LeaseSpec#holderIdentity"),
    "endpointslices.discovery.k8s.io": (
        "discovery.v1",
        "AddressType=EndpointSlice#addressType; Ports=EndpointSlice#ports; Endpoints=EndpointSlice#endpoints",
    ),
    "ingressclasses.networking.k8s.io": (
        "networking.v1",
        "Controller: Controller that is responsible for handling this class; "
        "Parameters: A reference to a resource with additional parameters",
    ),
    "ingresses.networking.k8s.io": (
        "networking.v1",
        "Class: The name of the IngressClass resource that should be used for additional configuration; "
        "Hosts: Hosts that incoming requests are matched against before the ingress rule; "
        "Address: Address is a list containing ingress points for the load-balancer; "
        "Ports: Ports of TLS configurations that open",
    ),
    "networkpolicies.networking.k8s.io": ("networking.v1", "Pod-Selector=NetworkPolicySpec#podSelector"),
    "poddisruptionbudgets.policy": (
        "policy.v1",
        "Min Available: The minimum number of pods that must be available.; "
        "Max Unavailable: The maximum number of pods that may be unavailable.; "
        "Allowed Disruptions: Calculated number of pods that may be disrupted at this time.",
    ),
    "rolebindings.rbac.authorization.k8s.io": (
        "rbac.v1",
        f"Role=RoleBinding#roleRef; {_SUBJECTS.format('roleBinding')}",
    ),
    "clusterrolebindings.rbac.authorization.k8s.io": (
        "rbac.v1",
        f"Role=ClusterRoleBinding#roleRef; {_SUBJECTS.format('clusterRoleBinding')}",
    ),
    "priorityclasses.scheduling.k8s.io": (
        "scheduling.v1",
        "Value=PriorityClass#value; Global-Default=PriorityClass#globalDefault; "
        "PreemptionPolicy=PriorityClass#preemptionPolicy",
    ),
    "storageclasses.storage.k8s.io": (
        "storage.v1",
        "Provisioner=StorageClass#provisioner; ReclaimPolicy=StorageClass#reclaimPolicy; "
        "VolumeBindingMode=StorageClass#volumeBindingMode; "
        "AllowVolumeExpansion=StorageClass#allowVolumeExpansion",
    ),
    "csidrivers.storage.k8s.io": (
        "storage.v1",
        "AttachRequired=CSIDriverSpec#attachRequired; PodInfoOnMount=CSIDriverSpec#podInfoOnMount; "
        "StorageCapacity=CSIDriverSpec#storageCapacity; TokenRequests=CSIDriverSpec#tokenRequests; "
        "RequiresRepublish=CSIDriverSpec#requiresRepublish; Modes=CSIDriverSpec#volumeLifecycleModes",
    ),
}


@lru_cache(maxsize=1)
def descriptions() -> Mapping[str, Mapping[str, str]]:
    """Return column → description by resource; "" is for the columns that every resource has."""
    definitions = read_definitions()

    def described(field: str) -> str:
        name, _, key = field.partition("#")
        found = (definitions.get(name, {}).get("properties") or {}).get(key) or {}
        return str(found.get("description") or "")

    made = {"": {column: described(field) for column, field in _EVERYWHERE.items()}}
    for resource, (group, text) in _COLUMNS.items():
        made[resource] = columns = {}
        for part in text.split("; "):
            column, equals, field = part.partition("=")
            if equals and ":" not in column:
                home = "" if field.startswith("core.v1.") else f"{group}."
                columns[column] = described(f"io.k8s.api.{home}{field}")
            else:
                column, _, words = part.partition(": ")
                columns[column] = words
    return made


def description(resource: str, column: str) -> str:
    """Return what a column of a resource is about; "" when nobody says."""
    found = descriptions()
    return found.get(resource, {}).get(column) or found[""].get(column, "")
