"""Labels, annotations, taints and other names with a meaning to Kubernetes or to leeward.

Source: kubernetes.io/docs/reference/labels-annotations-taints (Kubernetes 1.36).
"""

from __future__ import annotations

from typing import Final

ZONE: Final = "topology.kubernetes.io/zone"
REGION: Final = "topology.kubernetes.io/region"
HOSTNAME: Final = "kubernetes.io/hostname"
ARCH: Final = "kubernetes.io/arch"
OS: Final = "kubernetes.io/os"
INSTANCE_TYPE: Final = "node.kubernetes.io/instance-type"

TAINT_NOT_READY: Final = "node.kubernetes.io/not-ready"
TAINT_UNREACHABLE: Final = "node.kubernetes.io/unreachable"
TAINT_UNSCHEDULABLE: Final = "node.kubernetes.io/unschedulable"

TEMPLATE_GENERATION: Final = "deprecated.daemonset.template.generation"  # annotation of DaemonSets
POD_TEMPLATE_HASH: Final = "pod-template-hash"
CONTROLLER_REVISION_HASH: Final = "controller-revision-hash"
SERVICE_NAME: Final = "kubernetes.io/service-name"

FINALIZER_ORPHAN: Final = "orphan"
FINALIZER_FOREGROUND: Final = "foregroundDeletion"

PVC_PROTECTION: Final = "kubernetes.io/pvc-protection"
PV_PROTECTION: Final = "kubernetes.io/pv-protection"
NODE_LEASE_NAMESPACE: Final = "kube-node-lease"
SYSTEM_NAMESPACES: Final = ("default", "kube-system", "kube-public", NODE_LEASE_NAMESPACE)

APP_NAME: Final = "app.kubernetes.io/name"  # the Compose service
APP_PART_OF: Final = "app.kubernetes.io/part-of"  # the Compose project
APP_MANAGED_BY: Final = "app.kubernetes.io/managed-by"

# On a Node of the embedded cluster: "off" pulls its plug, at once and without warning.
NODE_POWER: Final = "leeward.dev/power"
# On nodes of a cluster with several groups of them: the group.
NODE_GROUP: Final = "leeward.dev/node-group"
# On a Pod: how its simulated containers behave, "pull=1s..5s ready=2s crash=0.05".
SIMULATE: Final = "leeward.dev/simulate"
# On a Service: JSON list of the host ports that Compose publishes for it, each
# {"hostIP": "127.0.0.1", "published": 8080, "target": 80, "protocol": "TCP"}.
PUBLISHED_PORTS: Final = "leeward.dev/published-ports"
# On rendered objects: the Compose file and line they came from, "compose.yaml:12".
ORIGIN: Final = "leeward.dev/origin"
# On a rendered workload: JSON map of the services it waits for (by APP_NAME) to the condition,
# {"db": "service_healthy", "migrate": "service_completed_successfully", "cache": "service_started"}; what is
# not required is {"condition": …, "required": false}.
DEPENDS_ON: Final = "leeward.dev/depends-on"
# On a Pod template: JSON map of the services whose new release restarts it to the digests of their templates.
RESTART_AFTER: Final = "leeward.dev/restart-after"
# On a ConfigMap: its values are files of Prometheus alert rules.
ALERTS: Final = "leeward.dev/alerts"
# On Pods, with a network's or alias's name appended: members of a Compose network, bearers of an alias.
NETWORK_PREFIX: Final = "network.leeward.dev/"
ALIAS_PREFIX: Final = "alias.leeward.dev/"
